"""Runs each scheduled query once, now, through the transfer service's own manual runs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from declared.schedules import HEALTH, LONGEST_RUN, Schedule, last_run_time, schedules_of
from google.resources import start_run, transfer_configs, transfer_run
from google.waiting import current_limit
from operations.health import NEVER, Look, newest_look

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.client import GoogleApi
    from google.resources import TransferConfig, TransferRun

POLL_SECONDS = 0.05
LONGEST_POLL_SECONDS = 10.0
#: Pauses grow slowly: a run is seen to have ended after a fifth more than its time.
POLL_GROWTH = 1.2


@dataclass(frozen=True)
class ScheduledRun:
    """How a manual run of a scheduled query ended; ``run_time`` is the instant bound to ``@run_time``.

    ``run`` is None where there is no transfer config to run. ``look`` is what a run of check_health found; None where
    it could not look, and for any other run.
    """

    schedule: Schedule
    run_time: datetime
    run: TransferRun | None
    seconds: float = 0.0
    look: Look | None = None

    @property
    def state(self) -> str:
        """The transfer service's name of the state, MISSING, or what a look found."""
        if self.look is not None:
            return f"health: {self.look.headline}"
        return self.run.state if self.run else "MISSING"

    @property
    def succeeded(self) -> bool:
        """Whether the query ran to its end; check_health does so when it could look, whatever it found."""
        return self.look is not None or (self.run is not None and self.run.succeeded)

    @property
    def message(self) -> str:
        """Why it did not succeed, as far as it is known."""
        if self.run is None:
            return f"no transfer config is named {self.schedule.display_name!r}: deploy the automation stack"
        if not self.run.ended:
            return f"it has not ended after {self.seconds:.0f} s: {self.run.name}"
        return "" if self.look is not None else self.run.message


def run_each_schedule(api: GoogleApi, now: datetime | None = None) -> Iterator[ScheduledRun]:
    """Run every scheduled query for the last time that it was due, one after the other, and wait for each.

    Args:
        api: the environment's Google API.
        now: the current instant; by default the clock's.

    Yields:
        One outcome per schedule.

    Raises:
        LiveSystemError: the API does not answer, or the caller may not start a run.
    """
    configs = {config.display_name: config for config in transfer_configs(api)}
    for schedule in schedules_of(api.environment):
        run_time = last_run_time(schedule, now or datetime.now(UTC))
        config = configs.get(schedule.display_name)
        if config is None:
            yield ScheduledRun(schedule, run_time, None)
        else:
            before = newest_look(api) if schedule.name == HEALTH else None
            started = time.monotonic()
            run = _ended(api, config, run_time)
            seconds = time.monotonic() - started
            look = newest_look(api, before.checked_at if before else NEVER) if schedule.name == HEALTH else None
            yield ScheduledRun(schedule, run_time, run, seconds, look)


def _ended(api: GoogleApi, config: TransferConfig, run_time: datetime) -> TransferRun:
    """Start a run and poll until it has ended, with growing pauses: the transfer service has nothing to wait on."""
    deadline, pause = time.monotonic() + LONGEST_RUN.total_seconds(), POLL_SECONDS
    run = start_run(api, config, run_time)
    while not run.ended and time.monotonic() < deadline:
        current_limit().sleep(f"the run of {config.display_name}", pause)
        pause = min(pause * POLL_GROWTH, LONGEST_POLL_SECONDS)
        run = transfer_run(api, run.name)
    return run
