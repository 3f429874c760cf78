"""Los Angeles time: every stored text names the zone, and the days on which the clock changes are right."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from google.cloud import bigquery

from catalog.zone import LOS_ANGELES, ZONE
from verification.results import Check, Outcome, Subject, compared
from verification.stored_sql import TIME_ZONE, stored_texts_keep

if TYPE_CHECKING:
    from collections.abc import Iterator


def stored_texts(subject: Subject) -> Iterator[Outcome]:
    """Routines and views, as they are stored now, go through the analyzer and the repository's time zone rule."""
    return stored_texts_keep(TIME_ZONE, "the zone is named wherever the clock is read or converted", subject)


def clock_changes(subject: Subject) -> Iterator[Outcome]:
    """On the two days of this year on which the clock changes, the live system has the zone's hours."""
    for day in _days_of_change(datetime.now(LOS_ANGELES).year):
        midnight = datetime.combine(day, time(), LOS_ANGELES).astimezone(UTC)
        instants = [midnight + timedelta(hours=hour) for hour in range(26)]
        expected = [local.hour for local in (i.astimezone(LOS_ANGELES) for i in instants) if local.date() == day]
        rows = subject.api.query(
            "the time zone",
            f"SELECT EXTRACT(HOUR FROM instant AT TIME ZONE '{ZONE}') AS hour "
            f"FROM UNNEST(@instants) AS instant WHERE DATE(instant, '{ZONE}') = @day ORDER BY instant",
            [
                bigquery.ArrayQueryParameter("instants", "TIMESTAMP", instants),
                bigquery.ScalarQueryParameter("day", "DATE", day),
            ],
        )
        found = [row["hour"] for row in rows]
        action = "BigQuery's time zone data differ from this machine's: find out which are out of date."
        yield compared(f"{day:%F}", f"{len(expected)} hours: {expected}", f"{len(found)} hours: {found}", action)


def _days_of_change(year: int) -> list[date]:
    """The days of a year that end with another offset from UTC than they start with."""
    days = [date(year, 1, 1) + timedelta(days=n) for n in range(365)]
    return [day for day in days if _offset(day) != _offset(day + timedelta(days=1))]


def _offset(day: date) -> timedelta | None:
    return datetime.combine(day, time(), LOS_ANGELES).utcoffset()


def los_angeles_time(subject: Subject) -> Iterator[Outcome]:
    """The stored texts, and the days on which the clock changes."""
    yield from stored_texts(subject)
    yield from clock_changes(subject)


CHECKS = (Check("7.1", "Los Angeles time", los_angeles_time),)
