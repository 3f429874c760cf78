"""Drift: what stands against what the repository declares, text against text, so that every difference has a diff."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalog import Routine, RoutineKind, Table
from declared.alerts import AUTO_CLOSE, NOTIFICATION_PERIOD, alerts_are_on, alerts_of, user_labels
from declared.environment import DATASET_DESCRIPTION
from declared.masking import masked
from declared.roles import (
    AUDIT_LOGS,
    AUDITED_SERVICE,
    DATASET_ROLES,
    PROJECT_ROLES,
    TOKEN_MINTER,
    members_of,
    workflow_grants,
)
from declared.schedules import schedules_of
from google.client import RequestRefusedError
from google.grants import BASIC_PROJECT_ROLES, PUBLIC, bindings, dataset_grant
from google.resources import days_of, expiry_days, field_type, partition_of, standard_type, table_expiry_days
from verification.comparison import declared_labels
from verification.results import Outcome, Subject, drifted, passed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from catalog import SqlObject, View
    from declared.alerts import Alert
    from declared.environment import Environment
    from declared.schedules import Schedule


@dataclass(frozen=True)
class Aspect:
    """One property of an object, as it is declared and as it stands; both are texts of one or more lines."""

    object: str
    name: str
    declared: str
    live: str
    action: str

    @property
    def same(self) -> bool:
        """Whether both texts say the same; blanks at line ends count for nothing."""
        return _lines(self.declared) == _lines(self.live)

    @property
    def diff(self) -> list[str]:
        """A unified diff from the repository to what stands."""
        title = f"{self.object} ({self.name})"
        before, after = f"repository: {title}", f"live: {title}"
        lines = difflib.unified_diff(_lines(self.declared), _lines(self.live), before, after, lineterm="")
        return masked("\n".join(lines)).splitlines()

    @property
    def outcome(self) -> Outcome:
        """PASS, or DRIFT with the first line in which the texts differ."""
        if self.same:
            return passed(self.object, f"{self.name} as declared")
        changed = [line for line in self.diff[2:] if line[0] in "+-"]
        ours = next((line[1:].strip() for line in changed if line[0] == "-"), "nothing there")
        theirs = next((line[1:].strip() for line in changed if line[0] == "+"), "nothing there")
        return drifted(
            self.object,
            f"{self.name}: {ours or 'an empty line'}",
            f"{self.name}: {theirs or 'an empty line'}",
            self.action,
        )


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]


def _aspect(subject: Subject, item: SqlObject, name: str, declared: str, live: str) -> Aspect:
    action = f"Run `{subject.deploy}`; if the change was meant, write it into {item.path} first."
    return Aspect(item.name, name, declared, live, action)


def function_bodies(subject: Subject) -> Iterator[Aspect]:
    """Texts of functions and table functions."""
    return _bodies(subject, {**subject.catalog.functions, **subject.catalog.table_functions})


def procedure_bodies(subject: Subject) -> Iterator[Aspect]:
    """Texts of procedures."""
    return _bodies(subject, subject.catalog.procedures)


def _bodies(subject: Subject, routines: Mapping[str, Routine]) -> Iterator[Aspect]:
    for name, routine in routines.items():
        if resource := subject.live.routines.get(name):
            yield _aspect(subject, routine, "body", routine.body, resource.get("definitionBody", ""))


def signatures(subject: Subject) -> Iterator[Aspect]:
    """Arguments and results of every routine, a line each."""
    for name, routine in subject.catalog.routines.items():
        if resource := subject.live.routines.get(name):
            yield _aspect(subject, routine, "signature", _signature(routine), _live_signature(resource))


def _signature(routine: Routine) -> str:
    lines = [f"language SQL, {routine.kind.value.lower()}"]
    lines += [f"argument {a.mode + ' ' if a.mode else ''}{a.name} {a.type.sql}" for a in routine.arguments]
    lines += [f"column {column.name} {column.type.sql}" for column in routine.returns_table]
    return "\n".join([*lines, *([f"returns {routine.returns.sql}"] if routine.returns else [])])


LIVE_KINDS = {
    "SCALAR_FUNCTION": RoutineKind.FUNCTION.value,
    "TABLE_VALUED_FUNCTION": RoutineKind.TABLE_FUNCTION.value,
    "PROCEDURE": RoutineKind.PROCEDURE.value,
}


def _live_signature(resource: Mapping[str, Any]) -> str:
    procedure = resource["routineType"] == "PROCEDURE"
    lines = [f"language {resource.get('language', 'SQL')}, {LIVE_KINDS.get(resource['routineType'], 'other').lower()}"]
    for argument in resource.get("arguments", []):
        mode = f"{argument.get('mode') or 'IN'} " if procedure else ""
        lines.append(f"argument {mode}{argument.get('name', '')} {standard_type(argument.get('dataType', {}))}")
    columns = resource.get("returnTableType", {}).get("columns", [])
    lines += [f"column {column['name']} {standard_type(column['type'])}" for column in columns]
    returns = resource.get("returnType")
    return "\n".join([*lines, *([f"returns {standard_type(returns)}"] if returns else [])])


def view_queries(subject: Subject) -> Iterator[Aspect]:
    """The query of each view, and that it is GoogleSQL."""
    for name, view in subject.catalog.views.items():
        if resource := subject.live.tables.get(name):
            stored = resource.get("view", {})
            query = ("#legacySQL\n" if stored.get("useLegacySql") else "") + stored.get("query", "")
            yield _aspect(subject, view, "query", view.query, query)


def descriptions(subject: Subject) -> Iterator[Aspect]:
    """Descriptions of routines, views and tables."""
    live = {**subject.live.routines, **subject.live.tables}
    declared = {**subject.catalog.routines, **subject.catalog.views, **subject.catalog.tables}
    for name, item in declared.items():
        if resource := live.get(name):
            yield _aspect(subject, item, "description", item.description or "", resource.get("description", ""))


def labels(subject: Subject) -> Iterator[Aspect]:
    """Labels of views and tables, a line each."""
    items: list[Table | View] = [*subject.catalog.views.values(), *subject.catalog.tables.values()]
    for item in items:
        if resource := subject.live.tables.get(item.name):
            yield _aspect(subject, item, "labels", _pairs(item.labels), _pairs(declared_labels(resource)))


def _pairs(pairs: Mapping[str, Any]) -> str:
    return "\n".join(f"{key}={value}" for key, value in sorted(pairs.items()))


def columns(subject: Subject) -> Iterator[Aspect]:
    """Columns of tables and views in their order, with type, mode, default and description."""
    items: list[Table | View] = [*subject.catalog.tables.values(), *subject.catalog.views.values()]
    for item in items:
        if resource := subject.live.tables.get(item.name):
            described = isinstance(item, Table)  # a view's columns take their descriptions from nowhere
            live = resource.get("schema", {}).get("fields", [])
            yield _aspect(
                subject, item, "columns", _columns(item, described), "\n".join(_live_column(c, described) for c in live)
            )


def _columns(item: Table | View, described: bool) -> str:
    return "\n".join(
        column.name
        + f" {column.type.sql}"
        + (" NOT NULL" if column.required else "")
        + (f" DEFAULT {column.default.upper()}" if column.default else "")
        + (f" -- {column.description or ''}" if described else "")
        for column in item.columns
    )


def _live_column(field: Mapping[str, Any], described: bool) -> str:
    default = field.get("defaultValueExpression")
    return (
        f"{field['name']} {field_type(field)}"
        + (" NOT NULL" if field.get("mode") == "REQUIRED" else "")
        + (f" DEFAULT {default.upper()}" if default else "")
        + (f" POLICY TAGS {field['policyTags']}" if field.get("policyTags") else "")
        + (f" -- {field.get('description', '')}" if described else "")
    )


def layouts(subject: Subject) -> Iterator[Aspect]:
    """Partitioning, expiry and clustering of tables."""
    for name, table in subject.catalog.tables.items():
        if resource := subject.live.tables.get(name):
            declared = _layout(table, subject.environment.tables_expire_after_days)
            yield _aspect(subject, table, "layout", declared, _live_layout(resource))


def _layout(table: Table, expires_after_days: int | None) -> str:
    partitioning = table.partitioning
    lines = [f"partition: {partitioning.granularity} of {partitioning.column}" if partitioning else "partition: none"]
    days = partitioning.expiration_days if partitioning else None
    lines.append(f"partition expiry: {days:g} days" if days else "partition expiry: never")
    expiry = f"{expires_after_days} days after it was made" if expires_after_days else "never"
    return "\n".join([*lines, f"cluster: {', '.join(table.clustering) or 'none'}", f"table expiry: {expiry}"])


def _live_layout(resource: Mapping[str, Any]) -> str:
    days, expiry = expiry_days(resource), table_expiry_days(resource)
    lines = [
        f"partition: {partition_of(resource)}",
        f"partition expiry: {days:g} days" if days else "partition expiry: never",
        f"cluster: {', '.join(resource.get('clustering', {}).get('fields', [])) or 'none'}",
        f"table expiry: {expiry:g} days after it was made" if expiry is not None else "table expiry: never",
    ]
    if resource.get("requirePartitionFilter"):
        lines.append("queries must filter on the partition")
    return "\n".join(lines)


def dataset(subject: Subject) -> Iterator[Aspect]:
    """Location, description, labels and default expiry of the dataset."""
    live = subject.live.dataset
    if live is None:
        return
    environment = subject.environment
    declared = [
        f"location: {environment.location.upper()}",
        f"description: {DATASET_DESCRIPTION}",
        *(f"label {pair}" for pair in _pairs(environment.dataset_labels).splitlines()),
        f"tables expire: {_days(environment.tables_expire_after_days)}",
        "partitions expire: never",
    ]
    found = [
        f"location: {str(live.get('location', '')).upper()}",
        f"description: {live.get('description', '')}",
        *(f"label {pair}" for pair in _pairs(declared_labels(live)).splitlines()),
        f"tables expire: {_days(days_of(live.get('defaultTableExpirationMs')))}",
        f"partitions expire: {_days(days_of(live.get('defaultPartitionExpirationMs')))}",
    ]
    yield Aspect(environment.dataset, "dataset", "\n".join(declared), "\n".join(found), f"Run `{subject.deploy}`.")


def _days(days: float | None) -> str:
    return f"after {days:g} days" if days else "never"


def schedules(subject: Subject) -> Iterator[Aspect]:
    """State, time, account, destination and query of each scheduled query; others that run this system's procedures."""
    configs = subject.api.transfer_configs()
    declared = {schedule.display_name: schedule for schedule in schedules_of(subject.environment)}
    for config in configs:
        if schedule := declared.get(config.get("displayName", "")):
            # the owner is told by a single config's GET only
            single = subject.api.data_transfer("GET", config["name"])
            item = subject.catalog.schedules[schedule.name]
            yield _aspect(subject, item, "schedule", _schedule(subject, schedule), _live_schedule(subject, single))
        elif f"{subject.environment.dataset}." in config.get("params", {}).get("query", ""):
            name = str(config.get("displayName"))
            shown = f"{config.get('schedule', 'on demand')}\n{config.get('params', {}).get('query', '')}"
            action = "Nobody declared it: delete it in the transfer service, or declare it in sql/schedules/."
            yield Aspect(name, "schedule", "", shown, action)


