"""Summarizes the plans of every stack for a reviewer: dangers, access, tables, routines, schedules, drift, cost."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from catalog import Table, dependents
from catalog.model import EVERY_HOUR
from catalog.zone import LOS_ANGELES
from declared.environment import AllowedChange
from declared.masking import masked_values
from declared.schedules import next_due, schedules_in
from google.client import GoogleApi
from google.failures import LiveSystemError
from google.grants import PUBLIC
from operations.deploy.steps import StepFailedError
from operations.review.cost import CostChange, base_catalog, compare, dependent_objects, estimate
from operations.review.cost_report import entries_of
from operations.review.planned import Action
from verification.table_changes import ChangeClass, TableChange, Verdict, changes_of, drop_of, judged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from catalog import Catalog
    from declared.environment import Environment
    from declared.schedules import Schedule
    from operations.review.planned import OutsideChange, PlannedChange, StackPlan

#: Types of resources whose destruction or replacement destroys data.
HOLDS_DATA = {"google_bigquery_table", "google_bigquery_dataset", "google_storage_bucket"}
#: Types of resources that other objects of the dataset read, write or call.
READ_BY_OTHERS = {"google_bigquery_routine", "google_bigquery_table"}
#: Attributes that name the resource of a grant; the narrowest first.
GRANTED_ON = ("table_id", "dataset_id", "service_account_id", "bucket", "topic", "secret_id", "project")
#: Attributes that guard data, with the value that does; a change to another value is a danger.
GUARDS = {
    ("google_bigquery_table", "deletion_protection"): True,
    ("google_bigquery_dataset", "delete_contents_on_destroy"): False,
    ("google_bigquery_dataset", "default_table_expiration_ms"): False,
    ("google_bigquery_dataset", "default_partition_expiration_ms"): False,
    ("google_storage_bucket", "force_destroy"): False,
}
ADMINISTRATION = ("owner", "editor", "admin", "Admin", "Owner", "TokenCreator", "TokenMinter")


@dataclass(frozen=True)
class TableRow:
    """One change of an existing table, whether a deployment may make it, and why, for a person."""

    change: TableChange
    verdict: Verdict
    remark: str = ""

    @property
    def dangerous(self) -> bool:
        """Whether data is lost, or the table is recreated."""
        return self.change.kind is not ChangeClass.IN_PLACE


@dataclass(frozen=True)
class PlannedGrant:
    """A role of a member on a resource, perhaps under a condition; or an equivalent right."""

    on: str
    role: str
    member: str
    condition: str = ""

    @property
    def remark(self) -> str:
        """Why to look closer; empty for a plain grant."""
        if everybody := PUBLIC.get(self.member):
            return everybody
        if self.member.startswith("domain:"):
            return "everyone of the domain"
        return "can change other members' rights" if self.role.endswith(ADMINISTRATION) else ""


@dataclass(frozen=True)
class ScheduleRow:
    """A scheduled query: its old and new schedule, in UTC, and its next run that does something.

    ``changes`` are the attributes that change and that decide when it works: its hours are in its query.
    """

    name: str
    before: str
    after: str
    action: Action
    changes: tuple[str, ...]
    disabled: bool
    hours_la: str
    next_la: str
    next_utc: str

    @property
    def changed(self) -> bool:
        """Whether the time of its work changes, or may change."""
        return bool(self.changes) or self.action in {Action.CREATE, Action.DESTROY, Action.REPLACE}


@dataclass(frozen=True)
class Summary:
    """The plans of every stack of an environment, as a reviewer reads them."""

    environment: Environment
    changes: tuple[PlannedChange, ...]
    outside: tuple[OutsideChange, ...]
    tables: tuple[TableRow, ...]
    gained: tuple[PlannedGrant, ...]
    lost: tuple[PlannedGrant, ...]
    schedules: tuple[ScheduleRow, ...]
    affected: Mapping[str, tuple[str, ...]]
    failures: Mapping[str, str]  # Terraform's message, by stack that could not be planned completely

    def of(self, *actions: Action) -> list[PlannedChange]:
        """The changes of some actions, in the order of the stacks."""
        return [change for change in self.changes if change.action in actions]

    @property
    def untouched(self) -> bool:
        """Whether a deployment would do nothing."""
        return not self.failures and all(change.action is Action.NONE for change in self.changes)

    @property
    def loses_data(self) -> bool:
        """Whether a deployment would lose data, or try to."""
        return any(row.dangerous for row in self.tables) or any(takes_data(change) for change in self.changes)

    @property
    def refused(self) -> bool:
        """Whether a deployment of this would be refused, by the preflight or by Terraform itself."""
        return bool(self.failures) or any(row.verdict is Verdict.REFUSED for row in self.tables)

    @property
    def headline(self) -> str:
        """The outcome in one line."""
        if self.untouched:
            return "No changes: the live system is what the repository declares."
        counts = Counter(change.action for change in self.changes)
        always = (Action.CREATE, Action.UPDATE, Action.REPLACE, Action.DESTROY)
        sometimes = tuple(
            f"{counts[action]} to {action}" for action in (Action.IMPORT, Action.MOVE, Action.FORGET) if counts[action]
        )
        if changed := sum(bool(change.attributes) for change in self.of(Action.IMPORT)):
            sometimes = (*sometimes, f"{changed} of those imported to update")
        failed = (f"not all planned: {', '.join(self.failures)}",) if self.failures else ()
        return ", ".join((*(f"{counts[action]} to {action}" for action in always), *sometimes, *failed))

    def as_json(self, costs: Costs) -> str:
        """Everything, for programs, without the objects that do not change."""
        document = {
            "environment": self.environment.name,
            "project": self.environment.project,
            "dataset": self.environment.dataset,
            "headline": self.headline,
            "untouched": self.untouched,
            "loses_data": self.loses_data,
            "refused": self.refused,
            "failures": self.failures,
            "counts": Counter(change.action for change in self.changes),
            "changes": [asdict(change) for change in self.changes if change.action is not Action.NONE],
            "tables": [asdict(row) for row in self.tables],
            "access": {
                "gained": [asdict(grant) for grant in self.gained],
                "lost": [asdict(grant) for grant in self.lost],
            },
            "schedules": [asdict(row) for row in self.schedules],
            "changed_outside": [asdict(change) for change in self.outside],
            "affected": self.affected,
            "costs": {"objects": entries_of(costs.changes, costs.with_base), "problem": costs.problem},
        }
        return json.dumps(masked_values(document), indent=2, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class Costs:
    """The cost of the queries that a plan changes and of their users; ``problem`` is why it is not known."""

    changes: tuple[CostChange, ...] = ()
    with_base: bool = False
    problem: str = ""


def costs_of(summary: Summary, catalog: Catalog, base: str | None) -> Costs:
    """Estimate what a plan does to the cost of queries, by dry runs.

    Args:
        summary: the plan's summary.
        catalog: what is declared for its environment.
        base: the git revision to compare with; without one, what the plan changes is estimated alone.
    """
    environment = summary.environment
    try:
        if base is not None:
            changes = compare(GoogleApi(environment), base_catalog(base, environment), catalog)
            return Costs(tuple(changes), with_base=True)
        changed = {change.name for change in summary.changes if change.attributes or change.action is Action.CREATE}
        names = changed | dependent_objects(catalog, changed)
        estimates = estimate(GoogleApi(environment), catalog, names) if changed else []
        return Costs(tuple(CostChange(each.name, None, each) for each in estimates))
    except (LiveSystemError, StepFailedError) as error:  # a broken base must not hide the plan
        return Costs(problem=str(error))


def summarize(
    environment: Environment, catalog: Catalog, plans: Iterable[StackPlan], now: datetime | None = None
) -> Summary:
    """Summarize the plans of an environment's stacks.

    Args:
        environment: the environment that was planned.
        catalog: what is declared for it.
        plans: the plans.
        now: the instant after which the next runs are; by default the clock's.
    """
    plans = list(plans)
    changes = tuple(change for plan in plans for change in plan.changes)
    before = {grant for change in changes if change.before for grant in grants(change.kind, change.before)}
    after = {grant for change in changes if _stays(change) for grant in grants(change.kind, change.after)}
    return Summary(
        environment,
        changes,
        tuple(outside for plan in plans for outside in plan.outside),
        tuple(_table_rows(environment, catalog, changes)),
        tuple(sorted(after - before, key=str)),
        tuple(sorted(before - after, key=str)),
        tuple(_schedule_rows(catalog, changes, now or datetime.now(UTC))),
        _affected(catalog, changes),
        {plan.stack: plan.failure for plan in plans if plan.failure},
    )


def _stays(change: PlannedChange) -> bool:
    return change.action not in {Action.DESTROY, Action.FORGET}


def takes_data(change: PlannedChange) -> bool:
    """Whether a change destroys data; a view contains none."""
    taken = change.action in {Action.DESTROY, Action.REPLACE}
    return taken and change.kind in HOLDS_DATA and not change.before.get("view")


def lost_guards(change: PlannedChange) -> list[str]:
    """The guards of data that a change in place removes."""
    if change.action is not Action.UPDATE or change.before.get("view"):
        return []
    return [
        name
        for name in change.attributes
        if (guarding := GUARDS.get((change.kind, name))) is not None and bool(change.after.get(name)) is not guarding
    ]


def grants(kind: str, values: Mapping[str, Any]) -> Iterator[PlannedGrant]:
    """The grants of a resource: members of roles, a role's permissions, members exempt from the audit log."""
    on = next((str(values[name]).rpartition("/")[2] for name in GRANTED_ON if values.get(name)), "")
    if "_iam_" in kind:
        yield from _member_grants(on, values)
        for permission in _entries(values.get("permissions")):
            yield PlannedGrant(on, str(permission), f"members with the role {values.get('role_id', '')}")
        for log in filter(_is_block, _entries(values.get("audit_log_config"))):
            for member in _entries(log.get("exempted_members")):
                yield PlannedGrant(
                    f"{values.get('service', '')} of {on}", f"no {log['log_type']} audit log", str(member)
                )
    elif kind == "google_bigquery_dataset":
        for entry in filter(_is_block, _entries(values.get("access"))):
            who = {name: value for name, value in entry.items() if value and name not in {"role", "condition"}}
            yield PlannedGrant(
                on, str(entry.get("role") or "read"), ", ".join(f"{k} {v}" for k, v in sorted(who.items()))
            )


