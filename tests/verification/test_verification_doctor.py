"""The doctor finds known problems, shows the rows, and prints what fixes them; it changes nothing itself."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from catalog.zone import LOS_ANGELES
from declared.schedules import all_schedules, next_due
from google.client import GoogleApi
from google.failures import NotPermittedError, RequestRefusedError
from tests.harness.client import TODAY
from tests.harness.commands import invoke
from tests.mutations.change import (
    Change,
    body_replaced,
    changes,
    routine_changed,
    routine_dropped,
    rows_changed,
    schedule_patched,
    schedule_ran,
)
from tests.mutations.kinds import SWEEP, UPDATE
from tests.mutations.statements import DAILY, NO_HOLIDAYS, WITHOUT_ZONE, alert_row, run_row, stats_rows
from verification import __main__ as command_line
from verification import doctor
from verification.doctor import CASES, Case, Diagnosis, examine
from verification.results import Check, Outcome, Subject, failed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness.deployed import Deployed

Problem = tuple[str, Change, str, str]


@changes("rows", "etl_job_runs")
def breaker_tripped(system: Deployed) -> Iterator[None]:
    error = "'Circuit breaker triggered: 5 consecutive failures'"
    failure = (
        "INSERT INTO `{d}.creator_processing_errors` (job_id, page_name, execution_date, error_message, error_time) "
        "VALUES ('mutation FAILED 45', 'creator_o\\'neil', DATE '2026-01-05', 'no figures', CURRENT_TIMESTAMP())"
    )
    with ExitStack() as stack:
        stack.enter_context(rows_changed("etl_job_runs", run_row("FAILED", 45, error=error)).apply(system))
        stack.enter_context(rows_changed("creator_processing_errors", failure).apply(system))
        yield


LOCK = (
    "INSERT INTO `{d}.active_caption_assignments` (page_name, caption_id, scheduled_send_date, is_active, assigned_at) "
    f"VALUES ('page', 1, DATE_SUB({TODAY}, INTERVAL 2 DAY), TRUE, CURRENT_TIMESTAMP())"
)
QUEUE = (
    "INSERT INTO `{d}.schedule_generation_queue` (page_name, execution_date, queued_at, status) VALUES "
    f"('page', DATE_SUB({TODAY}, INTERVAL 2 DAY), "
    "TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 30 HOUR), 'PENDING')"
)
LEASE = (
    "INSERT INTO `{d}.leases` (lease_name, holder, acquired_at, expires_at) VALUES ('a lease', 'gone', "
    "CURRENT_TIMESTAMP(), TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 9 MINUTE))"
)
KEY = (
    "UPDATE `{d}.caption_bank` SET caption_key = 'other' "
    "WHERE caption_id = (SELECT MIN(caption_id) FROM `{d}.caption_bank`)"
)

SLOW = run_row("SUCCESS", 0).replace("error_message)", "job_duration_seconds)").replace("NULL)", "1801)")
A_DAY_AGO = "UPDATE `{d}.etl_job_runs` SET job_start_time = TIMESTAMP_SUB(job_start_time, INTERVAL 27 HOUR) WHERE TRUE"
FAILURE = (
    "INSERT INTO `{d}.creator_processing_errors` (job_id, page_name, execution_date, error_message, error_time) VALUES "
    f"('mutation', 'o\\'neil', {TODAY}, 'no figures', CURRENT_TIMESTAMP())"
)
SHORT = (
    "INSERT INTO `{d}.automation_alerts` (alert_id, alert_time, alert_level, alert_source, alert_message, job_id, "
    "acknowledged) VALUES ('mutation', CURRENT_TIMESTAMP(), 'WARNING', 'lock_captions_for_creator', "
    "'2 of 3 premium captions', 'a schedule', FALSE)"
)
EXPORT = (
    "INSERT INTO `{d}.schedule_export_log` (schedule_id, page_name, export_timestamp, status, error_message, "
    "export_format) VALUES ('a schedule', 'page', CURRENT_TIMESTAMP(), 'FAILED', 'disk full', 'JSON')"
)
TWO_LOCKS = (
    "INSERT INTO `{d}.active_caption_assignments` (page_name, caption_id, scheduled_send_date, is_active, assigned_at, "
    f"schedule_id) VALUES ('page', 1, {TODAY}, TRUE, TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 1 HOUR), 'first'), "
    f"('page', 1, {TODAY}, TRUE, CURRENT_TIMESTAMP(), 'second')"
)
A_DAY = (
    "INSERT INTO `{d}.holiday_calendar` (holiday_date, holiday_name, holiday_type, is_major_holiday, "
    "saturation_impact_factor) VALUES (DATE '2026-03-03', 'Founder\\'s Day', 'CULTURAL', FALSE, 0.5)"
)
TODAYS_QUEUE = (
    "INSERT INTO `{d}.schedule_generation_queue` (page_name, execution_date, queued_at, status) VALUES "
    f"('o\\'neil', {TODAY}, CURRENT_TIMESTAMP(), 'PENDING')"
)
#: 20 usual days, and one that is not.
SWEEPS = (
    "INSERT INTO `{d}.lock_sweep_log` (sweep_id, sweep_time, total_locks_cleaned) SELECT CAST(n AS STRING), "
    "TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL n DAY), IF(n = 1, 900, 100) FROM UNNEST(GENERATE_ARRAY(1, 20)) AS n"
)

#: A problem, its cause, and parts of the evidence and of the remedy that are shown.
PROBLEMS: list[Problem] = [
    ("missing_object", routine_dropped("selection_problem"), "selection_problem", "make deploy"),
    (
        "division_by_zero",
        rows_changed("etl_job_runs", run_row("FAILED", 45, error="'division by zero: 1 / 0'")),
        "division by zero: 1 / 0",
        "python -m verification drift",
    ),
    (
        "division_by_zero",
        routine_changed("caption_key", lambda r: {**r, "definitionBody": "CAST(1 / 0 AS STRING)"}),
        "1 / 0",
        "make deploy",
    ),
    ("breaker", breaker_tripped(), "creator_o'neil", "run_daily_automation`(DATE '2026-01-05');"),
    ("calendar", rows_changed("holiday_calendar", NO_HOLIDAYS), "0", "seed_holiday_calendar`(2025"),
    ("time_zone", body_replaced(SWEEP, *WITHOUT_ZONE), SWEEP, "make deploy"),
    ("stuck_runs", rows_changed("etl_job_runs", run_row("RUNNING", 45, ended=False)), "45", "closes the row"),
    ("held_leases", rows_changed("leases", LEASE), "gone", "SET holder = NULL"),
    (
        "failed_runs",
        rows_changed("etl_job_runs", run_row("FAILED", 45, error="'no slots'")),
        "no slots",
        "run_daily_automation`(DATE '2026-01-05');",
    ),
    (
        "runs_with_errors",
        rows_changed("etl_job_runs", run_row("COMPLETED_WITH_ERRORS", 45, error="'ann: no figures'")),
        "ann: no figures",
        "run_daily_automation`(DATE '2026-01-05');",
    ),
    ("slow_runs", rows_changed("etl_job_runs", SLOW), "1801 seconds", "operations cost"),
    ("stale_runs", rows_changed("etl_job_runs", run_row("SUCCESS", 0), A_DAY_AGO), "26 hours", "run-schedules"),
    ("creators", rows_changed("creator_processing_errors", FAILURE), "o'neil", "run_daily_automation`(DATE"),
    (
        "selections",
        rows_changed("automation_alerts", SHORT),
        "2 of 3 premium captions",
        "SET acknowledged = TRUE",
    ),
    ("exports", rows_changed("schedule_export_log", EXPORT), "disk full", "export 'a schedule' --as json --overwrite"),
    ("records", rows_changed("etl_job_runs", run_row("DONE", 45)), "DONE", "find out what wrote it"),
    ("locks", rows_changed("active_caption_assignments", TWO_LOCKS), "is locked 2 times: first for", "= 'first'"),
    ("volumes", rows_changed("lock_sweep_log", SWEEPS), "900 on", "operations day"),
    ("stale_runs", schedule_ran(SWEEP, "SELECT ERROR('no')"), "FAILED", "run-schedules"),
    ("schedules", schedule_patched(UPDATE, {"disabled": True}), "disabled", "make deploy"),
    (
        "alerts",
        rows_changed("automation_alerts", alert_row("CRITICAL", acknowledged=False)),
        DAILY,
        "SET acknowledged = TRUE",
    ),
    ("locks", rows_changed("active_caption_assignments", LOCK), "page", "sweep_expired_caption_locks`()"),
    ("caption_keys", rows_changed("caption_bank", KEY), "other", "SET caption_key ="),
    (
        "statistics",
        rows_changed("caption_bandit_stats", stats_rows((0.9, 0.2))),
        "0.9",
        "update_caption_performance`()",
    ),
    ("queue", rows_changed("schedule_generation_queue", QUEUE), "PENDING", "not generated in time"),
]


@pytest.fixture
def well(deployed: Deployed) -> Deployed:
    """A system without a problem: its expired sample locks are swept."""
    deployed.query(f"CALL `{{d}}.{SWEEP}`()")
    return deployed


def found(system: Deployed, name: str) -> Diagnosis:
    (diagnosis,) = examine(system.environment, [name]).diagnoses
    return diagnosis


def test_a_deployed_system_has_no_problem(well: Deployed) -> None:
    examination = examine(well.environment)
    assert [diagnosis.name for diagnosis in examination.diagnoses] == list(CASES)
    assert examination.problems == []
    assert examination.exit_code == 0


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem[0])
def test_a_problem_is_found_proved_and_has_its_remedy(well: Deployed, problem: Problem) -> None:
    name, cause, evidence, remedy = problem
    with cause.apply(well):
        diagnosis = found(well, name)
    assert any(evidence in value for row in diagnosis.rows for value in row.values()), diagnosis.rows
    assert any(remedy in text for text in diagnosis.remedies), diagnosis.remedies


def test_every_case_has_a_problem_here() -> None:
    """Access needs Google's refusal of an account, which the mutations cause; the others are among the nights."""
    assert set(CASES) - {problem[0] for problem in PROBLEMS} == {"access", "results", "bytes"}


