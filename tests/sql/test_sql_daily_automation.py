"""run_daily_automation: reports, saturation and queue, failures and the breaker, overlap and cuts."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import BadRequest

from tests.sql.rows import (
    NOW,
    Caption,
    Lock,
    Message,
    Restriction,
    add_captions,
    add_locks,
    add_messages,
    restrict,
)

if TYPE_CHECKING:
    from tests.sql.conftest import Sandbox

DAILY = "run_daily_automation"
DAY = "DATE '2026-06-15'"
INVALID = "(never closed"


def runs(embedded: Sandbox) -> list[tuple[Any, ...]]:
    """Status, processed, failed and error of the daily runs, in the order of their status."""
    return embedded.query(
        "SELECT job_status, creators_processed, creators_failed, error_message "
        f"FROM `{{d}}.etl_job_runs` WHERE job_name = '{DAILY}' ORDER BY job_status, job_start_time"
    )


def queued(embedded: Sandbox) -> dict[str, float | None]:
    rows = embedded.query("SELECT page_name, saturation_pct, status FROM `{d}.schedule_generation_queue` ORDER BY 1")
    assert len(rows) == len({page for page, _, _ in rows})
    assert {status for _, _, status in rows} <= {"PENDING"}
    return {page: saturation for page, saturation, _ in rows}


def reported(embedded: Sandbox) -> list[str]:
    rows = embedded.query("SELECT page_name FROM `{d}.creator_performance_reports` ORDER BY 1")
    return [page for (page,) in rows]


def failures(embedded: Sandbox) -> list[str]:
    rows = embedded.query("SELECT page_name FROM `{d}.creator_processing_errors` ORDER BY error_time, page_name")
    return [page for (page,) in rows]


def alerts(embedded: Sandbox) -> list[tuple[str, str]]:
    return embedded.query("SELECT alert_level, alert_source FROM `{d}.automation_alerts` ORDER BY 1, 2")


def add_creators(embedded: Sandbox, *pages: str, invalid: str = "") -> None:
    """Pages with a message each and a common caption; ``invalid`` names those with an invalid pattern, by letter."""
    add_messages(embedded, *(Message(page=page) for page in pages))
    add_captions(embedded, Caption(1))
    if invalid:
        restrict(embedded, *(Restriction(page=page, hard=[INVALID]) for page in pages if page in invalid))


def test_no_day_is_a_clear_error(embedded: Sandbox) -> None:
    with pytest.raises(BadRequest, match="execution_date is NULL"):
        embedded.call(DAILY, "NULL")
    assert runs(embedded) == []


def test_without_a_creator_there_is_no_work(embedded: Sandbox) -> None:
    """Messages of the day itself, or of more than 30 days before it, in Los Angeles, make no creator."""
    add_messages(
        embedded,
        Message(page="today", at="2026-06-15 00:00:00-07:00"),
        Message(page="long ago", at="2026-05-15 23:59:59-07:00"),
    )
    embedded.call(DAILY, DAY, now=NOW)
    assert runs(embedded) == [("COMPLETED_NO_WORK", 0, 0, None)]
    assert queued(embedded) == {}


def test_the_30_days_are_those_of_los_angeles(embedded: Sandbox) -> None:
    add_messages(
        embedded,
        Message(page="first", at="2026-05-16 00:00:00-07:00"),
        Message(page="last", at="2026-06-14 23:59:59-07:00"),
    )
    embedded.call(DAILY, DAY, now=NOW)
    assert list(queued(embedded)) == reported(embedded) == ["first", "last"]


def test_saturation_counts_locked_captions_among_those_that_may_be_used(embedded: Sandbox) -> None:
    """Locks before the day, without a day, inactive ones and duplicates do not count."""
    add_messages(embedded, Message(page="page"), Message(page="other"))
    add_captions(
        embedded,
        *(Caption(i) for i in range(1, 5)),
        Caption(5, page="page"),
        Caption(6, page="other"),
        Caption(7, score=0.0),
        Caption(8, status="retired"),
    )
    add_locks(
        embedded,
        Lock(1, send_in_days=0),
        Lock(1, send_in_days=3),
        Lock(2, send_in_days=9),
        Lock(3, send_in_days=-1),
        Lock(4, send_in_days=None),
        Lock(5, send_in_days=2, active=False),
    )
    embedded.call(DAILY, DAY, now=NOW)
    assert queued(embedded) == {"other": 0.0, "page": 40.0}


def test_restrictions_lessen_what_may_be_used(embedded: Sandbox) -> None:
    add_messages(embedded, Message())
    add_captions(
        embedded,
        Caption(1, tier="premium"),
        Caption(2, category="archive"),
        Caption(3, text="Free preview"),
        Caption(4),
        Caption(5),
    )
    restrict(
        embedded, Restriction(categories=["archive"], hard=["(?i)FREE"]), Restriction(tiers=["premium"], soft=["early"])
    )
    add_locks(embedded, Lock(4))
    embedded.call(DAILY, DAY, now=NOW)
    assert queued(embedded) == {"page": 50.0}


@pytest.mark.parametrize(("locked", "is_queued"), [(3, True), (4, False), (5, False)])
def test_queued_below_80_percent(embedded: Sandbox, locked: int, is_queued: bool) -> None:
    add_messages(embedded, Message())
    add_captions(embedded, *(Caption(i) for i in range(5)))
    add_locks(embedded, *(Lock(i) for i in range(locked)))
    embedded.call(DAILY, DAY, now=NOW)
    assert bool(queued(embedded)) is is_queued
    assert reported(embedded) == ["page"]


def test_no_caption_at_all_is_no_usable_figure_and_queued(embedded: Sandbox) -> None:
    add_messages(embedded, Message())
    embedded.call(DAILY, DAY, now=NOW)
    assert queued(embedded) == {"page": None}


def test_report_holds_every_part(embedded: Sandbox) -> None:
    add_creators(embedded, "page")
    embedded.query(
        """INSERT INTO `{d}.creator_content_inventory` VALUES ('page', DATE '2026-06-01', ['archive'], 5),
        ('page', DATE '2026-06-10', ['tutorial', 'preview'], 6)"""
    )
    embedded.call("update_caption_performance", now=NOW)
    embedded.call(DAILY, DAY, now=NOW)
    ((day, text),) = embedded.query(
        "SELECT CAST(execution_date AS STRING), TO_JSON_STRING(report) FROM `{d}.creator_performance_reports`"
    )
    report = json.loads(text)
    assert day == "2026-06-15"
    assert list(report) == [
        "creator_name",
        "analysis_timestamp",
        "data_freshness",
        "account_classification",
        "behavioral_segment",
        "saturation",
        "psychological_trigger_analysis",
        "content_category_performance",
        "day_of_week_patterns",
        "time_window_optimization",
        "available_categories",
    ]
    assert report["creator_name"] == "page"
    assert report["analysis_timestamp"] == report["data_freshness"] == "2026-06-15T19:00:00Z"
    assert report["available_categories"] == ["tutorial", "preview"]
    assert report["account_classification"]["size_tier"] == "MICRO"
    assert report["saturation"]["exclusion_reason"] == "INSUFFICIENT_DATA"
    assert [row["psychological_trigger"] for row in report["psychological_trigger_analysis"]] == ["VALUE"]
    alone = embedded.query(
        "DECLARE v_report STRING; CALL `{d}.analyze_creator_performance`('page', v_report); SELECT v_report"
    )
    assert json.loads(alone[0][0]) == report


def test_twice_is_once(embedded: Sandbox) -> None:
    add_creators(embedded, "a", "b")
    embedded.call(DAILY, DAY, now=NOW)
    tables = ("schedule_generation_queue", "creator_performance_reports")
    after_one = [embedded.query(f"SELECT * FROM `{{d}}.{table}` ORDER BY page_name") for table in tables]
    embedded.query("UPDATE `{d}.schedule_generation_queue` SET status = 'COMPLETED' WHERE page_name = 'a'")
    embedded.query("UPDATE `{d}.schedule_generation_queue` SET status = 'PENDING' WHERE page_name = 'a'")
    embedded.call(DAILY, DAY, now="2026-06-15 13:00:00-07:00")
    assert [embedded.query(f"SELECT * FROM `{{d}}.{table}` ORDER BY page_name") for table in tables] == after_one
    assert [status for status, *_ in runs(embedded)] == ["SUCCESS", "SUCCESS"]


def test_each_day_has_its_own_queue(embedded: Sandbox) -> None:
    add_creators(embedded, "a")
    embedded.call(DAILY, DAY, now=NOW)
    embedded.call(DAILY, "DATE '2026-06-16'")
    assert embedded.value("SELECT COUNT(*) FROM `{d}.schedule_generation_queue`") == 2


def test_one_creator_with_an_invalid_pattern_costs_only_itself(embedded: Sandbox) -> None:
    add_creators(embedded, "a", "b", invalid="a")
    embedded.call(DAILY, DAY, now=NOW)
    ((status, processed, failed, error),) = runs(embedded)
    assert (status, processed, failed) == ("COMPLETED_WITH_ERRORS", 1, 1)
    assert "creator a has a hard pattern" in error
    assert INVALID in error
    assert failures(embedded) == ["a"]
    assert list(queued(embedded)) == reported(embedded) == ["b"]
    assert alerts(embedded) == [("WARNING", DAILY)]


def test_four_failures_a_success_and_four_more_do_not_break_the_run(embedded: Sandbox) -> None:
    add_creators(embedded, *"abcdefghi", invalid="abcdfghi")
    embedded.call(DAILY, DAY, now=NOW)
    assert runs(embedded)[0][:3] == ("COMPLETED_WITH_ERRORS", 1, 8)
    assert list(queued(embedded)) == ["e"]
    assert alerts(embedded) == [("WARNING", DAILY)]


def test_five_failures_in_a_row_break_the_run(embedded: Sandbox) -> None:
    add_creators(embedded, *"abcdefgh", invalid="bcdef")
    with pytest.raises(BadRequest, match="Circuit breaker triggered: 5 consecutive failures"):
        embedded.call(DAILY, DAY, now=NOW)
    assert runs(embedded) == [("FAILED", 1, 5, "Circuit breaker triggered: 5 consecutive failures")]
    assert sorted(failures(embedded)) == list("bcdef")
    assert list(queued(embedded)) == reported(embedded) == ["a"]
    assert alerts(embedded) == [("CRITICAL", DAILY)]
    assert embedded.query("SELECT holder FROM `{d}.leases` WHERE holder IS NOT NULL") == []
    embedded.replace_view(
        "active_creator_caption_restrictions_v",
        embedded.catalog.dependencies["active_creator_caption_restrictions_v"].ddl.partition(" AS\n")[2].rstrip(";\n"),
    )
    embedded.call(DAILY, DAY, now="2026-06-15 12:10:00-07:00")
    assert list(queued(embedded)) == reported(embedded) == list("abcdefgh")


def test_failure_of_the_sweep_ends_nothing(embedded: Sandbox) -> None:
    add_creators(embedded, "a")
    embedded.query("ALTER TABLE `{d}.lock_sweep_log` RENAME COLUMN total_locks_cleaned TO away")
    try:
        embedded.call(DAILY, DAY, now=NOW)
    finally:
        embedded.query("ALTER TABLE `{d}.lock_sweep_log` RENAME COLUMN away TO total_locks_cleaned")
    assert runs(embedded)[0][:3] == ("COMPLETED_WITH_ERRORS", 1, 0)
    assert failures(embedded) == ["SYSTEM_CLEANUP"]
    assert reported(embedded) == ["a"]
    assert alerts(embedded) == [("CRITICAL", "sweep_expired_caption_locks"), ("WARNING", DAILY)]


def test_it_sweeps(embedded: Sandbox) -> None:
    add_creators(embedded, "a")
    add_locks(embedded, Lock(1, send_in_days=-1))
    embedded.call(DAILY, DAY, now=NOW)
    assert embedded.value("SELECT COUNT(*) FROM `{d}.active_caption_assignments` WHERE is_active") == 0


@pytest.mark.parametrize(
    ("started", "day", "statuses"),
    [
        ("11:31:00", "2026-06-15", ["RUNNING", "SKIPPED"]),
        ("11:29:59", "2026-06-15", ["FAILED", "SUCCESS"]),
        ("11:31:00", "2026-06-14", ["RUNNING", "SUCCESS"]),
    ],
    ids=["young", "older than 30 minutes", "of another day"],
)
def test_second_run_for_the_day(embedded: Sandbox, started: str, day: str, statuses: list[str]) -> None:
    add_creators(embedded, "a")
    embedded.query(
        "INSERT INTO `{d}.etl_job_runs` (job_id, job_name, job_start_time, job_status, execution_date) "
        f"VALUES ('x', '{DAILY}', TIMESTAMP '2026-06-15 {started}-07:00', 'RUNNING', DATE '{day}')"
    )
    embedded.call(DAILY, DAY, now=NOW)
    assert [status for status, *_ in runs(embedded)] == statuses


def test_overlapping_runs_queue_each_creator_once(embedded: Sandbox) -> None:
    add_creators(embedded, *"abcdefgh")
    embedded.set_clock(NOW)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: embedded.call(DAILY, DAY), range(3)))
    assert list(queued(embedded)) == reported(embedded) == list("abcdefgh")
    found = [status for status, *_ in runs(embedded)]
    assert "SUCCESS" in found
    assert set(found) <= {"SUCCESS", "SKIPPED"}


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.long, id="any"), pytest.param(3, id="each third")])
def test_cut_off_after_a_change(embedded: Sandbox, step: int) -> None:
    """The next run, once the cut one is too old to be active, leaves the same as a run that was never cut."""
    changes, cut_off = 1 - step, True
    while cut_off:
        changes += step
        embedded.reset()
        add_creators(embedded, "a", "b")
        add_locks(embedded, Lock(2, send_in_days=-1, page="a"))
        embedded.set_clock(NOW)
        cut_off = embedded.call_cut_off(DAILY, DAY, changes)
        embedded.call(DAILY, DAY, now="2026-06-15 12:31:00-07:00")
        assert list(queued(embedded)) == reported(embedded) == ["a", "b"], f"cut off after change {changes}"
        assert {status for status, *_ in runs(embedded)} <= {"SUCCESS", "FAILED"}
        assert embedded.value("SELECT COUNT(*) FROM `{d}.active_caption_assignments` WHERE is_active") == 0
    assert changes > 18


def test_number_of_statements_does_not_grow_with_the_creators(embedded: Sandbox) -> None:
    counts = []
    for pages in ("a", "abcdefghijkl"):
        embedded.reset()
        add_creators(embedded, *pages)
        embedded.set_clock(NOW)
        embedded.named |= embedded.written_by(DAILY)
        dataset = embedded.dataset
        job = embedded.client.query(f"CALL `{dataset}.{DAILY}`({DAY})", job_retry=None)
        job.result()
        counts.append(job.num_child_jobs)
    assert counts[0] == counts[1] > 10


@pytest.mark.parametrize("day", ["2028-02-29", "2026-03-08", "2026-11-01"], ids=["leap day", "23 hours", "25 hours"])
def test_odd_days(embedded: Sandbox, day: str) -> None:
    add_messages(embedded, Message(at=f"{day} 00:00:00 America/Los_Angeles"))
    embedded.call(DAILY, f"DATE '{day}'", now=f"{day}T23:00:00-08:00")
    assert queued(embedded) == {}
    embedded.call(DAILY, f"DATE_ADD(DATE '{day}', INTERVAL 1 DAY)")
    assert queued(embedded) == {"page": None}
