"""Jobs: running ones are in memory, all are in one SQLite file, written immediately, so a kill loses none.

INFORMATION_SCHEMA.JOBS reads a copy in DuckDB's memory, which is updated when a statement names the view.
"""

from __future__ import annotations

import functools
import json
import logging
import math
import sqlite3
import threading
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from local_bigquery.catalog import tables
from local_bigquery.engine import database
from local_bigquery.jobs import query, store
from local_bigquery.models import Job, Table
from local_bigquery.settings import settings
from sqlglot import exp

from local.engine import clock, known
from local.engine.translations import TRANSLATING, derived
from local.sqlite_file import open_sqlite

if TYPE_CHECKING:
    from collections.abc import Callable

LOG = logging.getLogger(__name__)
FILE = "jobs.sqlite"
KEPT = timedelta(days=7)
#: A job in Terraform's state is kept as long as BigQuery keeps jobs.
KEPT_FOR_TERRAFORM = timedelta(days=180)
PROVISIONED = '$.configuration.labels."goog-terraform-provisioned"'
RECENT = 500  # the number of ended jobs that are also in memory,
SMALL = 20_000  # if they have at most this many characters
JOBS = "INFORMATION_SCHEMA.JOBS"
VIEWS = ("JOBS", "JOBS_BY_PROJECT", "JOBS_BY_USER")
COPY = "bq.main.jobs"
COLUMNS = "project_id, job_id, parent_job_id, state, creation_time, resource"
TABLES = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, made TEXT NOT NULL, project_id TEXT NOT NULL, job_id TEXT NOT NULL,
    parent_job_id TEXT, state TEXT NOT NULL, creation_time INTEGER NOT NULL, resource TEXT NOT NULL,
    UNIQUE (project_id, job_id)
);
CREATE INDEX IF NOT EXISTS jobs_by_time ON jobs (made);
CREATE INDEX IF NOT EXISTS jobs_by_parent ON jobs (project_id, parent_job_id);
"""
STOPPED = {"reason": "stopped", "message": "The server was stopped while the job ran."}

Key = tuple[str, str]


@dataclass
class History:
    """The open file, and the jobs in memory."""

    file: sqlite3.Connection
    running: dict[Key, Any] = field(default_factory=dict)
    recent: dict[Key, Any] = field(default_factory=dict)
    unwritten: dict[Key, Any] = field(default_factory=dict)  # not in the file yet
    lock: threading.RLock = field(default_factory=threading.RLock)
    copied: int = 0  # the number of the newest row in the copy for JOBS
    copying: threading.Lock = field(default_factory=threading.Lock)


_history: History


def install() -> None:
    """Replace the package's store, and read JOBS from the copy. To be called after translations.install()."""
    store.save, store.load, store.list_, store.delete = save, load, list_, delete
    for module in TRANSLATING:
        module.translate = after_a_copy(module.translate)


def open_file() -> None:
    """Open the history, import the jobs that an older server kept in DuckDB, and end the jobs of a killed process.

    Raises:
        sqlite3.Error: it cannot be opened; the message names it.
    """
    global _history  # noqa: PLW0603 - the process has one
    file = open_sqlite(settings.data_dir / FILE, TABLES)
    _history = History(file)
    known_before = database.fetch(f"SELECT {COLUMNS} FROM emulator.jobs")
    for row in known_before:
        made = clock.text(datetime.fromtimestamp(row[4] / 1000, UTC))
        file.execute(f"INSERT OR IGNORE INTO jobs (made, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", [made, *row])
    unfinished = file.execute("SELECT resource FROM jobs WHERE state <> 'DONE'").fetchall()
    for (resource,) in unfinished:
        job = Job.model_validate_json(resource)
        save(job.replace(status={"state": "DONE", "errorResult": STOPPED, "errors": [STOPPED]}))
    database.execute(
        f"CREATE TABLE {COPY} (project_id VARCHAR, job_id VARCHAR, parent_job_id VARCHAR, state VARCHAR, "
        "creation_time BIGINT, resource JSON, PRIMARY KEY (project_id, job_id))"
    )
    if known_before:
        _renew_views()
        database.execute("DELETE FROM emulator.jobs")


def _renew_views() -> None:
    """Make views of JOBS that an older server created read the copy."""
    for view in known.list_resources(Table):
        if view.view and JOBS in (view.view.query or "").upper():
            reference = tables.reference(view.tableReference)
            translated = query.translate_view(*reference[:2], view.view.query)
            database.execute(f"CREATE OR REPLACE VIEW {tables.name(*reference)} AS {translated}")


def save(job: Any) -> Any:
    """Store a job. The file has its beginning and its end; only memory has that it runs.

    If the file cannot be written on a full disk, memory has the job until it can.
    """
    key = job.jobReference.projectId, job.jobReference.jobId
    with _history.lock:
        if job.status.state == "RUNNING":
            _history.running[key] = job
            return job
        _history.running.pop(key, None)
        first = not _history.unwritten
        _history.unwritten[key] = job
        try:
            write()
        except sqlite3.Error as error:
            if first:
                LOG.error("%s cannot be written: %s. Jobs are in memory until it can", FILE, error)  # noqa: TRY400 - a sentence is enough
    return job


