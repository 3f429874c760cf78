"""What a look found is read, counted and printed, and is no failure of a deployment."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from rich.console import Console

from declared.schedules import HEALTH, all_schedules
from google.resources import TransferRun
from operations.deploy.deployment import SHOWN_FINDINGS, print_findings
from operations.deploy.scheduled_runs import ScheduledRun
from operations.health import Finding, Look, newest_look

if TYPE_CHECKING:
    from google.client import GoogleApi

NOON = datetime(2026, 11, 24, 20, tzinfo=UTC)
(SCHEDULE,) = (schedule for schedule in all_schedules() if schedule.name == HEALTH)
FAILED = TransferRun("run", "FAILED", NOON, "check_health: CRITICAL findings: failed_creators (ann)")


def row(check: str, status: str, subject: str | None = None) -> SimpleNamespace:
    return SimpleNamespace(checked_at=NOON, check_name=check, subject=subject, status=status, details="a sentence")


def looked(*rows: SimpleNamespace) -> Look | None:
    environment = SimpleNamespace(project="p", dataset="d")
    api: Any = SimpleNamespace(environment=environment, query=lambda *_: list(rows))
    return newest_look(cast("GoogleApi", api))


def printed(look: Look | None) -> str:
    console = Console(file=io.StringIO(), width=120)
    print_findings(ScheduledRun(SCHEDULE, NOON, FAILED, 1.0, look), console)
    return cast("io.StringIO", console.file).getvalue()


def test_a_look_has_its_findings_and_their_numbers() -> None:
    look = looked(row("failed_creators", "CRITICAL", "ann"), row("stuck_runs", "OK"), row("slow_runs", "WARNING", "x"))
    assert look is not None
    assert look.headline == "1 CRITICAL, 1 WARNING"
    assert look.findings[0] == Finding("failed_creators", "ann", "CRITICAL", "a sentence")
    assert "  CRITICAL failed_creators: ann: a sentence\n" in printed(look)


def test_without_a_look_and_without_findings_nothing_is_printed() -> None:
    assert looked() is None
    assert printed(None) == ""
    well = looked(row("stuck_runs", "OK"))
    assert well is not None
    assert well.headline == "OK"
    assert printed(well) == ""


def test_many_findings_are_counted() -> None:
    look = looked(*(row("failed_creators", "CRITICAL", f"page {n}") for n in range(SHOWN_FINDINGS + 3)))
    assert "and 3 more" in printed(look)


def test_a_look_that_found_something_is_no_failed_run() -> None:
    look = looked(row("failed_creators", "CRITICAL", "ann"))
    run = ScheduledRun(SCHEDULE, NOON, FAILED, 1.0, look)
    assert (run.succeeded, run.state, run.message) == (True, "health: 1 CRITICAL", "")
    could_not_look = ScheduledRun(SCHEDULE, NOON, FAILED, 1.0)
    assert (could_not_look.succeeded, could_not_look.state) == (False, "FAILED")
    assert could_not_look.message == FAILED.message
