"""The questions of check_health: what each finds, and what it does not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from google.api_core.exceptions import BadRequest

from tests.sql.health import (
    HEALTH,
    alert,
    exported,
    failure,
    findings,
    lease,
    look,
    queued,
    run,
    statistics,
    statuses,
)
from tests.sql.rows import Caption, Lock, Message, add_captions, add_locks, add_messages

if TYPE_CHECKING:
    from tests.sql.conftest import Sandbox

BREAKER = "Circuit breaker triggered: 5 consecutive failures"
HOLIDAY = (
    "INSERT INTO `{d}.holiday_calendar` (holiday_date, holiday_name, holiday_type, is_major_holiday, "
    "saturation_impact_factor) VALUES (DATE '2026-03-03', 'A day', '%s', FALSE, 0.5)"
)
#: The sweep's 20 usual days, and one that is not.
SWEEPS = (
    "INSERT INTO `{d}.lock_sweep_log` (sweep_id, sweep_time, locks_expired_stale, locks_expired_past_date, "
    "total_locks_cleaned) SELECT CAST(n AS STRING), TIMESTAMP_SUB(TIMESTAMP '2026-06-15 01:20:00-07:00', "
    "INTERVAL n DAY), 0, cleaned, cleaned FROM (SELECT n, IF(n = 1, %d, 100 + n) AS cleaned "
    "FROM UNNEST(GENERATE_ARRAY(1, 20)) AS n)"
)
#: A question, what makes it find something, and the subject and the status of the finding.
PROBLEMS: tuple[tuple[str, tuple[str, ...], str, str], ...] = (
    (
        "circuit_breaker",
        (run("run_daily_automation", "15 03:05", "FAILED", error_message=f"'{BREAKER}'"), failure("ann", "15 03:06")),
        "run_daily_automation 2026-06-15",
        "CRITICAL",
    ),
    (
        "differing_caption_keys",
        ("INSERT INTO `{d}.caption_bank` (caption_id, caption_text, caption_key) VALUES (3, 'Last chance', 'other')",),
        "caption 3",
        "WARNING",
    ),
    (
        "divisions_by_zero",
        (run("sweep_expired_caption_locks", "15 11:20", error_message="'Division by zero: 1 / 0'"),),
        "sweep_expired_caption_locks",
        "WARNING",
    ),
    ("failed_creators", (run("run_daily_automation", "15 03:05"), failure("ann", "15 03:06")), "ann", "CRITICAL"),
    ("failed_creators", (failure("SYSTEM_CLEANUP", "15 03:06"),), "SYSTEM_CLEANUP", "WARNING"),
    ("failed_exports", (exported("SUCCESS", "14 09:00"), exported("FAILED", "15 09:00")), "a schedule", "WARNING"),
    (
        "failed_runs",
        (run("update_caption_performance", "15 06:00", "FAILED"),),
        "update_caption_performance",
        "CRITICAL",
    ),
    (
        "failed_runs",
        (run("run_daily_automation", "14 03:05", "FAILED"), run("run_daily_automation", "15 03:05")),
        "run_daily_automation 2026-06-14",
        "CRITICAL",
    ),
    ("held_leases", (lease("a lease", "15 12:09"),), "a lease", "WARNING"),
    ("expired_leases", (lease("an old lease", "15 03:35"),), "an old lease", "WARNING"),
    ("holidays_out_of_bounds", (HOLIDAY % "LOCAL",), "2026-03-03 A day", "WARNING"),
    (
        "records_out_of_rule",
        (run("sweep_expired_caption_locks", "15 11:20", "DONE"),),
        "etl_job_runs sweep_expired_caption_locks 15 11:20",
        "WARNING",
    ),
    ("repeated_holidays", (HOLIDAY % "CULTURAL", HOLIDAY % "CULTURAL"), "2026-03-03 A day", "WARNING"),
    ("repeated_queue_entries", (queued("ann", "15"), queued("ann", "15")), "ann 2026-06-15", "WARNING"),
    ("repeated_statistics", (statistics(0.1, 0.9), statistics(0.1, 0.9)), "page caption 7", "WARNING"),
    (
        "runs_with_errors",
        (run("run_daily_automation", "15 03:05", "COMPLETED_WITH_ERRORS"),),
        "run_daily_automation 2026-06-15",
        "WARNING",
    ),
    ("schedules_without_work", (run("run_daily_automation", "14 09:00"),), "run_daily_automation", "CRITICAL"),
    (
        "schedules_without_work",
        (run("update_caption_performance", "15 03:30"), run("update_caption_performance", "15 11:00", "SKIPPED")),
        "update_caption_performance",
        "CRITICAL",
    ),
    (
        "schedules_without_work",
        (run("sweep_expired_caption_locks", "15 08:59"), run("sweep_expired_caption_locks", "15 11:59", "FAILED")),
        "sweep_expired_caption_locks",
        "CRITICAL",
    ),
    (
        "short_selections",
        (alert("WARNING", "lock_captions_for_creator", "a schedule"),),
        "a schedule",
        "WARNING",
    ),
    (
        "slow_runs",
        (run("sweep_expired_caption_locks", "15 11:20", job_duration_seconds="301"),),
        "sweep_expired_caption_locks",
        "WARNING",
    ),
    ("statistics_out_of_bounds", (statistics(0.9, 0.2),), "page caption 7", "WARNING"),
    ("stuck_runs", (run("run_daily_automation", "15 11:29", "RUNNING"),), "run_daily_automation", "CRITICAL"),
    (
        "stuck_runs",
        (run("sweep_expired_caption_locks", "15 11:54", "RUNNING"),),
        "sweep_expired_caption_locks",
        "CRITICAL",
    ),
    (
        "unacknowledged_alerts",
        (alert("CRITICAL", "run_daily_automation"),),
        "run_daily_automation 2026-06-15 03:10",
        "CRITICAL",
    ),
    (
        "differing_caption_keys",
        ("INSERT INTO `{d}.caption_bank` (caption_id, caption_key) VALUES (4, 'the key of a lost text')",),
        "caption 4",
        "WARNING",
    ),
    (
        "failed_creators",
        (
            run("run_daily_automation", "15 03:05"),
            failure("ann", "15 03:06"),
            run("run_daily_automation", "15 11:00", execution_date="DATE '2026-06-16'"),
        ),
        "ann",
        "CRITICAL",
    ),
    (
        "schedules_without_work",
        (
            run("run_daily_automation", "13 03:05"),
            run("run_daily_automation", "14 15:00", execution_date="DATE '2026-06-01'"),
        ),
        "run_daily_automation",
        "CRITICAL",
    ),
    ("undrained_queue", (queued("ann", "14"), queued("ben", "14")), "2026-06-14 PENDING", "WARNING"),
    ("unseeded_years", ("DELETE FROM `{d}.holiday_calendar` WHERE holiday_date >= '2027-01-01'",), "2027", "CRITICAL"),
    ("unusual_volumes", (SWEEPS % 900,), "locks swept", "WARNING"),
)
#: Recent work of each job, without which it would be silent.
WORKS = tuple(
    run(job, "15 11:50")
    for job in ("run_daily_automation", "update_caption_performance", "sweep_expired_caption_locks")
)
#: What is near to each problem and is none.
NO_PROBLEMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "a breaker that a later run closed",
        (
            run("run_daily_automation", "15 03:05", "FAILED", error_message=f"'{BREAKER}'"),
            failure("ann", "15 03:06"),
            run("run_daily_automation", "15 09:00"),
        ),
    ),
    ("an export that was repeated", (exported("FAILED", "15 08:00"), exported("SUCCESS", "15 09:00"))),
    ("a run within its limit", (run("run_daily_automation", "15 11:31", "RUNNING"),)),
    (
        "work within its cadence",
        (
            run("run_daily_automation", "14 10:01"),
            run("update_caption_performance", "15 04:01", "COMPLETED_NO_WORK"),
            run("sweep_expired_caption_locks", "15 09:01"),
        ),
    ),
    ("a queue of today", (queued("ann", "15"),)),
    ("a queue that was drained", (queued("ann", "14", "COMPLETED"), queued("ben", "14", "FAILED"))),
    ("an alert that is no CRITICAL", (alert("WARNING", "run_daily_automation"),)),
    ("sweeps of the usual size", (SWEEPS % 130,)),
    (
        "its own runs",
        (
            run(HEALTH, "15 09:40", "FAILED", error_message="'division by zero'"),
            run(HEALTH, "15 10:40", "RUNNING"),
            run(HEALTH, "15 11:40", "UNKNOWN"),
            lease(HEALTH, "15 03:35"),
        ),
    ),
)


@pytest.mark.parametrize(("question", "statements", "subject", "status"), PROBLEMS)
def test_a_problem_is_found(
    healthy: Sandbox, question: str, statements: tuple[str, ...], subject: str, status: str
) -> None:
    healthy.query(";".join(statements))
    message = look(healthy)
    assert (question, subject, status) in findings(healthy)
    assert healthy.query("SELECT subject FROM `{d}.health_checks` WHERE status != 'OK' AND details IS NULL") == []
    told = re.search(rf"{question} \(([^)]*)\)", message)
    assert (told is not None and subject in told[1].split(", ")) == (status == "CRITICAL")
    assert statuses(healthy) == [("SUCCESS",)]


def test_every_question_has_a_problem_here(session_server: Sandbox) -> None:
    own = {"bytes_over_budget", "creators_without_results", "double_locked_captions", "unswept_locks"}
    assert {question for question, *_ in PROBLEMS} | own == set(session_server.catalog.monitoring)


@pytest.mark.parametrize(("title", "statements"), NO_PROBLEMS, ids=[title for title, _ in NO_PROBLEMS])
def test_what_is_no_problem_is_not_found(healthy: Sandbox, title: str, statements: tuple[str, ...]) -> None:
    others = () if "cadence" in title else WORKS
    healthy.query(";".join((*statements, *others)))
    assert look(healthy) == "", title
    assert findings(healthy) == []


def test_locks_of_two_schedules_and_locks_after_their_day(healthy: Sandbox) -> None:
    add_locks(
        healthy,
        Lock(1, send_in_days=1, schedule="later", assigned_days_ago=0.5),
        Lock(1, send_in_days=2, schedule="earlier"),
        Lock(2, send_in_days=1, page="other"),
        Lock(2, send_in_days=1),
        Lock(3, send_in_days=1),
        Lock(3, send_in_days=4, assigned_days_ago=0.5),
        Lock(4, send_in_days=1, active=False, schedule="later"),
        Lock(4, send_in_days=1),
        Lock(5, send_in_days=-1, page="late"),
        Lock(6, send_in_days=0, page="today"),
    )
    assert "double_locked_captions (page caption 1, page caption 3)" in look(healthy)
    assert findings(healthy) == [
        ("double_locked_captions", "page caption 1", "CRITICAL"),
        ("double_locked_captions", "page caption 3", "CRITICAL"),
        ("unswept_locks", "late", "WARNING"),
    ]
    kept = healthy.query("SELECT kept_schedule_id FROM `{d}.double_locked_captions`()")
    assert kept == [("earlier",), ("earlier",)]


def test_locks_get_an_hour_for_their_sweep(healthy: Sandbox) -> None:
    add_locks(healthy, Lock(1, send_in_days=0))
    look(healthy, "2026-06-16 00:40:00-07:00")
    assert findings(healthy) == []
    look(healthy, "2026-06-16 01:40:00-07:00")
    assert findings(healthy) == [("unswept_locks", "page", "WARNING")]


def test_creators_without_report_or_queue_entry(healthy: Sandbox) -> None:
    """After 04:30, once the day was run, or once the system is older than the day."""
    add_messages(healthy, *(Message(page=page) for page in ("ann", "ben", "cleo", "dan")))
    add_captions(healthy, Caption(1), Caption(2, page="dan"))
    add_locks(healthy, Lock(1, page="dan"), Lock(2, page="dan"))
    early, late = "2026-06-15 04:29:00-07:00", "2026-06-15 04:40:00-07:00"
    assert look(healthy, late) == ""
    healthy.call("run_daily_automation", "DATE '2026-06-15'", now="2026-06-15 03:05:00-07:00")
    healthy.query(
        "DELETE FROM `{d}.creator_performance_reports` WHERE page_name = 'ann';"
        "DELETE FROM `{d}.schedule_generation_queue` WHERE page_name IN ('ann', 'ben')"
    )
    healthy.query("UPDATE `{d}.etl_job_runs` SET job_start_time = TIMESTAMP '2026-06-15 03:05:00-07:00' WHERE TRUE")
    look(healthy, early)
    assert [row for row in findings(healthy) if row[0] == "creators_without_results"] == []
    assert "creators_without_results (ann, ben)" in look(healthy, late)
    healthy.call("run_daily_automation", "DATE '2026-06-15'", now=late)
    look(healthy, late)
    assert [row for row in findings(healthy) if row[0] == "creators_without_results"] == []


def test_a_night_without_a_daily_run_is_found_in_the_morning(healthy: Sandbox) -> None:
    add_messages(healthy, Message(page="ann"))
    healthy.query(run("sweep_expired_caption_locks", "14 23:20"))
    assert "creators_without_results (ann)" in look(healthy, "2026-06-15 04:40:00-07:00")


def test_more_bytes_than_a_days_budget(healthy: Sandbox) -> None:
    body = healthy.catalog.functions["daily_bytes_budget"].ddl
    healthy.set_clock(None)
    healthy.query("SELECT holiday_name FROM `{d}.holiday_calendar`")
    try:
        healthy.query(body.replace("1024 * 1024 * 1024", "1"))
        with pytest.raises(BadRequest, match="bytes_over_budget"):
            healthy.call(HEALTH)
    finally:
        healthy.query(body)
