"""When a transfer config's schedule is due next, for the forms of schedules that this project uses."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta

EVERY = re.compile(
    r"every (?P<count>\d+) (?P<unit>hours?|minutes?|mins?)(?: from (?P<first>\d\d:\d\d) to (?P<last>\d\d:\d\d))?"
)
DAILY = re.compile(r"every day (?P<at>\d\d:\d\d)")
YEARLY = re.compile(r"(?P<day>\d+) of (?P<month>[a-z]+) (?P<at>\d\d:\d\d)")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def next_due_time(schedule: str, after: datetime) -> datetime | None:
    """The first instant after another at which a schedule is due, in UTC; None for an unsupported form.

    Without times of day, 'every N hours' counts from the given instant; the service counts from the creation.
    """
    text, after = schedule.strip().lower(), after.astimezone(UTC)
    if match := EVERY.fullmatch(text):
        step = timedelta(**{"hours" if match["unit"].startswith("hour") else "minutes": int(match["count"])})
        if match["first"] is None:
            return after + step
        return _within_the_day(after, step, time.fromisoformat(match["first"]), time.fromisoformat(match["last"]))
    if match := DAILY.fullmatch(text):
        at = time.fromisoformat(match["at"])
        return _within_the_day(after, timedelta(days=1), at, at)
    if (match := YEARLY.fullmatch(text)) and match["month"][:3] in MONTHS:
        month = MONTHS.index(match["month"][:3]) + 1
        years = (
            datetime.combine(datetime(year, month, int(match["day"]), tzinfo=UTC), time.fromisoformat(match["at"]), UTC)
            for year in (after.year, after.year + 1)
        )
        return next(moment for moment in years if moment > after)
    return None


def _within_the_day(after: datetime, step: timedelta, first: time, last: time) -> datetime:
    """The first instant after ``after`` of a daily window, in steps from the window's start."""
    for day in (after.date() + timedelta(days=n) for n in (0, 1)):
        moment = datetime.combine(day, first, UTC)
        while moment <= datetime.combine(day, last, UTC):
            if moment > after:
                return moment
            moment += step
    raise AssertionError("a window of tomorrow has its start after today")
