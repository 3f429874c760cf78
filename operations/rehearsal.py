"""Nights to practise on: each plants a problem in an environment of sample data, and takes it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog import load_catalog, retarget
from catalog.zone import ZONE
from declared.schedules import schedules_of
from google.resources import transfer_configs
from operations.deploy.steps import StepFailedError

if TYPE_CHECKING:
    from declared.environment import Environment
    from google.client import GoogleApi


@dataclass(frozen=True)
class Night:
    """A problem: the question that finds it, the script that plants it, and the one that takes it back.

    ``{d}`` is the dataset and ``{today}`` the day; rows are marked by the word rehearsal. Taking back works before and
    after the problem was fixed. ``restored`` is an external view or a function that is created again, before the
    script; ``paused`` is a scheduled query to be paused.
    """

    title: str
    finding: str
    plant: str
    take_back: str
    restored: str | None = None
    paused: str | None = None


#: An error ends the run as planned, and is recorded.
_RUN_THE_DAY = "BEGIN CALL `{d}.run_daily_automation`({today}); EXCEPTION WHEN ERROR THEN SELECT 'as planned'; END;"
#: The alerts of the runs that failed as planned.
_ALERTS_READ = """
UPDATE `{d}.automation_alerts`
SET acknowledged = TRUE, acknowledged_at = CURRENT_TIMESTAMP(), acknowledged_by = 'rehearsal'
WHERE NOT acknowledged AND job_id IN (
  SELECT run.job_id
  FROM `{d}.etl_job_runs` AS run
  WHERE run.job_name = 'run_daily_automation'
    AND run.job_status IN ('FAILED', 'COMPLETED_WITH_ERRORS')
    AND run.execution_date = {today}
);
"""
_RESTRICTIONS = "active_creator_caption_restrictions_v"
_INVALID_PATTERNS = """
CREATE OR REPLACE VIEW `{d}.active_creator_caption_restrictions_v` AS
SELECT
  creator.page_name,
  'all' AS applies_to_scope,
  0 AS min_ppv_pool,
  0 AS min_bump_pool,
  ['(never closed'] AS hard_patterns,
  CAST([] AS ARRAY<STRING>) AS soft_patterns,
  CAST([] AS ARRAY<STRING>) AS restricted_categories,
  CAST([] AS ARRAY<STRING>) AS restricted_price_tiers
FROM (SELECT DISTINCT page_name FROM `{d}.mass_messages` ORDER BY page_name LIMIT %d) AS creator;
"""
_TEN_HOURS_AGO = """
UPDATE `{d}.etl_job_runs`
SET
  job_id = CONCAT(job_id, ' rehearsal'),
  job_start_time = TIMESTAMP_SUB(job_start_time, INTERVAL 10 HOUR),
  job_end_time = TIMESTAMP_SUB(job_end_time, INTERVAL 10 HOUR)
WHERE job_name = 'update_caption_performance' AND NOT ENDS_WITH(job_id, ' rehearsal');
"""
_BACK = """
UPDATE `{d}.etl_job_runs`
SET
  job_id = REPLACE(job_id, ' rehearsal', ''),
  job_start_time = TIMESTAMP_ADD(job_start_time, INTERVAL 10 HOUR),
  job_end_time = TIMESTAMP_ADD(job_end_time, INTERVAL 10 HOUR)
