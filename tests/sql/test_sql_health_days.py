"""Ten healthy days around each change of clocks, and over a new year: check_health finds nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from catalog.model import EVERY_HOUR
from catalog.zone import LOS_ANGELES
from declared.schedules import HEALTH, all_schedules, works_at
from tests.sql.rows import Caption, Message, add_captions, add_messages

if TYPE_CHECKING:
    from tests.sql.conftest import Sandbox

DAYS = 10
PAGES = ("ann", "ben", "cleo")
#: The first of the ten days.
STARTS = {
    "forward": datetime(2027, 3, 9, tzinfo=LOS_ANGELES),
    "back": datetime(2027, 11, 2, tzinfo=LOS_ANGELES),
    "new year": datetime(2026, 12, 27, tzinfo=LOS_ANGELES),
}


def arguments(name: str, moment: datetime) -> str:
    """What a scheduled query gives to its procedure."""
    local = moment.astimezone(LOS_ANGELES)
    return {
        "run_daily_automation": f"DATE '{local:%Y-%m-%d}'",
        "seed_holiday_calendar": f"2025, {local.year + 2}",
    }.get(name, "")


@pytest.mark.long
@pytest.mark.parametrize("change", sorted(STARTS))
def test_ten_healthy_days_have_no_finding(embedded: Sandbox, change: str) -> None:
    start = STARTS[change]
    add_captions(embedded, *(Caption(number) for number in range(1, 9)))
    days = range(-40, DAYS)
    add_messages(
        embedded,
        *(
            Message(page=page, caption=1 + day % 8, at=(start + timedelta(days=day, hours=12)).isoformat())
            for day in days
            for page in PAGES
        ),
    )
    embedded.call("seed_holiday_calendar", f"2025, {start.year + 2}", now=start.isoformat())
    schedules = sorted((each for each in all_schedules() if each.day_of_year is None), key=lambda each: each.minute)
    hour, end = start.astimezone(UTC), (start + timedelta(days=DAYS)).astimezone(UTC)
    looks = 0
    while hour < end:
        for schedule in schedules:
            moment = hour + timedelta(minutes=schedule.minute)
            # every other hour is enough for what runs every hour
            if works_at(schedule, moment) and (schedule.hours_la != EVERY_HOUR or hour.hour % 2 == 0):
                # check_health raises what it finds
                embedded.call(schedule.name, arguments(schedule.name, moment), now=moment.isoformat())
                looks += schedule.name == HEALTH
        if hour.astimezone(LOS_ANGELES).hour == 9:
            embedded.query("UPDATE `{d}.schedule_generation_queue` SET status = 'COMPLETED' WHERE TRUE")
        hour += timedelta(hours=1)
    found = embedded.query("SELECT check_name, subject, details FROM `{d}.health_checks` WHERE status != 'OK'")
    assert found == []
    assert looks == pytest.approx((end - start.astimezone(UTC)) / timedelta(hours=2), abs=1)
