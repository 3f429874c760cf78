"""When the scheduled queries run: data for the stacks, the verifier and the operators' commands.

The transfer service's schedules are in UTC, so a Los Angeles time moves twice a year. Each query is therefore scheduled
hourly, at its minute, and its SQL continues only when the hour of ``@run_time`` in Los Angeles is one of its hours. The
hours are those of the guard in sql/schedules/; the minute is declared here. All else is computed from these two.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.findings import CatalogError, Finding
from catalog.loading import load_catalog
from catalog.model import EVERY_HOUR
from catalog.zone import DAYS_PER_YEAR, LOS_ANGELES
from declared.names import SYSTEM, schedule_display_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.model import Catalog, ScheduledQuery
    from declared.environment import Environment

#: The query that looks whether all is well, after the others of its hour.
HEALTH = "check_health"
#: The minute at which each query of sql/schedules/ is due.
MINUTES = {
    "sweep_expired_caption_locks": 20,
    "update_caption_performance": 0,
    "run_daily_automation": 5,
    "seed_holiday_calendar": 0,
    HEALTH: 40,
}
#: Month and day of the queries that are due once a year; all others are due every day.
DAYS_OF_YEAR = {"seed_holiday_calendar": (1, 1)}
#: How long a run may take: an older one counts as stuck, and nobody waits longer for one.
LONGEST_RUN = timedelta(minutes=30)
DAYS_A_MONTH = DAYS_PER_YEAR / 12
#: Any year: a yearly query's day must be one that is in standard time every year, or its UTC hour would move.
SOME_YEAR = 2026


@dataclass(frozen=True)
class Schedule:
    """When a scheduled query runs.

    ``minute`` is the minute at which it is due, ``hours_la`` are the hours of Los Angeles in which it does something,
    ``day_of_year`` is the month and day of a yearly query; None means every day.
    """

    name: str
    minute: int
    hours_la: tuple[int, ...] = EVERY_HOUR
    day_of_year: tuple[int, int] | None = None
    system: str = SYSTEM

    @property
    def display_name(self) -> str:
        """The transfer config's name, which is how it is found again."""
        return schedule_display_name(self.system, self.name)

    @property
    def schedule(self) -> str:
        """The schedule in the transfer service's words (those of App Engine's cron.yaml), in UTC.

        A plain "every 1 hours" would start at the minute of the deployment; "from … to …", the end included, puts it at
        the query's minute. Every hour of Los Angeles is an hour of UTC.
        """
        if self.day_of_year is None:
            return f"every 1 hours from 00:{self.minute:02} to 23:{self.minute:02}"
        (hour,) = self.hours_la
        due = datetime(SOME_YEAR, *self.day_of_year, hour, self.minute, tzinfo=LOS_ANGELES).astimezone(UTC)
        return f"{due.day} of {due:%B %H:%M}".lower()


def schedule_of(query: ScheduledQuery, system: str = SYSTEM) -> Schedule:
    """The schedule of a query, which may be of another revision: without a declared minute it is due at minute 0."""
    return Schedule(query.name, MINUTES.get(query.name, 0), query.hours_la, DAYS_OF_YEAR.get(query.name), system)


def schedules_in(catalog: Catalog, system: str = SYSTEM) -> tuple[Schedule, ...]:
    """The schedule of every scheduled query of a catalog, in the order of :data:`MINUTES`.

    Args:
        catalog: the SQL files that hold the hours.
        system: the prefix of the transfer configs' names.

    Raises:
        CatalogError: the catalog's queries are not those that are declared here.
    """
    if findings := list(_disagreements(catalog)):
        raise CatalogError(findings)
    return tuple(schedule_of(catalog.schedules[name], system) for name in MINUTES)


def _disagreements(catalog: Catalog) -> Iterator[Finding]:
    here = Path("declared/schedules.py")
    for query in catalog.schedules.values():
        if query.name not in MINUTES:
            yield Finding(
                query.path, 1, 1, "schedule", f"no minute is declared: add {query.name!r} to MINUTES in {here}"
            )
        elif query.name in DAYS_OF_YEAR and len(query.hours_la) != 1:
            message = "a query that is due once a year needs a guard with exactly one hour, IN (hour)"
            yield Finding(query.path, 1, 1, "schedule", message)
    for name in sorted({*MINUTES, *DAYS_OF_YEAR} - set(catalog.schedules)):
        yield Finding(
            here, 1, 1, "schedule", f"{name!r} has no file in sql/schedules/: add the file, or remove the entry"
        )


@cache
def all_schedules() -> tuple[Schedule, ...]:
    """The schedule of every query of sql/schedules/.

    Raises:
        CatalogError: SQL files that do not parse or compile; or as :func:`schedules_in`.
    """
    return schedules_in(load_catalog())


def schedules_of(environment: Environment) -> tuple[Schedule, ...]:
    """The schedules of sql/schedules/ under an environment's own names.

    Raises:
        CatalogError: as :func:`all_schedules`.
    """
    return tuple(replace(schedule, system=environment.system) for schedule in all_schedules())


def runs_a_month(schedule: Schedule) -> float:
    """How many runs per month pass their guard, as an average over the years."""
    return len(schedule.hours_la) * (DAYS_A_MONTH if schedule.day_of_year is None else 1 / 12)


def works_at(schedule: Schedule, run_time: datetime) -> bool:
    """Whether a query passes its guard at a run time."""
    return run_time.astimezone(LOS_ANGELES).hour in schedule.hours_la


def _is_due(schedule: Schedule, moment: datetime) -> bool:
    local = moment.astimezone(LOS_ANGELES)
    return works_at(schedule, moment) and schedule.day_of_year in {None, (local.month, local.day)}


def _newest_start(schedule: Schedule, now: datetime) -> datetime:
    """The last instant, not after ``now``, on the schedule's minute; in UTC."""
    moment = now.astimezone(UTC).replace(minute=schedule.minute, second=0, microsecond=0)
    return moment if moment <= now else moment - timedelta(hours=1)


def last_due(schedule: Schedule, now: datetime) -> datetime:
    """The last instant, not after ``now``, at which the transfer service runs a query that then does its work."""
    moment = _newest_start(schedule, now)
    while not _is_due(schedule, moment):
        moment -= timedelta(hours=1)
    return moment


def next_due(schedule: Schedule, now: datetime) -> datetime:
    """The first instant after ``now`` at which the transfer service runs a query that then does its work."""
    moment = _newest_start(schedule, now) + timedelta(hours=1)
    while not _is_due(schedule, moment):
        moment += timedelta(hours=1)
    return moment


def last_run_time(schedule: Schedule, now: datetime) -> datetime:
    """The last instant, not after ``now``, at which a schedule's query would have done its work.

    Args:
        schedule: the schedule; the day of a yearly one is ignored, so that it can be run at any time.
        now: an instant with a time zone.

    Returns:
        The instant in UTC, on the schedule's minute.
    """
    return last_due(replace(schedule, day_of_year=None), now)
