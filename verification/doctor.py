"""The doctor: which known problems the system has, the rows that prove each, and the command that fixes it.

It changes nothing: it prints commands and statements for the person who decides.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from catalog.zone import LOS_ANGELES
from declared.masking import masked, masked_values
from declared.schedules import next_due, schedules_of
from google.failures import LateAnswerError, NotPermittedError, RequestRefusedError
from google.resources import WORKERS, transfer_configs, transfer_runs
from verification import conditions
from verification.conditions import PROBLEMS, SHOWN_COLUMNS, Condition
from verification.results import INCOMPLETE, NOT_WELL, Check, Outcome, Status, Subject
from verification.running import UnknownNameError, outcomes_of, read_subject
from verification.stored_sql import DIVISION, stored_texts_keep
from verification.suites import access, existence, freshness, preflight, schedules, time_zone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

    from declared.environment import Environment

SHOWN_ROWS = 10
#: Statuses of a check that says nothing about the system.
COULD_NOT_RUN = {*INCOMPLETE, Status.ERROR}
#: Columns where there is no terminal.
LOG_WIDTH = 140


@dataclass(frozen=True)
class Case:
    """A known problem and what proves it: conditions of the data, checks of the live system."""

    name: str
    title: str
    conditions: tuple[Condition, ...] = ()
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True)
class Diagnosis:
    """Whether the system has a problem.

    ``rows`` prove it, and ``hidden`` is the number of further ones; ``remedies`` fix it, ``sections`` of the runbook
    explain it; ``unknown`` is what was not checked.
    """

    name: str
    title: str
    rows: list[dict[str, str]]
    remedies: list[str]
    unknown: str = ""
    hidden: int = 0
    sections: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether the system has this problem."""
        return bool(self.rows)


@dataclass(frozen=True)
class Examination:
    """Every diagnosis, and the schedules with their last and next runs."""

    environment: str
    diagnoses: list[Diagnosis]
    schedules: list[dict[str, str]]

    @property
    def problems(self) -> list[Diagnosis]:
        """The problems that the system has."""
        return [diagnosis for diagnosis in self.diagnoses if diagnosis.holds]

    @property
    def unknown(self) -> list[Diagnosis]:
        """The cases that could not be checked."""
        return [diagnosis for diagnosis in self.diagnoses if diagnosis.unknown]

    @property
    def exit_code(self) -> int:
        """0 no problem, 1 problems found, 2 some cases could not be checked."""
        return 1 if self.problems else 2 if self.unknown else 0


def _divisions(subject: Subject) -> Iterator[Outcome]:
    return stored_texts_keep(DIVISION, "every division is SAFE_DIVIDE", subject)


