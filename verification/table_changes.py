"""What a deployment would do to the live tables that a plan does not show: data lost, tables rewritten.

How Terraform's provider makes each change was measured: a dropped column is dropped in place, another type, a new
required column or another partitioning replaces the table, another order of columns does nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from declared.names import SYSTEM
from google.resources import column_types, expiry_days
from verification.drift.core import differences
from verification.drift.tables import (
    CLUSTER,
    PARTITION,
    PARTITION_EXPIRY,
    columns_of,
    layout_of,
    live_columns,
    live_layout,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from catalog import Table
    from declared.environment import AllowedChange, Environment
    from verification.drift.tables import ColumnText
    from verification.results import Subject

#: Types that BigQuery changes in place without a loss, by ALTER COLUMN SET DATA TYPE.
WIDENINGS = {
    "INT64": {"NUMERIC", "BIGNUMERIC", "FLOAT64"},
    "NUMERIC": {"BIGNUMERIC", "FLOAT64"},
    "BIGNUMERIC": {"FLOAT64"},
    "DATE": {"DATETIME", "TIMESTAMP"},
    "DATETIME": {"TIMESTAMP"},
}


class ChangeClass(StrEnum):
    """The cost of a change; only IN_PLACE is safe in a deployment."""

    IN_PLACE = "in place"
    LOSES_DATA = "loses data"
    REPLACES_TABLE = "replaces the table and loses its data"
    NEEDS_COPY = "cannot be done in place"


class Verdict(StrEnum):
    """Whether a deployment may make a change of a table."""

    SAFE = "safe"
    NOT_GUARDED = "not guarded"
    ALLOWED = "allowed"
    REFUSED = "refused"


@dataclass(frozen=True)
class TableChange:
    """A difference between a live table and its declaration, with the statement that makes the change safely."""

    table: str
    what: str
    live: str
    declared: str
    kind: ChangeClass
    statement: str

    @property
    def name(self) -> str:
        """How an entry of the environment file names it."""
        return f"{self.table}: {self.what}"


def table_changes(subject: Subject) -> Iterator[TableChange]:
    """Every difference of columns, partitioning or clustering; this system's tables that are not declared any more."""
    for name, table in subject.catalog.tables.items():
        if resource := subject.live.tables.get(name):
            path = f"{subject.environment.project}.{subject.environment.dataset}.{name}"
            yield from changes_of(path, table, resource)
    declared = {item.name for item in subject.catalog}
    for name, labels in subject.api.table_labels().items():
        if labels.get("system") == SYSTEM and name not in declared:
            yield drop_of(f"{subject.environment.project}.{subject.environment.dataset}.{name}")


def drop_of(path: str) -> TableChange:
    """The loss of a whole table, by its qualified name."""
    statement = f"{snapshot(path)}   -- then: DROP TABLE `{path}`;"
    name = path.rpartition(".")[2]
    return TableChange(
        name, "drop of the table", "a table of this system", "no such table", ChangeClass.LOSES_DATA, statement
    )


def judged(environment: Environment, change: TableChange) -> tuple[Verdict, AllowedChange | None]:
    """Whether a deployment may make a change, and the entry of the environment file that names it, ended or not.

    Of several entries it is the one that ends last.
    """
    if change.kind is ChangeClass.IN_PLACE:
        return Verdict.SAFE, None
    if not environment.guards.on:
        return Verdict.NOT_GUARDED, None
    entries = [entry for entry in environment.allowed_changes if entry.change == change.name]
    entry = max(entries, key=lambda entry: entry.until, default=None)
    return Verdict.REFUSED if entry is None or entry.has_ended else Verdict.ALLOWED, entry


@dataclass(frozen=True)
class _Safely:
    """The statements that change one table without a loss; ``path`` is its qualified name."""

    path: str
    table: Table

    def alter(self, clause: str) -> str:
        return f"ALTER TABLE `{self.path}` {clause};"

    def snapshot_then(self, statement: str) -> str:
        return f"{snapshot(self.path)}\n{statement}"

    def copy_and_swap(self, resource: Mapping[str, Any], note: str = "") -> str:
        """Create the table of the file under another name, fill it, and swap the names."""
        types = column_types(resource)
        shared = [column for column in self.table.columns if column.name in types]
        columns = ", ".join(column.name for column in shared)
        values = ", ".join(
            column.name if types[column.name] == column.type.sql else f"CAST({column.name} AS {column.type.sql})"
            for column in shared
        )
        new = f"{self.path}_new"
        return (
            f"{note}CREATE TABLE `{new}` … as {self.table.path} declares it, under this name;\n"
            f"INSERT INTO `{new}` ({columns}) SELECT {values} FROM `{self.path}`;\n"
            f"ALTER TABLE `{self.path}` RENAME TO {self.table.name}_old;\n"
            f"ALTER TABLE `{new}` RENAME TO {self.table.name};   -- when the counts match, drop {self.table.name}_old"
        )


def snapshot(path: str) -> str:
    """A snapshot of a table that is kept for 30 days."""
    return (
        f"CREATE SNAPSHOT TABLE `{path}_before` CLONE `{path}` "
        "OPTIONS (expiration_timestamp = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 30 * 24 HOUR));"
    )