def _schedule(subject: Subject, schedule: Schedule) -> str:
    query = subject.catalog.schedules[schedule.name].query
    account = subject.environment.service_account
    return _schedule_text("enabled", schedule.schedule, account, None, query)


def _live_schedule(subject: Subject, config: Mapping[str, Any]) -> str:
    # told only to those who may know it; schedules.1 says so
    owner = config.get("serviceAccountName") or config.get("ownerInfo", {}).get("email")
    return _schedule_text(
        "disabled" if config.get("disabled") else "enabled",
        config.get("schedule", "none"),
        owner or subject.environment.service_account,
        config.get("destinationDatasetId"),
        config.get("params", {}).get("query", ""),
    )


def _schedule_text(state: str, schedule: str, account: str, destination: str | None, query: str) -> str:
    lines = [f"state: {state}", f"schedule: {schedule} (UTC)", f"runs as: {account}"]
    return "\n".join([*lines, f"destination dataset: {destination or 'none'}", query])


def dataset_members(subject: Subject) -> Iterator[Aspect]:
    """Who has which role on the dataset: members more or fewer than the environment file says."""
    if subject.live.dataset is None:
        return
    declared = {f"{role} {member}" for role, member in members_of(subject.environment, DATASET_ROLES)}
    grants = (dataset_grant(entry) for entry in subject.live.dataset.get("access", []))
    live = {grant for grant in grants if grant}
    yield _members(subject, subject.environment.dataset, declared, live)


