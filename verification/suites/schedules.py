"""Each scheduled query exists once, is enabled, and runs the repository's query at its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.drift.core import Aspect, Property
from verification.drift.schedules import ACCOUNT, QUERY, schedule_counts, schedules
from verification.results import Check, Outcome, Subject, compared, failed, skipped

if TYPE_CHECKING:
    from collections.abc import Iterator


def transfer_configs(subject: Subject) -> Iterator[Outcome]:
    """Each declared schedule against the transfer service."""
    configs = {aspect.object: aspect for aspect in schedules(subject) if aspect.declared}
    for count in schedule_counts(subject):
        if count.same:
            yield from _config(subject, configs[count.object])
        else:
            missing = count.live == ("0",)
            found = "missing" if missing else f"{count.live[0]} transfer configs of that name"
            action = f"Run `{subject.deploy}`." if missing else "Delete those that are not in Terraform's state."
            yield failed(count.object, "one transfer config", found, action)


def _config(subject: Subject, aspect: Aspect[Property]) -> Iterator[Outcome]:
    live = {part.name: part for part in aspect.live}
    for part in aspect.declared:
        if part.name == QUERY:
            query = Aspect(aspect.object, QUERY, (part,), (live[QUERY],), aspect.action)
            yield query.judged(failed)
        else:
            yield compared(aspect.object, str(part), str(live[part.name]), f"Run `{subject.deploy}`.")
    if ACCOUNT not in live:
        account = f"{ACCOUNT}: {subject.environment.service_account}"
        yield skipped(aspect.object, account, "the transfer service returns the owner only to callers who may know it")


CHECKS = (Check("schedules.1", "scheduled queries", transfer_configs),)
