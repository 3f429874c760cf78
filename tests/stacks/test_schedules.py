"""When scheduled queries run: through both changes of the clock, and as their SQL guards say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from catalog import load_catalog
from catalog.zetasql import kind_of, member, parse, walk
from catalog.zone import LOS_ANGELES
from declared.schedules import (
    EVERY_HOUR,
    SCHEDULES,
    Schedule,
    last_due,
    last_run_time,
    next_due,
    runs_a_month,
    works_at,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SIX_HOURLY = Schedule("six_hourly", "every 1 hours from 00:00 to 23:00", minute=0, hours_la=(0, 6, 12, 18))
DAILY = Schedule("daily", "every 1 hours from 00:05 to 23:05", minute=5, hours_la=(3,))

instants = st.datetimes(
    min_value=datetime(2026, 1, 1),  # noqa: DTZ001 - the zone is given beside
    max_value=datetime(2027, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(now=instants, schedule=st.sampled_from([*SCHEDULES, SIX_HOURLY, DAILY]))
@settings(deadline=None)
def test_the_last_run_time_is_the_newest_that_the_guard_lets_pass(now: datetime, schedule: Schedule) -> None:
    found = last_run_time(schedule, now)
    assert found <= now
    assert (found.minute, found.second) == (schedule.minute, 0)
    assert found.astimezone(LOS_ANGELES).hour in schedule.hours_la
    later = found + timedelta(hours=1)
    while later <= now:
        assert later.astimezone(LOS_ANGELES).hour not in schedule.hours_la
        later += timedelta(hours=1)


def test_the_night_run_keeps_its_local_time_through_both_changes_of_the_clock() -> None:
    for day, expected in (
        (datetime(2026, 3, 7, 20, tzinfo=UTC), "2026-03-07 03:05 PST"),
        (datetime(2026, 3, 8, 20, tzinfo=UTC), "2026-03-08 03:05 PDT"),
        (datetime(2026, 10, 31, 20, tzinfo=UTC), "2026-10-31 03:05 PDT"),
        (datetime(2026, 11, 1, 20, tzinfo=UTC), "2026-11-01 03:05 PST"),
    ):
        assert f"{last_run_time(DAILY, day).astimezone(LOS_ANGELES):%Y-%m-%d %H:%M %Z}" == expected


def test_the_runs_of_a_month_are_those_that_the_guard_lets_pass() -> None:
    found = {schedule.name: round(runs_a_month(schedule), 2) for schedule in SCHEDULES}
    assert found == {
        "sweep_expired_caption_locks": 730.5,
        "update_caption_performance": 121.75,
        "run_daily_automation": 30.44,
        "seed_holiday_calendar": 0.08,
    }


def test_every_scheduled_query_has_a_schedule_and_the_reverse() -> None:
    assert {schedule.name for schedule in SCHEDULES} == set(load_catalog().schedules)


def guard_hours(text: str) -> tuple[int, ...]:
    """The hours of Los Angeles that a script's guard names; every hour where it has none."""

    def literals(node: Any) -> Iterator[int]:
        for inner, _ in walk(node):
            if kind_of(inner) == "ASTIntLiteral":
                yield int(member(inner, "image"))

    for statement in parse(text):
        if kind_of(statement) == "ASTIfStatement":
            comparison = next(node for node, _ in walk(statement.condition) if kind_of(node) == "ASTInExpression")
            return tuple(literals(comparison.in_list))
    return EVERY_HOUR


def test_the_guard_in_the_sql_has_the_schedules_hours() -> None:
    queries = load_catalog().schedules
    for schedule in SCHEDULES:
        assert guard_hours(queries[schedule.name].query) == schedule.hours_la
        assert ("America/Los_Angeles" in queries[schedule.name].query) == (schedule.hours_la != EVERY_HOUR)


@given(now=instants, schedule=st.sampled_from(SCHEDULES))
@settings(deadline=None, max_examples=50)
def test_due_times_surround_the_instant_and_pass_the_guard(now: datetime, schedule: Schedule) -> None:
    last, following = last_due(schedule, now), next_due(schedule, now)
    assert last <= now < following
    assert next_due(schedule, last) == following
    for due in (last, following):
        assert works_at(schedule, due)
        assert due.minute == schedule.minute


def test_the_daily_run_is_due_at_0305_on_both_days_on_which_the_clock_changes() -> None:
    (daily,) = (schedule for schedule in SCHEDULES if schedule.name == "run_daily_automation")
    for day, hour in (((2026, 3, 8), 10), ((2026, 11, 1), 11)):
        assert next_due(daily, datetime(*day, tzinfo=UTC)) == datetime(*day, hour, 5, tzinfo=UTC)


def test_the_yearly_seed_is_due_on_new_years_day_only() -> None:
    (seed,) = (schedule for schedule in SCHEDULES if schedule.name == "seed_holiday_calendar")
    assert next_due(seed, datetime(2026, 1, 1, 12, 0, tzinfo=UTC)) == datetime(2027, 1, 1, 12, 0, tzinfo=UTC)
    assert last_due(seed, datetime(2026, 12, 31, tzinfo=UTC)) == datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
