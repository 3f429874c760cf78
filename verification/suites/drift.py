"""What is stored is what the repository declares: texts, signatures and descriptions of routines and views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog import RoutineKind
from verification.comparison import body_difference, declared_labels, label_pairs
from verification.live import standard_type
from verification.results import Check, Outcome, Subject, compared, passed_unless

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from catalog import Routine


def routine_texts(subject: Subject) -> Iterator[Outcome]:
    """Bodies of functions and table functions; those of procedures are test 5.4."""
    for name, routine in {**subject.catalog.functions, **subject.catalog.table_functions}.items():
        if resource := subject.live.routines.get(name):
            problems = body_difference(subject, routine, routine.body, resource.get("definitionBody", ""))
            yield from passed_unless(name, f"the text of {routine.path}", problems)


def signatures(subject: Subject) -> Iterator[Outcome]:
    """Arguments and results of functions and table functions; the procedures' are tests 5.1 to 5.3."""
    for name, routine in {**subject.catalog.functions, **subject.catalog.table_functions}.items():
        if resource := subject.live.routines.get(name):
            yield compared(name, _signature(routine), _live_signature(resource), f"Run `{subject.deploy}`.")


def _signature(routine: Routine) -> str:
    arguments = ", ".join(f"{argument.name} {argument.type.sql}" for argument in routine.arguments)
    if routine.kind is RoutineKind.TABLE_FUNCTION:
        return f"({arguments}) → {', '.join(f'{c.name} {c.type.sql}' for c in routine.returns_table)}"
    return f"({arguments}) → {routine.returns.sql if routine.returns else 'nothing'}"


def _live_signature(resource: Mapping[str, Any]) -> str:
    arguments = ", ".join(f"{a['name']} {standard_type(a.get('dataType', {}))}" for a in resource.get("arguments", []))
    if resource["routineType"] == "TABLE_VALUED_FUNCTION":
        columns = resource.get("returnTableType", {}).get("columns", [])
        return f"({arguments}) → {', '.join(f'{c["name"]} {standard_type(c["type"])}' for c in columns)}"
    returns = resource.get("returnType")
    return f"({arguments}) → {standard_type(returns) if returns else 'nothing'}"


def view_queries(subject: Subject) -> Iterator[Outcome]:
    """The query of each view, in GoogleSQL."""
    for name, view in subject.catalog.views.items():
        if resource := subject.live.tables.get(name):
            query = resource.get("view", {}).get("query", "")
            yield from passed_unless(
                name, f"the query of {view.path}", body_difference(subject, view, view.query, query)
            )


def descriptions(subject: Subject) -> Iterator[Outcome]:
    """Descriptions of routines and views; the tables' are test 3.3."""
    live = {**subject.live.routines, **subject.live.tables}
    for name, declared in {**subject.catalog.routines, **subject.catalog.views}.items():
        if resource := live.get(name):
            found = resource.get("description", "") or "no description"
            yield compared(name, declared.description or "no description", found, f"Run `{subject.deploy}`.")


def view_labels(subject: Subject) -> Iterator[Outcome]:
    """Labels of views; the tables' are test 3.4."""
    for name, view in subject.catalog.views.items():
        if resource := subject.live.tables.get(name):
            found = label_pairs(declared_labels(resource))
            yield compared(name, label_pairs(view.labels), found, f"Run `{subject.deploy}`.")


CHECKS = (
    Check("drift.1", "texts of functions and table functions", routine_texts),
    Check("drift.2", "signatures of functions and table functions", signatures),
    Check("drift.3", "queries of views", view_queries),
    Check("drift.4", "descriptions of routines and views", descriptions),
    Check("drift.5", "labels of views", view_labels),
)
