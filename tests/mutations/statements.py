"""SQL statements that the mutations run; ``{d}`` is the dataset."""

from __future__ import annotations

from catalog import load_catalog
from tests.harness.client import TODAY

DAILY = "run_daily_automation"
YEAR = f"EXTRACT(YEAR FROM {TODAY})"
#: A body's text, and the same on UTC's date.
WITHOUT_ZONE = (TODAY, "CURRENT_DATE()")
NO_HOLIDAYS = f"DELETE FROM `{{d}}.holiday_calendar` WHERE EXTRACT(YEAR FROM holiday_date) = {YEAR} + 1"


def run_row(status: str, minutes_ago: int, job: str = DAILY, error: str = "NULL", ended: bool = True) -> str:
    """INSERT a run's record."""
    began = f"TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL {minutes_ago} MINUTE)"
    return (
        "INSERT INTO `{d}.etl_job_runs` (job_id, job_name, job_start_time, job_end_time, job_status, execution_date, "
        f"error_message) VALUES ('mutation {status} {minutes_ago}', '{job}', {began}, {began if ended else 'NULL'}, "
        f"'{status}', DATE '2026-01-05', {error})"
    )


def alert_row(level: str, acknowledged: bool) -> str:
    """INSERT an alert."""
    return (
        "INSERT INTO `{d}.automation_alerts` (alert_id, alert_time, alert_level, alert_source, alert_message, "
        f"acknowledged) VALUES ('mutation', CURRENT_TIMESTAMP(), '{level}', '{DAILY}', 'mutation', {acknowledged})"
    )


def stats_rows(*bounds: tuple[float, float]) -> str:
    """INSERT statistics of one caption, once per pair of bounds."""
    values = ", ".join(f"(1, 'mutation', 3, 1, {lower}, {upper}, CURRENT_TIMESTAMP())" for lower, upper in bounds)
    columns = "caption_id, page_name, successes, failures, confidence_lower_bound, confidence_upper_bound, last_updated"
    return f"INSERT INTO `{{d}}.caption_bandit_stats` ({columns}) VALUES {values}"


def columns_of(table: str) -> dict[str, str]:
    """The columns of a declared table and their types, as CREATE TABLE writes them."""
    columns = load_catalog().tables[table].columns
    return {each.name: f"{each.type.sql}{' NOT NULL' if each.required else ''}" for each in columns}


def recreated(layout: str) -> tuple[str, str]:
    """Recreate lock_sweep_log with another layout."""
    columns = ", ".join(f"{name} {kind}" for name, kind in columns_of("lock_sweep_log").items())
    return "DROP TABLE `{d}.lock_sweep_log`", f"CREATE TABLE `{{d}}.lock_sweep_log` ({columns}) {layout}"


def holiday_row(name: str, kind: str, *, major: bool, factor: float) -> str:
    """INSERT a holiday on 4 July 2026."""
    return (
        "INSERT INTO `{d}.holiday_calendar` (holiday_date, holiday_name, holiday_type, is_major_holiday, "
        f"saturation_impact_factor) VALUES (DATE '2026-07-04', '{name}', '{kind}', {major}, {factor})"
    )
