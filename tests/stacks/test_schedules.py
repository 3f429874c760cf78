"""When scheduled queries run: through both changes of the clock, as their SQL guards say, and changed in two places."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog import CatalogError, load_catalog
from catalog.declarations import declare
from catalog.files import REPOSITORY
from catalog.guards import GUARD
from catalog.model import EVERY_HOUR, ScheduledQuery
from catalog.source import SourceFile
from catalog.zone import LOS_ANGELES, ZONE
from declared.loading import load_environment
from declared.schedules import (
    Schedule,
    all_schedules,
    last_due,
    last_run_time,
    next_due,
    runs_a_month,
    schedules_in,
    works_at,
)
from tests.harness.synthesis import automation_of

if TYPE_CHECKING:
    from catalog import Catalog

SIX_HOURLY = Schedule("six_hourly", minute=0, hours_la=(0, 6, 12, 18))
NIGHTLY = Schedule("nightly", minute=7, hours_la=(3,))
ALL = [*all_schedules(), SIX_HOURLY, NIGHTLY]

instants = st.datetimes(
    min_value=datetime(2026, 1, 1),  # noqa: DTZ001 - the zone is given separately
    max_value=datetime(2027, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(now=instants, schedule=st.sampled_from(ALL))
def test_the_last_run_time_is_the_newest_that_the_guard_lets_pass(now: datetime, schedule: Schedule) -> None:
    found = last_run_time(schedule, now)
    assert found <= now
    assert (found.minute, found.second) == (schedule.minute, 0)
    assert found.astimezone(LOS_ANGELES).hour in schedule.hours_la
    later = found + timedelta(hours=1)
    while later <= now:
        assert later.astimezone(LOS_ANGELES).hour not in schedule.hours_la
        later += timedelta(hours=1)


def test_a_nightly_run_keeps_its_local_time_through_both_changes_of_the_clock() -> None:
    for day, expected in (
        (datetime(2026, 3, 7, 20, tzinfo=UTC), "2026-03-07 03:07 PST"),
        (datetime(2026, 3, 8, 20, tzinfo=UTC), "2026-03-08 03:07 PDT"),
        (datetime(2026, 10, 31, 20, tzinfo=UTC), "2026-10-31 03:07 PDT"),
        (datetime(2026, 11, 1, 20, tzinfo=UTC), "2026-11-01 03:07 PST"),
    ):
        assert f"{last_run_time(NIGHTLY, day).astimezone(LOS_ANGELES):%Y-%m-%d %H:%M %Z}" == expected


def test_the_runs_of_a_month_are_those_that_the_guard_lets_pass() -> None:
    assert [round(runs_a_month(each), 2) for each in (Schedule("hourly", 20), SIX_HOURLY, NIGHTLY)] == [
        730.5,
        121.75,
        30.44,
    ]
    assert round(runs_a_month(Schedule("yearly", 0, (4,), (1, 1))), 2) == 0.08


def test_every_scheduled_query_has_a_schedule_and_the_reverse() -> None:
    assert {schedule.name for schedule in all_schedules()} == set(load_catalog().schedules)


def catalog_with(**schedules: ScheduledQuery | None) -> Catalog:
    """The repository's catalog with other scheduled queries, or without those that are None."""
    catalog = load_catalog()
    found = {**catalog.schedules, **schedules}
    return replace(catalog, schedules={name: query for name, query in found.items() if query is not None})


def test_a_query_and_its_minute_are_declared_together() -> None:
    new = replace(scheduled_query("-- Test.\nSELECT 1;"), name="new")
    with pytest.raises(CatalogError) as caught:
        schedules_in(catalog_with(new=new, run_daily_automation=None))
    entry, file = str(caught.value).splitlines()
    assert entry.startswith("declared/schedules.py:1:1 schedule 'run_daily_automation' has no file in sql/schedules/")
    assert file == (
        "sql/schedules/test.sql:1:1 schedule no minute is declared: add 'new' to MINUTES in declared/schedules.py"
    )


def test_a_yearly_query_without_one_hour_is_a_finding() -> None:
    seed = load_catalog().schedules["seed_holiday_calendar"]
    for hours in (EVERY_HOUR, (4, 5)):
        with pytest.raises(CatalogError, match="exactly one hour"):
            schedules_in(catalog_with(seed_holiday_calendar=replace(seed, hours_la=hours)))


