"""Runs each scheduled query once, now, through the transfer service's own manual runs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from declared.schedules import Schedule, last_run_time, schedules_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.client import GoogleApi

ENDED = {"SUCCEEDED", "FAILED", "CANCELLED"}
DEADLINE_SECONDS = 1800
POLL_SECONDS = 0.2
LONGEST_POLL_SECONDS = 10.0


@dataclass(frozen=True)
class ScheduledRun:
    """How a manual run of a scheduled query ended; ``run_time`` is the instant bound to ``@run_time``."""

    schedule: Schedule
    run_time: datetime
    state: str
    seconds: float
    message: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the query ran to its end."""
        return self.state == "SUCCEEDED"


def run_each_schedule(api: GoogleApi, now: datetime | None = None) -> Iterator[ScheduledRun]:
    """Run every scheduled query for the last time that it was due, one after the other, and wait for each.

    Args:
        api: the environment's Google API.
        now: the current instant; by default the clock's.

    Yields:
        One outcome per schedule; that of a missing config has the state MISSING.
    """
    configs = {config["displayName"]: config["name"] for config in api.transfer_configs()}
    for schedule in schedules_of(api.environment):
        run_time = last_run_time(schedule, now or datetime.now(UTC))
        name = configs.get(schedule.display_name)
        if name is None:
            message = f"no transfer config is named {schedule.display_name!r}: deploy the automation stack"
            yield ScheduledRun(schedule, run_time, "MISSING", 0.0, message)
        else:
            yield _run(api, schedule, name, run_time)


def _run(api: GoogleApi, schedule: Schedule, config: str, run_time: datetime) -> ScheduledRun:
    started = time.monotonic()
    answer = api.data_transfer("POST", f"{config}:startManualRuns", {"requestedRunTime": run_time.isoformat()})
    run = _ended(api, answer["runs"][0], started + DEADLINE_SECONDS)
    message = run.get("errorStatus", {}).get("message", "")
    return ScheduledRun(schedule, run_time, run["state"], time.monotonic() - started, message)


def _ended(api: GoogleApi, run: dict[str, Any], deadline: float) -> dict[str, Any]:
    """Poll a run until it has ended, with growing pauses: the transfer service has nothing to wait on."""
    pause = POLL_SECONDS
    while run["state"] not in ENDED and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_POLL_SECONDS)
        run = api.data_transfer("GET", run["name"])
    return run
