"""A deployed system to verify: its own embedded server, every declared object created through its REST APIs."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from catalog import Column, Routine, ScheduledQuery, Table, View, deployment_order
from catalog.model import FIELD_TYPES, ROUTINE_TYPES
from declared.alerts import AUTO_CLOSE, NOTIFICATION_PERIOD, alerts_of, channel_name, user_labels
from declared.environment import DATASET_DESCRIPTION, Environment
from declared.roles import AUDIT_LOGS, AUDITED_SERVICE, DATASET_ROLES, PROJECT_ROLES, TOKEN_MINTER, members_of
from declared.schedules import last_run_time, schedules_of
from declared.seed import seed_call
from google.client import NO_RETRY, GoogleApi
from local.sample_data import Size, seed
from tests.harness.client import TODAY
from tests.harness.embedded import Embedded
from tests.harness.launcher import launched

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class Deployed(Embedded):
    """A deployed system, and what somebody would change in it by hand."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.api = GoogleApi(environment)
        self.schedules = {schedule.name: schedule for schedule in schedules_of(environment)}

    def rest(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Call BigQuery's REST API below the dataset."""
        base = f"/projects/{self.environment.project}/datasets/{self.environment.dataset}"
        answer = self.client._connection.api_request(method=method, path=base + path, data=body)  # type: ignore[no-untyped-call]  # noqa: SLF001 - the client has no plainer way
        return dict(answer or {})

    def query(self, sql: str) -> list[Any]:
        """The rows of a query; ``{d}`` is the dataset."""
        return list(self.client.query_and_wait(sql.replace("{d}", self.dataset), job_retry=NO_RETRY))

    def create(self) -> None:
        """Everything that is declared, except external objects: objects, schedules, access."""
        self.rest("PATCH", "", {"description": DATASET_DESCRIPTION, "labels": self.environment.dataset_labels})
        for item in deployment_order(self.catalog):
            if item.name in self.catalog.dependencies:
                continue
            match item:
                case Table() | View():
                    self.create_table(item)
                case Routine():
                    self.rest("POST", "/routines", self.routine(item))
        self.grant()
        self.create_alerts()
        for item in self.catalog.schedules.values():
            self.create_schedule(item)

    def create_table(self, item: Table | View) -> None:
        """A table by its API resource, as Terraform sends it; a view by its query."""
        reference = {
            "projectId": self.environment.project,
            "datasetId": self.environment.dataset,
            "tableId": item.name,
        }
        resource: dict[str, Any] = {"tableReference": reference, "description": item.description or ""}
        resource["labels"] = dict(item.labels)
        if isinstance(item, View):
            self.rest("POST", "/tables", {**resource, "view": {"query": item.query, "useLegacySql": False}})
            return
        resource["schema"] = {"fields": [_field(column) for column in item.columns]}
        if item.clustering:
            resource["clustering"] = {"fields": list(item.clustering)}
        if partitioning := item.partitioning:
            resource["timePartitioning"] = {"type": partitioning.granularity, "field": partitioning.column}
            if partitioning.expiration_days:
                milliseconds = int(partitioning.expiration_days * 24 * 60 * 60 * 1000)
                resource["timePartitioning"]["expirationMs"] = str(milliseconds)
        self.rest("POST", "/tables", resource)

    def routine(self, item: Routine) -> dict[str, Any]:
        """A routine's API resource."""
        resource: dict[str, Any] = {
            "routineReference": {
                "projectId": self.environment.project,
                "datasetId": self.environment.dataset,
                "routineId": item.name,
            },
            "routineType": ROUTINE_TYPES[item.kind],
            "language": "SQL",
            "definitionBody": item.body,
            "description": item.description,
            "arguments": [
                {"name": a.name, "dataType": a.type.api, **({"mode": a.mode} if a.mode else {})} for a in item.arguments
            ],
        }
        if item.returns:
            resource["returnType"] = item.returns.api
        if item.returns_table:
            columns = [{"name": column.name, "type": column.type.api} for column in item.returns_table]
            resource["returnTableType"] = {"columns": columns}
        return resource

    def catalog_columns(self, name: str) -> tuple[Column, ...]:
        """The declared columns of a table, external or not."""
        return {**self.catalog.tables, **self.catalog.dependencies}[name].columns

    def create_schedule(self, item: ScheduledQuery) -> dict[str, Any]:
        """A declared transfer config."""
        schedule = self.schedules[item.name]
        return self.create_transfer_config(schedule.display_name, schedule.schedule, item.query)

    def create_transfer_config(self, name: str, schedule: str, query: str) -> dict[str, Any]:
        """A transfer config."""
        account = self.environment.service_account
        return self.api.data_transfer(
            "POST",
            f"projects/{self.environment.project}/locations/us/transferConfigs?serviceAccountName={account}",
            {
                "displayName": name,
                "dataSourceId": "scheduled_query",
                "schedule": schedule,
                "params": {"query": query},
            },
        )

    def work(self) -> None:
        """Do what is due several times a day: a copy of a deployment that is some hours old would be silent."""
        self.query("CALL `{d}.sweep_expired_caption_locks`()")
        self.query("CALL `{d}.update_caption_performance`()")

    def config(self, name: str) -> dict[str, Any]:
        """The transfer config of a schedule."""
        display_name = self.schedules[name].display_name
        (found,) = (config for config in self.api.transfer_configs() if config["displayName"] == display_name)
        return found

    def run_schedule(self, name: str) -> str:
        """Run a scheduled query for the last time it was due, and say how that ended."""
        due = {"requestedRunTime": last_run_time(self.schedules[name], datetime.now(UTC)).isoformat()}
        run = self.api.data_transfer("POST", f"{self.config(name)['name']}:startManualRuns", due)["runs"][0]
        while run["state"] in {"PENDING", "RUNNING"}:
            time.sleep(0.02)  # a run that ends gives no event
            run = self.api.data_transfer("GET", run["name"])
        return str(run["state"])

    def create_alerts(self) -> None:
        """The notification channel and the alert policies."""
        project = f"projects/{self.environment.project}"
        channel = {
            "displayName": channel_name(self.environment),
            "type": "email",
            "enabled": True,
            "labels": {"email_address": self.environment.alert_email},
            "userLabels": user_labels(self.environment),
        }
        made = self.api.monitoring("POST", f"{project}/notificationChannels", channel)
        for alert in alerts_of(self.environment):
            limit = {"notificationRateLimit": {"period": NOTIFICATION_PERIOD}} if alert.silent_seconds is None else {}
            policy = {
                "displayName": alert.display_name,
                "combiner": "OR",
                "enabled": True,
                "severity": alert.severity,
                "userLabels": user_labels(self.environment),
                "notificationChannels": [made["name"]],
                "documentation": {"content": alert.guide, "mimeType": "text/markdown"},
                "conditions": [alert.condition],
                "alertStrategy": {"autoClose": AUTO_CLOSE, **limit},
            }
            self.api.monitoring("POST", f"{project}/alertPolicies", policy)

    def grant(self) -> None:
        """The service account, the roles and the audit log."""
        environment = self.environment
        account = {"accountId": environment.service_account.partition("@")[0]}
        self.api.iam("POST", f"projects/{environment.project}/serviceAccounts", account)
        self.grant_account()
        self.grant_project()
        access = self.rest("GET", "")["access"]
        for role, member in members_of(environment, DATASET_ROLES):
            kind, _, address = member.partition(":")
            access.append({"role": role, "groupByEmail" if kind == "group" else "userByEmail": address})
        self.rest("PATCH", "", {"access": access})

    def grant_account(self) -> None:
        """The transfer service may act for the service account."""
        agent = f"serviceAccount:{self.environment.transfer_agent}"
        self.set_account_policy([{"role": TOKEN_MINTER, "members": [agent]}])

    def set_account_policy(self, bindings: list[dict[str, Any]]) -> None:
        """Replace the service account's policy."""
        account = f"projects/{self.environment.project}/serviceAccounts/{self.environment.service_account}"
        self.api.iam("POST", f"{account}:setIamPolicy", {"policy": {"bindings": bindings}})

    def set_project_policy(self, policy: dict[str, Any]) -> None:
        """Replace the project's policy, audit configs included."""
        wanted = {key: value for key, value in policy.items() if key != "etag"}
        self.api.resource_manager(
            "POST",
            f"projects/{self.environment.project}:setIamPolicy",
            {"policy": wanted, "updateMask": "bindings,etag,auditConfigs"},
        )

    def grant_project(self) -> None:
        """The project's roles and audit log."""
        members = list(members_of(self.environment, PROJECT_ROLES))
        bindings = [
            {"role": role, "members": [member for its, member in members if its == role]}
            for role in PROJECT_ROLES.values()
        ]
        audit = {"service": AUDITED_SERVICE, "auditLogConfigs": [{"logType": kind} for kind in AUDIT_LOGS]}
        self.set_project_policy({"bindings": bindings, "auditConfigs": [audit]})


def _field(column: Any) -> dict[str, Any]:
    kind, mode = column.type, "REQUIRED" if column.required else "NULLABLE"
    if kind.kind == "ARRAY":
        kind, mode = kind.element, "REPEATED"
    resource = {"name": column.name, "type": FIELD_TYPES.get(kind.kind, kind.kind), "mode": mode}
    if column.default:
        resource["defaultValueExpression"] = column.default
    return resource | ({"description": column.description} if column.description else {})


@contextmanager
def embedded_environment(folder: Path) -> Iterator[Environment]:
    """The environment of a separate embedded server, with nothing in it; the server ends with the context."""
    with launched(folder) as server:
        yield server.environment


def deploy(environment: Environment) -> Deployed:
    """Everything that is declared, with a small agency's data, its holidays, and a day's work done."""
    seed(environment, Size(creators=5, days=40, messages=2_000, captions=200))
    system = Deployed(environment)
    system.create()
    system.query(seed_call("{d}"))
    system.work()
    system.query(f"CALL `{{d}}.run_daily_automation`({TODAY})")
    return system


def fill_deployed(folder: Path) -> None:
    """``deploy`` into a data folder."""
    with embedded_environment(folder) as environment:
        deploy(environment)
