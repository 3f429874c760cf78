"""What the SQL files declare, as data: types, columns, tables, views, routines and scheduled queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


#: The names that the SQL files carry: those of production.
PROJECT = "of-scheduler-proj"
DATASET = "eros_scheduling_brain"
LOCATION = "US"
PREFIX = f"{PROJECT}.{DATASET}."


def region(location: str) -> str:
    """The qualifier of the INFORMATION_SCHEMA views of a location: ``region-us``."""
    return f"region-{location.lower()}"


class RoutineKind(StrEnum):
    """A routine's kind, in the words of INFORMATION_SCHEMA.ROUTINES.routine_type."""

    FUNCTION = "FUNCTION"
    TABLE_FUNCTION = "TABLE FUNCTION"
    PROCEDURE = "PROCEDURE"


#: The routines API's word for each kind of routine.
ROUTINE_TYPES = {
    RoutineKind.FUNCTION: "SCALAR_FUNCTION",
    RoutineKind.TABLE_FUNCTION: "TABLE_VALUED_FUNCTION",
    RoutineKind.PROCEDURE: "PROCEDURE",
}
#: The tables API's word for each type that it does not call as GoogleSQL does.
FIELD_TYPES = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN", "STRUCT": "RECORD"}
EVERY_HOUR = tuple(range(24))


@dataclass(frozen=True)
class SqlType:
    """A GoogleSQL type: ``kind`` is ``INT64``, ``STRING``, ``JSON``, ``ARRAY``, ``STRUCT`` …"""

    kind: str
    element: SqlType | None = None
    fields: tuple[tuple[str, SqlType], ...] = ()

    @property
    def sql(self) -> str:
        """The type as INFORMATION_SCHEMA writes it, e.g. ``STRUCT<lower_bound FLOAT64, upper_bound FLOAT64>``."""
        if self.kind == "ARRAY" and self.element is not None:
            return f"ARRAY<{self.element.sql}>"
        if self.kind == "STRUCT":
            return "STRUCT<" + ", ".join(f"{name} {kind.sql}".strip() for name, kind in self.fields) + ">"
        return self.kind

    @property
    def api(self) -> dict[str, Any]:
        """The REST API's StandardSqlDataType, as the routines API answers it."""
        if self.kind == "ARRAY" and self.element is not None:
            return {"typeKind": "ARRAY", "arrayElementType": self.element.api}
        if self.kind == "STRUCT":
            fields = [{"name": name, "type": kind.api} for name, kind in self.fields]
            return {"typeKind": "STRUCT", "structType": {"fields": fields}}
        return {"typeKind": self.kind}


@dataclass(frozen=True)
class Column:
    """A column of a table, a view or a table function's result."""

    name: str
    type: SqlType
    required: bool = False
    description: str | None = None
    default: str | None = None


@dataclass(frozen=True)
class Partitioning:
    """Time partitioning of a table: ``granularity`` is HOUR, DAY, MONTH or YEAR; expiration in days, or None."""

    column: str
    granularity: str
    expiration_days: float | None = None


@dataclass(frozen=True)
class SqlObject:
    """What every object has: one file, one name, a description, and its lineage by object name.

    ``ddl`` is the file's DDL statement alone; ``tests`` are the ASSERT statements after ``-- Tests``, '' if none.
    ``reads``, ``writes`` and ``calls`` are names of objects of the same dataset.
    """

    name: str
    path: Path
    ddl: str
    tests: str = ""
    description: str | None = None
    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    calls: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Table(SqlObject):
    """A table: columns in order, partitioning, clustering columns, labels."""

    columns: tuple[Column, ...] = ()
    partitioning: Partitioning | None = None
    clustering: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class View(SqlObject):
    """A view: its query text in canonical form, and the columns that the analyzer resolves for it."""

    query: str = ""
    columns: tuple[Column, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Argument:
    """A routine's argument; ``mode`` is IN, OUT or INOUT for procedures, None for functions."""

    name: str
    type: SqlType
    mode: str | None = None


@dataclass(frozen=True)
class Routine(SqlObject):
    """A function, table function or procedure.

    ``body`` is the REST API's ``definitionBody``: the expression, the query, or BEGIN … END; no CREATE, no arguments.
    """

    kind: RoutineKind = RoutineKind.FUNCTION
    arguments: tuple[Argument, ...] = ()
    returns: SqlType | None = None
    returns_table: tuple[Column, ...] = ()
    body: str = ""


@dataclass(frozen=True)
class Script(SqlObject):
    """A file that is run, not created; ``query`` is its text."""

    query: str = ""


@dataclass(frozen=True)
class ScheduledQuery(Script):
    """What the transfer service runs, with ``@run_time`` and ``@run_date`` bound.

    ``hours_la`` are the hours of Los Angeles in which its guard lets it do something.
    """

    hours_la: tuple[int, ...] = EVERY_HOUR


#: Names and types of columns, in their order.
Columns = tuple[tuple[str, SqlType], ...]


@dataclass(frozen=True)
class Signature:
    """What other files depend on: columns of a table or view (``kind`` None), or a routine's arguments and result."""

    name: str
    kind: RoutineKind | None
    columns: Columns = ()
    arguments: tuple[Argument, ...] = ()
    returns: SqlType | None = None


def signature_of(item: SqlObject) -> Signature | None:
    """The signature of an object; None for a script, and for a view whose columns are not known yet."""
    match item:
        case Table() | View() if item.columns and all(column.type.kind != "UNKNOWN" for column in item.columns):
            return Signature(item.name, None, tuple((column.name, column.type) for column in item.columns))
        case Routine():
            columns = tuple((column.name, column.type) for column in item.returns_table)
            return Signature(item.name, item.kind, columns, item.arguments, item.returns)
    return None


@dataclass(frozen=True)
class Catalog:
    """Every object of the repository, for one project and dataset; mappings are by object name.

    ``folder`` contains the SQL files. ``monitoring`` are the table functions that are questions of the operators: each
    row is a problem, no rows mean that all is well.
    """

    project: str
    dataset: str
    folder: Path
    tables: Mapping[str, Table]
    dependencies: Mapping[str, Table | View]
    views: Mapping[str, View]
    functions: Mapping[str, Routine]
    table_functions: Mapping[str, Routine]
    procedures: Mapping[str, Routine]
    schedules: Mapping[str, ScheduledQuery]
    monitoring: Mapping[str, Routine]

    @property
    def routines(self) -> dict[str, Routine]:
        """Functions, table functions and procedures together."""
        return {**self.functions, **self.table_functions, **self.procedures}

    def __iter__(self) -> Iterator[SqlObject]:
        """Every object, each once; dependencies first."""
        for group in (
            self.dependencies,
            self.tables,
            self.functions,
            self.table_functions,
            self.views,
            self.procedures,
            self.schedules,
        ):
            yield from group.values()
