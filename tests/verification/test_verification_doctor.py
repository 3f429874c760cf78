"""The doctor finds what ails a system, shows the rows, and prints what puts it right; it changes nothing itself."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from tests.mutations.defects import (
    DAILY,
    SWEEP,
    UPDATE,
    YEAR,
    alert_row,
    replaced,
    routine_changed,
    routine_dropped,
    rows_changed,
    run_row,
    schedule_patched,
    schedule_ran,
    stats_rows,
)
from verification import __main__ as command_line
from verification.doctor import CASES, Diagnosis, examine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.harness.deployed import Deployed

Ailment = tuple[str, "Callable[[Deployed], AbstractContextManager[None]]", str, str]


def rows(table: str, *statements: str) -> Callable[[Deployed], AbstractContextManager[None]]:
    return lambda system: rows_changed(table, *statements, system=system)


@contextmanager
def breaker_went(system: Deployed) -> Iterator[None]:
    error = "'Circuit breaker triggered: 5 consecutive failures'"
    failure = (
        "INSERT INTO `{d}.creator_processing_errors` (job_id, page_name, execution_date, error_message, error_time) "
        "VALUES ('mutation FAILED 45', 'creator_o\\'neil', DATE '2026-01-05', 'no figures', CURRENT_TIMESTAMP())"
    )
    with ExitStack() as stack:
        stack.enter_context(rows_changed("etl_job_runs", run_row("FAILED", 45, error=error), system=system))
        stack.enter_context(rows_changed("creator_processing_errors", failure, system=system))
        yield


LOCK = (
    "INSERT INTO `{d}.active_caption_assignments` (page_name, caption_id, scheduled_send_date, is_active, assigned_at) "
    "VALUES ('page', 1, DATE_SUB(CURRENT_DATE('America/Los_Angeles'), INTERVAL 2 DAY), TRUE, CURRENT_TIMESTAMP())"
)
QUEUE = (
    "INSERT INTO `{d}.schedule_generation_queue` (page_name, execution_date, queued_at, status) VALUES "
    "('page', DATE_SUB(CURRENT_DATE('America/Los_Angeles'), INTERVAL 2 DAY), "
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
NO_HOLIDAYS = f"DELETE FROM `{{d}}.holiday_calendar` WHERE EXTRACT(YEAR FROM holiday_date) = {YEAR} + 1"
ZONE = ("CURRENT_DATE('America/Los_Angeles')", "CURRENT_DATE()")

#: An ailment, what brings it about, and parts of the evidence and of the remedy that are shown.
AILMENTS: list[Ailment] = [
    ("missing_object", lambda s: routine_dropped("selection_problem", s), "selection_problem", "make deploy"),
    (
        "division_by_zero",
        rows("etl_job_runs", run_row("FAILED", 45, error="'division by zero: 1 / 0'")),
        "division by zero: 1 / 0",
        "python -m verification drift",
    ),
    (
        "division_by_zero",
        lambda s: routine_changed("caption_key", lambda r: {**r, "definitionBody": "CAST(1 / 0 AS STRING)"}, s),
        "1 / 0",
        "make deploy",
    ),
    ("breaker", breaker_went, "creator_o'neil", "run_daily_automation`(DATE '2026-01-05');"),
    ("calendar", rows("holiday_calendar", NO_HOLIDAYS), "0", "seed_holiday_calendar`(2025"),
    ("time_zone", lambda s: routine_changed(SWEEP, lambda r: replaced(*ZONE, r), s), SWEEP, "make deploy"),
    ("stuck_runs", rows("etl_job_runs", run_row("RUNNING", 45, ended=False)), "45", "run-schedules"),
    ("held_leases", rows("leases", LEASE), "gone", "SET holder = NULL"),
    ("failed_runs", rows("etl_job_runs", run_row("FAILED", 45, error="'no slots'")), "no slots", "run-schedules"),
    ("stale_runs", lambda s: schedule_ran(SWEEP, "SELECT ERROR('no')", s), "FAILED", "run-schedules"),
    ("schedules", lambda s: schedule_patched(UPDATE, {"disabled": True}, s), "disabled", "make deploy"),
    ("alerts", rows("automation_alerts", alert_row("CRITICAL", acknowledged=False)), DAILY, "SET acknowledged = TRUE"),
    ("locks", rows("active_caption_assignments", LOCK), "page", "sweep_expired_caption_locks`()"),
    ("caption_keys", rows("caption_bank", KEY), "other", "SET caption_key ="),
    ("statistics", rows("caption_bandit_stats", stats_rows((0.9, 0.2))), "0.9", "update_caption_performance`()"),
    ("queue", rows("schedule_generation_queue", QUEUE), "PENDING", "not generated in time"),
]


@pytest.fixture
def well(deployed: Deployed) -> Deployed:
    """A system that has nothing: its sample locks that have expired are swept."""
    deployed.query(f"CALL `{{d}}.{SWEEP}`()")
    return deployed


def found(system: Deployed, name: str) -> Diagnosis:
    (diagnosis,) = examine(system.environment, [name]).diagnoses
    return diagnosis


def test_nothing_ails_a_deployed_system(well: Deployed) -> None:
    examination = examine(well.environment)
    assert [diagnosis.name for diagnosis in examination.diagnoses] == [case.name for case in CASES]
    assert examination.ailments == []
    assert examination.exit_code == 0


@pytest.mark.parametrize("ailment", AILMENTS, ids=lambda ailment: ailment[0])
def test_an_ailment_is_found_proved_and_has_its_remedy(well: Deployed, ailment: Ailment) -> None:
    name, brings_about, evidence, remedy = ailment
    with brings_about(well):
        diagnosis = found(well, name)
    assert any(evidence in value for row in diagnosis.rows for value in row.values()), diagnosis.rows
    assert any(remedy in text for text in diagnosis.remedies), diagnosis.remedies


def test_every_case_has_an_ailment_here() -> None:
    """Access needs Google's refusal of an account, which the mutations bring about."""
    assert {case.name for case in CASES} - {ailment[0] for ailment in AILMENTS} == {"access"}