_CASES = (
    Case("missing_object", "a required object does not exist", checks=(*existence.CHECKS, preflight.DEPENDENCIES)),
    Case(
        "division_by_zero",
        "a division by zero",
        (conditions.DIVISIONS_BY_ZERO,),
        (Check("doctor.1", "unguarded divisions", _divisions),),
    ),
    Case("breaker", "the circuit breaker stopped a daily run", (conditions.BREAKER,)),
    Case("creators", "creators failed in the newest day", (conditions.FAILED_CREATORS,)),
    Case(
        "results",
        "creators have no report or no queue entry of today",
        (conditions.CREATORS_WITHOUT_RESULTS,),
    ),
    Case(
        "calendar",
        "the holiday calendar is not seeded, or has invalid rows",
        (conditions.UNSEEDED_YEARS, conditions.REPEATED_HOLIDAYS, conditions.HOLIDAYS_OUT_OF_BOUNDS),
    ),
    Case("time_zone", "a stored text reads the clock without its zone", checks=time_zone.CHECKS),
    Case("stuck_runs", "runs have the status RUNNING and do not run", (conditions.STUCK_RUNS,)),
    Case(
        "held_leases",
        "a lease is held without a running holder, or expired",
        (conditions.HELD_LEASES, conditions.EXPIRED_LEASES),
    ),
    Case("failed_runs", "a run failed and no later run succeeded", (conditions.FAILED_RUNS,)),
    Case("runs_with_errors", "a run ended with errors and no later run without", (conditions.RUNS_WITH_ERRORS,)),
    Case("slow_runs", "the newest run of a job took longer than it may", (conditions.SLOW_RUNS,)),
    Case(
        "stale_runs",
        "a scheduled job does no work, or its newest run failed",
        (conditions.SCHEDULES_WITHOUT_WORK,),
        (freshness.NEWEST_RUNS,),
    ),
    Case("schedules", "a scheduled query is missing, disabled or not as declared", checks=schedules.CHECKS),
    Case(
        "access",
        "the scheduled queries may not run as their service account",
        checks=access.TO_RUN_QUERIES,
    ),
    Case("alerts", "CRITICAL alerts wait to be acknowledged", (conditions.UNACKNOWLEDGED_ALERTS,)),
    Case(
        "locks",
        "caption locks are active after their day, or lock a caption twice",
        (conditions.UNSWEPT_LOCKS, conditions.DOUBLE_LOCKED_CAPTIONS),
    ),
    Case("selections", "a schedule got fewer captions than it asked for", (conditions.SHORT_SELECTIONS,)),
    Case("exports", "an export failed, or lacks texts", (conditions.FAILED_EXPORTS,)),
    Case("caption_keys", "stored caption keys differ from the key of their text", (conditions.DIFFERING_CAPTION_KEYS,)),
    Case(
        "statistics",
        "statistics of captions are out of bounds, or exist twice",
        (conditions.STATISTICS_OUT_OF_BOUNDS, conditions.REPEATED_STATISTICS),
    ),
    Case(
        "queue",
        "the queue of a past day is not drained, or holds a creator twice",
        (conditions.UNDRAINED_QUEUE, conditions.REPEATED_QUEUE_ENTRIES),
    ),
    Case("records", "records of the automation are invalid", (conditions.RECORDS_OUT_OF_RULE,)),
    Case("volumes", "figures of the jobs are far from their usual range", (conditions.UNUSUAL_VOLUMES,)),
    Case("bytes", "queries were billed more than a day's budget", (conditions.BYTES_OVER_BUDGET,)),
)
#: Every case by its name, in the order of the reports.
CASES = {case.name: case for case in _CASES}
#: The case of each question of sql/monitoring/.
CASE_OF = {condition.query: case.name for case in _CASES for condition in case.conditions}


def examine(environment: Environment, names: Sequence[str] = ()) -> Examination:
    """Check every case, or some.

    Args:
        environment: where to look.
        names: names of :data:`CASES`, or of questions of sql/monitoring/; none means all.

    Raises:
        UnknownNameError: an unknown name.
        CatalogError: the repository's SQL does not compile.
        LiveSystemError: there are no credentials, or the API does not answer.
    """
    names = [CASE_OF.get(name, name) for name in names]
    if unknown := sorted(set(names) - set(CASES)):
        raise UnknownNameError(f"no case {unknown[0]!r}: there are {', '.join(CASES)}")
    chosen = [case for name, case in CASES.items() if not names or name in names]
    subject = read_subject(environment)
    with ThreadPoolExecutor(WORKERS) as pool:
        diagnoses = list(pool.map(lambda case: _diagnose(case, subject), chosen))
    rows: list[dict[str, str]] = []
    with suppress(LateAnswerError):
        rows.extend(_schedule_rows(subject))
    return Examination(environment.name, diagnoses, rows)


