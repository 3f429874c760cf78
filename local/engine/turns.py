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

from local_bigquery.catalog import tables
from local_bigquery.jobs import query
from sqlglot import exp

from local.engine.cancelling import stop_if_cancelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.engine.connections import Connection

TRANSACTION, STATEMENT = "transaction", "statement"
CHANGES_ROWS = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.TruncateTable)
SECONDS_TO_LOOK = 0.1  # between checks whether the job was cancelled, which wakes no waiter

_changed = threading.Condition()
_numbers = itertools.count()
_waiting: dict[int, str] = {}
_at_work: dict[int, str] = {}


def install() -> None:
    """Wrap the package's execution of a statement, of the query or script around it, and of other writes to tables."""
    query._statement = in_turn(query._statement)
    query.execute = ended(query.execute)
    tables.write = write_in_turn(tables.write)


def in_turn(original: Callable[..., Any]) -> Callable[..., Any]:
    """Make BEGIN, and statements that change rows outside a transaction, wait for their turn."""

    @functools.wraps(original)
    def statement(  # noqa: PLR0917 - the package's signature
        cursor: Connection, tree: exp.Expression, context: Any, destination: Any, config: Any, dry_run: bool, *rest: Any
    ) -> Any:
        stop_if_cancelled(cursor)
        kind = None if dry_run or cursor.in_transaction else _kind(tree, context)
        if kind:
            _leave(cursor)  # of a transaction that another thread gave up
            cursor.turn = _enter(kind, cursor)
        try:
            return original(cursor, tree, context, destination, config, dry_run, *rest)
        finally:
            if not cursor.in_transaction:
                _leave(cursor)

    return statement


def _kind(tree: exp.Expression, context: Any) -> str | None:
    if isinstance(tree, exp.Transaction) or (isinstance(tree, exp.Command) and tree.name.upper() == "BEGIN"):
        return TRANSACTION
    if not isinstance(tree, CHANGES_ROWS):
        return None
    target = tree.find(exp.Table)
    temporary = target is not None and not target.db and target.name.casefold() in context.temporary
    return None if temporary else STATEMENT


def write_in_turn(original: Callable[..., Any]) -> Callable[..., Any]:
    """Make load jobs, copies and queries with a destination table wait for their turn."""

    @functools.wraps(original)
    def write(cursor: Connection, *arguments: Any, **named: Any) -> Any:
        if cursor.turn is not None or cursor.in_transaction:
            return original(cursor, *arguments, **named)
        cursor.turn = _enter(STATEMENT, cursor)
        try:
            return original(cursor, *arguments, **named)
        finally:
            _leave(cursor)

    return write


def ended(original: Callable[..., Any]) -> Callable[..., Any]:
    """A transaction that a session leaves open blocks nobody; it takes no turn again."""

    @functools.wraps(original)
    def execute(cursor: Connection, *arguments: Any, **named: Any) -> Any:
        try:
            return original(cursor, *arguments, **named)
        finally:
            _leave(cursor)

    return execute


def _enter(kind: str, cursor: Connection) -> int:
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
                stop_if_cancelled(cursor)
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
