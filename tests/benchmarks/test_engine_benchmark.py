"""The engine's benchmark judges figures that stay level, and figures that grow."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from benchmarks.soak import SETTLED, DayFigures, growths, judge, soak
from declared.schedules import all_schedules

if TYPE_CHECKING:
    from collections.abc import Callable

LEVEL = DayFigures(
    day=1,
    memory_mb=250.0,
    files=40,
    megabytes=12.0,
    select_ms=10.0,
    count_ms=20.0,
    view_ms=50.0,
    jobs=500,
    kept_rows=60,
    kept_files=12,
    kept_megabytes=0.03,
)


def days(change: Callable[[DayFigures], DayFigures]) -> list[DayFigures]:
    """30 days: fast growth in the first week, noisy latencies, and growth of what the contract keeps."""
    found = []
    for day in range(1, 31):
        early, noise = max(0, 8 - day), 1 + 0.2 * (-1) ** day
        figures = replace(
            LEVEL,
            day=day,
            files=LEVEL.files - 5 * early,
            select_ms=LEVEL.select_ms * noise,
            jobs=LEVEL.jobs * day,
            kept_rows=LEVEL.kept_rows * day,
            kept_files=LEVEL.kept_files * day,
            kept_megabytes=LEVEL.kept_megabytes * day,
        )
        found.append(change(figures))
    return found


def test_level_figures_pass() -> None:
    assert judge(days(lambda day: day)) == []


@pytest.mark.parametrize(
    ("grows", "change"),
    [
        ("memory, MB", lambda day: replace(day, memory_mb=day.memory_mb + 12 * day.day)),
        ("files", lambda day: replace(day, files=day.files + 3 * day.day)),
        ("megabytes", lambda day: replace(day, megabytes=day.megabytes * 1.03**day.day)),
        ("SELECT 1, ms", lambda day: replace(day, select_ms=day.select_ms * (1 + day.day / 10))),
        ("count, ms", lambda day: replace(day, count_ms=day.count_ms + day.day)),
        ("view, ms", lambda day: replace(day, view_ms=day.view_ms + 3 * day.day)),
        ("kept files per row", lambda day: replace(day, kept_files=day.kept_files * day.day)),
        ("kept megabytes per row", lambda day: replace(day, kept_megabytes=day.kept_megabytes * day.day)),
    ],
)
def test_what_grows_is_named(grows: str, change: Callable[[DayFigures], DayFigures]) -> None:
    (failure,) = judge(days(change))
    assert failure.startswith(f"{grows}: grows by ")


def test_growth_below_the_allowance_passes() -> None:
    slowly = days(lambda day: replace(day, memory_mb=day.memory_mb * (1 + day.day / 100)))
    (memory,) = (growth for growth in growths(slowly) if growth.figure == "memory, MB")
    assert 0.005 < memory.per_day < 0.01
    assert not memory.grows


def test_too_few_settled_days_are_not_judged() -> None:
    growing = days(lambda day: replace(day, files=day.files + 3 * day.day))
    assert judge(growing[:9]) == []
    assert judge(growing[:9], settled=5) != []


def daily_hours() -> tuple[int, ...]:
    """The hours of the daily run."""
    (daily,) = (schedule for schedule in all_schedules() if schedule.name == "run_daily_automation")
    return daily.hours_la


@pytest.mark.long
def test_a_soak_runs_the_schedules_and_measures_each_day() -> None:
    """That files and jobs level off is tested without a server in test_engine_maintenance.py, and below."""
    first, second = soak(2, daily_hours(), calls=1)
    assert (first.day, second.day) == (1, 2)
    assert first.jobs < second.jobs
    assert first.kept_rows < second.kept_rows
    assert min(second.files, second.megabytes, second.memory_mb, second.select_ms, second.count_ms, second.view_ms) > 0


@pytest.mark.long
def test_a_server_levels_off_after_a_week() -> None:
    """Days of one hour each: the one at which most of the scheduled queries work."""
    days = soak(12, daily_hours(), calls=1)
    settled, last = days[SETTLED - 1], days[-1]
    # without maintenance there would be half as many again; a round may be running when they are counted
    assert last.files <= 1.25 * settled.files
    assert last.megabytes <= 1.25 * settled.megabytes
    assert last.jobs <= 1.1 * settled.jobs, "the history of jobs grows"


@pytest.mark.long
def test_nothing_grows_within_a_month() -> None:
    assert judge(soak(30)) == []
