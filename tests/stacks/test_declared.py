"""Numbers that SQL and Python both write are the same."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from benchmarks.simulation import WEEKLY_OF_A_CATEGORY, WEEKLY_URGENT
from catalog import load_catalog
from catalog.files import REPOSITORY
from declared import seed
from declared.schedules import HEALTH, LONGEST_RUN, all_schedules, next_due
from verification.suites.preflight import daily_mebibytes

CATALOG = load_catalog()


def numbers(pattern: str, text: str) -> list[int]:
    """The numbers that a pattern's one group matches in a text; there must be some."""
    found = [int(number) for number in re.findall(pattern, text)]
    assert found, pattern
    return found


def test_the_seed_at_a_deployment_fills_the_years_of_the_yearly_query() -> None:
    query = CATALOG.schedules[seed.PROCEDURE].query
    assert numbers(rf"{seed.PROCEDURE}`\(\s*(\d+),", query) == [seed.FIRST_YEAR]
    assert numbers(r"EXTRACT\(YEAR [^)]*\) \+ (\d+)", query) == [seed.YEARS_AHEAD]
    call = seed.seed_call(f"{CATALOG.project}.{CATALOG.dataset}")
    assert numbers(r"`\((\d+), ", call) == [seed.FIRST_YEAR]
    assert numbers(r"\) \+ (\d+)", call) == [seed.YEARS_AHEAD]


def test_a_run_counts_as_stuck_after_the_minutes_that_its_job_may_take() -> None:
    limits = {
        name: numbers(r"begin_job_run`\(\s*'\w+',[^;]*?,\s*(\d+),\s*v_job_id", procedure.body)[0]
        for name, procedure in CATALOG.procedures.items()
        if "begin_job_run" in procedure.calls
    }
    jobs = CATALOG.table_functions["scheduled_jobs"].body
    found = {name: int(minutes) for name, minutes in re.findall(r"STRUCT\('(\w+)'[^,]*, (\d+)", jobs)}
    health = limits.pop(HEALTH)
    assert health * 60 < LONGEST_RUN.total_seconds()
    assert found == limits
    assert set(limits) < {schedule.name for schedule in all_schedules()}
    assert max(limits.values()) * 60 == LONGEST_RUN.total_seconds()


def test_the_days_budget_of_bytes_is_that_of_the_scheduled_queries_and_some_more() -> None:
    """The operators' budgets of a day, 15 GB for health, and 5 GB for selections and people."""
    body = CATALOG.functions["daily_bytes_budget"].body
    ((runs, update, daily, health, others),) = re.findall(
        r"\((\d+) \* (\d+) \+ (\d+) \+ (\d+) \+ (\d+)\) \* 1024", body
    )
    assert int(runs) * int(update) + int(daily) == daily_mebibytes() / 1024
    assert (int(health), int(others)) == (15, 5)


def test_every_question_is_asked_by_check_health() -> None:
    procedure = CATALOG.procedures[HEALTH]
    assert set(CATALOG.monitoring) <= procedure.calls
    blocks = re.findall(r"brain\.(\w+)`\(\) AS problem.*?STRUCT\('(\w+)' AS check_name", procedure.body, re.DOTALL)
    assert [asked for asked, name in blocks if asked != name] == []
    assert sorted(name for _, name in blocks) == sorted(CATALOG.monitoring)


def test_the_nightly_drift_workflow_runs_before_the_daily_run() -> None:
    """What it reports is not what the day changes; in standard and in daylight saving time."""
    workflow = (REPOSITORY / ".github" / "workflows" / "drift.yml").read_text(encoding="utf-8")
    ((minute, hour),) = re.findall(r'cron: "(\d+) (\d+) \* \* \*"', workflow)
    (daily,) = (each for each in all_schedules() if each.name == "run_daily_automation")
    for month in (1, 7):
        nightly = datetime(2026, month, 9, int(hour), int(minute), tzinfo=UTC)
        assert next_due(daily, nightly) - nightly < timedelta(hours=3)


def test_the_weekly_budgets_are_the_same_wherever_they_are_written() -> None:
    chosen, scored = CATALOG.table_functions["chosen_captions"].body, CATALOG.table_functions["scored_captions"].body
    assert numbers(r"GREATEST\(0, (\d+) - scored\.urgent_uses\)", chosen) == [WEEKLY_URGENT]
    assert numbers(r"GREATEST\(0, (\d+) - scored\.category_uses\)", chosen) == [WEEKLY_OF_A_CATEGORY]
    assert set(numbers(r"urgency\.weekly_uses >= 0\.\d \* (\d+)", scored)) == {WEEKLY_URGENT}
    assert set(numbers(r"category\.weekly_uses, 0\) >= 0\.\d \* (\d+)", scored)) == {WEEKLY_OF_A_CATEGORY}
