"""Each scheduled query does its work within its cadence, and its newest transfer run succeeded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.zone import LOS_ANGELES
from declared.schedules import HEALTH, schedules_of, works_at
from google.resources import transfer_configs, transfer_runs
from verification.conditions import SCHEDULES_WITHOUT_WORK, condition_check
from verification.results import Check, Outcome, Subject, failed, passed, skipped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from declared.schedules import Schedule
    from google.resources import TransferRun


def newest_runs(subject: Subject) -> Iterator[Outcome]:
    """The newest transfer run that had work to do succeeded; one may fail before it writes anything.

    A run of check_health fails on purpose when it found something: it counts as well when it could look.
    """
    configs = {config.display_name: config for config in transfer_configs(subject.api)}
    for schedule in schedules_of(subject.environment):
        if config := configs.get(schedule.display_name):
            yield _newest_run(subject, schedule, transfer_runs(subject.api, config))
        else:
            yield skipped(schedule.name, "the newest run succeeded", "it does not exist: see schedules.1")


def _newest_run(subject: Subject, schedule: Schedule, runs: list[TransferRun]) -> Outcome:
    expected = "the newest run succeeded"
    newest = next((run for run in working_runs(schedule, runs) if run.ended), None)
    if newest is None:
        return passed(schedule.name, "no run has ended yet")
    if newest.succeeded or (schedule.name == HEALTH and _looked_since(subject, newest.run_time)):
        return passed(schedule.name, expected)
    when = f"{newest.run_time.astimezone(LOS_ANGELES):%Y-%m-%d %H:%M %Z}"
    run_now = f"python -m operations run-schedules --env {subject.environment.name}"
    found = f"{newest.state} at {when}: {newest.message or 'no message'}"
    return failed(schedule.name, expected, found, f"Fix what the message names, then {run_now}")


def _looked_since(subject: Subject, moment: datetime) -> bool:
    """Whether check_health has written what it found since an instant."""
    rows = subject.api.query("health_checks", f"SELECT MAX(checked_at) AS newest FROM {subject.path('health_checks')}")
    return any(row.newest is not None and row.newest >= moment for row in rows)


def working_runs(schedule: Schedule, runs: list[TransferRun]) -> list[TransferRun]:
    """The runs that had work to do: at other hours the query's guard ends it."""
    return [run for run in runs if works_at(schedule, run.run_time)]


NEWEST_RUNS = Check("freshness.2", "newest run of each scheduled query", newest_runs, settles=True)
CHECKS = (
    condition_check("freshness.1", "last work of each scheduled job", SCHEDULES_WITHOUT_WORK),
    NEWEST_RUNS,
)
