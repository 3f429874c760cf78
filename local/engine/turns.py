"""Transactions of scripts, and statements outside of one that change rows, take turns.

DuckLake cancels a transaction that inserts into a table from which a concurrent one has deleted, and the reverse. In
BigQuery an INSERT never conflicts, and a statement outside a transaction waits for one that changes the same table.
Which tables a transaction will change is unknown, so the statement waits here for each one that is open.
"""

from __future__ import annotations

import functools
import itertools
import threading
from typing import TYPE_CHECKING, Any

from local_bigquery.jobs import query
from sqlglot import exp

from local.engine.cancelling import stop_if_cancelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.engine.connections import Connection

TRANSACTION, STATEMENT = "transaction", "statement"
CHANGES_ROWS = (exp.Insert, exp.Update, exp.Delete, exp.Merge)
SECONDS_TO_LOOK = 0.1  # between checks whether the job was cancelled, which wakes no waiter

_changed = threading.Condition()
_numbers = itertools.count()
_waiting: dict[int, str] = {}
_at_work: dict[int, str] = {}


def install() -> None:
    """Wrap the package's execution of a statement, and of the query or script around it."""
    query._statement = in_turn(query._statement)
    query.execute = ended(query.execute)


def in_turn(original: Callable[..., Any]) -> Callable[..., Any]:
    """Make BEGIN, and statements that change rows outside a transaction, wait for their turn."""

    @functools.wraps(original)
    def statement(  # noqa: PLR0917 - the package's signature
        cursor: Connection, tree: exp.Expression, context: Any, destination: Any, config: Any, dry_run: bool, *rest: Any
    ) -> Any:
        stop_if_cancelled(context)
        if isinstance(tree, (exp.Transaction, *CHANGES_ROWS)) and not (dry_run or cursor.in_transaction):
            cursor.turn = _enter(TRANSACTION if isinstance(tree, exp.Transaction) else STATEMENT, context)
        try:
            return original(cursor, tree, context, destination, config, dry_run, *rest)
        finally:
            if not cursor.in_transaction:
                _leave(cursor)

    return statement


def ended(original: Callable[..., Any]) -> Callable[..., Any]:
    """A transaction that a session leaves open blocks nobody until its next query."""

    @functools.wraps(original)
    def execute(cursor: Connection, *arguments: Any, **named: Any) -> Any:
        try:
            return original(cursor, *arguments, **named)
        finally:
            _leave(cursor)

    return execute


def _enter(kind: str, context: Any) -> int:
    """Wait until nothing of the other kind is running or has waited longer.

    Raises:
        duckdb.InterruptException: the job was cancelled.
    """
    with _changed:
        number = next(_numbers)
        _waiting[number] = kind

        def is_my_turn() -> bool:
            earlier = [other for ticket, other in _waiting.items() if ticket < number]
            return {*earlier, *_at_work.values()} <= {kind}

        try:
            while not _changed.wait_for(is_my_turn, SECONDS_TO_LOOK):
                stop_if_cancelled(context)
            _at_work[number] = kind
        finally:
            del _waiting[number]
            _changed.notify_all()
    return number


def _leave(cursor: Connection) -> None:
    if cursor.turn is not None:
        with _changed:
            _at_work.pop(cursor.turn, None)
            _changed.notify_all()
        cursor.turn = None