REMEDIED: list[tuple[str, str, tuple[str, ...]]] = [
    ("calendar", "holiday_calendar", (NO_HOLIDAYS,)),
    ("held_leases", "leases", (LEASE,)),
    ("alerts", "automation_alerts", (alert_row("CRITICAL", acknowledged=False),)),
    ("locks", "active_caption_assignments", (LOCK,)),
    ("caption_keys", "caption_bank", (KEY,)),
    ("queue", "schedule_generation_queue", (QUEUE.replace("'page'", "'o\\'neil'"),)),
]


@pytest.mark.parametrize(
    ("name", "table", "statements"), REMEDIED, ids=lambda part: part if isinstance(part, str) else ""
)
def test_the_printed_statement_puts_it_right(
    well: Deployed, name: str, table: str, statements: tuple[str, ...]
) -> None:
    """What the doctor prints is run as it stands, and the doctor has nothing more to say."""
    with rows_changed(table, *statements, system=well):
        for remedy in found(well, name).remedies:
            statement = remedy[min(remedy.find(word) for word in ("UPDATE", "CALL") if word in remedy) :]
            well.query(statement.replace("SESSION_USER()", "'operator@example.com'"))
        assert not found(well, name).holds


def run(system: Deployed, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    monkeypatch.setattr(command_line, "load_environment", lambda _name: system.environment)
    return CliRunner().invoke(command_line.app, ["doctor", *arguments])


def test_the_command_shows_rows_commands_and_next_times(well: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    with rows_changed("caption_bank", KEY, system=well):
        outcome = run(well, monkeypatch)
    assert outcome.exit_code == 1
    assert "stored caption keys differ" in outcome.stdout
    assert "→ UPDATE `eros-local.eros_scheduling_brain.caption_bank`" in outcome.stdout
    assert "03:05 P" in outcome.stdout, "the daily run's next time, in Los Angeles"


def test_json_and_exit_code_of_a_healthy_system(well: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(well, monkeypatch, "--format", "json")
    assert outcome.exit_code == 0, outcome.output
    document = json.loads(outcome.stdout)
    assert [schedule["state"] for schedule in document["schedules"]] == ["enabled"] * 4


def test_an_unknown_format_is_said(well: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(well, monkeypatch, "--format", "yaml")
    assert outcome.exit_code == 2
    assert "write one of table, json" in outcome.stderr


def test_an_unknown_case_is_said_with_those_that_exist(well: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(well, monkeypatch, "--case", "flu")
    assert outcome.exit_code == 2
    assert "no case 'flu': there are missing_object" in outcome.stderr
