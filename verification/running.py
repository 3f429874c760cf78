"""Runs the selected checks, several at a time, and collects their results."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from catalog import load_catalog, retarget
from declared.masking import masked
from google.client import GoogleApi
from google.failures import (
    LateAnswerError,
    LiveSystemError,
    NotPermittedError,
    RequestRefusedError,
    UnreadableAnswerError,
)
from google.resources import WORKERS, read_live_system
from google.waiting import current_limit
from verification.results import NOT_WELL, Check, Outcome, Report, Result, Status, Subject
from verification.suites import SUITES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog import Catalog
    from declared.environment import Environment
    from google.resources import LiveSystem

#: How long Google may take to show a change; the embedded environment shows it immediately.
SETTLE_SECONDS = 60.0
Chosen = tuple[str, Check]
#: Pauses between retries of what settles late.
PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0


class UnknownNameError(LookupError):
    """A name that nothing has; the message lists those that exist, or says where they are listed."""


def settle_seconds_of(environment: Environment) -> float:
    """How long an environment may take to show a change, in seconds."""
    return 0.0 if environment.endpoint else SETTLE_SECONDS


def chosen_checks(suites: Sequence[str] = (), tests: Sequence[str] = ()) -> list[Chosen]:
    """The checks of a run, each with its suite.

    Args:
        suites: names of :data:`verification.suites.SUITES`; none, and no tests, means all.
        tests: ids of single checks, such as ``3.1``, in addition to those of the suites.

    Raises:
        UnknownNameError: a suite or a test that does not exist.
    """
    if unknown := sorted(set(suites) - set(SUITES)):
        raise UnknownNameError(f"no suite {unknown[0]!r}: there are {', '.join(SUITES)}")
    everything = [(suite, check) for suite, checks in SUITES.items() for check in checks]
    ids = {check.id for _, check in everything}
    if missing := sorted(set(tests) - ids):
        raise UnknownNameError(f"no test {missing[0]!r}: `python -m verification --list` shows all")
    if suites or tests:
        return [(suite, check) for suite, check in everything if suite in suites or check.id in tests]
    return [(suite, check) for suite, check in everything if not check.before_a_plan]


def read_subject(environment: Environment, with_routines: bool = True) -> Subject:
    """Read what the checks compare; the preflight needs no routines.

    Raises:
        CatalogError: the repository's SQL does not compile.
        LiveSystemError: there are no credentials, or the API does not answer.
    """
    catalog = retarget(load_catalog(), environment.project, environment.dataset, environment.location)
    api = GoogleApi(environment)
    return Subject(environment, catalog, _read_live(api, catalog, with_routines), api)


def _read_live(api: GoogleApi, catalog: Catalog, with_routines: bool = True) -> LiveSystem:
    tables = [*catalog.dependencies, *catalog.tables, *catalog.views]
    return read_live_system(api, tables, catalog.routines if with_routines else ())


def verify(
    environment: Environment, suites: Sequence[str] = (), tests: Sequence[str] = (), settle_seconds: float = 0.0
) -> Report:
    """Compare an environment with the repository.

    Args:
        environment: the environment to verify.
        suites: see :func:`chosen_checks`.
        tests: the same.
        settle_seconds: how long checks of what settles late are retried while they fail.

    Raises:
        CatalogError: the repository's SQL does not compile.
        LiveSystemError: there are no credentials, or the API does not answer.
        UnknownNameError: an unknown suite or test.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    chosen = chosen_checks(suites, tests)
    subject = read_subject(environment, with_routines=any(suite != "preflight" for suite, _ in chosen))
    found = dict(zip(chosen, _run_all(chosen, subject), strict=True))
    pause, deadline = PAUSE_SECONDS, clock + settle_seconds
    while (late := [pair for pair in chosen if _may_settle(pair, found[pair])]) and time.monotonic() < deadline:
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        try:
            current_limit().sleep("what settles late", pause)  # Google does not notify when a grant has taken effect
            subject = replace(subject, live=_read_live(subject.api, subject.catalog))
            found |= dict(zip(late, _run_all(late, subject), strict=True))
        except LateAnswerError:
            break  # the results so far count
        except LiveSystemError as error:  # they count, too, with the reason why they may not be the last ones
            outcome = _refused(subject, f"could not look again: {error}", error.about)
            for suite, check in late:
                found[suite, check].append(Result(check.id, suite, check.name, *_fields(outcome), 0.0))
            break
    results = tuple(result for pair in chosen for result in found[pair])
    return Report(
        environment, started.isoformat(timespec="seconds"), time.monotonic() - clock, results, subject.api.usage
    )


def _may_settle(pair: Chosen, results: list[Result]) -> bool:
    return pair[1].settles and any(result.status in NOT_WELL for result in results)


def _run_all(chosen: Sequence[Chosen], subject: Subject) -> list[list[Result]]:
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(lambda pair: _run(pair[0], pair[1], subject), chosen))


def _run(suite: str, check: Check, subject: Subject) -> list[Result]:
    started = time.monotonic()
    outcomes = outcomes_of(check, subject)
    seconds = time.monotonic() - started
    return [Result(check.id, suite, check.name, *_fields(outcome), round(seconds, 3)) for outcome in outcomes]


def outcomes_of(check: Check, subject: Subject) -> list[Outcome]:
    """The outcomes of a check; a refusal or a missing permission is an outcome too.

    Raises:
        LiveSystemError: the API does not answer.
    """
    outcomes: list[Outcome] = []
    try:
        outcomes.extend(check.run(subject))
    except (RequestRefusedError, UnreadableAnswerError) as error:
        outcomes.append(_refused(subject, str(error), error.about))
    except NotPermittedError as error:
        action = "Ask for the permission that the message names, or select other suites with --suite."
        outcomes.append(Outcome(subject.environment.project, Status.DENIED, "the check can run", str(error), action))
    except LateAnswerError as error:
        action = "Run this again when the service answers, or give it more time with --deadline."
        outcomes.append(Outcome(subject.environment.project, Status.LATE, "the check ends", str(error), action))
    except LiveSystemError:
        raise
    except Exception as error:  # noqa: BLE001 - an unexpected answer must not hide the results of other checks
        outcomes.append(_refused(subject, f"unexpected answer: {type(error).__name__}: {error}", ""))
    return outcomes


def _fields(outcome: Outcome) -> tuple[str, Status, str, str, str]:
    texts = (masked(text) for text in (outcome.object, outcome.expected, outcome.found, outcome.action))
    name, expected, found, action = texts
    return name, outcome.status, expected, found, action


def _refused(subject: Subject, message: str, about: str) -> Outcome:
    """A check that was refused, of the object that the request was about, else of the dataset."""
    name = about if any(item.name == about for item in subject.catalog) else subject.environment.dataset
    return Outcome(name, Status.ERROR, "the check can run", message, "Fix what the message names, then run this again.")
