"""Estimates the cost of each routine, view and scheduled query by dry runs of the statements in it."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from catalog import (
    Catalog,
    CatalogError,
    Routine,
    ScheduledQuery,
    SqlObject,
    View,
    dependents,
    load_catalog,
    retarget,
)
from catalog.files import REPOSITORY
from catalog.statements import runs_of
from catalog.zone import LOS_ANGELES, ZONE
from declared.budgets import Budget, ObjectKind, budget_of
from declared.schedules import last_run_time, runs_a_month, schedule_of
from google.billing import DryRun, dollars
from google.failures import LateAnswerError, LiveSystemError, NotPermittedError, RequestRefusedError
from google.resources import WORKERS, read_live_system
from operations.deploy.steps import StepFailedError
from verification.drift import differing_definitions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from catalog.statements import Run
    from declared.environment import Environment
    from google.client import GoogleApi

#: Before this procedure existed, the files of sql/monitoring/ were queries that nothing ran.
ASKS_THE_QUESTIONS = "procedures/check_health.sql"
NOW, TODAY = "CURRENT_TIMESTAMP()", f"CURRENT_DATE('{ZONE}')"
#: Arguments whose values decide which partitions are read, as an operator would give them today, with the windows of
#: the contract. No value is assumed for any other argument (a page, counts, a segment), so that nothing is left out.
SAMPLE_ARGUMENTS = {
    "execution_date": TODAY,
    "p_execution_date": TODAY,
    "p_day": TODAY,
    "p_scheduled_send_date": TODAY,
    "p_as_of": NOW,
    "p_from": f"TIMESTAMP_SUB({NOW}, INTERVAL 90 DAY)",
    "p_to": NOW,
    "p_lookback_days": "90",
}


@dataclass(frozen=True)
class Estimate:
    """What one call reads and is billed, in bytes, from how many tables, and how often per month the schedules call it.

    ``calls_a_month`` is 0 for what no schedule reaches. ``problem`` says why there is no estimate; the figures of a
    call are 0 then.
    """

    name: str
    kind: ObjectKind
    bytes_read: int
    bytes_billed: int
    tables: int
    calls_a_month: float
    problem: str = ""

    @property
    def dollars(self) -> float:
        """On-demand price of a call."""
        return dollars(self.bytes_billed)

    @property
    def dollars_a_month(self) -> float:
        """On-demand price of all calls of a month; a caller's price includes that of what it calls."""
        return self.dollars * self.calls_a_month

    @property
    def budget(self) -> Budget | None:
        """What a call may read and cost."""
        return budget_of(self.name, self.kind)

    @property
    def over_budget(self) -> bool:
        """Whether a call reads more than its budget, or what it reads costs more.

        SQL cannot lower the per-table minimum, so it is excluded.
        """
        budget = self.budget
        return budget is not None and (self.bytes_read > budget.bytes_read or dollars(self.bytes_read) > budget.dollars)


@dataclass(frozen=True)
class CostChange:
    """An object's estimate on the base and as proposed; None where it does not exist."""

    name: str
    base: Estimate | None
    proposed: Estimate | None

    @property
    def kind(self) -> ObjectKind | None:
        """The object's kind; None where it exists on neither side."""
        known = self.proposed or self.base
        return known.kind if known else None

    @property
    def bytes_difference(self) -> int:
        """How many more bytes a call reads than on the base; what does not exist reads nothing."""
        return (self.proposed.bytes_read if self.proposed else 0) - (self.base.bytes_read if self.base else 0)

    @property
    def dollars_a_month_difference(self) -> float:
        """How many more dollars per month the schedules' calls cost than on the base."""
        before, after = self.base, self.proposed
        return (after.dollars_a_month if after else 0.0) - (before.dollars_a_month if before else 0.0)


def estimate(api: GoogleApi, catalog: Catalog, names: Collection[str] | None = None) -> list[Estimate]:
    """Estimate what each object of the catalog reads, by its SQL here, not by what is deployed.

    Args:
        api: the environment whose tables are read; several dry runs run at the same time.
        catalog: loaded, and retargeted to the environment.
        names: objects to estimate; None means all.

    Raises:
        LiveSystemError: no answer, or no dataset. A failed dry run is a problem of its object, not an error, and
            so is one without an answer before the deadline.
    """
    return _estimates(api, catalog, names, {})


