"""Every object that the repository declares exists in the dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.resources import ROUTINE_KINDS
from verification.results import Check, Outcome, Subject, compared

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any


def functions(subject: Subject) -> Iterator[Outcome]:
    """Functions and table functions."""
    yield from _exist(subject, subject.catalog.functions, "function", subject.live.routines)
    yield from _exist(subject, subject.catalog.table_functions, "table function", subject.live.routines)


def tables(subject: Subject) -> Iterator[Outcome]:
    """The tables of this system."""
    yield from _exist(subject, subject.catalog.tables, "table", subject.live.tables)


def view(subject: Subject) -> Iterator[Outcome]:
    """The views."""
    yield from _exist(subject, subject.catalog.views, "view", subject.live.tables)


def procedures(subject: Subject) -> Iterator[Outcome]:
    """The procedures."""
    yield from _exist(subject, subject.catalog.procedures, "procedure", subject.live.routines)


def _exist(
    subject: Subject, names: Iterable[str], kind: str, resources: Mapping[str, dict[str, Any]]
) -> Iterator[Outcome]:
    for name in names:
        yield compared(name, kind, _kind(resources.get(name)), f"Run `{subject.deploy}`.")


def _kind(resource: Mapping[str, Any] | None) -> str:
    if resource is None:
        return "missing"
    if "routineType" in resource:
        return ROUTINE_KINDS.get(resource["routineType"], "another kind of routine").lower()
    return str(resource["type"]).lower().replace("_", " ")


CHECKS = (
    Check("1.1", "functions exist", functions),
    Check("1.2", "tables exist", tables),
    Check("1.3", "view exists", view),
    Check("1.4", "procedures exist", procedures),
)
