"""check_health: what it finds, what it keeps, whom it tells."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import BadRequest

from tests.sql.rows import NOW, Caption, Lock, Message, add_captions, add_locks, add_messages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sql.conftest import Sandbox

HEALTH = "check_health"
JUNE_15 = "2026-06-15"
AN_HOUR_LATER = "2026-06-15 13:00:00-07:00"
A_DAY_LATER = "2026-06-16 12:30:00-07:00"
BREAKER = "Circuit breaker triggered: 5 consecutive failures"


def at(text: str) -> str:
    """A Los Angeles clock time of NOW's month as a timestamp in SQL: ``15 03:05``."""
    return f"TIMESTAMP '2026-06-{text}:00-07:00'"


def run(job: str, start: str, status: str = "SUCCESS", **columns: str) -> str:
    """A statement that adds a run; a finished one took a minute."""
    ended = "NULL" if status == "RUNNING" else f"TIMESTAMP_ADD({at(start)}, INTERVAL 1 MINUTE)"
    values = {
        "job_id": f"'{job} {start}'",
        "job_name": f"'{job}'",
        "job_start_time": at(start),
        "job_end_time": ended,
        "job_status": f"'{status}'",
        "execution_date": f"DATE({at(start)}, 'America/Los_Angeles')",
        "job_duration_seconds": "60",
        **columns,
    }
    return f"INSERT INTO `{{d}}.etl_job_runs` ({', '.join(values)}) VALUES ({', '.join(values.values())})"


def failure(page: str, time: str, job: str = "run_daily_automation 15 03:05") -> str:
    """A statement that adds the error of a creator."""
    return (
        "INSERT INTO `{d}.creator_processing_errors` (job_id, page_name, execution_date, error_message, error_time) "
        f"VALUES ('{job}', '{page}', DATE({at(time)}, 'America/Los_Angeles'), 'no figures', {at(time)})"
    )


def alert(level: str, source: str, job: str = "a job") -> str:
    return (
        "INSERT INTO `{d}.automation_alerts` (alert_id, alert_time, alert_level, alert_source, alert_message, job_id, "
        f"acknowledged) VALUES ('an alert', {at('15 03:10')}, '{level}', '{source}', 'it failed', '{job}', FALSE)"
    )


def queued(page: str, day: str, status: str = "PENDING") -> str:
    return (
        "INSERT INTO `{d}.schedule_generation_queue` (page_name, execution_date, queued_at, status) "
        f"VALUES ('{page}', DATE '2026-06-{day}', TIMESTAMP '2026-06-{day} 03:06:00-07:00', '{status}')"
    )


def exported(status: str, time: str) -> str:
    return (
        "INSERT INTO `{d}.schedule_export_log` (schedule_id, page_name, export_timestamp, status, error_message, "
        f"export_format) VALUES ('a schedule', 'page', {at(time)}, '{status}', 'disk full', 'JSON')"
    )


def statistics(lower: float, upper: float) -> str:
    return (
        "INSERT INTO `{d}.caption_bandit_stats` (caption_id, page_name, successes, failures, confidence_lower_bound, "
        f"confidence_upper_bound, last_updated) VALUES (7, 'page', 1, 1, {lower}, {upper}, {at('15 06:00')})"
    )


def lease(name: str, expires: str) -> str:
    return (
        "INSERT INTO `{d}.leases` (lease_name, holder, acquired_at, expires_at) "
        f"VALUES ('{name}', 'gone', {at('15 03:05')}, {at(expires)})"
    )


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
    ("unacknowledged_alerts", (alert("CRITICAL", "run_daily_automation"),), "an alert", "CRITICAL"),
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


@pytest.fixture
def healthy(embedded: Sandbox) -> Iterator[Sandbox]:
    """A calendar and nothing else."""
    embedded.call("seed_holiday_calendar", "2026, 2028", now=NOW)
    yield embedded
    embedded.named |= embedded.tables


