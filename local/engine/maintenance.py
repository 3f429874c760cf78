"""Keeps the data folder from growing: expires old snapshots, merges small files, deletes unused files and logs.

A round runs in the background when the engine's clock has moved on an hour. Each piece is one commit or nothing,
so the process may be killed at any moment: the next round finishes, and deletes files without a commit.

Rewriting, merging and checkpoints need a moment without writers: of two commits that move and change the same rows, one
would fail. Their pieces take well under a second. No other step delays a statement, and no step delays a reader.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from local_bigquery.engine import database
from local_bigquery.settings import settings

from local.engine import clock, connections, idle_sessions, job_history, results
from local.engine.disk import EMULATOR
from local.sqlite_file import open_sqlite

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

LOG = logging.getLogger(__name__)
TIME_TRAVEL = timedelta(days=7)
EVERY = timedelta(hours=1)
PATIENCE = 2.0  # seconds to wait for other statements before a step is left to the next round
PAUSE = 0.05  # seconds between two pieces, for waiting statements
ATTEMPTS = 5  # to write a checkpoint

SNAPSHOTS = 250  # to expire at a time
PIECE = 8_000_000  # bytes: rewritten in about 0.3 s
PER_FILE = 32_000  # bytes: rewritten in the time it takes to open a file and its list of deleted rows
SMALL = 1_000_000  # bytes: files from here on are not merged
#: Files below the first size become a file of the second. Tiny ones first: a piece has at most about 1,500 of them.
SIZES = ((64_000, 1_000_000), (SMALL, PIECE))
MOSTLY_DELETED = 0.5  # the share of deleted rows from which a large file is rewritten

FILE = "maintenance.sqlite"
MARKS = """
CREATE TABLE IF NOT EXISTS marks (
    number INTEGER PRIMARY KEY AUTOINCREMENT, instant TEXT NOT NULL, project TEXT NOT NULL, snapshot INTEGER NOT NULL
)
"""
# Statements on the database in which DuckLake keeps a project's tables, states and files.
# DuckLake rewrites files of one table of which at least a given share is deleted. The share is chosen so that all of
# them are worth it, and together cost at most a piece; many small files with the same share are all taken.
TO_REWRITE = """
SELECT table_id, coalesce(min(share) FILTER (cost <= $piece), max(share) FILTER (together <= $piece)) AS least
FROM (
    SELECT table_id, share, sum(bytes) OVER deleted AS together, sum(greatest(bytes, $file)) OVER deleted AS cost,
        bool_and(bytes < $small OR share >= $mostly) OVER deleted AS worth_it
    FROM (
        SELECT file.table_id, file.file_size_bytes AS bytes, delete_count / record_count AS share
        FROM ducklake_data_file AS file JOIN ducklake_delete_file AS deletion USING (data_file_id)
        WHERE file.end_snapshot IS NULL AND deletion.end_snapshot IS NULL
    )
    WINDOW deleted AS (PARTITION BY table_id ORDER BY share DESC)
)
WHERE worth_it AND NOT list_contains($done, table_id) GROUP BY table_id HAVING least IS NOT NULL LIMIT 1
"""
# DuckLake merges files of one partition, written while the table had the same columns.
TO_MERGE = """
SELECT table_id, sum(pieces)::INTEGER FROM (
    SELECT file.table_id, ceil(sum(file_size_bytes) / $size) AS pieces
    FROM ducklake_data_file AS file
    ASOF JOIN ducklake_schema_versions AS columns
        ON file.table_id = columns.table_id AND file.begin_snapshot >= columns.begin_snapshot
    LEFT JOIN (
        SELECT data_file_id, list(partition_value ORDER BY partition_key_index) AS partition
        FROM ducklake_file_partition_value GROUP BY data_file_id
    ) USING (data_file_id)
    WHERE end_snapshot IS NULL AND file_size_bytes < $below
        AND NOT EXISTS (FROM ducklake_delete_file AS deletion WHERE deletion.data_file_id = file.data_file_id)
    GROUP BY file.table_id, partition_id, partition, schema_version HAVING count(*) > 1
)
GROUP BY table_id
"""
NAME = """
SELECT schema_name, table_name FROM ducklake_table AS named JOIN ducklake_schema AS dataset USING (schema_id)
WHERE table_id = ? AND named.end_snapshot IS NULL AND dataset.end_snapshot IS NULL
"""


class Maintenance:
    """The thread that runs the rounds, by the engine's clock."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._woken = False
        self._clean = False
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="maintenance", daemon=True)

    def start(self) -> None:
        """Start the thread; the data folder must be open."""
        self._thread.start()

    def wake(self) -> None:
        """Check the engine's clock: it was moved."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def clean(self) -> None:
        """Delete unused files now: statements that met a full disk have left some."""
        self._clean = True
        self.wake()

    def stop(self) -> None:
        """End after the current piece, before the data folder is closed."""
        self._ended = True
        self.wake()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended:
            remaining = EVERY
            try:
                if self._clean:
                    self._clean = False
                    remove_all_unused_files()
                now = clock.now()
                until_due = time_to_next(now)
                if until_due <= timedelta():
                    maintain(now, lambda: self._ended)
                else:
                    remaining = until_due
            except Exception:  # the server continues without it
                LOG.exception("A round of maintenance failed")
            with self._changed:
                self._changed.wait_for(lambda: self._woken, remaining.total_seconds())
                self._woken = False


def time_to_next(now: datetime) -> timedelta:
    """How long until a round is due: also when the clock was moved back by more than an hour."""
    with _marks() as marks:
        last = marks.execute("SELECT instant FROM marks ORDER BY number DESC LIMIT 1").fetchone()
    return EVERY - abs(now - datetime.fromisoformat(last[0])) if last else timedelta()


def maintain(now: datetime, ended: Callable[[], bool] = lambda: False) -> None:
    """One round over all projects.

    Args:
        now: the instant that the engine's clock shows.
        ended: whether to stop after the current piece.
    """
    # not a connection that passes the gate for writers: where the gate is shut, a piece would wait for itself
    with closing(database.connection().native.cursor()) as cursor:
        # an idle session's open transaction would block the steps of every round
        _do(_at_once(idle_sessions.end_idle), ended)
        for project in database.projects():
            cursor.execute(f"USE {connections.lake(project)}")
            for step in (expire(cursor, project, now), rewrite(cursor, project), merge(cursor, project)):
                _do(step, ended)
            _do(remove_unused_files(cursor, project), ended)
            _do(checkpoint(cursor), ended)
        cursor.execute(f"USE {EMULATOR}")
        for step in (checkpoint(cursor), _at_once(job_history.delete_old), _at_once(results.make_room)):
            _do(step, ended)


def _at_once(action: Callable[[], None]) -> Iterator[None]:
    """A step of one piece."""
    action()
    yield


def remove_all_unused_files() -> None:
    """Remove the unused files of all projects."""
    with closing(database.connection().native.cursor()) as cursor:
        for project in database.projects():
            _do(remove_unused_files(cursor, project), lambda: False)


def _do(step: Iterator[None], ended: Callable[[], bool]) -> None:
    """A step, piece by piece. Where one fails, the next step may do better, and the next round tries again."""
    try:
        while not ended():
            next(step)
            time.sleep(PAUSE)
    except StopIteration:
        pass
    except Exception:
        LOG.exception("A step of the maintenance failed")


def expire(cursor: Any, project: str, now: datetime) -> Iterator[None]:
    """Forget the states that time travel no longer reaches."""
    oldest = mark(cursor, project, now)
    old = cursor.execute(
        "SELECT snapshot_id FROM ducklake_snapshot WHERE snapshot_id < ? ORDER BY 1", [oldest]
    ).fetchall()
    statement = "SELECT snapshot_id FROM ducklake_expire_snapshots(?, versions => ?)"
    for start in range(0, len(old), SNAPSHOTS):
        piece = [snapshot for (snapshot,) in old[start : start + SNAPSHOTS]]
        cursor.execute(statement, [project, piece]).fetchall()
        yield


def mark(cursor: Any, project: str, now: datetime) -> int:
    """Note which state the project is in at this instant: DuckLake's own times are the machine's, not the engine's.

    Returns:
        The snapshot of TIME_TRAVEL ago, the oldest that is needed; 0 if none is that old.
    """
    (newest,) = cursor.execute("SELECT max(snapshot_id) FROM ducklake_snapshot").fetchone()
    with _marks() as marks:
        marks.execute(
            "INSERT INTO marks (instant, project, snapshot) VALUES (?, ?, ?)", (clock.text(now), project, newest)
        )
        number, oldest = marks.execute(
            "SELECT number, snapshot FROM marks WHERE project = ? AND instant <= ? ORDER BY number DESC LIMIT 1",
            (project, clock.text(now - TIME_TRAVEL)),
        ).fetchone() or (0, 0)
        marks.execute("DELETE FROM marks WHERE project = ? AND number < ?", (project, number))
    return int(oldest)


def rewrite(cursor: Any, project: str) -> Iterator[None]:
    """Rewrite files without their deleted rows: DuckLake merges only files that have none."""
    limits = {"small": SMALL, "mostly": MOSTLY_DELETED, "piece": PIECE, "file": PER_FILE}
    done: list[int] = []
    statement = "CALL ducklake_rewrite_data_files(?, ?, schema => ?, delete_threshold => ?)"
    while True:
        with connections.no_writers(PATIENCE) as quiet:
            found = quiet and cursor.execute(TO_REWRITE, {**limits, "done": done}).fetchone()
            if not found:
                return
            table, share = found
            schema, name = cursor.execute(NAME, [table]).fetchone()
            cursor.execute(statement, [project, name, schema, share]).fetchall()
        done.append(table)
        yield


def merge(cursor: Any, project: str) -> Iterator[None]:
    """Make few files of many small ones; DuckLake keeps which rows each state has."""
    statement = "CALL ducklake_merge_adjacent_files(?, ?, schema => ?, max_file_size => ?, max_compacted_files => 1)"
    for below, size in SIZES:
        cursor.execute(f"SET SESSION ducklake_target_file_size = '{size}B'")
        for table, pieces in cursor.execute(TO_MERGE, {"below": below, "size": size}).fetchall():
            for _ in range(pieces):
                with connections.no_writers(PATIENCE) as quiet:
                    named = quiet and cursor.execute(NAME, [table]).fetchone()
                    if named:  # it may have been dropped
                        schema, name = named
                        cursor.execute(statement, [project, name, schema, below]).fetchall()
                yield


def remove_unused_files(cursor: Any, project: str) -> Iterator[None]:
    """Delete the files that are in no snapshot, once no statement can be reading or writing them.

    Other steps scheduled these files, or a killed process wrote and never committed them. A file may also
    belong to a statement that is about to commit: after that statement it is in a snapshot.
    """
    before = _in_no_state(cursor, project)
    if not connections.drained(PATIENCE):
        return
    cursor.execute("SELECT path FROM ducklake_cleanup_old_files(?, cleanup_all => true)", [project]).fetchall()
    yield
    for path in before & _in_no_state(cursor, project):
        Path(path).unlink()


def _in_no_state(cursor: Any, project: str) -> set[str]:
    orphans = "SELECT path FROM ducklake_delete_orphaned_files(?, cleanup_all => true, dry_run => true)"
    return {path for (path,) in cursor.execute(orphans, [project]).fetchall()}


def checkpoint(cursor: Any) -> Iterator[None]:
    """Write a database's write-ahead log into its file, which reuses the space of deleted rows.

    Not if the disk may be too full: DuckDB would give up the database.
    """
    used = sum(file.stat().st_size for file in settings.data_dir.glob("*.d*") if file.is_file())
    if shutil.disk_usage(settings.data_dir).free < used:
        return
    for _ in range(ATTEMPTS):
        with connections.no_writers(PATIENCE) as quiet, suppress(duckdb.TransactionException):
            if quiet:  # DuckDB refuses it while any other transaction is open
                cursor.execute("CHECKPOINT")
                return
        yield


@contextmanager
def _marks() -> Iterator[sqlite3.Connection]:
    """The file, in one transaction; opened each time, since it is used once per hour."""
    with closing(open_sqlite(settings.data_dir / FILE, MARKS, "DEFERRED")) as file, file:
        yield file