def project_members(subject: Subject) -> Iterator[Aspect]:
    """Who has a BigQuery role or a basic role on the project; anybody at all, where it is everybody."""
    declared = {f"{role} {member}" for role, member in members_of(subject.environment, PROJECT_ROLES)}
    live = {
        grant
        for grant in bindings(subject.api.project_policy())
        if grant.startswith("roles/bigquery.")
        or grant.split(" ")[0] in BASIC_PROJECT_ROLES
        or grant.split(" ")[1] in PUBLIC
    }
    yield _members(
        subject, subject.environment.project, declared, live - set(_of_previews(subject.environment, live - declared))
    )


def _of_previews(environment: Environment, grants: Iterable[str]) -> Iterator[str]:
    """What previews beside an environment grant on the project: to their own accounts, what a preview grants to one."""
    for grant in grants:
        role, _, member = grant.partition(" ")
        if role == PROJECT_ROLES["etl"] and environment.is_account_of_a_preview(member):
            yield grant


def service_account_members(subject: Subject) -> Iterator[Aspect]:
    """Who may act as the service account of the scheduled queries: the transfer service and nobody else."""
    account, project = subject.environment.service_account, subject.environment.project
    try:
        policy = subject.api.iam("POST", f"projects/{project}/serviceAccounts/{account}:getIamPolicy", {})
    except RequestRefusedError:
        return  # there is no such account: access.1 says so
    declared = {f"{TOKEN_MINTER} serviceAccount:{subject.environment.transfer_agent}"}
    yield _members(subject, account, declared, bindings(policy))


