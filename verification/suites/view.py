"""The views have the declared columns, in their order, and can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.resources import column_types
from verification.results import Check, Outcome, Subject, failed, passed, passed_unless, skipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from catalog import View


def columns_and_a_read(subject: Subject) -> Iterator[Outcome]:
    """Names, types and order of the columns; one row is read of each view, with a filter that reads no partition."""
    for name, view in subject.catalog.views.items():
        resource = subject.live.tables.get(name)
        if resource is None:
            yield skipped(name, "columns and a read", "the view does not stand: see 1.3")
            continue
        found = column_types(resource)
        yield from passed_unless(name, f"{len(view.columns)} columns in order", _columns(subject, view, found))
        columns = ", ".join(f"`{column.name}`" for column in view.columns)
        subject.api.query(name, f"SELECT {columns} FROM {subject.path(name)} LIMIT 1")
        yield passed(name, "a read of every column")


def _columns(subject: Subject, view: View, found: Mapping[str, str]) -> Iterator[Outcome]:
    action = f"Run `{subject.deploy}`."
    declared = {column.name: column.type.sql for column in view.columns}
    for column, kind in declared.items():
        if found.get(column) != kind:
            yield failed(f"{view.name}.{column}", kind, found.get(column, "missing"), action)
    for column in found.keys() - declared.keys():
        yield failed(f"{view.name}.{column}", "no such column", found[column], action)
    if found.keys() == declared.keys() and list(found) != list(declared):
        yield failed(view.name, ", ".join(declared), ", ".join(found), action)


CHECKS = (Check("4.1", "columns and a read", columns_and_a_read),)