def _member_grants(on: str, values: Mapping[str, Any]) -> Iterator[PlannedGrant]:
    """The members of a member, binding or policy resource."""
    blocks = filter(_is_block, _entries(values.get("condition")))
    terms = "; ".join(f"{block.get('title', '')}: {block.get('expression', '')}" for block in blocks)
    for member in filter(None, (values.get("member"), *_entries(values.get("members")))):
        yield PlannedGrant(on, str(values.get("role", "")), str(member), terms)
    for binding in _bindings(values.get("policy_data")):
        for member in binding.get("members", []):
            yield PlannedGrant(on, str(binding.get("role", "")), str(member), str(binding.get("condition") or ""))


def _entries(value: object) -> list[Any]:
    """The entries of an attribute. One that is sensitive or not known yet is a text, and is one entry."""
    return value if isinstance(value, list) else [value] if value else []


def _is_block(entry: object) -> bool:
    """Whether an entry has attributes; a new dataset's access is not known yet, and BigQuery's default is no grant."""
    return isinstance(entry, dict)


def _bindings(policy: object) -> list[dict[str, Any]]:
    """The bindings of a policy that is written as JSON; none if it is not known yet."""
    try:
        found: list[dict[str, Any]] = json.loads(str(policy or "{}")).get("bindings", [])
    except ValueError:
        return []
    return found


