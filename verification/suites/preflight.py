"""What must be true before a plan: external objects, location, permissions, APIs, quotas, no loss of data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from declared.budgets import ObjectKind, budget_of
from declared.environment import AllowedChange
from declared.roles import DEPLOY_PERMISSIONS, SERVICES
from declared.schedules import all_schedules
from declared.sizes import MEGABYTE
from google.resources import column_types
from verification.drift.core import differences
from verification.results import Check, Outcome, Subject, compared, failed, passed, passed_unless, warned
from verification.table_changes import Verdict, judged, table_changes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from catalog import Table, View

#: BigQuery's limit of partitions, and how many leave room for another year.
LIMIT_PARTITIONS = 10_000
MOST_PARTITIONS = 9_000


def dependencies(subject: Subject) -> Iterator[Outcome]:
    """Each object of sql/dependencies/ has the columns that this system reads or writes; it may have more."""
    if subject.live.dataset is None:
        yield failed(
            subject.environment.dataset,
            f"dataset in {subject.environment.project}, with {len(subject.catalog.dependencies)} external objects",
            "no such dataset",
            _create(subject),
        )
        return
    for name, declared in subject.catalog.dependencies.items():
        yield from passed_unless(
            name, _summary(declared), _problems(subject, name, declared, subject.live.tables.get(name))
        )


def location(subject: Subject) -> Iterator[Outcome]:
    """Queries across locations fail, and a dataset cannot be moved."""
    if subject.live.dataset is None:
        return
    expected, found = subject.environment.location, subject.live.dataset.get("location", "unknown")
    problems = []
    if expected.lower() != found.lower():
        action = f"Write location: {found} into {subject.environment.file}."
        problems.append(failed(subject.environment.dataset, expected, found, action))
    yield from passed_unless(subject.environment.dataset, expected, problems)


def _summary(declared: Table | View) -> str:
    return f"{len(declared.columns)} columns"


def _create(subject: Subject) -> str:
    if subject.environment.endpoint:
        return "Run `python -m local seed`, which creates it."
    return "Ask its owners to create it, or check the project and dataset of the environment."


def _problems(
    subject: Subject, name: str, declared: Table | View, resource: Mapping[str, Any] | None
) -> Iterator[Outcome]:
    if resource is None:
        yield failed(name, _summary(declared), "missing", f"{_create(subject)} Its columns: {declared.path}.")
        return
    spelling = {column.name.lower(): column.name for column in declared.columns}
    live = {spelling.get(column.lower(), column): kind for column, kind in column_types(resource).items()}
    for difference in differences({column.name: column.type.sql for column in declared.columns}, live):
        place, expected, found = f"{name}.{difference.name}", difference.declared, difference.live
        if expected is None:
            continue
        if found is None:
            yield failed(place, expected, "missing", f"Ask the owners of {name} to add the column.")
        else:
            action = f"Ask the owners of {name}: reading {found} as {expected} would be wrong."
            yield failed(place, expected, found, action)


def permissions(subject: Subject) -> Iterator[Outcome]:
    """The caller has the permissions that a deployment needs."""
    granted = subject.api.granted_permissions(DEPLOY_PERMISSIONS)
    for permission, role in DEPLOY_PERMISSIONS.items():
        expected = f"{permission} granted to the caller"
        if permission in granted:
            yield passed(subject.environment.project, expected)
        else:
            action = f"Ask an owner of the project for {role}, or deploy as a member who has it."
            yield failed(subject.environment.project, expected, f"{permission} not granted", action)


def services(subject: Subject) -> Iterator[Outcome]:
    """The APIs that the stacks and the verifier call are enabled."""
    enabled = subject.api.enabled_services()
    for service in SERVICES:
        action = f"Run `gcloud services enable {service} --project {subject.environment.project}`."
        found = "enabled" if service in enabled else "not enabled"
        yield compared(service, f"{service} enabled", f"{service} {found}", action)


def daily_mebibytes() -> int:
    """What the schedules may read per day by their budgets, in MiB; one without a budget in bytes does not count."""
    daily = [schedule for schedule in all_schedules() if schedule.day_of_year is None]
    budgets = [(schedule, budget_of(schedule.name, ObjectKind.SCHEDULED_QUERY)) for schedule in daily]
    return sum(len(schedule.hours_la) * budget.bytes_read for schedule, budget in budgets if budget) // MEGABYTE


def quota(subject: Subject) -> Iterator[Outcome]:
    """A day's schedules fit into the project's daily quota, and the tables into BigQuery's limit of partitions."""
    project = subject.environment.project
    limit = subject.api.query_quota_mebibytes()
    needed = daily_mebibytes()
    expected = f"{needed:,} MiB per day for the scheduled queries"
    if limit is None or limit >= needed:
        yield passed(project, expected)
    else:
        action = "Raise 'Query usage per day' in the project's quotas."
        yield failed(project, expected, f"{limit:,} MiB per day", action)
    if subject.live.dataset is None:
        return
    rows = subject.api.query(
        "partitions",
        f"SELECT table_name, COUNT(*) AS partitions FROM `{project}.{subject.environment.dataset}"
        ".INFORMATION_SCHEMA.PARTITIONS` GROUP BY table_name",
    )
    partitions = {row["table_name"]: row["partitions"] for row in rows}
    for name, table in subject.catalog.tables.items():
        if table.partitioning and name in subject.live.tables:
            few = f"at most {MOST_PARTITIONS:,} partitions"
            count = partitions.get(name, 0)
            if count <= MOST_PARTITIONS:
                yield passed(name, few)
            else:
                action = (
                    f"Check that partitions expire as {table.path} declares: BigQuery's limit is {LIMIT_PARTITIONS:,}."
                )
                yield failed(name, few, f"{count:,} partitions", action)


def destructive_changes(subject: Subject) -> Iterator[Outcome]:
    """Changes of columns, partitions and clustering that a deployment would make; refused where data is guarded."""
    changed = set()
    for change in table_changes(subject):
        changed.add(change.table)
        found, expected = f"{change.what}: {change.live}", f"{change.what}: {change.declared} ({change.kind})"
        file, safe_way = subject.environment.file, f"The safe way:\n{change.statement}"
        allow = f"{safe_way}\nOr allow it in {file}: change: {change.name!r}, until, why."
        match judged(subject.environment, change):
            case Verdict.SAFE, _:
                yield passed(change.table, expected)
            case Verdict.NOT_GUARDED, _:
                yield warned(change.table, expected, found, f"Data is not guarded here. {safe_way}")
            case Verdict.ALLOWED, AllowedChange(until=until, why=why):
                yield warned(change.table, expected, found, f"Allowed until {until:%F} by {file}: {why}")
            case _, AllowedChange(until=until):
                action = f"Refused here. The entry in {file} ended on {until:%F}. {allow}"
                yield failed(change.table, expected, found, action)
            case _:
                yield failed(change.table, expected, found, f"Refused here. {allow}")
    for name in subject.catalog.tables:
        if name in subject.live.tables and name not in changed:
            yield passed(name, "no change of columns, partitions or clustering")


DEPENDENCIES = Check("0.1", "external objects have the columns in use", dependencies)
CHECKS = (
    DEPENDENCIES,
    Check("0.2", "the dataset's location", location),
    Check("0.3", "permissions of the caller", permissions, before_a_plan=True),
    Check("0.4", "APIs enabled", services, before_a_plan=True),
    Check("0.5", "headroom of quotas", quota, before_a_plan=True),
    Check("0.6", "destructive changes of tables", destructive_changes, before_a_plan=True),
)
