"""Verifies an environment as a step of a longer operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog import CatalogError
from google.failures import LiveSystemError
from google.waiting import time_limit
from operations.deploy.steps import StepFailedError, step
from verification.deadlines import DEADLINES
from verification.report import table_text
from verification.results import Status
from verification.running import settle_seconds_of, verify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from declared.environment import Environment
    from verification.results import Report

#: The suite that looks at what must exist before anything is planned or changed.
PREFLIGHT = "preflight"


def verified(environment: Environment, console: Console, title: str, suites: Sequence[str] = ()) -> Report:
    """Compare an environment with the repository, and show the outcome in one line.

    Args:
        environment: where to look.
        console: where progress is shown.
        title: the step's title.
        suites: the suites to run; none means all.

    Raises:
        StepFailedError: with the whole report when a check failed (exit code 1) or could not be made (2); or with the
            reason why nothing can be said about the environment (2), such as no result after
            twice the usual time.
    """
    with step(console, title) as notes:
        settle_seconds = settle_seconds_of(environment)
        try:
            with time_limit(DEADLINES["verify"]):
                report = verify(environment, suites, settle_seconds=settle_seconds)
        except (CatalogError, LiveSystemError, OSError) as error:
            raise StepFailedError(str(error), 2) from None
        if report.exit_code:
            raise StepFailedError(table_text(report).strip(), report.exit_code)
        notes.append(report.headline)
    for result in report.results:
        if result.status is Status.WARN:
            line = f"WARN {result.suite}.{result.id} {result.name}: {result.object}: {result.found}. {result.action}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    return report