def _members(subject: Subject, name: str, declared: set[str], live: set[str]) -> Aspect:
    # what the bootstrap stack grants is its own concern: it is deployed apart, by a person
    workflows = {f"{role} {member}" for role, member in workflow_grants(subject.environment)}
    known = live & (workflows | set(subject.environment.members.known))
    action = (
        f"Run `{subject.deploy}` for one that is missing. One that is too many was granted by hand: revoke it, or "
        f"write it into {subject.environment.file} (members)."
    )
    return Aspect(name, "members", "\n".join(sorted(declared)), "\n".join(sorted(live - known)), action)


def audit_logs(subject: Subject) -> Iterator[Aspect]:
    """The kinds of access that are logged, and for whom they are not; the whole project's, so no preview's."""
    if subject.environment.preview:
        return
    configs = subject.api.project_policy().get("auditConfigs", [])
    live = set()
    for config in configs:
        if config.get("service") in {AUDITED_SERVICE, "allServices"}:
            for log in config.get("auditLogConfigs", []):
                exempted = ", ".join(sorted(log.get("exemptedMembers", [])))
                live.add(log["logType"] + (f" but for {exempted}" if exempted else ""))
    action = f"Run `{subject.deploy}`; exemptions were made by hand: take them away."
    yield Aspect(
        subject.environment.project, "audit log", "\n".join(sorted(AUDIT_LOGS)), "\n".join(sorted(live)), action
    )


