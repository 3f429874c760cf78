"""Routines and views: bodies, signatures and queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalog import RoutineKind
from google.resources import ROUTINE_KINDS, standard_type
from verification.drift.core import Aspect, aspect_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from catalog import Routine
    from verification.results import Subject


@dataclass(frozen=True)
class ArgumentText:
    """An argument of a routine; ``mode`` is None for functions."""

    name: str
    mode: str | None
    type: str

    def __str__(self) -> str:
        return f"argument {f'{self.mode} ' if self.mode else ''}{self.name} {self.type}"


def function_bodies(subject: Subject) -> Iterator[Aspect[str]]:
    """The bodies of functions and table functions."""
    return _bodies(subject, {**subject.catalog.functions, **subject.catalog.table_functions})


def procedure_bodies(subject: Subject) -> Iterator[Aspect[str]]:
    """The bodies of procedures."""
    return _bodies(subject, subject.catalog.procedures)


def _bodies(subject: Subject, routines: Mapping[str, Routine]) -> Iterator[Aspect[str]]:
    for name, routine in routines.items():
        if resource := subject.live.routines.get(name):
            yield aspect_of(subject, routine, "body", [routine.body], [resource.get("definitionBody", "")])


def signatures(subject: Subject) -> Iterator[Aspect[ArgumentText | str]]:
    """Language, kind, arguments and results of every routine."""
    for name, routine in subject.catalog.routines.items():
        if resource := subject.live.routines.get(name):
            yield aspect_of(subject, routine, "signature", _signature(routine), _live_signature(resource))


def _signature(routine: Routine) -> Iterator[ArgumentText | str]:
    yield f"language SQL, {routine.kind.value.lower()}"
    for argument in routine.arguments:
        yield ArgumentText(argument.name, argument.mode, argument.type.sql)
    for column in routine.returns_table:
        yield f"column {column.name} {column.type.sql}"
    if routine.returns:
        yield f"returns {routine.returns.sql}"


def _live_signature(resource: Mapping[str, Any]) -> Iterator[ArgumentText | str]:
    kind = ROUTINE_KINDS.get(resource["routineType"])
    yield f"language {resource.get('language', 'SQL')}, {kind.lower() if kind else 'other'}"
    for argument in resource.get("arguments", []):
        mode = (argument.get("mode") or "IN") if kind is RoutineKind.PROCEDURE else None
        yield ArgumentText(argument.get("name", "unnamed"), mode, standard_type(argument.get("dataType", {})))
    for column in resource.get("returnTableType", {}).get("columns", []):
        yield f"column {column['name']} {standard_type(column['type'])}"
    if returns := resource.get("returnType"):
        yield f"returns {standard_type(returns)}"


def view_queries(subject: Subject) -> Iterator[Aspect[str]]:
    """The query of each view, and that it is GoogleSQL."""
    for name, view in subject.catalog.views.items():
        if resource := subject.live.tables.get(name):
            stored = resource.get("view", {})
            query = ("#legacySQL\n" if stored.get("useLegacySql") else "") + stored.get("query", "")
            yield aspect_of(subject, view, "query", [view.query], [query])
