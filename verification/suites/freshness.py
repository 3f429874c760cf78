"""Each scheduled query has run when it was last due, and ended well."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from catalog.zone import LOS_ANGELES
from declared.schedules import last_due, schedules_of, works_at
from verification.results import Check, Outcome, Subject, failed, passed, skipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from declared.schedules import Schedule

#: What a run may take, with the minutes that the transfer service takes to begin it.
GRACE = timedelta(minutes=45)


def last_successes(subject: Subject) -> Iterator[Outcome]:
    """The newest run that had work to do ended well, and it is not older than the last time it was due."""
    configs = {config.get("displayName"): config for config in subject.api.transfer_configs()}
    for schedule in schedules_of(subject.environment):
        config = configs.get(schedule.display_name)
        if config is None:
            yield skipped(schedule.name, "a success for the last time it was due", "there is none: see schedules.1")
        else:
            yield _freshness(subject, schedule, config)


def _freshness(subject: Subject, schedule: Schedule, config: dict[str, Any]) -> Outcome:
    due = last_due(schedule, datetime.now(UTC) - GRACE)
    expected = f"a success since it was due at {due.astimezone(LOS_ANGELES):%Y-%m-%d %H:%M %Z}"
    run_now = f"python -m operations run-schedules --env {subject.environment.name}"
    runs = working_runs(schedule, subject.api.transfer_runs(config["name"]))
    ended = [run for run in runs if run["state"] in {"SUCCEEDED", "FAILED", "CANCELLED"}]
    if ended and ended[0]["state"] != "SUCCEEDED":
        message = ended[0].get("errorStatus", {}).get("message", "no message")
        when = instant(ended[0]["runTime"]).astimezone(LOS_ANGELES)
        found = f"{ended[0]['state']} at {when:%Y-%m-%d %H:%M %Z}: {message}"
        return failed(schedule.name, "the newest run succeeded", found, f"Mend what the message names, then {run_now}")
    if any(instant(run["runTime"]) >= due for run in ended):
        return passed(schedule.name, expected)
    if instant(config["updateTime"]) > due:
        return passed(schedule.name, "not due since it was deployed or changed")
    last = f"the last success was for {instant(ended[0]['runTime']):%Y-%m-%d %H:%M} UTC" if ended else "no success"
    return failed(schedule.name, expected, last, f"See schedules.1 whether it is enabled; then {run_now}")


def working_runs(schedule: Schedule, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The runs that had work to do: in the other hours the query's guard lets it do nothing."""
    return [run for run in runs if works_at(schedule, instant(run["runTime"]))]


def instant(text: str) -> datetime:
    """An instant as Google's APIs write it, with up to nine decimals."""
    return datetime.fromisoformat(text)


CHECKS = (Check("freshness.1", "last success of each scheduled query", last_successes, settles=True),)
