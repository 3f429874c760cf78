"""Reversible changes of a deployed system, through the API or by SQL."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec
from urllib.parse import quote

from declared.alerts import channel_name
from declared.roles import QUERY_USAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.harness.deployed import Deployed

P = ParamSpec("P")
VIEW = "schedule_recommendations_messages"


@dataclass(frozen=True)
class Thing:
    """What a change touches: a thing of a kind, such as a table, by its name; without a name, all of the kind."""

    kind: str
    name: str = ""

    def overlaps(self, other: Thing) -> bool:
        """Whether both are the same, or one is everything of the other's kind."""
        return self.kind == other.kind and (self.name == other.name or "" in {self.name, other.name})


@dataclass(frozen=True)
class Change:
    """A reversible change of one thing: entering the context applies it, leaving it restores the thing."""

    thing: Thing
    apply: Callable[[Deployed], AbstractContextManager[None]]


def changes(
    kind: str, name: str = "{0}"
) -> Callable[[Callable[Concatenate[Deployed, P], Iterator[None]]], Callable[P, Change]]:
    """Turn steps into a function that returns changes.

    Args:
        kind: the kind of thing that the steps change.
        name: its name; ``{0}`` is the first argument after the system.
    """

    def decorate(steps: Callable[Concatenate[Deployed, P], Iterator[None]]) -> Callable[P, Change]:
        def change(*args: P.args, **kwargs: P.kwargs) -> Change:
            thing = Thing(kind, name.format(*args))
            return Change(thing, lambda system: contextmanager(steps)(system, *args, **kwargs))

        return change

    return decorate


# Tables, views and rows


@changes("table")
def table_patched(system: Deployed, name: str, change: dict[str, Any]) -> Iterator[None]:
    """PATCH a table or view."""
    before = system.rest("GET", f"/tables/{name}")
    system.rest("PATCH", f"/tables/{name}", change)
    try:
        yield
    finally:
        back = {key: before.get(key) for key in change}
        if "labels" in change:  # a label that is not named stays, one that is null is removed
            back["labels"] = {**dict.fromkeys(change["labels"]), **before["labels"]}
        system.rest("PATCH", f"/tables/{name}", back)


@changes("table")
def table_changed(system: Deployed, name: str, *statements: str) -> Iterator[None]:
    """Change a table by SQL; afterwards it is recreated with its rows."""
    kept = f"`{{d}}.kept_{name}`"
    system.query(f"CREATE OR REPLACE TABLE {kept} AS SELECT * FROM `{{d}}.{name}`")
    try:
        system.query(";\n".join(statements))
        yield
    finally:
        system.query(f"DROP TABLE IF EXISTS `{{d}}.{name}`")
        if name in system.catalog.tables:
            system.create_table(system.catalog.tables[name])
        else:
            system.query(system.catalog.dependencies[name].ddl)
        columns = ", ".join(column.name for column in system.catalog_columns(name))
        system.query(f"INSERT INTO `{{d}}.{name}` ({columns}) SELECT {columns} FROM {kept}; DROP TABLE {kept}")


@changes("rows")
def rows_changed(system: Deployed, name: str, *statements: str) -> Iterator[None]:
    """Change a table's rows by SQL; time travel restores them."""
    table = f"`{{d}}.{name}`"
    ((before,),) = system.query("SELECT FORMAT_TIMESTAMP('%F %H:%M:%E6S+00', CURRENT_TIMESTAMP())")
    try:
        system.query(";\n".join(statements))
        yield
    finally:
        then = f"{table} FOR SYSTEM_TIME AS OF TIMESTAMP '{before}'"
        system.query(f"DELETE FROM {table} WHERE TRUE; INSERT INTO {table} SELECT * FROM {then}")


@changes("table", VIEW)
def view_replaced(system: Deployed, statement: str) -> Iterator[None]:
    """Drop the view and run a statement that creates something of its name, or nothing."""
    kind = "TABLE" if "CREATE TABLE" in statement else "VIEW"
    system.query(f"DROP VIEW `{{d}}.{VIEW}`")
    if statement:
        system.query(statement)
    try:
        yield
    finally:
        system.query(f"DROP {kind} IF EXISTS `{{d}}.{VIEW}`")
        system.create_table(system.catalog.views[VIEW])