def write() -> None:
    """Write the jobs that are in memory only.

    Raises:
        sqlite3.Error: the file cannot be written; the jobs stay in memory.
    """
    with _history.lock:
        for key, job in list(_history.unwritten.items()):
            row = _row(job)
            made = clock.text(clock.now())
            _history.file.execute(f"REPLACE INTO jobs (made, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", [made, *row])
            del _history.unwritten[key]
            _history.recent.pop(key, None)
            if len(row[-1]) <= SMALL:
                _history.recent[key] = job
        while len(_history.recent) > RECENT:
            del _history.recent[next(iter(_history.recent))]


def _row(job: Any) -> list[Any]:
    reference, statistics = job.jobReference, job.statistics
    identity = [reference.projectId, reference.jobId, statistics.parentJobId]
    return [*identity, job.status.state, int(statistics.creationTime), json.dumps(job.dump())]


def _in_memory(key: Key) -> Any:
    return _history.running.get(key) or _history.unwritten.get(key) or _history.recent.get(key)


def load(project: str, job: str) -> Any:
    """A job, or None."""
    key = project, job
    with _history.lock:
        found = _in_memory(key)
        if found is None:
            row = _history.file.execute("SELECT resource FROM jobs WHERE project_id = ? AND job_id = ?", key).fetchone()
            found = Job.model_validate_json(row[0]) if row else None
    return found


def list_(
    project: str,
    states: list[str] | None = None,
    parent: str | None = None,
    earliest: int | None = None,
    latest: int | None = None,
) -> list[Any]:
    """The jobs of a project, or the children of one of them, the newest first.

    Args:
        project: its id.
        states: PENDING, RUNNING, DONE; None for all.
        parent: the id of the job whose children are listed.
        earliest: the first creation time, in milliseconds.
        latest: the last creation time, in milliseconds.
    """
    with _history.lock:
        rows = _history.file.execute(
            "SELECT job_id, resource FROM jobs WHERE project_id = ? AND parent_job_id IS ? "
            "AND creation_time >= coalesce(?, creation_time) AND creation_time <= coalesce(?, creation_time) "
            "ORDER BY creation_time DESC, number DESC",
            [project, parent, earliest, latest],
        ).fetchall()
        memory = {job: _in_memory((project, job)) for job, _ in rows}
        unwritten = [job for (own, _), job in _history.unwritten.items() if own == project]
    found = [memory[job] or Job.model_validate_json(text) for job, text in rows]
    found += [
        job
        for job in unwritten
        if job.jobReference.jobId not in memory
        and job.statistics.parentJobId == parent
        and (earliest or 0) <= int(job.statistics.creationTime) <= (latest or math.inf)
    ]
    found.sort(key=lambda job: -int(job.statistics.creationTime))
    return [job for job in found if not states or job.status.state in states]


def delete(project: str, job: str) -> None:
    """Forget a job and its children."""
    _delete("project_id = ? AND (job_id = ? OR parent_job_id = ?)", [project, job, job])


def delete_old() -> None:
    """Forget the jobs that are older than they are kept, by the engine's clock."""
    oldest, provisioned = (clock.text(clock.now() - kept) for kept in (KEPT, KEPT_FOR_TERRAFORM))
    _delete(
        "made < ? AND state = 'DONE' AND (json_extract(resource, ?) IS NULL OR made < ?)",
        [oldest, PROVISIONED, provisioned],
    )


def _delete(condition: str, values: list[Any]) -> None:
    with _history.copying, closing(database.connection().native.cursor()) as cursor:
        with _history.lock:
            statement = f"DELETE FROM jobs WHERE {condition} RETURNING project_id, job_id"
            gone = _history.file.execute(statement, values).fetchall()
            for key in gone:
                for jobs in (_history.running, _history.unwritten, _history.recent):
                    jobs.pop(key, None)
        if gone:
            projects, ids = zip(*gone, strict=True)
            cursor.register("gone", pa.table([projects, ids], ["project_id", "job_id"]))
            cursor.execute(f"DELETE FROM {COPY} WHERE (project_id, job_id) IN (SELECT (project_id, job_id) FROM gone)")


def after_a_copy(original: Callable[..., Any]) -> Callable[..., Any]:
    """Update the copy before a statement reads JOBS, by name or through a view or function."""

    @functools.wraps(original)
    def translate(tree: exp.Expression, context: Any) -> Any:
        names = derived(tree, _names)
        if not names.isdisjoint(VIEWS) or not names.isdisjoint(known.definitions_that_read(JOBS)):
            _copy()
        return original(tree, context)

    return translate


def _names(tree: exp.Expression) -> frozenset[str]:
    """The tables and functions in a statement, in upper case, without project and dataset."""
    return frozenset(node.name.upper().rpartition(".")[2] for node in tree.find_all(exp.Table, exp.Anonymous))


def _copy() -> None:
    with _history.copying, closing(database.connection().native.cursor()) as cursor:
        with _history.lock:
            changed = _history.file.execute(
                f"SELECT number, {COLUMNS} FROM jobs WHERE number > ? ORDER BY number", [_history.copied]
            ).fetchall()
            in_memory = [*_history.running.values(), *_history.unwritten.values()]
        # what memory knows of a job is newer than what the file does
        rows = {
            tuple(row[:2]): row for row in ([row for _, *row in changed] + [_row(job) for job in in_memory])
        }.values()
        if rows:
            columns = [pa.array(values) for values in zip(*rows, strict=True)]
            cursor.register("changed", pa.table(columns, COLUMNS.split(", ")))
            cursor.execute(f"INSERT OR REPLACE INTO {COPY} SELECT * FROM changed")
        if changed:
            _history.copied = changed[-1][0]
