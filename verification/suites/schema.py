"""The tables of this system are laid out as their DDL declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.drift.core import Difference, differences
from verification.drift.tables import CLUSTER, PARTITION, PARTITION_EXPIRY, descriptions, labels, layouts, table_columns
from verification.results import Check, Outcome, Subject, compared, failed, passed_unless

if TYPE_CHECKING:
    from collections.abc import Iterator


def columns(subject: Subject) -> Iterator[Outcome]:
    """Type, mode and default of each column; 1.2 reports a table that is missing."""
    for aspect in table_columns(subject):
        declared = {column.name: column.definition for column in aspect.declared}
        live = {column.name: column.definition for column in aspect.live}
        problems = (_column(subject, aspect.object, difference) for difference in differences(declared, live))
        yield from passed_unless(aspect.object, f"{len(declared)} columns", problems)


def _column(subject: Subject, table: str, difference: Difference) -> Outcome:
    path = subject.catalog.tables[table].path
    if difference.live is None:
        action = f"Run `{subject.deploy}`: it adds the column. Only a snapshot has the values that were lost."
    elif difference.declared is None:
        action = f"Declare it in {path}, or drop it when nothing reads it."
    else:
        action = f"A type or mode is never changed in place: copy into a new table by {path}, then swap."
    place = f"{table}.{difference.name}"
    return failed(place, difference.declared or "no such column", difference.live or "missing", action)


def layout(subject: Subject) -> Iterator[Outcome]:
    """Partitioning, expiry of partitions and clustering."""
    for aspect in layouts(subject):
        names = (PARTITION, PARTITION_EXPIRY, CLUSTER)
        declared = {part.name: str(part) for part in aspect.declared if part.name in names}
        live = {part.name: str(part) for part in aspect.live if part.name in names}
        problems = (_layout(subject, aspect.object, difference) for difference in differences(declared, live))
        yield from passed_unless(aspect.object, ", ".join(declared.values()), problems)


def _layout(subject: Subject, table: str, difference: Difference) -> Outcome:
    action = f"Run `{subject.deploy}`."
    if difference.name == PARTITION:
        path = subject.catalog.tables[table].path
        action = f"Partitioning is never changed in place: copy into a new table by {path}, then swap."
    return failed(table, str(difference.declared), str(difference.live), action)


def table_descriptions(subject: Subject) -> Iterator[Outcome]:
    """The description of each table and of its columns."""
    of_tables = {aspect.object: aspect for aspect in descriptions(subject)}
    for aspect in table_columns(subject):
        table, own = aspect.object, of_tables[aspect.object]
        live = {column.name: column.description or "" for column in aspect.live}
        declared = {column.name: column.description or "" for column in aspect.declared if column.name in live}
        pairs = [(table, own.declared[0], own.live[0])]
        pairs += [(f"{table}.{name}", text, live[name]) for name, text in declared.items()]
        problems = (
            failed(place, expected or "no description", found or "no description", f"Run `{subject.deploy}`.")
            for place, expected, found in pairs
            if expected != found
        )
        yield from passed_unless(table, f"{len(aspect.declared) + 1} descriptions", problems)


def table_labels(subject: Subject) -> Iterator[Outcome]:
    """The labels of each table."""
    for aspect in labels(subject):
        if aspect.object in subject.catalog.tables:
            expected, found = (", ".join(map(str, side)) or "no labels" for side in (aspect.declared, aspect.live))
            yield compared(aspect.object, expected, found, f"Run `{subject.deploy}`.")


CHECKS = (
    Check("3.1", "columns, types and modes", columns),
    Check("3.2", "partitioning, clustering and expiry", layout),
    Check("3.3", "descriptions", table_descriptions),
    Check("3.4", "labels", table_labels),
)
