"""BigQuery's REST API on this machine: the local-bigquery package, with its differences to BigQuery closed.

Each difference is closed by a small function in ``local/engine/``, which replaces or wraps one of the package;
docs/fidelity.md lists them all.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import sqlite3
from typing import TYPE_CHECKING

import duckdb
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from local import LocalError
from local.engine import offline

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send


IN_USE = "{data}: another process has the data open. Stop it (`python -m local down`), or name another folder."


class DataFolderError(LocalError):
    """A data folder is not usable; the message names the reason and the fix."""


def create_bigquery_app(data: Path, project: str = "local", threads: int | None = None) -> ASGIApp:
    """The ASGI application. A process can have only one, since the package keeps its state in module variables.

    Args:
        data: the folder that holds the tables; created if it is missing.
        project: the one project, besides those that the folder already has.
        threads: how many DuckDB uses; None is one per core.

    Raises:
        DataFolderError: the folder is locked by another process, corrupt, or not writable. Nothing in it is changed.
    """
    os.environ.update(DATA_DIR=str(data), DEFAULT_PROJECT_ID=project, DEFAULT_DATASET_ID="_default")
    offline.import_extensions()
    from local_bigquery.app import app  # noqa: PLC0415 - the package reads its settings when it is imported
    from local_bigquery.engine import database  # noqa: PLC0415

    from local import engine  # noqa: PLC0415 - wraps functions of the package

    engine.close_differences()
    try:
        data.mkdir(parents=True, exist_ok=True)
        opened = database.connection()
        if threads:
            opened.execute(f"SET GLOBAL threads = {threads}")
        atexit.register(engine.after_opening())
    except OSError as error:
        raise DataFolderError(f"{data}: not usable as a data folder: {error.strerror}") from None
    except duckdb.Error as error:
        raise DataFolderError(IN_USE.format(data=data) if _in_use(data) else _explanation(data, str(error))) from None
    except sqlite3.Error as error:
        raise DataFolderError(_explanation(data, str(error))) from None
    return _healing(_named(app))


def _healing(app: ASGIApp) -> ASGIApp:
    """The application; a request after an error first restores what the error may have broken."""
    from local.engine import disk  # noqa: PLC0415 - as above

    async def healed(scope: Scope, receive: Receive, send: Send) -> None:
        if disk.may_need_healing():
            await run_in_threadpool(disk.heal)
        await app(scope, receive, send)

    return healed


def _named(app: ASGIApp) -> ASGIApp:
    """The application; a request is refused if its path has a name that Google refuses, or an unknown project."""
    from local_bigquery.errors import BigQueryError  # noqa: PLC0415 - as above

    from local.engine.naming import check_path  # noqa: PLC0415

    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        answer = app
        try:
            check_path(scope["path"])
        except BigQueryError as error:
            answer = JSONResponse(error.response(), error.code)
        await answer(scope, receive, send)

    return named


def _in_use(data: Path) -> bool:
    """Whether another process has one of DuckDB's files: it locks those that it opens."""
    for file in (*data.glob("*.duckdb"), *data.glob("*.ducklake")):
        with file.open("rb+") as opened:
            try:
                fcntl.lockf(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    return False


def _explanation(data: Path, message: str) -> str:
    return (
        f"{data}: the data cannot be opened: {message.splitlines()[0]}\n"
        "Nothing was changed. Move the folder away to start with an empty one, or restore a copy."
    )