def look(embedded: Sandbox, now: str = NOW) -> str:
    """Look once; the message of the error that it ends with, '' if it ends without one."""
    try:
        embedded.call(HEALTH, now=now)
    except BadRequest as error:
        return str(error.message)
    return ""


def findings(embedded: Sandbox) -> list[tuple[Any, ...]]:
    """Check, subject and status of what the newest look found."""
    return embedded.query(
        "SELECT check_name, subject, status FROM `{d}.health_checks` WHERE status != 'OK' AND checked_at = "
        "(SELECT MAX(checked_at) FROM `{d}.health_checks`) ORDER BY 1, 2"
    )


def statuses(embedded: Sandbox) -> list[tuple[Any, ...]]:
    return embedded.query(
        f"SELECT job_status FROM `{{d}}.etl_job_runs` WHERE job_name = '{HEALTH}' ORDER BY job_start_time"
    )


def test_a_healthy_system_has_one_row_for_each_question(healthy: Sandbox) -> None:
    assert look(healthy) == ""
    rows = healthy.query(
        "SELECT check_name, subject, status, first_seen_at, notified_at FROM `{d}.health_checks` ORDER BY 1"
    )
    assert rows == [(name, None, "OK", None, None) for name in sorted(healthy.catalog.monitoring)]
    assert statuses(healthy) == [("SUCCESS",)]


@pytest.mark.parametrize(("question", "statements", "subject", "status"), PROBLEMS)
def test_a_problem_is_found(
    healthy: Sandbox, question: str, statements: tuple[str, ...], subject: str, status: str
) -> None:
    healthy.query(";".join(statements))
    message = look(healthy)
    assert (question, subject, status) in findings(healthy)
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
        Lock(3, send_in_days=4),
        Lock(4, send_in_days=1, active=False, schedule="later"),
        Lock(4, send_in_days=1),
        Lock(5, send_in_days=-1, page="late"),
        Lock(6, send_in_days=0, page="today"),
    )
    assert "double_locked_captions (page caption 1)" in look(healthy)
    assert findings(healthy) == [
        ("double_locked_captions", "page caption 1", "CRITICAL"),
        ("unswept_locks", "late", "WARNING"),
    ]
    ((kept,),) = healthy.query("SELECT kept_schedule_id FROM `{d}.double_locked_captions`()")
    assert kept == "earlier"


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
    healthy.call("run_daily_automation", f"DATE '{JUNE_15}'", now="2026-06-15 03:05:00-07:00")
    healthy.query(
        "DELETE FROM `{d}.creator_performance_reports` WHERE page_name = 'ann';"
        "DELETE FROM `{d}.schedule_generation_queue` WHERE page_name IN ('ann', 'ben')"
    )
    healthy.query("UPDATE `{d}.etl_job_runs` SET job_start_time = TIMESTAMP '2026-06-15 03:05:00-07:00' WHERE TRUE")
    look(healthy, early)
    assert [row for row in findings(healthy) if row[0] == "creators_without_results"] == []
    assert "creators_without_results (ann, ben)" in look(healthy, late)
    healthy.call("run_daily_automation", f"DATE '{JUNE_15}'", now=late)
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


def test_a_critical_finding_is_told_once_in_24_hours(healthy: Sandbox) -> None:
    healthy.query(failure("ann", "15 03:06"))
    assert "failed_creators (ann)" in look(healthy)
    assert look(healthy) == ""
    assert look(healthy, AN_HOUR_LATER) == ""
    healthy.query(failure("ben", "15 12:59"))
    message = look(healthy, "2026-06-15 14:00:00-07:00")
    assert "failed_creators (ben)" in message
    assert "failed_creators (ann)" in look(healthy, A_DAY_LATER)
    first, told = healthy.query(
        "SELECT first_seen_at, notified_at FROM `{d}.health_checks` WHERE subject = 'ann' "
        "ORDER BY checked_at DESC LIMIT 1"
    )[0]
    assert first < told