WHERE job_name = 'update_caption_performance' AND ENDS_WITH(job_id, ' rehearsal');
"""
#: Every night by its name.
NIGHTS = {
    "pattern": Night(
        "One creator has a pattern that is not valid.",
        "failed_creators",
        _INVALID_PATTERNS % 1 + _RUN_THE_DAY,
        _RUN_THE_DAY + _ALERTS_READ,
        restored=_RESTRICTIONS,
    ),
    "breaker": Night(
        "Five creators in a row fail, and the circuit breaker stops the day.",
        "circuit_breaker",
        _INVALID_PATTERNS % 5 + _RUN_THE_DAY,
        _RUN_THE_DAY + _ALERTS_READ,
        restored=_RESTRICTIONS,
    ),
    "stuck": Night(
        "A run was killed: its row is still RUNNING.",
        "stuck_runs",
        """
        INSERT INTO `{d}.etl_job_runs` (job_id, job_name, job_start_time, job_status, execution_date)
        VALUES (
          'rehearsal', 'update_caption_performance', TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 45 MINUTE), 'RUNNING',
          {today}
        );
        """,
        "DELETE FROM `{d}.etl_job_runs` WHERE job_id = 'rehearsal';",
    ),
    "silent": Night(
        "A scheduled query has done no work for 10 hours.", "schedules_without_work", _TEN_HOURS_AGO, _BACK
    ),
    "paused": Night(
        "Somebody paused a scheduled query 10 hours ago.",
        "schedules_without_work",
        _TEN_HOURS_AGO,
        _BACK,
        paused="update_caption_performance",
    ),
    "alert": Night(
        "Nobody has read a CRITICAL alert.",
        "unacknowledged_alerts",
        """
        INSERT INTO `{d}.automation_alerts`
          (alert_id, alert_time, alert_level, alert_source, alert_message, acknowledged)
        VALUES (
          'rehearsal', CURRENT_TIMESTAMP(), 'CRITICAL', 'run_daily_automation',
          'run_daily_automation failed: a night to practise on', FALSE
        );
        """,
        "DELETE FROM `{d}.automation_alerts` WHERE alert_id = 'rehearsal';",
    ),
    "calendar": Night(
        "The holidays of the next year are gone.",
        "unseeded_years",
        """
        DELETE FROM `{d}.holiday_calendar`
        WHERE EXTRACT(YEAR FROM holiday_date) = EXTRACT(YEAR FROM {today}) + 1;
        """,
        "CALL `{d}.seed_holiday_calendar`(EXTRACT(YEAR FROM {today}) + 1, EXTRACT(YEAR FROM {today}) + 1);",
    ),
    "double": Night(
        "A caption is locked for two schedules.",
        "double_locked_captions",
        """
        INSERT INTO `{d}.active_caption_assignments`
          (page_name, caption_id, scheduled_send_date, is_active, assigned_at, assignment_key, schedule_id)
        VALUES
          ('rehearsal', 1, {today}, TRUE, TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 1 HOUR), 'rehearsal', 'first'),
          ('rehearsal', 1, {today}, TRUE, CURRENT_TIMESTAMP(), 'rehearsal', 'second');
        """,
        "DELETE FROM `{d}.active_caption_assignments` WHERE page_name = 'rehearsal';",
    ),
    "short": Night(
        "A schedule asks for more captions than its creator has.",
        "short_selections",
        """
        CALL `{d}.lock_captions_for_creator`(
          'rehearsal', DATE_ADD({today}, INTERVAL 1 DAY), (SELECT MAX(page_name) FROM `{d}.mass_messages`),
          'Budget-Conscious', 0, 0, 0, 5000
        );
        """,
        """
        DELETE FROM `{d}.active_caption_assignments` WHERE schedule_id = 'rehearsal';
        DELETE FROM `{d}.automation_alerts` WHERE STARTS_WITH(job_id, 'rehearsal ');
        DELETE FROM `{d}.leases` WHERE holder = 'rehearsal';
        """,
    ),
    "export": Night(
        "An export failed.",
        "failed_exports",
        """
        CALL `{d}.record_schedule_export`(
          (SELECT MIN(schedule_id) FROM `{d}.schedule_recommendations`), 'rehearsal', 0, 1.0, 'FAILED',
          'No space left on device', 'CSV', 'rehearsal@example.com'
        );
        """,
        "DELETE FROM `{d}.schedule_export_log` WHERE page_name = 'rehearsal';",
    ),
    "bytes": Night(
        "Queries were billed more than the day's budget.",
        "bytes_over_budget",
        """
        CREATE OR REPLACE FUNCTION `{d}.daily_bytes_budget`() RETURNS INT64 AS (1);
        SELECT MAX(caption_text) FROM `{d}.caption_bank`;
        """,
        "SELECT 'restored';",
        restored="daily_bytes_budget",
    ),
    "lease": Night(
        "A run was killed long ago: its lease has expired and nobody freed it.",
        "expired_leases",
        """
        INSERT INTO `{d}.leases` (lease_name, holder, acquired_at, expires_at)
        VALUES (
          'rehearsal', 'a run that was killed', TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 45 MINUTE),
          TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 15 MINUTE)
        );
        """,
        "DELETE FROM `{d}.leases` WHERE lease_name = 'rehearsal';",
    ),
}


def plant(api: GoogleApi, night: Night) -> None:
    """Plant a night.

    Raises:
        LiveSystemError: the script is refused.
    """
    _run(api, night.plant)
    _pause(api, night, paused=True)


def take_back(api: GoogleApi, night: Night) -> None:
    """Take a night back, whether its problem was fixed or not.

    Raises:
        LiveSystemError: the script is refused.
    """
    environment = api.environment
    if night.restored:
        catalog = retarget(load_catalog(), environment.project, environment.dataset, environment.location)
        _run(api, {**catalog.dependencies, **catalog.functions}[night.restored].ddl)
    _run(api, night.take_back)
    _pause(api, night, paused=False)


def night_of(environment: Environment, name: str) -> Night:
    """A night by its name.

    Raises:
        StepFailedError: there is no such night, or the environment has data that is not sample data.
    """
    if not environment.filled_here:
        raise StepFailedError(f"{environment.name} has real data: rehearse with --env local, or in a preview", 2)
    if name not in NIGHTS:
        raise StepFailedError(f"no night {name!r}: there are {', '.join(NIGHTS)}", 2)
    return NIGHTS[name]


def _run(api: GoogleApi, script: str) -> None:
    dataset = f"{api.environment.project}.{api.environment.dataset}"
    api.query("the rehearsal", script.replace("{d}", dataset).replace("{today}", f"CURRENT_DATE('{ZONE}')"))


def _pause(api: GoogleApi, night: Night, paused: bool) -> None:
    names = {each.display_name for each in schedules_of(api.environment) if each.name == night.paused}
    for config in transfer_configs(api):
        if config.display_name in names:
            api.data_transfer("PATCH", f"{config.name}?updateMask=disabled", {"disabled": paused})
