"""Rows that make check_health find something, and its looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.api_core.exceptions import BadRequest

from tests.sql.rows import NOW

if TYPE_CHECKING:
    from tests.sql.conftest import Sandbox

HEALTH = "check_health"


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
