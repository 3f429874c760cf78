"""The results of checks, and the report of a verification."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from catalog import Catalog
    from declared.environment import Environment
    from google.billing import Usage
    from google.client import GoogleApi
    from google.resources import LiveSystem


class Status(StrEnum):
    """The status of a result, the worst first."""

    ERROR = "ERROR"  # the check could not run
    FAIL = "FAIL"  # the live system is not as expected
    DRIFT = "DRIFT"  # the live system is not as declared
    LATE = "LATE"  # no answer before the deadline
    DENIED = "DENIED"  # the caller has no permission to check
    WARN = "WARN"  # worth knowing, not a failure
    SKIP = "SKIP"  # not applicable
    PASS = "PASS"  # noqa: S105 - a status, not a password


#: With any of these a verification exits with 1.
NOT_WELL = {Status.ERROR, Status.FAIL, Status.DRIFT}
#: With any of these it says nothing about what it could not look at.
INCOMPLETE = {Status.LATE, Status.DENIED}


@dataclass(frozen=True)
class Outcome:
    """The result of a check for one object; ``action`` is what the reader should do next."""

    object: str
    status: Status
    expected: str
    found: str
    action: str = ""


def passed(name: str, expected: str) -> Outcome:
    """The object is as expected."""
    return Outcome(name, Status.PASS, expected, expected)


def failed(name: str, expected: str, found: str, action: str) -> Outcome:
    """The object is not as expected."""
    return Outcome(name, Status.FAIL, expected, found, action)


def drifted(name: str, expected: str, found: str, action: str) -> Outcome:
    """The object is not as the repository declares it."""
    return Outcome(name, Status.DRIFT, expected, found, action)


def warned(name: str, expected: str, found: str, action: str) -> Outcome:
    """Something worth knowing that is not a failure."""
    return Outcome(name, Status.WARN, expected, found, action)


def skipped(name: str, expected: str, reason: str) -> Outcome:
    """The object cannot be checked, for a reason that another check reports."""
    return Outcome(name, Status.SKIP, expected, reason)


def compared(name: str, expected: str, found: str, action: str) -> Outcome:
    """PASS when both texts are equal, otherwise FAIL."""
    return passed(name, expected) if expected == found else failed(name, expected, found, action)


def passed_unless(name: str, expected: str, problems: Iterable[Outcome]) -> Iterator[Outcome]:
    """The problems, or one PASS for the object when there are none."""
    problems = list(problems)
    yield from problems or [passed(name, expected)]


@dataclass(frozen=True)
class Subject:
    """What a check compares: an environment, its declared objects, its live objects, and its API."""

    environment: Environment
    catalog: Catalog
    live: LiveSystem
    api: GoogleApi

    def path(self, name: str) -> str:
        """An object's qualified name, quoted for SQL."""
        return f"`{self.environment.project}.{self.environment.dataset}.{name}`"

    @property
    def deploy(self) -> str:
        """The command that restores what the repository declares."""
        return self.environment.make("deploy")


@dataclass(frozen=True)
class Check:
    """A test: its number, which stays the same from release to release, its name and what it does.

    ``settles`` is for what Google shows a while after a change: such a test is retried before it counts.
    ``before_a_plan`` is for what concerns the person who deploys: it runs only when its suite or number is selected.
    """

    id: str
    name: str
    run: Callable[[Subject], Iterable[Outcome]]
    settles: bool = False
    before_a_plan: bool = False


@dataclass(frozen=True)
class Result:
    """One outcome of a check, with its suite and the seconds of the whole check."""

    id: str
    suite: str
    name: str
    object: str
    status: Status
    expected: str
    found: str
    action: str
    duration: float


@dataclass(frozen=True)
class Report:
    """The results of a verification in the order of the suites, and what its queries read."""

    environment: Environment
    started: str
    duration: float
    results: tuple[Result, ...]
    usage: Usage

    def count(self, status: Status) -> int:
        """The number of results with that status."""
        return sum(result.status is status for result in self.results)

    @property
    def well(self) -> bool:
        """Whether every check ran and none failed or found drift."""
        return not any(result.status in NOT_WELL | INCOMPLETE for result in self.results)

    @property
    def exit_code(self) -> int:
        """0 all checks pass, 1 a check failed or found drift, 2 nothing failed but some checks could not run.

        2 also when the deadline came before the end.
        """
        if not self.count(Status.LATE) and any(result.status in NOT_WELL for result in self.results):
            return 1
        return 2 if any(result.status in INCOMPLETE for result in self.results) else 0

    @property
    def headline(self) -> str:
        """The counts in one line."""
        tests = len({(result.suite, result.id) for result in self.results})
        counts = ", ".join(f"{self.count(status)} {status}" for status in reversed(Status) if self.count(status))
        return f"{tests} tests, {len(self.results)} results: {counts} in {self.duration:.1f} s"
