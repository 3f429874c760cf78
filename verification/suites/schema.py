"""The tables that this system owns are laid out as their DDL says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.resources import column_types, expiry_days, partition_of
from verification.comparison import declared_labels, label_pairs
from verification.results import Check, Outcome, Subject, failed, passed_unless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from catalog import Partitioning, Table


def _each_table(
    problems: Callable[[Subject, Table, Mapping[str, Any]], Iterator[Outcome]], expected: Callable[[Table], str]
) -> Callable[[Subject], Iterator[Outcome]]:
    """A check of every table that stands; the one that does not is reported by 1.2."""

    def check(subject: Subject) -> Iterator[Outcome]:
        for name, table in subject.catalog.tables.items():
            if resource := subject.live.tables.get(name):
                yield from passed_unless(name, expected(table), problems(subject, table, resource))

    return check


def _columns(subject: Subject, table: Table, resource: Mapping[str, Any]) -> Iterator[Outcome]:
    types = column_types(resource)
    fields = {field["name"]: field for field in resource["schema"]["fields"]}
    live = {
        name: _described(types[name], field.get("mode") == "REQUIRED", field.get("defaultValueExpression"))
        for name, field in fields.items()
    }
    declared = {column.name: column for column in table.columns}
    for name, column in declared.items():
        expected = _described(column.type.sql, column.required, column.default)
        if name not in live:
            action = f"Run `{subject.deploy}`: it adds the column; the values that were lost are in a snapshot only."
            yield failed(f"{table.name}.{name}", expected, "missing", action)
        elif (found := live[name]) != expected:
            action = f"A type or mode is never changed in place: copy into a new table by {table.path}, then swap."
            yield failed(f"{table.name}.{name}", expected, found, action)
    for name in live.keys() - declared.keys():
        action = f"Declare it in {table.path}, or drop it when nobody reads it."
        yield failed(f"{table.name}.{name}", "no such column", live[name], action)


def _described(kind: str, required: bool, default: str | None) -> str:
    """Type, mode and default as DDL writes them."""
    return kind + (" NOT NULL" if required else "") + (f" DEFAULT {default.upper()}" if default else "")


def _layout(subject: Subject, table: Table, resource: Mapping[str, Any]) -> Iterator[Outcome]:
    clustering = tuple(resource.get("clustering", {}).get("fields", ()))
    pairs = (
        ("partitioning", _partition(table.partitioning), partition_of(resource)),
        ("partition expiry", _expiry(table.partitioning), _days(expiry_days(resource))),
        ("clustering", _names(table.clustering), _names(clustering)),
    )
    for aspect, expected, found in pairs:
        if expected != found:
            action = f"Run `{subject.deploy}`."
            if aspect == "partitioning":
                action = f"Partitioning is never changed in place: copy into a new table by {table.path}, then swap."
            yield failed(table.name, f"{aspect}: {expected}", f"{aspect}: {found}", action)


def _layout_summary(table: Table) -> str:
    clustering = _names(table.clustering)
    return f"{_partition(table.partitioning)}, {_expiry(table.partitioning)}, clustered by {clustering}"


def _partition(partitioning: Partitioning | None) -> str:
    return f"{partitioning.granularity} of {partitioning.column}" if partitioning else "none"


def _expiry(partitioning: Partitioning | None) -> str:
    return _days(partitioning.expiration_days if partitioning else None)


def _days(days: float | None) -> str:
    return f"{days:g} days" if days else "never"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"


def _descriptions(subject: Subject, table: Table, resource: Mapping[str, Any]) -> Iterator[Outcome]:
    action = f"Run `{subject.deploy}`."
    if (found := resource.get("description", "")) != (table.description or ""):
        yield failed(table.name, table.description or "no description", found or "no description", action)
    live = {field["name"]: field.get("description", "") for field in resource["schema"]["fields"]}
    for column in table.columns:
        expected = column.description or ""
        if column.name in live and live[column.name] != expected:
            place = f"{table.name}.{column.name}"
            yield failed(place, expected or "no description", live[column.name] or "no description", action)


def _labels(subject: Subject, table: Table, resource: Mapping[str, Any]) -> Iterator[Outcome]:
    expected, found = label_pairs(table.labels), label_pairs(declared_labels(resource))
    if expected != found:
        yield failed(table.name, expected, found, f"Run `{subject.deploy}`.")


CHECKS = (
    Check("3.1", "columns, types and modes", _each_table(_columns, lambda table: f"{len(table.columns)} columns")),
    Check("3.2", "partitioning, clustering and expiry", _each_table(_layout, _layout_summary)),
    Check("3.3", "descriptions", _each_table(_descriptions, lambda table: f"{len(table.columns) + 1} descriptions")),
    Check("3.4", "labels", _each_table(_labels, lambda table: label_pairs(table.labels))),
)