def _diagnose(case: Case, subject: Subject) -> Diagnosis:
    rows: list[dict[str, str]] = []
    remedies: list[str] = []
    unknown: list[str] = []
    sections: list[str] = []
    hidden = 0
    for condition in case.conditions:
        try:
            found = condition.rows(subject)
        except (RequestRefusedError, NotPermittedError, LateAnswerError) as error:
            unknown.append(f"{condition.object}: {error}")
            continue
        rows += [{name: str(row[name]) for name in SHOWN_COLUMNS} for row in found]
        remedies += condition.remedies(subject, found)
        if found:
            hidden += found[0][PROBLEMS] - len(found)
            sections.append(condition.section)
    for outcome in (outcome for check in case.checks for outcome in outcomes_of(check, subject)):
        if outcome.status in COULD_NOT_RUN:
            unknown.append(f"{outcome.object}: {outcome.found}")
        elif outcome.status in NOT_WELL:
            rows.append({"object": outcome.object, "expected": outcome.expected, "found": outcome.found})
            remedies.append(outcome.action)
    return Diagnosis(
        case.name,
        case.title,
        masked_values(rows),
        [masked(remedy) for remedy in dict.fromkeys(remedies)],
        masked("; ".join(dict.fromkeys(unknown))),
        hidden,
        sections,
    )


def _schedule_rows(subject: Subject) -> Iterator[dict[str, str]]:
    """Each scheduled query with its state, its last run that had work to do, and the time of its next work."""
    configs = {config.display_name: config for config in transfer_configs(subject.api)}
    now = datetime.now(UTC)
    for schedule in schedules_of(subject.environment):
        config = configs.get(schedule.display_name)
        runs = transfer_runs(subject.api, config) if config else []
        last = next(iter(freshness.working_runs(schedule, runs)), None)
        state = "missing" if config is None else "disabled" if config.disabled else "enabled"
        following = _los_angeles(next_due(schedule, now)) if state == "enabled" else "never"
        yield {
            "scheduled query": schedule.name,
            "state": state,
            "last run": f"{last.state} {_los_angeles(last.run_time)}" if last else "none yet",
            "works next at": following,
        }


def _los_angeles(moment: datetime) -> str:
    return f"{moment.astimezone(LOS_ANGELES):%a %Y-%m-%d %H:%M %Z} ({moment.astimezone(UTC):%H:%M} UTC)"


def print_examination(examination: Examination, console: Console) -> None:
    """Print the problems, then the schedules, then one line of counts."""
    for diagnosis in examination.problems:
        console.print(f"\n[red]✗[/] [bold]{escape(diagnosis.title)}[/]  [dim]{diagnosis.name}[/]")
        console.print(_table(diagnosis.rows))
        if (more := len(diagnosis.rows[SHOWN_ROWS:]) + diagnosis.hidden) > 0:
            console.print(f"  and {more} more rows")
        for remedy in diagnosis.remedies:
            console.print(f"  → {remedy}", markup=False, soft_wrap=True)
        for section in diagnosis.sections:
            console.print(f"  why and how: {section}", markup=False, soft_wrap=True)
    for diagnosis in examination.unknown:
        console.print(f"\n[yellow]?[/] [bold]{escape(diagnosis.title)}[/]  [dim]{diagnosis.name}[/]")
        console.print(f"  could not check {diagnosis.unknown}", markup=False, soft_wrap=True)
    console.print()
    console.print(_table(examination.schedules))
    well = sum(not (diagnosis.holds or diagnosis.unknown) for diagnosis in examination.diagnoses)
    console.print(
        f"\n{examination.environment}: problems found: {len(examination.problems)}, ruled out: {well}"
        + (f", could not check: {len(examination.unknown)}" if examination.unknown else "")
    )


def _table(rows: list[dict[str, str]]) -> Table:
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(box=None, padding=(0, 2, 0, 2), header_style="dim")
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows[:SHOWN_ROWS]:
        table.add_row(*(escape(row.get(name, "")) for name in names))
    return table


def print_json(examination: Examination, console: Console) -> None:
    """All results as JSON."""
    console.file.write(json.dumps(masked_values(asdict(examination)), indent=2, ensure_ascii=False) + "\n")


WRITERS: dict[str, Callable[[Examination, Console], None]] = {"table": print_examination, "json": print_json}
