"""Scheduled queries: the transfer configs of the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from declared.schedules import schedules_of
from google.resources import transfer_config, transfer_configs
from verification.drift.core import Aspect, Property, aspect_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.resources import TransferConfig
    from verification.results import Subject

STATE, SCHEDULE, ACCOUNT, DESTINATION, QUERY = "state", "schedule", "runs as", "destination dataset", "query"


def schedule_counts(subject: Subject) -> Iterator[Aspect[str]]:
    """How many transfer configs each declared schedule has: one, or it is missing or there twice."""
    live = [config.display_name for config in transfer_configs(subject.api)]
    for schedule in schedules_of(subject.environment):
        item = subject.catalog.schedules[schedule.name]
        yield aspect_of(subject, item, "transfer configs", ["1"], [str(live.count(schedule.display_name))])


def schedules(subject: Subject) -> Iterator[Aspect[Property]]:
    """State, time, account, destination and query of each scheduled query; external ones that use this dataset."""
    declared = {schedule.display_name: schedule for schedule in schedules_of(subject.environment)}
    for config in transfer_configs(subject.api):
        if schedule := declared.get(config.display_name):
            item = subject.catalog.schedules[schedule.name]
            single = transfer_config(subject.api, config.name)
            # the service returns the account only to callers who may know it: schedules.1 reports that as SKIP
            account = subject.environment.service_account if single.owner else None
            expected = _properties("enabled", schedule.schedule, account, "none", item.query)
            yield aspect_of(subject, item, "schedule", expected, _live(single))
        elif f"{subject.environment.dataset}." in config.query:
            live = (Property(SCHEDULE, config.schedule or "on demand"), Property(QUERY, config.query))
            action = "It is not declared: delete it in the transfer service, or add it to sql/schedules/."
            yield Aspect(config.display_name, "schedule", (), live, action)


def _live(config: TransferConfig) -> Iterator[Property]:
    return _properties(
        "disabled" if config.disabled else "enabled",
        config.schedule or "none",
        config.owner,
        config.destination or "none",
        config.query,
    )


def _properties(state: str, schedule: str, account: str | None, destination: str, query: str) -> Iterator[Property]:
    yield Property(STATE, state)
    yield Property(SCHEDULE, f"{schedule} (UTC)")
    if account:
        yield Property(ACCOUNT, account)
    yield Property(DESTINATION, destination)
    yield Property(QUERY, f"\n{query.strip()}")
