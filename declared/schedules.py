"""When the scheduled queries run: data for the stacks, the verifier and the operators' commands.

The transfer service's schedules are in UTC, so a Los Angeles time moves twice a year. Each query is therefore scheduled
at its minute of every hour that could be meant, and its SQL goes on only when the hour of ``@run_time`` in Los Angeles
is one of its hours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from catalog.zone import LOS_ANGELES
from declared.names import SYSTEM

if TYPE_CHECKING:
    from declared.environment import Environment

EVERY_HOUR = tuple(range(24))
#: How the ids of the jobs begin that fill the holiday calendar at a deployment.
SEED_JOB = "seed_holiday_calendar"
DAYS_A_MONTH = 365.25 / 12


@dataclass(frozen=True)
class Schedule:
    """A scheduled query of sql/schedules/.

    ``schedule`` is in the transfer service's words, in UTC; ``hours_la`` are the hours of Los Angeles in which the
    query does something, ``minute`` the minute at which it is due.
    """

    name: str
    schedule: str
    minute: int
    hours_la: tuple[int, ...] = EVERY_HOUR
    #: Month and day on which a yearly query is due; None: every day.
    day_of_year: tuple[int, int] | None = None
    system: str = SYSTEM

    @property
    def display_name(self) -> str:
        """The transfer config's name, which is how it is found again."""
        return f"{self.system} {self.name}"


SCHEDULES = (
    # The format is App Engine's cron.yaml's. A plain 'every 1 hours' starts at the minute at which it was deployed;
    # 'from … to …' puts it at its minute, the end included. Every hour of Los Angeles is an hour of UTC.
    Schedule("sweep_expired_caption_locks", "every 1 hours from 00:20 to 23:20", minute=20),
    Schedule("update_caption_performance", "every 1 hours from 00:00 to 23:00", minute=0, hours_la=(0, 6, 12, 18)),
    Schedule("run_daily_automation", "every 1 hours from 00:05 to 23:05", minute=5, hours_la=(3,)),
    # 12:00 UTC on 1 January is always 04:00 in Los Angeles: there is no daylight saving time in winter
    Schedule("seed_holiday_calendar", "1 of january 12:00", minute=0, hours_la=(4,), day_of_year=(1, 1)),
)


def schedules_of(environment: Environment) -> tuple[Schedule, ...]:
    """The schedules under an environment's own names."""
    return tuple(replace(schedule, system=environment.system) for schedule in SCHEDULES)


def runs_a_month(schedule: Schedule) -> float:
    """How many runs a month go on past their guard, as an average over the years."""
    return len(schedule.hours_la) * (DAYS_A_MONTH if schedule.day_of_year is None else 1 / 12)


def works_at(schedule: Schedule, run_time: datetime) -> bool:
    """Whether a query goes on past its guard, given its run time."""
    return run_time.astimezone(LOS_ANGELES).hour in schedule.hours_la


def _is_due(schedule: Schedule, moment: datetime) -> bool:
    local = moment.astimezone(LOS_ANGELES)
    return works_at(schedule, moment) and schedule.day_of_year in {None, (local.month, local.day)}


def last_due(schedule: Schedule, now: datetime) -> datetime:
    """The last instant, not after ``now``, at which the transfer service runs a query that then does its work."""
    moment = now.astimezone(UTC).replace(minute=schedule.minute, second=0, microsecond=0)
    if moment > now:
        moment -= timedelta(hours=1)
    while not _is_due(schedule, moment):
        moment -= timedelta(hours=1)
    return moment


def next_due(schedule: Schedule, now: datetime) -> datetime:
    """The first instant after ``now`` at which the transfer service runs a query that then does its work."""
    moment = now.astimezone(UTC).replace(minute=schedule.minute, second=0, microsecond=0)
    if moment <= now:
        moment += timedelta(hours=1)
    while not _is_due(schedule, moment):
        moment += timedelta(hours=1)
    return moment


def last_run_time(schedule: Schedule, now: datetime) -> datetime:
    """The last instant, not after ``now``, at which a schedule's query would have done its work.

    Args:
        schedule: the schedule; a yearly one is looked at by its hour alone, so that it can be run at any time.
        now: an instant with a time zone.

    Returns:
        The instant in UTC, on the schedule's minute.
    """
    moment = now.astimezone(UTC).replace(minute=schedule.minute, second=0, microsecond=0)
    if moment > now:
        moment -= timedelta(hours=1)
    while moment.astimezone(LOS_ANGELES).hour not in schedule.hours_la:
        moment -= timedelta(hours=1)
    return moment
