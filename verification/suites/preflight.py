"""What others own must stand before anything of ours is planned: everything missing or of another type, at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.live import column_types
from verification.results import Check, Outcome, Subject, failed, passed_unless

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from catalog import Table, View


def dependencies(subject: Subject) -> Iterator[Outcome]:
    """Each object of sql/dependencies/ with the columns that this system reads or writes; more columns are welcome."""
    if subject.live.dataset is None:
        yield failed(
            subject.environment.dataset,
            f"dataset in {subject.environment.project}, with {len(subject.catalog.dependencies)} objects of its owners",
            "no such dataset",
            _create(subject),
        )
        return
    for name, declared in subject.catalog.dependencies.items():
        yield from passed_unless(
            name, _summary(declared), _problems(subject, name, declared, subject.live.tables.get(name))
        )


def location(subject: Subject) -> Iterator[Outcome]:
    """Queries across locations fail, and a dataset cannot be moved."""
    if subject.live.dataset is None:
        return
    expected, found = subject.environment.location, subject.live.dataset.get("location", "not said")
    problems = []
    if expected.lower() != found.lower():
        action = f"Write location: {found} into environments/{subject.environment.name}.yaml."
        problems.append(failed(subject.environment.dataset, expected, found, action))
    yield from passed_unless(subject.environment.dataset, expected, problems)


def _summary(declared: Table | View) -> str:
    return f"{len(declared.columns)} columns"


def _create(subject: Subject) -> str:
    if subject.environment.endpoint:
        return "Run `python -m local seed`, which makes it."
    return "Ask its owners to create it, or look whether project and dataset of the environment are right."


def _problems(
    subject: Subject, name: str, declared: Table | View, resource: Mapping[str, Any] | None
) -> Iterator[Outcome]:
    if resource is None:
        yield failed(name, _summary(declared), "missing", f"{_create(subject)} Its columns: {declared.path}.")
        return
    found = {column.lower(): kind for column, kind in column_types(resource).items()}
    for column in declared.columns:
        kind = found.get(column.name.lower())
        place, expected = f"{name}.{column.name}", column.type.sql
        if kind is None:
            yield failed(place, expected, "missing", f"Ask the owners of {name} to add the column.")
        elif kind != expected:
            action = f"Ask the owners of {name}: reading {kind} as {expected} would be wrong."
            yield failed(place, expected, kind, action)


CHECKS = (
    Check("0.1", "dependencies stand as they are read", dependencies),
    Check("0.2", "the dataset's location", location),
)