REMEDIED: list[tuple[str, str, tuple[str, ...]]] = [
    ("calendar", "holiday_calendar", (NO_HOLIDAYS,)),
    ("held_leases", "leases", (LEASE,)),
    ("alerts", "automation_alerts", (alert_row("CRITICAL", acknowledged=False),)),
    ("locks", "active_caption_assignments", (LOCK,)),
    ("locks", "active_caption_assignments", (TWO_LOCKS,)),
    ("calendar", "holiday_calendar", (A_DAY, A_DAY)),
    ("calendar", "holiday_calendar", (A_DAY.replace("'CULTURAL', FALSE, 0.5", "'LOCAL', FALSE, 5.5"),)),
    ("statistics", "caption_bandit_stats", (stats_rows((0.2, 0.9), (0.3, 0.9)),)),
    ("statistics", "caption_bandit_stats", (stats_rows((0.9, 0.2)),)),
    ("queue", "schedule_generation_queue", (TODAYS_QUEUE, TODAYS_QUEUE.replace("PENDING", "COMPLETED"))),
    ("selections", "automation_alerts", (SHORT,)),
    ("caption_keys", "caption_bank", (KEY,)),
    ("queue", "schedule_generation_queue", (QUEUE.replace("'page'", "'o\\'neil'"),)),
]