@pytest.mark.cdktf
def test_a_deployment_has_the_schedules_of_its_own_catalog(tmp_path: Path) -> None:
    """Another folder of SQL files, or another revision, has other hours."""
    seed = load_catalog().schedules["seed_holiday_calendar"]
    catalog = catalog_with(seed_holiday_calendar=replace(seed, hours_la=(20,)))
    configs = automation_of(load_environment("preview-local-7"), catalog, tmp_path)[
        "google_bigquery_data_transfer_config"
    ]
    assert configs["seed_holiday_calendar"]["schedule"] == "2 of january 04:00"
    assert configs["seed_holiday_calendar"]["display_name"] == "eros-pr7 seed_holiday_calendar"


def test_the_cadence_of_each_query_is_that_of_the_contract() -> None:
    """Hourly, four times a day, daily, yearly; at which hour and minute is nobody else's business."""
    found = {each.name: (len(each.hours_la), each.day_of_year) for each in all_schedules()}
    assert found == {
        "sweep_expired_caption_locks": (24, None),
        "update_caption_performance": (4, None),
        "run_daily_automation": (1, None),
        "seed_holiday_calendar": (1, (1, 1)),
        "check_health": (24, None),
    }


def scheduled_query(text: str) -> ScheduledQuery:
    """A scheduled query of this text, as the catalog reads it."""
    found = declare(SourceFile(Path("sql/schedules/test.sql"), text), "schedules")
    assert isinstance(found, ScheduledQuery)
    return found


def test_the_hours_are_those_of_the_guard_in_the_sql() -> None:
    guard = f"-- Test.\nIF EXTRACT(HOUR FROM @run_time AT TIME ZONE '{ZONE}')\n  IN (12, 4) THEN SELECT 1; END IF;"
    assert scheduled_query(guard).hours_la == (4, 12)
    assert scheduled_query(f"-- Test.\nIF {GUARD} IN (3, 0x10, 3) THEN SELECT 1; END IF;").hours_la == (3, 16)
    for unguarded in ("SELECT 1;", "SELECT EXTRACT(YEAR FROM @run_time);", "BEGIN IF TRUE THEN SELECT 1; END IF; END;"):
        assert scheduled_query(f"-- Test.\n{unguarded}").hours_la == EVERY_HOUR
    for schedule in all_schedules():
        query = load_catalog().schedules[schedule.name]
        assert schedule.hours_la == query.hours_la
        assert (ZONE in query.query) == (schedule.hours_la != EVERY_HOUR)


@pytest.mark.parametrize(
    "text",
    [
        "IF EXTRACT(HOUR FROM @run_time AT TIME ZONE 'UTC') IN (3) THEN SELECT 1; END IF;",
        f"IF EXTRACT(HOUR FROM @run_time AT TIME ZONE '{ZONE}') NOT IN (3) THEN SELECT 1; END IF;",
        f"IF EXTRACT(HOUR FROM @run_time AT TIME ZONE '{ZONE}') = 3 THEN SELECT 1; END IF;",
        f"IF EXTRACT(HOUR FROM @run_time AT TIME ZONE '{ZONE}') IN (24) THEN SELECT 1; END IF;",
        f"IF {GUARD} IN (3) THEN SELECT 1; END IF; SELECT 2;",
        f"IF {GUARD} IN (3) THEN SELECT 1; ELSE SELECT 2; END IF;",
        f"IF {GUARD} IN (3) THEN SELECT 1; ELSEIF TRUE THEN SELECT 2; END IF;",
        f"IF {GUARD} IN (3, 4) THEN IF {GUARD} IN (4) THEN SELECT 1; END IF; END IF;",
        f"IF {GUARD} IN (3, 4) THEN SELECT 1 FROM UNNEST([4]) AS hour WHERE {GUARD} = hour; END IF;",
        f"BEGIN IF {GUARD} IN (3) THEN SELECT 1; END IF; END;",
        f"CASE {GUARD} WHEN 3 THEN SELECT 1; ELSE SELECT 2; END CASE;",
        f"DECLARE hour INT64 DEFAULT {GUARD}; SELECT 1;",
        "SELECT 1 FROM UNNEST([3]) AS one WHERE EXTRACT(hour FROM DATETIME(@Run_Time)) = one;",
    ],
)
def test_a_guard_that_hides_its_hours_is_a_finding(text: str) -> None:
    with pytest.raises(CatalogError, match="a scheduled query's guard is the one statement IF EXTRACT"):
        scheduled_query(f"-- Test.\n{text}")


@given(now=instants, schedule=st.sampled_from(all_schedules()))
@settings(max_examples=50)
def test_due_times_surround_the_instant_and_pass_the_guard(now: datetime, schedule: Schedule) -> None:
    last, following = last_due(schedule, now), next_due(schedule, now)
    assert last <= now < following
    assert next_due(schedule, last) == following
    for due in (last, following):
        assert works_at(schedule, due)
        assert due.minute == schedule.minute