@changes("table", VIEW)
def view_query(system: Deployed, change: Callable[[str], str]) -> Iterator[None]:
    """PATCH the view's query."""
    query = change(system.catalog.views[VIEW].query)
    with table_patched(VIEW, {"view": {"query": query, "useLegacySql": False}}).apply(system):
        yield


@changes("object")
def object_added(system: Deployed, _name: str, create: str, drop: str) -> Iterator[None]:
    """An external object in the dataset, created by SQL."""
    system.query(create)
    try:
        yield
    finally:
        system.query(drop)


# Routines


@changes("routine")
def routine_changed(system: Deployed, name: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Iterator[None]:
    """PUT a routine."""
    declared = system.routine(system.catalog.routines[name])
    system.rest("PUT", f"/routines/{name}", change(declared))
    try:
        yield
    finally:
        system.rest("PUT", f"/routines/{name}", declared)


def body_replaced(name: str, old: str, new: str) -> Change:
    """PUT a routine with a part of its body replaced."""
    return routine_changed(name, partial(replaced, old, new))


def replaced(old: str, new: str, routine: dict[str, Any]) -> dict[str, Any]:
    """The routine with a part of its body replaced."""
    body = routine["definitionBody"]
    assert old in body, f"{old!r} is not in the body"
    return {**routine, "definitionBody": body.replace(old, new)}


def with_argument(number: int, change: dict[str, Any], routine: dict[str, Any]) -> dict[str, Any]:
    """The routine with another argument."""
    arguments = [dict(argument) for argument in routine["arguments"]]
    arguments[number] |= change
    return {**routine, "arguments": arguments}


@changes("routine")
def routine_dropped(system: Deployed, name: str) -> Iterator[None]:
    """DELETE a routine; afterwards it is recreated."""
    system.rest("DELETE", f"/routines/{name}")
    try:
        yield
    finally:
        system.rest("POST", "/routines", system.routine(system.catalog.routines[name]))


# The dataset, its grants and the project's


@changes("dataset", "")
def dataset_patched(system: Deployed, change: dict[str, Any]) -> Iterator[None]:
    """PATCH the dataset."""
    before = system.rest("GET", "")
    system.rest("PATCH", "", change)
    try:
        yield
    finally:
        system.rest("PATCH", "", {key: before.get(key) for key in change})


@changes("dataset", "")
def dataset_access(system: Deployed, change: Callable[[list[Any]], list[Any]]) -> Iterator[None]:
    """Replace the dataset's access list."""
    with dataset_patched({"access": change(system.rest("GET", "")["access"])}).apply(system):
        yield


@changes("project")
def project_policy(system: Deployed, _part: str, change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """Change a part of the project's IAM policy: ``bindings`` or ``auditConfigs``."""
    policy = system.api.project_policy()
    change(policy)
    system.set_project_policy(policy)
    try:
        yield
    finally:
        system.grant_project()


@changes("service account", "")
def account_policy(system: Deployed, bindings: Callable[[Deployed], list[dict[str, Any]]]) -> Iterator[None]:
    """Replace the IAM policy of the service account."""
    system.set_account_policy(bindings(system))
    try:
        yield
    finally:
        system.grant_account()


@changes("service account", "")
def account_disabled(system: Deployed) -> Iterator[None]:
    """Disable the service account."""
    path = f"projects/{system.environment.project}/serviceAccounts/{system.environment.service_account}"
    system.api.iam("POST", f"{path}:disable", {})
    try:
        yield
    finally:
        system.api.iam("POST", f"{path}:enable", {})


# Scheduled queries


@changes("schedule")
def schedule_patched(system: Deployed, name: str, change: dict[str, Any], account: str = "") -> Iterator[None]:
    """PATCH a transfer config, and with ``account`` the account that it runs as."""
    config = {"disabled": False, **system.config(name)}
    fields = ",".join([*change, *(["serviceAccountName"] if account else [])])
    path = f"{config['name']}?updateMask={fields}"
    system.api.data_transfer("PATCH", f"{path}&serviceAccountName={account}" if account else path, change)
    try:
        yield
    finally:
        owner = system.environment.service_account
        path = f"{path}&serviceAccountName={owner}" if account else path
        system.api.data_transfer("PATCH", path, {key: config[key] for key in change})


@changes("schedule")
def schedule_deleted(system: Deployed, name: str) -> Iterator[None]:
    """DELETE a transfer config; afterwards it is recreated."""
    system.api.data_transfer("DELETE", system.config(name)["name"])
    try:
        yield
    finally:
        system.create_schedule(system.catalog.schedules[name])


@changes("schedule")
def schedule_added(system: Deployed, name: str, display_name: str, query: str) -> Iterator[None]:
    """Create one more transfer config; ``name`` is the schedule that it resembles, or its own."""
    added = system.create_transfer_config(display_name, "every 24 hours", query.replace("{d}", system.dataset))
    try:
        yield
    finally:
        system.api.data_transfer("DELETE", added["name"])


@changes("schedule")
def schedule_ran(system: Deployed, name: str, query: str) -> Iterator[None]:
    """Run another query as a scheduled query, for the last time it was due; afterwards the config is recreated."""
    config = system.config(name)
    system.api.data_transfer("PATCH", f"{config['name']}?updateMask=params", {"params": {"query": query}})
    system.run_schedule(name)
    system.api.data_transfer("PATCH", f"{config['name']}?updateMask=params", {"params": config["params"]})
    try:
        yield
    finally:
        system.api.data_transfer("DELETE", config["name"])
        system.create_schedule(system.catalog.schedules[name])


# Monitoring


@changes("alert")
def policy_changed(system: Deployed, display_name: str, change: dict[str, Any]) -> Iterator[None]:
    """PATCH an alert policy."""
    with _monitoring_patched(system, system.api.alert_policies(), display_name, change):
        yield


@changes("alert", "")
def channel_changed(system: Deployed, change: dict[str, Any]) -> Iterator[None]:
    """PATCH the notification channel, which is a part of every alert."""
    with _monitoring_patched(system, system.api.notification_channels(), channel_name(system.environment), change):
        yield


@contextmanager
def _monitoring_patched(
    system: Deployed, listed: list[dict[str, Any]], display_name: str, change: dict[str, Any]
) -> Iterator[None]:
    (before,) = (found for found in listed if found["displayName"] == display_name)
    path = f"{before['name']}?updateMask={','.join(change)}"
    system.api.monitoring("PATCH", path, {**before, **change})
    try:
        yield
    finally:
        system.api.monitoring("PATCH", path, before)


@changes("alert")
def policy_deleted(system: Deployed, display_name: str) -> Iterator[None]:
    """DELETE an alert policy; afterwards it is recreated."""
    (policy,) = (found for found in system.api.alert_policies() if found["displayName"] == display_name)
    system.api.monitoring("DELETE", policy["name"])
    try:
        yield
    finally:
        again = {key: value for key, value in policy.items() if key not in {"name", "creationRecord", "mutationRecord"}}
        system.api.monitoring("POST", f"projects/{system.environment.project}/alertPolicies", again)


@changes("alert")
def policy_added(system: Deployed, display_name: str, labels: dict[str, str]) -> Iterator[None]:
    """Create one more alert policy."""
    policy = {
        "displayName": display_name,
        "combiner": "OR",
        "userLabels": labels,
        "conditions": [{"displayName": "x", "conditionAbsent": {"filter": 'metric.type="a"', "duration": "60s"}}],
    }
    added = system.api.monitoring("POST", f"projects/{system.environment.project}/alertPolicies", policy)
    try:
        yield
    finally:
        system.api.monitoring("DELETE", added["name"])


# Services and quotas


@changes("service")
def service_disabled(system: Deployed, service: str) -> Iterator[None]:
    """Disable an API of the project."""
    path = f"projects/{system.environment.project_number}/services/{service}"
    system.api.service_usage("POST", f"{path}:disable", {})
    try:
        yield
    finally:
        system.api.service_usage("POST", f"{path}:enable", {})


@changes("quota", "")
def quota_set(system: Deployed, mebibytes: int) -> Iterator[None]:
    """Limit the MiB that queries may read per day."""
    metric = quote(QUERY_USAGE, safe="")
    path = (
        f"projects/{system.environment.project_number}/services/bigquery.googleapis.com/consumerQuotaMetrics/{metric}"
    )
    system.api.service_usage("PATCH", path, {"overrideValue": str(mebibytes)}, version="v1beta1")
    try:
        yield
    finally:
        system.api.service_usage("PATCH", path, {"overrideValue": "-1"}, version="v1beta1")