def changes_of(path: str, table: Table, resource: Mapping[str, Any]) -> Iterator[TableChange]:
    """Every difference between a live table and its declaration.

    Args:
        path: its qualified name.
        table: its declaration.
        resource: the live table, as the tables API writes it.
    """
    safely = _Safely(path, table)
    yield from _column_changes(safely, table, resource)
    yield from _layout_changes(safely, table, resource)


def _column_changes(safely: _Safely, table: Table, resource: Mapping[str, Any]) -> Iterator[TableChange]:
    live = {column.name: column for column in live_columns(resource)}
    declared = {column.name: column for column in columns_of(table)}
    gone = [column for name, column in live.items() if name not in declared]
    new = [column for name, column in declared.items() if name not in live]
    if len(gone) == len(new) == 1 and gone[0].type == new[0].type:
        old, renamed = gone.pop(), new.pop()
        yield TableChange(
            table.name,
            f"rename of column {old.name}",
            old.type,
            f"{renamed.name} {old.type}",
            ChangeClass.LOSES_DATA,
            safely.alter(f"RENAME COLUMN {old.name} TO {renamed.name}"),
        )
    for old in gone:
        yield TableChange(
            table.name,
            f"drop of column {old.name}",
            old.type,
            "no such column",
            ChangeClass.LOSES_DATA,
            safely.snapshot_then(safely.alter(f"DROP COLUMN {old.name}")),
        )
    for column in new:
        yield _new_column(safely, column)
    for name, column in declared.items():
        if name in live:
            yield from _changed_column(safely, resource, column, live[name])
    if [name for name in live if name in declared] != [name for name in declared if name in live]:
        yield TableChange(
            table.name,
            "order of columns",
            ", ".join(live),
            ", ".join(declared),
            ChangeClass.NEEDS_COPY,
            safely.copy_and_swap(resource, f"-- or write the columns of {table.path} in the live order\n"),
        )


def _new_column(safely: _Safely, column: ColumnText) -> TableChange:
    add = safely.alter(f"ADD COLUMN {column.name} {column.type}")
    if not column.required:
        return TableChange(
            safely.table.name, f"new column {column.name}", "no such column", column.type, ChangeClass.IN_PLACE, add
        )
    return TableChange(
        safely.table.name,
        f"new required column {column.name}",
        "no such column",
        f"{column.type} NOT NULL",
        ChangeClass.REPLACES_TABLE,
        f"{add}   -- declare it without NOT NULL, and fill it:\n"
        f"UPDATE `{safely.path}` SET {column.name} = … WHERE {column.name} IS NULL;",
    )


def _changed_column(
    safely: _Safely, resource: Mapping[str, Any], column: ColumnText, live: ColumnText
) -> Iterator[TableChange]:
    if live.type != column.type:
        widens = column.type in WIDENINGS.get(live.type, ())
        yield TableChange(
            safely.table.name,
            f"type of column {column.name}",
            live.type,
            column.type,
            ChangeClass.REPLACES_TABLE,
            safely.alter(f"ALTER COLUMN {column.name} SET DATA TYPE {column.type}")
            if widens
            else safely.copy_and_swap(resource),
        )
    if column.required and not live.required:
        note = f"-- first: UPDATE `{safely.path}` SET {column.name} = … WHERE {column.name} IS NULL;\n"
        yield TableChange(
            safely.table.name,
            f"column {column.name} becomes required",
            "NULLABLE",
            "REQUIRED",
            ChangeClass.REPLACES_TABLE,
            safely.copy_and_swap(resource, note),
        )
    elif live.required and not column.required:
        yield TableChange(
            safely.table.name,
            f"column {column.name} becomes nullable",
            "REQUIRED",
            "NULLABLE",
            ChangeClass.IN_PLACE,
            safely.alter(f"ALTER COLUMN {column.name} DROP NOT NULL"),
        )


def _layout_changes(safely: _Safely, table: Table, resource: Mapping[str, Any]) -> Iterator[TableChange]:
    declared, live = (
        {part.name: part.value for part in parts} for parts in (layout_of(table, None), live_layout(resource))
    )
    different = {difference.name for difference in differences(declared, live)}
    if PARTITION in different:
        yield TableChange(
            table.name,
            "partitioning",
            live[PARTITION],
            declared[PARTITION],
            ChangeClass.REPLACES_TABLE,
            safely.copy_and_swap(resource),
        )
    elif PARTITION_EXPIRY in different:
        days, kept = expiry_days(resource) or 0, (table.partitioning and table.partitioning.expiration_days) or 0
        shorter = bool(kept) and (not days or kept < days)
        alter = safely.alter(f"SET OPTIONS (partition_expiration_days = {kept:g})") if kept else ""
        yield TableChange(
            table.name,
            "partition expiry",
            live[PARTITION_EXPIRY],
            declared[PARTITION_EXPIRY],
            ChangeClass.LOSES_DATA if shorter else ChangeClass.IN_PLACE,
            safely.snapshot_then(alter) if shorter else alter,
        )
    if CLUSTER in different:
        first = table.columns[0].name
        yield TableChange(
            table.name,
            "clustering",
            live[CLUSTER],
            declared[CLUSTER],
            ChangeClass.NEEDS_COPY,
            f"bq update --clustering_fields={','.join(table.clustering)} "
            f"{safely.path.replace('.', ':', 1)}   # recluster the existing rows by:\n"
            f"UPDATE `{safely.path}` SET {first} = {first} WHERE TRUE;",
        )
