"""DuckDB's connections, which note what statements change.

What is kept in memory (names, translations, estimates) holds until a statement changes what it was made from: the
numbers of ``versions`` tell. Statements that write pass a gate, so that maintenance can find a moment without any.
"""

from __future__ import annotations

import functools
import re
import threading
import weakref
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb
from duckdb import StatementType
from local_bigquery.engine import database, sessions

if TYPE_CHECKING:
    from collections.abc import Iterator

READS = {
    *(StatementType.SELECT, StatementType.EXPLAIN, StatementType.SET, StatementType.VARIABLE_SET),
    *(StatementType.PRAGMA, StatementType.LOAD, StatementType.RELATION),
}
DEFINES = {StatementType.CREATE, StatementType.DROP, StatementType.ALTER, StatementType.ATTACH, StatementType.DETACH}
_SPACE = r"(?:\s|/\*.*?\*/|--[^\n]*\n)"  # and comments
TEMPORARY = re.compile(
    rf"{_SPACE}*(CREATE{_SPACE}+(OR{_SPACE}+REPLACE{_SPACE}+)?TEMP|DROP{_SPACE}+TABLE{_SPACE}+(IF{_SPACE}+EXISTS{_SPACE}+)?temp\.)",
    re.IGNORECASE | re.DOTALL,
)
#: What DuckDB raises when it cannot write, among other things.
SUSPECT = (
    *(duckdb.IOException, duckdb.TransactionException, duckdb.OutOfMemoryException),
    *(duckdb.FatalException, duckdb.InternalException),
)
ENDS_A_TRANSACTION = re.compile(rf"{_SPACE}*(COMMIT|END|ROLLBACK|ABORT)\b", re.IGNORECASE | re.DOTALL)


@dataclass
class Versions:
    """How often definitions (tables, columns, views, functions) and rows have changed since the start."""

    definitions: int = 0
    rows: int = 0


@dataclass
class State:
    """The statements under way.

    ``shut`` keeps out those that write. ``suspicions`` counts the errors that may have come from a database that DuckDB
    refuses from now on.
    """

    writers: int = 0
    shut: bool = False
    suspicions: int = 0
    cursors: weakref.WeakSet[Connection] = field(default_factory=weakref.WeakSet)


versions = Versions()
state = State()
_changed = threading.Condition()


def enter() -> None:
    """Begin to write; waits while that is not possible."""
    with _changed:
        _changed.wait_for(lambda: not state.shut)
        state.writers += 1


def leave() -> None:
    """Writing has ended."""
    with _changed:
        state.writers -= 1
        _changed.notify_all()


@contextmanager
def no_writers(seconds: float) -> Iterator[bool]:
    """A moment in which nothing writes; what wants to write waits until the block ends.

    Args:
        seconds: how long to wait for such a moment.

    Yields:
        Whether there was one. Where it is False, others may be writing.
    """
    with _changed:
        quiet = _changed.wait_for(lambda: state.writers == 0 and not state.shut, seconds)
        state.shut = state.shut or quiet
    try:
        yield quiet
    finally:
        if quiet:
            with _changed:
                state.shut = False
                _changed.notify_all()


def drained(seconds: float) -> bool:
    """Wait until every statement and transaction that is under way now has ended; new ones are not held back.

    Args:
        seconds: how long to wait at most.

    Returns:
        Whether they have ended.
    """
    with _changed:
        before = weakref.WeakSet(state.cursors)
        return _changed.wait_for(lambda: not any(_is_busy(cursor) for cursor in before), seconds)


def _is_busy(cursor: Connection) -> bool:
    """A cursor lives as long as what it is used for, but for a session's, which waits for the next query."""
    if cursor not in state.cursors:
        return False
    session = next((one for one in list(sessions._sessions.values()) if one.cursor is cursor), None)
    return session is None or session.lock.locked() or cursor.in_transaction


class Connection:
    """A DuckDB connection or cursor: the same methods, and what its statements change is noted."""

    def __init__(self, native: duckdb.DuckDBPyConnection) -> None:
        self.native = native
        self.in_transaction = False
        self.turn: int | None = None  # of its statement or transaction, see turns
        self.temporaries = False  # it has, or had, temporary tables
        self.place = ""  # the dataset in which it finds names without one
        self._defined = False  # within the open transaction

    def __getattr__(self, name: str) -> Any:
        return getattr(self.native, name)

    def __del__(self) -> None:
        self._end_transaction()

    @property
    def sees_its_own(self) -> bool:
        """Whether names can mean something here that they don't mean elsewhere."""
        return self.temporaries or self._defined

    def cursor(self) -> Connection:
        """A connection of its own to the same databases."""
        cursor = Connection(self.native.cursor())
        with _changed:
            state.cursors.add(cursor)
        return cursor

    def close(self) -> None:
        """End the connection, and with it a transaction that it has open."""
        self.native.close()
        self._end_transaction()
        with _changed:
            state.cursors.discard(self)
            _changed.notify_all()

    def give_up(self) -> None:
        """End an open transaction, whatever DuckDB says of it."""
        with suppress(duckdb.Error):
            self.native.execute("ROLLBACK")
        self._end_transaction()

    def execute(self, query: str, parameters: Any = None) -> Connection:
        """Execute statements, each with the parameters.

        Raises:
            duckdb.Error: as DuckDB does; a second BEGIN is refused without asking it, since it would end the first.
        """
        try:
            for statement in self.native.extract_statements(query):
                if statement.type == StatementType.TRANSACTION:
                    self._transact(statement)
                elif statement.type in READS:
                    self.native.execute(statement, parameters)
                else:
                    self._write(statement, parameters)
        except SUSPECT:
            with _changed:
                state.suspicions += 1
            raise
        return self

    def _write(self, statement: duckdb.Statement, parameters: Any) -> None:
        temporary = bool(TEMPORARY.match(statement.query))
        defines = statement.type in DEFINES and not temporary
        self.temporaries |= temporary
        if self.in_transaction:
            self._defined |= defines
            self.native.execute(statement, parameters)
            return
        enter()
        try:
            self.native.execute(statement, parameters)
        finally:
            changed(defines)
            leave()

    def _transact(self, statement: duckdb.Statement) -> None:
        if ENDS_A_TRANSACTION.match(statement.query):
            try:
                self.native.execute(statement)
            finally:  # DuckDB has ended the transaction also where it could not commit
                self._end_transaction()
            return
        if self.in_transaction:
            raise duckdb.TransactionException("cannot start a transaction within a transaction")
        enter()
        try:
            self.native.execute(statement)
        except BaseException:
            leave()
            raise
        self.in_transaction = True

    def _end_transaction(self) -> None:
        if self.in_transaction:
            changed(self._defined)
            self.in_transaction = self._defined = False
            leave()


def lake(project: str) -> str:
    """The database in which DuckLake keeps a project's tables, states and files, as SQL names it."""
    return str(database.quote(f"__ducklake_metadata_{project}"))


def changed(definitions: bool) -> None:
    """Note that rows have changed, and definitions too where that is so."""
    with _changed:
        versions.rows += 1
        versions.definitions += definitions


def install() -> None:
    """Give the package such connections."""
    connect = database._connect.__wrapped__
    database._connect = functools.cache(lambda: Connection(connect()))
