"""A full disk: the job that meets it fails with a clear message, and the next one works once there is room.

A statement that cannot be written changes nothing. DuckDB refuses a database whose checkpoint failed until it is
attached again; this happens at the next request after an error that may have this cause.
"""

from __future__ import annotations

import errno
import functools
import importlib
import logging
import os
import shutil
import sqlite3
import threading
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import duckdb
from local_bigquery import errors
from local_bigquery.catalog import ddl, names, tables
from local_bigquery.engine import database, sessions
from local_bigquery.jobs import runner
from local_bigquery.settings import settings
from local_bigquery.sql import script
from sqlglot import exp

from declared.sizes import MEGABYTE
from local.engine import connections

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOG = logging.getLogger(__name__)
REASON = "resourcesExceeded"
#: DuckDB's errors have no number, but contain the system's message.
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
FULL = MEGABYTE  # bytes: with less left, a failed write is blamed on the full disk
EMULATOR = "emulator"
PATIENCE = 10.0  # seconds that running statements have before a database is attached again
ATTEMPTS = 50  # to attach, while the old one is still being closed
SPILLED = "100GB"  # limit for what does not fit into memory; DuckDB's default is what is free at the first use

#: Called when there may be room again after a full disk, or a database was attached again.
healed: list[Callable[[], None]] = []
_healing = threading.Lock()
_checked_at = 0
_met = threading.Event()  # set when a statement meets a full disk
_to_drop: list[str] = []  # statements that undo what was half done


def install() -> None:
    """Name a full disk in errors, and leave no file that cannot be opened."""
    errors.STATUSES[REASON] = (400, "RESOURCE_EXHAUSTED")
    package: Any = importlib.import_module("local_bigquery.app")  # the name is the application's, too
    runner.from_exception = script.from_exception = package.from_exception = explained(errors.from_exception)
    tables.create = created_whole(tables.create)
    ddl.apply = created_whole(ddl.apply)
    database._attach = whole_or_not_at_all(database._attach)


def settle() -> None:
    """Spill what does not fit into memory to a folder next to the data; leave checkpoints to the maintenance."""
    folder = settings.data_dir / "_spilled"  # no project can have this name
    shutil.rmtree(folder, ignore_errors=True)
    database.execute(f"SET GLOBAL temp_directory = '{folder}'")
    database.execute(f"SET GLOBAL max_temp_directory_size = '{SPILLED}'")
    database.execute("SET GLOBAL checkpoint_threshold = '256MB'")
    # the cache never drops deleted files: 25 MB per 1,000 small inserts
    database.execute("SET GLOBAL enable_external_file_cache = false")


def is_full(error: BaseException) -> bool:
    """Whether something failed because the disk is full."""
    if isinstance(error, OSError):
        return error.errno in NO_ROOM
    if isinstance(error, sqlite3.Error):
        return error.sqlite_errorcode == sqlite3.SQLITE_FULL
    if not isinstance(error, connections.SUSPECT):
        return False
    said = any(os.strerror(number) in str(error) for number in NO_ROOM)
    return said or shutil.disk_usage(settings.data_dir).free < FULL


def explained(original: Callable[[Exception], Any]) -> Callable[[Exception], Any]:
    """Name the full disk in an error that it caused."""

    @functools.wraps(original)
    def from_exception(error: Exception) -> Any:
        causes = [error, error.__cause__, error.__context__]
        if any(cause is not None and is_full(cause) for cause in causes):
            _met.set()
            free = shutil.disk_usage(settings.data_dir).free // MEGABYTE
            return errors.BigQueryError(
                REASON,
                f"The disk that holds {settings.data_dir} is full ({free} MB left), and the statement was not applied. "
                "Free some space and run it again: no restart is needed.",
            )
        return original(error)

    return from_exception