@pytest.mark.parametrize(
    ("name", "table", "statements"), REMEDIED, ids=lambda part: part if isinstance(part, str) else ""
)
def test_the_printed_statement_fixes_it(well: Deployed, name: str, table: str, statements: tuple[str, ...]) -> None:
    """Run what the doctor prints as it is; afterwards the doctor finds nothing."""
    with rows_changed(table, *statements).apply(well):
        for remedy in found(well, name).remedies:
            well.query(remedy.replace("SESSION_USER()", "'operator@example.com'"))
        assert not found(well, name).holds


def run(system: Deployed, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    monkeypatch.setattr(command_line, "load_environment", lambda _name: system.environment)
    return invoke(command_line.app, command_line.KNOWN, "doctor", *arguments)


def test_the_command_shows_rows_commands_and_next_times(well: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    with rows_changed("caption_bank", KEY).apply(well):
        outcome = run(well, monkeypatch)
    assert outcome.exit_code == 1
    assert "stored caption keys differ" in outcome.stdout
    assert "→ UPDATE `eros-local.eros_scheduling_brain.caption_bank`" in outcome.stdout
    (daily,) = (schedule for schedule in all_schedules() if schedule.name == DAILY)
    assert f"{next_due(daily, datetime.now(UTC)).astimezone(LOS_ANGELES):%H:%M} P" in outcome.stdout


def test_json_and_exit_code_of_a_healthy_system(well: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(well, monkeypatch, "--format", "json")
    assert outcome.exit_code == 0, outcome.output
    document = json.loads(outcome.stdout)
    assert [schedule["state"] for schedule in document["schedules"]] == ["enabled"] * len(all_schedules())


def test_a_problem_that_is_partly_unknown_is_counted_once(well: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: Subject) -> Iterator[Outcome]:
        raise RequestRefusedError("no such table")

    def denied(_: Subject) -> Iterator[Outcome]:
        raise NotPermittedError("no permission")

    def failing(_: Subject) -> Iterator[Outcome]:
        yield failed("leases", "a table", "missing", "make deploy")

    unknown = (Check("x.1", "refused", refused), Check("x.2", "denied", denied))
    for checks, exit_code in (((*unknown, Check("x.3", "failing", failing)), 1), (unknown, 2)):
        monkeypatch.setattr(doctor, "CASES", {"case": Case("case", "a case", checks=checks)})
        outcome = run(well, monkeypatch)
        assert outcome.exit_code == exit_code, outcome.output
        assert f"problems found: {len(checks) - 2}, ruled out: 0, could not check: 1" in outcome.stdout
        assert "no such table" in outcome.stdout
        assert "no permission" in outcome.stdout


def test_a_condition_that_the_caller_may_not_query_leaves_the_other_cases(
    well: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = GoogleApi.query

    def forbidden(api: GoogleApi, about: str, sql: str, parameters: Any = ()) -> list[Any]:
        if about == "leases":
            raise NotPermittedError("query of leases: 403 Access Denied", about)
        return query(api, about, sql, parameters)

    monkeypatch.setattr(GoogleApi, "query", forbidden)
    examination = examine(well.environment)
    assert [(diagnosis.name, diagnosis.unknown) for diagnosis in examination.unknown] == [
        ("held_leases", "leases: query of leases: 403 Access Denied")
    ]
    assert examination.exit_code == 2


def test_an_unknown_format_is_reported(well: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(well, monkeypatch, "--format", "yaml")
    assert outcome.exit_code == 2
    assert "write one of table, json" in outcome.stderr


def test_an_unknown_case_is_reported_with_those_that_exist(well: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(well, monkeypatch, "--case", "flu")
    assert outcome.exit_code == 2
    assert "no case 'flu': there are missing_object" in outcome.stderr
