"""A cancelled job also stops outside DuckDB: between the statements of a script, and while it waits."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import duckdb
from local_bigquery.jobs import runner
from local_bigquery.sql import script

if TYPE_CHECKING:
    from collections.abc import Callable


def install() -> None:
    """Wrap the function that runs the statements of a script or block."""
    script.Interpreter.statements = stoppable(script.Interpreter.statements)


def stoppable(original: Callable[..., None]) -> Callable[..., None]:
    """Check before every statement, and so in every round of a loop, whether the job was cancelled."""

    @functools.wraps(original)
    def statements(interpreter: Any, each: list[Any]) -> None:
        stop_if_cancelled(interpreter.context)
        original(interpreter, each)

    return statements


def stop_if_cancelled(context: Any) -> None:
    """Raise if the job of this context was cancelled.

    Raises:
        duckdb.InterruptException: it was.
    """
    running = runner._running.get(context.system["job"])
    if running and running.cancelled:
        raise duckdb.InterruptException
