"""The verification as a step of a deployment: its report decides, and nothing that does not answer hangs."""

from __future__ import annotations

import io
from threading import Event
from typing import TYPE_CHECKING, cast

import pytest
from rich.console import Console

from declared.loading import load_environment
from google.billing import Usage
from google.failures import LiveSystemError
from google.waiting import current_limit
from operations.deploy.steps import StepFailedError
from operations.deploy.verified import PREFLIGHT, verified
from verification.deadlines import DEADLINES
from verification.results import Report, Result, Status
from verification.running import SETTLE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from declared.environment import Environment


def report_of(status: Status) -> Report:
    """A verification's report with one result."""
    result = Result("1.1", "existence", "tables", "leases", status, "exists", "missing", "Run `make deploy`.", 0.1)
    return Report(load_environment("local"), "2026-11-24T12:00:00+00:00", 0.2, (result,), Usage())


def verified_with(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[..., Report], environment: Environment | None = None
) -> tuple[Report, str]:
    """The report of the verification step whose verification answers so, and what the step printed."""
    monkeypatch.setattr("operations.deploy.verified.verify", answer)
    console = Console(file=io.StringIO(), width=120)
    report = verified(environment or load_environment("local"), console, "Preflight", [PREFLIGHT])
    return report, cast("io.StringIO", console.file).getvalue()


def test_a_verification_is_a_step_that_shows_its_headline(monkeypatch: pytest.MonkeyPatch) -> None:
    report, text = verified_with(monkeypatch, lambda *_, **__: report_of(Status.PASS))
    assert report.well
    assert text.startswith("✓ Preflight  1 tests, 1 results: 1 PASS in 0.2 s")


@pytest.mark.parametrize(("status", "exit_code"), [(Status.FAIL, 1), (Status.DRIFT, 1), (Status.DENIED, 2)])
def test_a_verification_that_is_not_well_ends_the_operation_with_its_report_and_exit_code(
    monkeypatch: pytest.MonkeyPatch, status: Status, exit_code: int
) -> None:
    with pytest.raises(StepFailedError) as caught:
        verified_with(monkeypatch, lambda *_, **__: report_of(status))
    assert caught.value.exit_code == exit_code
    for part in (f"{status} 1.1 tables: leases", "missing", "Run `make deploy`.", f"1 tests, 1 results: 1 {status}"):
        assert part in str(caught.value)


@pytest.mark.parametrize("error", [LiveSystemError("no answer"), PermissionError(13, "no answer", "catalog.json")])
def test_a_verification_that_cannot_be_made_is_exit_code_2(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def broken(*_: object, **__: object) -> Report:
        raise error

    with pytest.raises(StepFailedError, match="no answer") as caught:
        verified_with(monkeypatch, broken)
    assert caught.value.exit_code == 2


def test_a_verification_waits_for_google_to_settle_and_for_the_embedded_environment_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited = []

    def answer(*_: object, settle_seconds: float) -> Report:
        waited.append(settle_seconds)
        return report_of(Status.PASS)

    for name in ("local", "prod"):
        verified_with(monkeypatch, answer, load_environment(name))
    assert waited == [0.0, SETTLE_SECONDS]


def test_a_verification_without_an_end_is_a_step_that_failed_and_not_the_end_of_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    end = Event()

    def endless(*_: object, **__: object) -> Report:
        current_limit().result("a service", lambda: end.wait(50))
        return report_of(Status.PASS)

    monkeypatch.setitem(DEADLINES, "verify", 0.1)
    try:
        with pytest.raises(StepFailedError, match=r"0\.1 s of --deadline; waited for a service") as caught:
            verified_with(monkeypatch, endless)
    finally:
        end.set()
    assert caught.value.exit_code == 2
