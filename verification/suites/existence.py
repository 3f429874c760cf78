"""Every object that the repository declares exists in the dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.resources import ROUTINE_KINDS
from verification.results import Check, Outcome, Subject, compared

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from catalog import Routine


def functions(subject: Subject) -> Iterator[Outcome]:
    """Functions and table functions."""
    yield from _exist(_kinds({**subject.catalog.functions, **subject.catalog.table_functions}), subject)


def tables(subject: Subject) -> Iterator[Outcome]:
    """The tables of this system."""
    yield from _exist(dict.fromkeys(subject.catalog.tables, "table"), subject)


def view(subject: Subject) -> Iterator[Outcome]:
    """The views."""
    yield from _exist(dict.fromkeys(subject.catalog.views, "view"), subject)


def procedures(subject: Subject) -> Iterator[Outcome]:
    """The procedures."""
    yield from _exist(_kinds(subject.catalog.procedures), subject)


def _kinds(routines: Mapping[str, Routine]) -> dict[str, str]:
    return {name: routine.kind.lower() for name, routine in routines.items()}


def _exist(kinds: Mapping[str, str], subject: Subject) -> Iterator[Outcome]:
    """One outcome for each name with its kind."""
    live = {**subject.live.tables, **subject.live.routines}
    for name, kind in kinds.items():
        yield compared(name, kind, _live_kind(live.get(name)), f"Run `{subject.deploy}`.")


def _live_kind(resource: Mapping[str, Any] | None) -> str:
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
