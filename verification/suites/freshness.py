"""Each scheduled query has run when it was last due, and succeeded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from catalog.zone import LOS_ANGELES
from declared.schedules import LONGEST_RUN, last_due, schedules_of, works_at
from google.resources import transfer_configs, transfer_runs
from verification.results import Check, Outcome, Subject, failed, passed, skipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from declared.schedules import Schedule
    from google.resources import TransferConfig, TransferRun

#: The longest run, with the minutes that the transfer service needs to start it.
GRACE = LONGEST_RUN + timedelta(minutes=15)


def last_successes(subject: Subject) -> Iterator[Outcome]:
    """The newest run that had work to do succeeded, and is not older than the last time it was due."""
    configs = {config.display_name: config for config in transfer_configs(subject.api)}
    for schedule in schedules_of(subject.environment):
        if config := configs.get(schedule.display_name):
            yield _freshness(subject, schedule, config)
        else:
            yield skipped(schedule.name, "a success for the last time it was due", "it does not exist: see schedules.1")


def _freshness(subject: Subject, schedule: Schedule, config: TransferConfig) -> Outcome:
    due = last_due(schedule, datetime.now(UTC) - GRACE)
    expected = f"a success since it was due at {due.astimezone(LOS_ANGELES):%Y-%m-%d %H:%M %Z}"
    run_now = f"python -m operations run-schedules --env {subject.environment.name}"
    runs = working_runs(schedule, transfer_runs(subject.api, config))
    ended = [run for run in runs if run.ended]
    newest = ended[0] if ended else None
    if newest and not newest.succeeded:
        when = f"{newest.run_time.astimezone(LOS_ANGELES):%Y-%m-%d %H:%M %Z}"
        found = f"{newest.state} at {when}: {newest.message or 'no message'}"
        return failed(schedule.name, "the newest run succeeded", found, f"Fix what the message names, then {run_now}")
    if any(run.run_time >= due for run in ended):
        return passed(schedule.name, expected)
    if config.updated > due:
        return passed(schedule.name, "not due since it was deployed or changed")
    last = f"the last success was for {newest.run_time:%Y-%m-%d %H:%M} UTC" if newest else "no success"
    return failed(schedule.name, expected, last, f"See schedules.1 whether it is enabled; then {run_now}")


def working_runs(schedule: Schedule, runs: list[TransferRun]) -> list[TransferRun]:
    """The runs that had work to do: at other hours the query's guard ends it."""
    return [run for run in runs if works_at(schedule, run.run_time)]


CHECKS = (Check("freshness.1", "last success of each scheduled query", last_successes, settles=True),)
