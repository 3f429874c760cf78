"""The scheduled queries stand once each, are on, and run what the repository says when it says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from declared.schedules import schedules_of
from verification.comparison import body_difference
from verification.results import Check, Outcome, Subject, compared, failed, passed_unless, skipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from declared.schedules import Schedule


def transfer_configs(subject: Subject) -> Iterator[Outcome]:
    """Each declared schedule against the transfer service."""
    configs = subject.api.transfer_configs()
    for schedule in schedules_of(subject.environment):
        named = [config for config in configs if config.get("displayName") == schedule.display_name]
        if len(named) != 1:
            found = "missing" if not named else f"{len(named)} transfer configs of that name"
            action = f"Run `{subject.deploy}`." if not named else "Delete those that Terraform's state does not know."
            yield failed(schedule.name, "one transfer config", found, action)
            continue
        # the owner is told by a single config's GET only
        yield from _config(subject, schedule, subject.api.data_transfer("GET", named[0]["name"]))


def _config(subject: Subject, schedule: Schedule, config: dict[str, Any]) -> Iterator[Outcome]:
    deploy = f"Run `{subject.deploy}`."
    name, declared = schedule.name, subject.catalog.schedules[schedule.name]
    yield compared(name, "enabled", "disabled" if config.get("disabled") else "enabled", deploy)
    yield compared(name, schedule.schedule, config.get("schedule", "no schedule"), deploy)
    query = config.get("params", {}).get("query", "")
    yield from passed_unless(
        name, f"the query of {declared.path}", body_difference(subject, declared, declared.query, query)
    )
    destination = config.get("destinationDatasetId") or "no destination dataset"
    yield compared(name, "no destination dataset", destination, deploy)
    owner = config.get("serviceAccountName") or config.get("ownerInfo", {}).get("email")
    account = subject.environment.service_account
    if owner:
        yield compared(name, f"runs as {account}", f"runs as {owner}", deploy)
    else:
        yield skipped(name, f"runs as {account}", "the transfer service tells the owner only to those who may know it")


CHECKS = (Check("schedules.1", "scheduled queries", transfer_configs),)
