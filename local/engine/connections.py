"""DuckDB's connections, which note what statements change.

What is kept in memory (names, translations, estimates) is valid until a statement changes what it depends on, which
``versions`` counts. Statements that write pass a gate, so maintenance can find a moment without them.
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
#: What DuckDB raises when it cannot write, among other errors.
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
    """The statements in progress.

    ``shut`` holds back those that write. ``suspicions`` counts errors after which DuckDB may refuse
    a database.
    """

    writers: int = 0
    shut: bool = False
    suspicions: int = 0
    cursors: weakref.WeakSet[Connection] = field(default_factory=weakref.WeakSet)


versions = Versions()
state = State()
_changed = threading.Condition()


def enter() -> None:
    """Begin to write; wait while the gate is shut."""
    with _changed:
        _changed.wait_for(lambda: not state.shut)
        state.writers += 1


def leave() -> None:
    """End writing."""
    with _changed:
        state.writers -= 1
        _changed.notify_all()


@contextmanager
def no_writers(seconds: float) -> Iterator[bool]:
    """A moment in which nothing writes; writers wait until the block ends.

    Args:
        seconds: how long to wait for such a moment.

    Yields:
        Whether there was one. If not, other statements may be writing.
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
    """Wait until every statement and transaction in progress has ended; new ones are not held back.

    Args:
        seconds: how long to wait at most.

    Returns:
        Whether they have ended.
    """
    with _changed:
        before = weakref.WeakSet(state.cursors)
        return _changed.wait_for(lambda: not any(_is_busy(cursor) for cursor in before), seconds)


def _is_busy(cursor: Connection) -> bool:
    """A cursor exists while it is used; a session's cursor also waits for the next query."""
    if cursor not in state.cursors:
        return False
    session = next((one for one in list(sessions._sessions.values()) if one.cursor is cursor), None)
    return session is None or session.lock.locked() or cursor.in_transaction


class Connection:
    """A DuckDB connection or cursor that notes what its statements change."""

    def __init__(self, native: duckdb.DuckDBPyConnection) -> None:
        self.native = native
        self.in_transaction = False
        self.turn: int | None = None  # its statement's or transaction's, see turns.py
        self.temporaries = False  # it has, or had, temporary tables
        self.place = ""  # the dataset for names without one
        self._defined = False  # within the open transaction

    def __getattr__(self, name: str) -> Any:
        return getattr(self.native, name)

    def __del__(self) -> None:
        self._end_transaction()

    @property
    def sees_its_own(self) -> bool:
        """Whether names may mean something else on this connection."""
        return self.temporaries or self._defined

    def cursor(self) -> Connection:
        """Another connection to the same databases."""
        cursor = Connection(self.native.cursor())
        with _changed:
            state.cursors.add(cursor)
        return cursor

    def close(self) -> None:
        """Close the connection and end its open transaction."""
        self.native.close()
        self._end_transaction()
        with _changed:
            state.cursors.discard(self)
            _changed.notify_all()

    def give_up(self) -> None:
        """End an open transaction and ignore DuckDB's errors."""
        with suppress(duckdb.Error):
            self.native.execute("ROLLBACK")
        self._end_transaction()

    def execute(self, query: str, parameters: Any = None) -> Connection:
        """Execute a statement.

        Raises:
            duckdb.Error: as DuckDB raises it. A second BEGIN is refused here, since in DuckDB it would end the first,
                and so is a second statement, which a request's text could have begun.
        """
        try:
            for statement in self._one(query):
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

    def sql(self, query: str, params: Any = None) -> duckdb.DuckDBPyRelation:
        """A statement's result, not yet computed.

        Raises:
            duckdb.Error: as DuckDB raises it, or there are several statements.
        """
        self._one(query)
        return self.native.sql(query, params=params)

    def _one(self, query: str) -> list[duckdb.Statement]:
        statements = self.native.extract_statements(query)
        if len(statements) > 1:
            raise duckdb.ParserException("there is more than one statement")
        return statements

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
            finally:  # DuckDB has ended the transaction even if it could not commit
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
    """The name in SQL of the database in which DuckLake keeps a project's tables, snapshots and files."""
    return str(database.quote(f"__ducklake_metadata_{project}"))


def changed(definitions: bool) -> None:
    """Note that rows have changed, and with ``definitions`` that definitions have."""
    with _changed:
        versions.rows += 1
        versions.definitions += definitions


def install() -> None:
    """Make the package use these connections."""
    connect = database._connect.__wrapped__
    database._connect = functools.cache(lambda: Connection(connect()))