def test_a_nightly_run_is_due_at_its_local_time_on_both_days_on_which_the_clock_changes() -> None:
    for day, hour in (((2026, 3, 8), 10), ((2026, 11, 1), 11)):
        assert next_due(NIGHTLY, datetime(*day, tzinfo=UTC)) == datetime(*day, hour, 7, tzinfo=UTC)


def test_the_yearly_seed_is_due_on_new_years_day_only() -> None:
    (seed,) = (schedule for schedule in all_schedules() if schedule.day_of_year is not None)
    for year in (2026, 2027):
        due = next_due(seed, datetime(year, 1, 2, tzinfo=UTC))
        assert due.astimezone(LOS_ANGELES).date() == date(year + 1, 1, 1)
        assert last_due(seed, due) == due


def test_the_transfer_services_words_are_computed_from_hours_and_minute() -> None:
    assert Schedule("hourly", minute=20).schedule == "every 1 hours from 00:20 to 23:20"
    assert NIGHTLY.schedule == "every 1 hours from 00:07 to 23:07"
    assert Schedule("yearly", 0, (4,), (1, 1)).schedule == "1 of january 12:00"
    assert Schedule("yearly", 40, (20,), (7, 31)).schedule == "1 of august 03:40"


def test_a_yearly_query_is_due_at_one_hour_of_utc_in_every_year() -> None:
    """A day on which some years have daylight saving time and others not has no fixed hour of UTC."""
    for schedule in all_schedules():
        if schedule.day_of_year is not None:
            (hour,) = schedule.hours_la
            days = [datetime(year, *schedule.day_of_year, hour, tzinfo=LOS_ANGELES) for year in range(2025, 2050)]
            assert len({day.utcoffset() for day in days}) == 1


SCRIPT = """
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from catalog import load_catalog, retarget
from catalog.zone import LOS_ANGELES
from declared.loading import load_environment
from declared.schedules import next_due, schedules_of
from verification.results import Subject
from verification.suites import SUITES
import main

main.synthesize()
environment = load_environment()
(daily,) = (each for each in schedules_of(environment) if each.name == "run_daily_automation")
catalog = retarget(load_catalog(), environment.project, environment.dataset)
query = catalog.schedules[daily.name].query
live = {
    "displayName": daily.display_name,
    "name": "config",
    "schedule": "another",
    "params": {"query": query},
    "updateTime": "2026-11-01T00:00:00Z",
}
api = SimpleNamespace(transfer_configs=lambda: [live], data_transfer=lambda *_: live)
subject = Subject(environment, catalog, SimpleNamespace(routines={}, tables={}), api)
outcomes = [outcome for check in SUITES["schedules"] for outcome in check.run(subject)]
print(json.dumps({
    "next_due": f"{next_due(daily, datetime(2026, 11, 28, tzinfo=UTC)).astimezone(LOS_ANGELES):%H:%M}",
    "verified": [outcome.expected for outcome in outcomes],
}))
"""


@pytest.mark.cdktf
def test_a_schedule_changes_by_one_number_in_each_of_two_places(tmp_path: Path) -> None:
    """The hour in the SQL's guard and the declared minute; synthesis, verification and due times follow."""
    for name in (
        "main.py",
        "starting",
        "catalog",
        "declared",
        "google",
        "stacks",
        "verification",
        "environments",
        "sql",
    ):
        source = REPOSITORY / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    (daily,) = (each for each in all_schedules() if each.name == "run_daily_automation")
    hour, minute = (daily.hours_la[0] + 1) % 24, (daily.minute + 15) % 60
    for file, old, new in (
        (f"sql/schedules/{daily.name}.sql", f"IN ({daily.hours_la[0]}) THEN", f"IN ({hour}) THEN"),
        ("declared/schedules.py", f'"{daily.name}": {daily.minute},', f'"{daily.name}": {minute},'),
    ):
        text = (tmp_path / file).read_text(encoding="utf-8")
        assert text.count(old) == 1
        (tmp_path / file).write_text(text.replace(old, new), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path,
        env={**os.environ, "EROS_ENV": "local"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    words = f"every 1 hours from 00:{minute:02} to 23:{minute:02}"
    assert found["next_due"] == f"{hour:02}:{minute:02}"
    assert any(words in expected for expected in found["verified"]), found["verified"]
    stack = json.loads((tmp_path / "cdktf.out/stacks/eros-local-automation/cdk.tf.json").read_text(encoding="utf-8"))
    config = stack["resource"]["google_bigquery_data_transfer_config"][daily.name]
    assert config["schedule"] == words
    assert f"IN ({hour})" in config["params"]["query"]