def _table_rows(environment: Environment, catalog: Catalog, changes: Iterable[PlannedChange]) -> Iterator[TableRow]:
    for change in changes:
        if change.kind != "google_bigquery_table" or not change.before or change.before.get("view"):
            continue
        path = f"{environment.project}.{environment.dataset}.{change.name}"
        declared = catalog.tables.get(change.name)
        if change.action is Action.DESTROY:
            found = [drop_of(path)]
        elif isinstance(declared, Table) and change.action is not Action.FORGET:
            found = list(changes_of(path, declared, resource_of_state(change.before)))
        else:
            found = []
        yield from (_judged(environment, row) for row in found)


def _judged(environment: Environment, change: TableChange) -> TableRow:
    verdict, entry = judged(environment, change)
    match verdict, entry:
        case Verdict.SAFE, _:
            remark = ""
        case Verdict.NOT_GUARDED, _:
            remark = "data is not guarded here"
        case Verdict.ALLOWED, AllowedChange(until=until, why=why):
            remark = f"allowed until {until:%F}: {why}"
        case _, AllowedChange(until=until):
            remark = f"refused: what allowed it ended on {until:%F}"
        case _:
            remark = "refused"
    return TableRow(change, verdict, remark)


def resource_of_state(values: Mapping[str, Any]) -> dict[str, Any]:
    """Columns and layout of a table in Terraform's state, as the tables API writes them."""
    resource: dict[str, Any] = {"schema": {"fields": json.loads(values.get("schema") or "[]")}}
    if values.get("clustering"):
        resource["clustering"] = {"fields": values["clustering"]}
    for partitioning in values.get("time_partitioning") or []:
        resource["timePartitioning"] = {
            "type": partitioning["type"],
            "field": partitioning.get("field"),
            "expirationMs": partitioning.get("expiration_ms"),
        }
    return resource


def _schedule_rows(catalog: Catalog, changes: Sequence[PlannedChange], now: datetime) -> Iterator[ScheduleRow]:
    known = {schedule.name: schedule for schedule in schedules_in(catalog)}
    for change in changes:
        if change.kind != "google_bigquery_data_transfer_config":
            continue
        schedule = known.get(change.name) if _stays(change) else None
        run = next_due(schedule, now) if schedule else None
        yield ScheduleRow(
            change.name,
            str(change.before.get("schedule") or ""),
            str(change.after.get("schedule") or ""),
            change.action,
            tuple(name for name in change.attributes if name in {"schedule", "params", "disabled"}),
            bool(change.after.get("disabled")),
            _hours(schedule) if schedule else "",
            f"{run.astimezone(LOS_ANGELES):%a %F %H:%M %Z}" if run else "",
            f"{run:%a %F %H:%M} UTC" if run else "",
        )


def _hours(schedule: Schedule) -> str:
    if schedule.hours_la == EVERY_HOUR:
        return "every hour"
    return ", ".join(f"{hour:02}" for hour in schedule.hours_la) + " o'clock"


def _affected(catalog: Catalog, changes: Iterable[PlannedChange]) -> dict[str, tuple[str, ...]]:
    """What reads, writes or calls each object that changes, directly or not: its behaviour changes too."""
    changed = [
        change.name
        for change in changes
        if change.kind in READ_BY_OTHERS and (change.attributes or change.action in {Action.REPLACE, Action.DESTROY})
    ]
    affected = {name: dependents(catalog, [name], by_writing=True) - {name} for name in changed}
    return {name: tuple(sorted(found)) for name, found in affected.items() if found}
