"""Drift: every difference between what the repository declares and what is deployed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.failures import LateAnswerError
from verification.drift.core import Aspect, aspect_of
from verification.drift.grants import audit_logs, dataset_members, project_members, service_account_members
from verification.drift.monitoring import alert_policies
from verification.drift.routines import function_bodies, procedure_bodies, signatures, view_queries
from verification.drift.schedules import schedule_counts, schedules
from verification.drift.tables import columns, dataset, descriptions, labels, layouts
from verification.results import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from catalog import Catalog
    from google.client import GoogleApi
    from google.resources import LiveSystem

__all__ = ["READERS", "Aspect", "Reader", "differing_definitions", "read_drift"]


@dataclass(frozen=True)
class Reader:
    """One kind of drift. The id stays the same from release to release, even when kinds are added.

    ``settles`` is for what Google shows a while after the change.
    """

    id: str
    title: str
    read: Callable[[Subject], Iterable[Aspect[Any]]]
    settles: bool = False


#: Every kind of drift, in the order of the reports. A new reader takes the next free number, wherever it is listed.
READERS = (
    Reader("drift.1", "texts of functions and table functions", function_bodies),
    Reader("drift.2", "signatures of routines", signatures),
    Reader("drift.3", "queries of views", view_queries),
    Reader("drift.4", "descriptions", descriptions),
    Reader("drift.5", "labels", labels),
    Reader("drift.6", "texts of procedures", procedure_bodies),
    Reader("drift.7", "columns", columns),
    Reader("drift.8", "partitioning, expiry and clustering", layouts),
    Reader("drift.9", "dataset", dataset),
    Reader("drift.10", "scheduled queries", schedules),
    Reader("drift.11", "members of the dataset", dataset_members, settles=True),
    Reader("drift.12", "members of the project", project_members, settles=True),
    Reader("drift.13", "members of the service account", service_account_members, settles=True),
    Reader("drift.14", "audit log", audit_logs),
    Reader("drift.15", "alert policies", alert_policies),
)


def missing(subject: Subject) -> Iterator[Aspect[str]]:
    """Declared objects that do not exist; schedules without exactly one transfer config."""
    live = {**subject.live.routines, **subject.live.tables}
    catalog = subject.catalog
    for item in (*catalog.tables.values(), *catalog.routines.values(), *catalog.views.values()):
        if item.name not in live:
            yield aspect_of(subject, item, "existence", ["exists"], ["missing"])
    for aspect in schedule_counts(subject):
        if not aspect.same:
            yield aspect


def read_drift(subject: Subject) -> list[Aspect[Any]]:
    """Every aspect of every declared object, missing objects first; those that are read before the deadline.

    Raises:
        LiveSystemError: the live system does not answer, or the caller may not read it.
    """
    readers = (missing, *(reader.read for reader in READERS))
    aspects: list[Aspect[Any]] = []
    with suppress(LateAnswerError):  # whoever set the deadline knows that it has passed
        for read in readers:
            aspects.extend(read(subject))
    return aspects


def differing_definitions(api: GoogleApi, catalog: Catalog, live: LiveSystem) -> tuple[set[str], set[str]]:
    """The functions and views whose text is not as declared, and the routines whose signature is not; missing ones not.

    Args:
        api: the environment's Google API.
        catalog: what is declared, retargeted to the environment.
        live: what is deployed.
    """
    subject = Subject(api.environment, catalog, live, api)
    texts = {aspect.object for aspect in (*function_bodies(subject), *view_queries(subject)) if not aspect.same}
    return texts, {aspect.object for aspect in signatures(subject) if not aspect.same}