def compare(api: GoogleApi, base: Catalog, proposed: Catalog) -> list[CostChange]:
    """Estimate what changed and what calls or reads it, on the base and as proposed.

    Raises:
        LiveSystemError: as :func:`estimate`.
    """
    affected = _affected(base, proposed)
    return _changes(api, base, proposed, affected, affected)


def compare_everything(api: GoogleApi, base: Catalog, proposed: Catalog) -> list[CostChange]:
    """Estimate every object on the base and as proposed; what did not change has one estimate for both.

    Raises:
        LiveSystemError: as :func:`estimate`.
    """
    return _changes(api, base, proposed, None, _affected(base, proposed))


def _changes(
    api: GoogleApi, base: Catalog, proposed: Catalog, names: Collection[str] | None, affected: Collection[str]
) -> list[CostChange]:
    known: dict[str, DryRun | str] = {}
    after = {(each.kind, each.name): each for each in _estimates(api, proposed, names, known)}
    before = {(each.kind, each.name): each for each in _estimates(api, base, affected, known)}
    before |= {key: each for key, each in after.items() if each.name not in affected}
    return [CostChange(key[1], before.get(key), after.get(key)) for key in {**after, **before}]


def _affected(base: Catalog, proposed: Catalog) -> set[str]:
    changed = changed_objects(base, proposed)
    return changed | dependent_objects(base, changed) | dependent_objects(proposed, changed)


def changed_objects(base: Catalog, proposed: Catalog) -> set[str]:
    """Names of routines, views and scheduled queries whose own text differs, or that only one catalog has."""
    before, after = ({item.path: _text(item) for item in _measured(catalog)} for catalog in (base, proposed))
    return {path.stem for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def dependent_objects(catalog: Catalog, names: Collection[str]) -> set[str]:
    """Names of what calls or reads the named objects, directly or indirectly: its cost changes with theirs."""
    return dependents(catalog, names) & {item.name for item in _measured(catalog)}


def base_catalog(ref: str, environment: Environment) -> Catalog:
    """The SQL files of a git revision, for an environment's project and dataset; its ``folder`` is temporary.

    Raises:
        StepFailedError: there is no such revision, it has no SQL files, or they do not compile.
    """
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").decode().strip()
    if not commit:
        raise StepFailedError(f"--base {ref}: git does not know this revision; fetch it, or name another", 2)
    archive = _git("archive", "--format=tar", commit, "sql")
    if not archive:
        raise StepFailedError(f"--base {ref}: there is no sql/ at that revision", 2)
    with TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        sql = Path(folder) / "sql"
        if not (sql / ASKS_THE_QUESTIONS).exists():
            shutil.rmtree(sql / "monitoring", ignore_errors=True)
        try:
            return retarget(load_catalog(sql), environment.project, environment.dataset, environment.location)
        except CatalogError as error:
            raise StepFailedError(f"--base {ref}: the SQL of that revision does not compile\n{error}", 2) from None


def _git(*arguments: str) -> bytes:
    """What git prints; nothing where it fails."""
    try:
        done = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, check=False)
    except FileNotFoundError:
        raise StepFailedError("--base needs git, which is not installed", 2) from None
    return done.stdout if done.returncode == 0 else b""


def _measured(catalog: Catalog) -> Iterator[SqlObject]:
    """The objects whose calls cost something."""
    for group in (catalog.functions, catalog.table_functions, catalog.views, catalog.procedures, catalog.schedules):
        yield from group.values()


def _text(item: SqlObject) -> str:
    return item.query if isinstance(item, ScheduledQuery) else item.ddl


def _kind(item: SqlObject) -> ObjectKind:
    if isinstance(item, Routine):
        return ObjectKind(item.kind.lower())
    return ObjectKind.VIEW if isinstance(item, View) else ObjectKind.SCHEDULED_QUERY