def test_an_acknowledged_alert_is_not_told_again(healthy: Sandbox) -> None:
    healthy.query(alert("CRITICAL", "run_daily_automation"))
    assert "unacknowledged_alerts (an alert)" in look(healthy)
    healthy.query("UPDATE `{d}.automation_alerts` SET acknowledged = TRUE WHERE TRUE")
    assert "unacknowledged_alerts" not in look(healthy, A_DAY_LATER)
    assert "unacknowledged_alerts" not in {name for name, *_ in findings(healthy)}


def test_a_finding_is_as_old_as_the_looks_in_a_row_that_found_it(healthy: Sandbox) -> None:
    def first_seen() -> list[Any]:
        rows = healthy.query(
            "SELECT first_seen_at FROM `{d}.health_checks` WHERE subject = 'an alert' ORDER BY checked_at"
        )
        return [moment for (moment,) in rows]

    healthy.query(alert("CRITICAL", "run_daily_automation"))
    look(healthy)
    look(healthy, AN_HOUR_LATER)
    assert len(set(first_seen())) == 1
    healthy.query("UPDATE `{d}.automation_alerts` SET acknowledged = TRUE WHERE TRUE")
    look(healthy, "2026-06-15 14:00:00-07:00")
    healthy.query("UPDATE `{d}.automation_alerts` SET acknowledged = FALSE WHERE TRUE")
    look(healthy, "2026-06-15 15:00:00-07:00")
    assert len(set(first_seen())) == 2


def test_a_check_that_cannot_be_asked_does_not_hide_the_others(healthy: Sandbox) -> None:
    healthy.query(failure("ann", "15 03:06"))
    try:
        healthy.query("DROP TABLE `{d}.schedule_export_log`; DROP TABLE `{d}.caption_bandit_stats`")
        assert "failed_creators (ann)" in look(healthy)
        broken = [name for name, _, status in findings(healthy) if status == "WARNING"]
        assert broken == ["failed_exports", "repeated_statistics", "statistics_out_of_bounds"]
    finally:
        for name in ("schedule_export_log", "caption_bandit_stats"):
            healthy.query(healthy.catalog.tables[name].ddl)
    assert statuses(healthy) == [("SUCCESS",)]


def test_the_50_worst_are_kept_and_the_rest_is_counted(healthy: Sandbox) -> None:
    healthy.query(
        "INSERT INTO `{d}.creator_processing_errors` (job_id, page_name, execution_date, error_message, error_time) "
        f"SELECT 'a job', FORMAT('page %03d', n), DATE '2026-06-15', 'no figures', {at('15 03:06')} "
        "FROM UNNEST(GENERATE_ARRAY(1, 70)) AS n"
    )
    message = look(healthy)
    assert "page 001, page 002" in message
    rows = healthy.query(
        "SELECT subject, status, details FROM `{d}.health_checks` WHERE check_name = 'failed_creators' ORDER BY subject"
    )
    assert len(rows) == 51
    assert rows[0] == ("more", "CRITICAL", "20 more")
    assert look(healthy, AN_HOUR_LATER) == ""


def test_a_look_that_cannot_write_fails_and_writes_no_alert(healthy: Sandbox) -> None:
    try:
        healthy.query("DROP TABLE `{d}.health_checks`")
        assert "check_health" in look(healthy)
    finally:
        healthy.query(healthy.catalog.tables["health_checks"].ddl)
    assert statuses(healthy) == [("FAILED",)]
    assert healthy.query("SELECT alert_id FROM `{d}.automation_alerts`") == []
    assert look(healthy) == ""


def test_critical_findings_write_no_alert(healthy: Sandbox) -> None:
    healthy.query(failure("ann", "15 03:06"))
    assert look(healthy)
    assert healthy.query("SELECT alert_id FROM `{d}.automation_alerts`") == []
