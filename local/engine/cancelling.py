"""A cancelled job also stops outside DuckDB: between statements, while it is translated, and while it waits."""

from __future__ import annotations

import concurrent.futures
import functools
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import duckdb
from local_bigquery.jobs import runner
from local_bigquery.sql import script

if TYPE_CHECKING:
    from collections.abc import Callable

#: Between two interrupts of a cancelled job.
SECONDS = 0.2


def install() -> None:
    """Wrap the functions that run the statements of a script or block, and that cancel a job."""
    script.Interpreter.statements = stoppable(script.Interpreter.statements)
    runner.cancel = until_it_ends(runner.cancel)


def until_it_ends(original: Callable[[str, str], Any]) -> Callable[[str, str], Any]:
    """Interrupt a job until it ends: DuckDB forgets an interrupt that comes before its statement begins."""

    @functools.wraps(original)
    def cancel(project: str, job: str) -> Any:
        running = runner._running.get((project, job))
        cancelled = original(project, job)
        if running and not running.future.done():
            _keep_interrupting(job, running)
        return cancelled

    return cancel


def cancel_all() -> None:
    """Cancel every job, because the server ends."""
    for (_, job), running in list(runner._running.items()):
        running.cancelled = True
        if running.future:
            _keep_interrupting(job, running)


def _keep_interrupting(job: str, running: Any) -> None:
    threading.Thread(target=_interrupt, args=(running,), name=f"cancel {job}", daemon=True).start()


def _interrupt(running: Any) -> None:
    while not concurrent.futures.wait([running.future], timeout=SECONDS).done:
        if running.cursor:
            with suppress(duckdb.ConnectionException):  # it was closed just now
                running.cursor.interrupt()


def stoppable(original: Callable[..., None]) -> Callable[..., None]:
    """Check at the start of every block, and so in every round of a loop, whether the job was cancelled."""

    @functools.wraps(original)
    def statements(interpreter: Any, each: list[Any]) -> None:
        stop_if_cancelled(interpreter.cursor)
        original(interpreter, each)

    return statements


def stop_if_cancelled(cursor: Any) -> None:
    """Raise if the job that runs on this cursor was cancelled.

    Raises:
        duckdb.InterruptException: it was.
    """
    if any(running.cancelled and running.cursor is cursor for running in list(runner._running.values())):
        raise duckdb.InterruptException