def whole_or_not_at_all(original: Callable[..., None]) -> Callable[..., None]:
    """Delete a project's file that could not be written completely: nothing could open it."""

    @functools.wraps(original)
    def attach(connection: Any, project: str) -> None:
        file: Path = settings.data_dir / f"{project}.ducklake"
        new = not file.exists()
        try:
            original(connection, project)
        except duckdb.Error:
            if not new:
                original(connection, project)  # the first attempt repairs a log that a full disk truncated
                return
            file.unlink(missing_ok=True)
            file.with_name(f"{file.name}.wal").unlink(missing_ok=True)
            raise

    return attach


def created_whole(original: Callable[..., Any]) -> Callable[..., Any]:
    """Drop a table or view whose description could not be written: its statement has failed."""

    @functools.wraps(original)
    def create(*arguments: Any) -> Any:
        try:
            return original(*arguments)
        except duckdb.Error as error:
            if is_full(error) and (drop := _undoing(*arguments)):
                _to_drop.append(drop)
            raise

    return create


def _undoing(first: Any, *rest: Any) -> str | None:
    """The statement that undoes a creation by a statement or the API; None if something was replaced or changed."""
    if isinstance(first, str):
        dataset, body, *_ = rest
        kind, name = "VIEW" if body.view else "TABLE", tables.name(first, dataset, body.tableReference.tableId)
        return f"DROP {kind} IF EXISTS {name}"
    kind = first.args.get("kind")
    if not isinstance(first, exp.Create) or kind not in {"TABLE", "VIEW"} or first.args.get("replace"):
        return None
    reference = names.reference(names.target(first), *rest[:2])
    return f"DROP {kind} IF EXISTS {tables.name(*reference)}"


def may_need_healing() -> bool:
    """Whether an error has occurred since the databases were last checked."""
    return _checked_at != connections.state.suspicions


def heal() -> None:
    """Attach the databases again that DuckDB refuses. For threads that run no statement."""
    global _checked_at  # noqa: PLW0603 - the process has one data folder
    with _healing:  # other threads wait here, and find it done
        suspicions = connections.state.suspicions
        if suspicions == _checked_at:
            return
        with closing(database.connection().native.cursor()) as cursor:
            refused = [name for name in _databases() if not _works(cursor, name)]
            if (not refused or _reattached(cursor, refused)) and _dropped():
                _checked_at = suspicions
                if refused or _met.is_set():
                    _met.clear()
                    for told in healed:
                        told()


def _dropped() -> bool:
    with suppress(duckdb.Error):
        while _to_drop:
            database.execute(_to_drop[0])
            del _to_drop[0]
    return not _to_drop


def _databases() -> list[str]:
    return [EMULATOR, *database._attached]


def _works(cursor: duckdb.DuckDBPyConnection, name: str) -> bool:
    probe = f"{EMULATOR}.datasets" if name == EMULATOR else f"{connections.lake(name)}.ducklake_metadata"
    try:
        cursor.execute(f"SELECT 1 FROM {probe} LIMIT 1").fetchall()
    except duckdb.Error:
        return False
    return True


def _reattached(cursor: duckdb.DuckDBPyConnection, names: list[str]) -> bool:
    alone = connections.drained(PATIENCE)
    for session in list(sessions._sessions.values()):
        session.cursor.give_up()
    LOG.warning("Attaching %s again%s", ", ".join(names), "" if alone else ", while statements are running")
    results = [_attached_again(cursor, name) for name in names]
    connections.changed(definitions=True)
    return all(results)


def _attached_again(cursor: duckdb.DuckDBPyConnection, name: str) -> bool:
    with suppress(duckdb.Error):  # it is detached even if its last checkpoint fails, and may be detached already
        cursor.execute(f"DETACH {database.quote(name)}")
    for _ in range(ATTEMPTS):
        try:
            if name == EMULATOR:
                cursor.execute(f"ATTACH '{settings.data_dir / 'emulator.duckdb'}' AS {EMULATOR}")
            else:
                database._attach(cursor, name)
        except duckdb.Error:
            time.sleep(0.02)  # the old one is still being closed
            continue
        return _works(cursor, name)
    LOG.error("%s cannot be attached yet", name)
    return False