def alert_policies(subject: Subject) -> Iterator[Aspect]:
    """What wakes whom: each declared policy and its channel; policies of this system that nobody declared."""
    channels = {channel["name"]: channel for channel in subject.api.notification_channels()}
    live = subject.api.alert_policies()
    declared = {alert.display_name: alert for alert in alerts_of(subject.environment)}
    for name, alert in declared.items():
        standing = [_policy_text(policy, channels) for policy in live if policy.get("displayName") == name]
        text = "\n".join(standing) or "missing"
        action = f"Run `{subject.deploy}`; if the change was meant, write it into declared/alerts.py first."
        yield Aspect(alert.name, "alert policy", _alert_text(subject, alert), text, action)
    labelled = user_labels(subject.environment).items()
    for policy in live:
        name = policy.get("displayName", "")
        if name not in declared and labelled <= policy.get("userLabels", {}).items():
            action = "Nobody declared it: delete it, or declare it in declared/alerts.py."
            yield Aspect(name, "alert policy", "", _policy_text(policy, channels), action)


def _alert_text(subject: Subject, alert: Alert) -> str:
    limit = NOTIFICATION_PERIOD if alert.silent_seconds is None else "none"
    state = "enabled" if alerts_are_on(subject.environment) else "disabled"
    return "\n".join(
        [
            f"{state}, {alert.severity}, closed after {AUTO_CLOSE}, rate limit {limit}",
            f"tells: email {subject.environment.alert_email} (enabled)",
            json.dumps(alert.condition, indent=2, sort_keys=True),
            alert.guide,
        ]
    )


def _policy_text(policy: Mapping[str, Any], channels: Mapping[str, Mapping[str, Any]]) -> str:
    state = "disabled" if policy.get("enabled") is False else "enabled"
    strategy = policy.get("alertStrategy", {})
    limit = strategy.get("notificationRateLimit", {}).get("period", "none")
    closed = strategy.get("autoClose", "never")
    gone = {"type": "a channel that is gone"}
    told = [channels.get(name, gone) for name in policy.get("notificationChannels", [])]
    conditions = [{key: value for key, value in c.items() if key != "name"} for c in policy.get("conditions", [])]
    return "\n".join(
        [
            f"{state}, {policy.get('severity', 'no severity')}, closed after {closed}, rate limit {limit}",
            *(f"tells: {_channel(channel)}" for channel in told),
            *(json.dumps(condition, indent=2, sort_keys=True) for condition in conditions),
            policy.get("documentation", {}).get("content", ""),
        ]
    )


def _channel(channel: Mapping[str, Any]) -> str:
    state = "disabled" if channel.get("enabled") is False else "enabled"
    return f"{channel.get('type')} {', '.join(channel.get('labels', {}).values())} ({state})"


def missing(subject: Subject) -> Iterator[Aspect]:
    """What is declared and does not stand, and scheduled queries that stand twice."""
    live = {**subject.live.routines, **subject.live.tables}
    catalog = subject.catalog
    for item in (*catalog.tables.values(), *catalog.routines.values(), *catalog.views.values()):
        if item.name not in live:
            yield _aspect(subject, item, "existence", "stands", "missing")
    configs = [config.get("displayName") for config in subject.api.transfer_configs()]
    for schedule in schedules_of(subject.environment):
        if (times := configs.count(schedule.display_name)) != 1:
            item = catalog.schedules[schedule.name]
            yield _aspect(subject, item, "transfer configs", "1", str(times))


#: Every kind of drift, in the order of the reports: what it is called, and what reads it.
READERS: dict[str, Callable[[Subject], Iterable[Aspect]]] = {
    "texts of functions and table functions": function_bodies,
    "signatures of routines": signatures,
    "queries of views": view_queries,
    "descriptions": descriptions,
    "labels": labels,
    "texts of procedures": procedure_bodies,
    "columns": columns,
    "partitioning, expiry and clustering": layouts,
    "dataset": dataset,
    "scheduled queries": schedules,
    "members of the dataset": dataset_members,
    "members of the project": project_members,
    "members of the service account": service_account_members,
    "audit log": audit_logs,
    "alert policies": alert_policies,
}


def read_drift(subject: Subject) -> list[Aspect]:
    """Every aspect of everything that is declared, what is missing first.

    Raises:
        LiveSystemError: no answer came, or the caller may not look.
    """
    return [aspect for read in (missing, *READERS.values()) for aspect in read(subject)]