def _estimates(
    api: GoogleApi, catalog: Catalog, names: Collection[str] | None, known: dict[str, DryRun | str]
) -> list[Estimate]:
    """Estimate objects; ``known`` contains dry runs by statement, and new ones are added to it."""
    chosen = [item for item in _measured(catalog) if names is None or item.name in names]
    items = [*chosen, *(item for item in catalog.schedules.values() if item not in chosen)]
    found = runs_of(items, catalog, SAMPLE_ARGUMENTS, _run_times(catalog), _written_out(api, catalog))
    runs = {item.path: run for item, run in zip(items, found, strict=True)}
    monthly = {query.name: runs_a_month(schedule_of(query)) for query in catalog.schedules.values()}
    calls = _calls_a_month([(runs[item.path], monthly[item.name]) for item in catalog.schedules.values()])
    wanted = {sql: item.name for item in chosen for sql in runs[item.path].statements if sql not in known}
    with ThreadPoolExecutor(WORKERS) as pool:
        known.update(zip(wanted, pool.map(lambda sql: _dry_run(api, wanted[sql], sql), wanted), strict=True))
    return [
        _estimate(
            item,
            [known[sql] for sql in runs[item.path].statements],
            (monthly if isinstance(item, ScheduledQuery) else calls).get(item.name, 0.0),
        )
        for item in chosen
    ]


def _dry_run(api: GoogleApi, name: str, sql: str) -> DryRun | str:
    """What a statement would read, or why that is not known."""
    try:
        return api.dry_run(name, sql)
    except (RequestRefusedError, NotPermittedError, LateAnswerError) as error:
        return str(error)


def _estimate(item: SqlObject, dry_runs: list[DryRun | str], calls_a_month: float) -> Estimate:
    problem = next((run for run in dry_runs if isinstance(run, str)), "")
    measured = [run for run in dry_runs if isinstance(run, DryRun) and not problem]
    return Estimate(
        name=item.name,
        kind=_kind(item),
        bytes_read=sum(run.bytes_read for run in measured),
        bytes_billed=sum(run.bytes_billed for run in measured),
        tables=len(frozenset[str]().union(*(run.tables for run in measured))),
        calls_a_month=calls_a_month,
        problem=problem,
    )


def _calls_a_month(scheduled: Iterable[tuple[Run, float]]) -> dict[str, float]:
    """Calls per month of what the scheduled queries' runs name, once for each place that names it.

    Args:
        scheduled: each scheduled query's run, and how often per month it is made.
    """
    calls: dict[str, float] = {}
    for run, runs in scheduled:
        for name, places in run.uses.items():
            calls[name] = calls.get(name, 0.0) + places * runs
    return calls


def _run_times(catalog: Catalog) -> dict[str, dict[str, str]]:
    """What the transfer service binds in each scheduled query, for the last run that passed its guard."""
    now = datetime.now(UTC)
    times = {query.name: last_run_time(schedule_of(query), now) for query in catalog.schedules.values()}
    return {
        name: {
            "run_time": f"TIMESTAMP '{time:%Y-%m-%d %H:%M:%S}+00'",
            "run_date": f"DATE '{time.astimezone(LOS_ANGELES):%Y-%m-%d}'",
        }
        for name, time in times.items()
    }


def _written_out(api: GoogleApi, catalog: Catalog) -> set[str]:
    """Views and functions that a dry run needs as text: they are missing, differ, or use one that is or does.

    A function that reads no table only has to exist with its signature.
    """
    live = read_live_system(api, catalog.views, [*catalog.functions, *catalog.table_functions])
    if live.dataset is None:
        place = f"{api.environment.project}.{api.environment.dataset}"
        raise LiveSystemError(f"{place} is not there: deploy it first (`{api.environment.make('deploy')}`)")
    queries = {**catalog.views, **catalog.table_functions}
    missing = (catalog.functions.keys() | queries) - (live.routines.keys() | live.tables)
    texts, signatures = differing_definitions(api, catalog, live)
    changed = missing | signatures | texts & queries.keys()
    return changed | dependent_objects(catalog, changed) & queries.keys()
