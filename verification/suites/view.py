"""The views have the declared columns, in their order, and can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.drift.core import differences
from verification.drift.tables import view_columns
from verification.results import Check, Outcome, Subject, failed, passed, passed_unless, skipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verification.drift.core import Aspect
    from verification.drift.tables import ColumnText


def columns_and_a_read(subject: Subject) -> Iterator[Outcome]:
    """Names, types and order of the columns; then one row of each view, with a filter that reads no partition."""
    aspects = {aspect.object: aspect for aspect in view_columns(subject)}
    for name, view in subject.catalog.views.items():
        if name not in aspects:
            yield skipped(name, "columns and a read", "the view does not exist: see 1.3")
            continue
        yield from passed_unless(name, f"{len(view.columns)} columns in order", _columns(subject, aspects[name]))
        columns = ", ".join(f"`{column.name}`" for column in view.columns)
        subject.api.query(name, f"SELECT {columns} FROM {subject.path(name)} LIMIT 1")
        yield passed(name, "a read of every column")


def _columns(subject: Subject, aspect: Aspect[ColumnText]) -> Iterator[Outcome]:
    action = f"Run `{subject.deploy}`."
    declared = {column.name: column.type for column in aspect.declared}
    live = {column.name: column.type for column in aspect.live}
    for found in differences(declared, live):
        place = f"{aspect.object}.{found.name}"
        yield failed(place, found.declared or "no such column", found.live or "missing", action)
    if live.keys() == declared.keys() and list(live) != list(declared):
        yield failed(aspect.object, ", ".join(declared), ", ".join(live), action)


CHECKS = (Check("4.1", "columns and a read", columns_and_a_read),)
