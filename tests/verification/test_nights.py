"""Nights: each is found by check_health and by the doctor, told once, and fixed by what the doctor prints."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest
from google.api_core.exceptions import BadRequest

from operations import __main__ as operations_command_line
from operations.health import newest_look
from operations.rehearsal import NIGHTS, plant, take_back
from tests.harness.commands import invoke
from tests.mutations.kinds import SWEEP, UPDATE
from tests.mutations.statements import DAILY
from verification.doctor import CASES, examine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.harness.deployed import Deployed

TODAY = "CURRENT_DATE('America/Los_Angeles')"
#: Nights of which a part of the fix is outside of SQL: the source of the restrictions, and a deployment.
RESTORED_BY_HAND = {name for name, night in NIGHTS.items() if night.restored}


def look(system: Deployed) -> str:
    """Look once; the error that it ends with, '' if it ends without one."""
    try:
        system.query("CALL `{d}.check_health`()")
    except BadRequest as error:
        return str(error.message)
    return ""


def findings(system: Deployed) -> set[tuple[str, str]]:
    """Check and subject of what the newest look found."""
    newest = newest_look(system.api)
    assert newest is not None
    return {(finding.check, finding.subject) for finding in newest.findings}


@pytest.fixture(scope="module")
def working(deployed: Deployed) -> Deployed:
    """A system whose jobs have run."""
    for procedure in (UPDATE, f"{SWEEP}", f"{DAILY}"):
        deployed.query(f"CALL `{{d}}.{procedure}`({TODAY if procedure == DAILY else ''})")
    return deployed


@pytest.fixture
def night(working: Deployed, request: pytest.FixtureRequest) -> Iterator[str]:
    """A planted night, which is taken back."""
    look(working)
    before = findings(working)
    plant(working.api, NIGHTS[request.param])
    working.query("UPDATE `{d}.health_checks` SET notified_at = NULL WHERE notified_at IS NOT NULL")  # told by others
    yield request.param
    take_back(working.api, NIGHTS[request.param])
    look(working)
    assert findings(working) <= before


def follow(system: Deployed, remedy: str) -> None:
    """Do what the doctor prints: a command of this repository, or a statement."""
    if remedy.startswith("python -m operations"):
        ended = invoke(operations_command_line.app, operations_command_line.KNOWN, *shlex.split(remedy, True)[3:])
        assert ended.exit_code == 0, ended
        if "run-schedules" in remedy:
            assert "eros check_health: health: " in ended.stdout
    else:
        # the embedded engine has no session user
        system.query(remedy.replace("SESSION_USER()", "'operator@example.com'"))


@pytest.mark.parametrize("night", sorted(NIGHTS), indirect=True)
def test_a_night_is_found_told_once_and_fixed_by_what_is_printed(
    working: Deployed, night: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(operations_command_line, "load_environment", lambda _name: working.environment)
    monkeypatch.chdir(tmp_path)
    question = NIGHTS[night].finding
    critical = "'CRITICAL' AS status" in working.catalog.monitoring[question].body or night in {"pattern", "breaker"}
    first = look(working)
    assert question in {check for check, _ in findings(working)}
    assert (question in first) == critical
    assert look(working) == ""
    (diagnosis,) = examine(working.environment, [question]).diagnoses
    assert diagnosis.holds
    assert any(section.endswith(f"#{question}") for section in diagnosis.sections)
    if night in RESTORED_BY_HAND:
        take_back(working.api, NIGHTS[night])
    for remedy in diagnosis.remedies:
        follow(working, remedy)
    (after,) = examine(working.environment, [question]).diagnoses
    assert not after.holds, after.rows
    look(working)
    assert question not in {check for check, _ in findings(working)}


def test_a_paused_query_is_found_as_paused_too(working: Deployed) -> None:
    plant(working.api, NIGHTS["paused"])
    plant(working.api, NIGHTS["paused"])  # by mistake, again
    try:
        (diagnosis,) = examine(working.environment, ["schedules"]).diagnoses
        assert any("disabled" in row["found"] for row in diagnosis.rows)
        assert any("make deploy" in remedy for remedy in diagnosis.remedies)
    finally:
        take_back(working.api, NIGHTS["paused"])
    assert not examine(working.environment, ["schedules", "stale_runs"]).problems


def test_a_second_creator_that_fails_is_told_in_the_next_hour(working: Deployed) -> None:
    def failing(page: str) -> str:
        return (
            "INSERT INTO `{d}.creator_processing_errors` (job_id, page_name, execution_date, error_message, error_time)"
            f" VALUES ('rehearsal', '{page}', {TODAY}, 'no figures', CURRENT_TIMESTAMP())"
        )

    try:
        working.query(failing("ann"))
        assert re.search(r"failed_creators \([^)]*\bann\b", look(working))
        working.query(failing("ben"))
        told = look(working)
        assert re.search(r"failed_creators \(ben\)", told)
        assert look(working) == ""
    finally:
        working.query("DELETE FROM `{d}.creator_processing_errors` WHERE job_id = 'rehearsal'")


def test_every_question_has_one_case_and_a_section_of_the_runbook(working: Deployed) -> None:
    conditions = [condition for case in CASES.values() for condition in case.conditions]
    assert sorted(condition.query for condition in conditions) == sorted(working.catalog.monitoring)
