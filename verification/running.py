"""Runs the checks of the chosen suites, several at a time, and collects what they say."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from catalog import load_catalog, retarget
from verification.live import WORKERS, GoogleApi, LiveSystemError, RequestRefusedError, read_live_system
from verification.results import Check, Outcome, Report, Result, Status, Subject
from verification.suites import SUITES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stacks.environment import Environment


def verify(environment: Environment, suites: Sequence[str] = ()) -> Report:
    """Compare an environment with the repository.

    Args:
        environment: where to look.
        suites: names of :data:`verification.suites.SUITES`; none means all.

    Raises:
        CatalogError: the repository's SQL does not compile.
        LiveSystemError: no credentials, or no answer: nothing can be said about the environment.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    catalog = retarget(load_catalog(), environment.project, environment.dataset)
    api = GoogleApi(environment)
    live = read_live_system(
        api,
        [*catalog.dependencies, *catalog.tables, *catalog.views],
        catalog.routines if suites != ["preflight"] else (),
    )
    subject = Subject(environment, catalog, live, api)
    chosen = [(suite, check) for suite in SUITES if not suites or suite in suites for check in SUITES[suite]]
    with ThreadPoolExecutor(WORKERS) as pool:
        results = pool.map(lambda pair: _run(pair[0], pair[1], subject), chosen)
        found = tuple(result for group in results for result in group)
    return Report(environment, started.isoformat(timespec="seconds"), time.monotonic() - clock, found)


def _run(suite: str, check: Check, subject: Subject) -> list[Result]:
    started = time.monotonic()
    outcomes: list[Outcome] = []
    try:
        outcomes.extend(check.run(subject))
    except RequestRefusedError as error:
        outcomes.append(_refused(subject, str(error)))
    except LiveSystemError:
        raise
    except Exception as error:  # noqa: BLE001 - an answer of an unexpected form must not hide what the other checks say
        outcomes.append(_refused(subject, f"unexpected answer: {type(error).__name__}: {error}"))
    seconds = time.monotonic() - started
    return [Result(check.id, suite, check.name, *_fields(outcome), round(seconds, 3)) for outcome in outcomes]


def _fields(outcome: Outcome) -> tuple[str, Status, str, str, str]:
    return outcome.object, outcome.status, outcome.expected, outcome.found, outcome.action


def _refused(subject: Subject, message: str) -> Outcome:
    """A check that was refused; the object is the first one of ours that the message names."""
    named = (item.name for item in subject.catalog if item.name in message)
    name = min(named, key=lambda name: (message.index(name), -len(name)), default=subject.environment.dataset)
    return Outcome(name, Status.ERROR, "the check can be done", message, "Mend what the message names; run this again.")
