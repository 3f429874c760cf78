"""Finds the declared objects that stand already, so that Terraform adopts them: after a lost state, or made by hand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalog import Routine, RoutineKind, View
from declared.alerts import alerts_of, channel_name
from declared.names import stack_name
from declared.roles import AUDITED_SERVICE, DATASET_ROLES, PROJECT_ROLES, TOKEN_MINTER, grant_name, members_of
from declared.schedules import SEED_JOB, schedules_of
from google.client import RequestRefusedError
from google.grants import bindings, dataset_grant

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from catalog import Catalog
    from declared.environment import Environment
    from google.client import GoogleApi

#: A seed job's id ends in the id of the resource that it was made with.
SEED_GENERATION = re.compile(rf"{SEED_JOB}_[0-9a-f]{{12}}_([0-9a-f-]{{36}})")

#: An address in a stack, and the import id of what stands there; None where nothing does.
Declared = tuple[str, str | None]


@dataclass(frozen=True)
class Adoption:
    """What stands of all that is declared: ``found`` has import ids by stack and address, ``missing`` the addresses."""

    found: Mapping[str, Mapping[str, str]]
    missing: tuple[str, ...]

    def __str__(self) -> str:
        """What a plan with it does, for a person."""
        standing = sum(len(addresses) for addresses in self.found.values())
        words = f"{standing} of {standing + len(self.missing)} declared objects stand"
        return words + (f"; these would be created: {', '.join(self.missing)}" if self.missing else "")


def adoptable(environment: Environment, catalog: Catalog, api: GoogleApi) -> Adoption:
    """Import ids of everything that is declared and exists, by stack and resource address.

    An address that the state knows already may be in it: Terraform passes over such an import.

    Args:
        environment: the environment to look at.
        catalog: what is declared there.
        api: the environment's Google API.

    Raises:
        LiveSystemError: what stands cannot be read.
    """
    dataset, tables, routines = api.dataset(), set(api.table_labels()), api.routine_names()
    stacks = {
        "warehouse": _warehouse(environment, catalog, dataset, tables),
        "routines": _routines(environment, catalog, tables, routines),
        "access": _access(environment, dataset, api),
        "monitoring": _monitoring(environment, api),
        "automation": _automation(environment, catalog, routines, api),
    }
    found: dict[str, dict[str, str]] = {}
    missing: list[str] = []
    for part, addresses in stacks.items():
        standing = found.setdefault(stack_name(environment.name, part), {})
        for address, identity in addresses:
            if identity is None:
                missing.append(address)
            else:
                standing[address] = identity
    return Adoption(found, tuple(missing))


def _dataset(environment: Environment) -> str:
    return f"projects/{environment.project}/datasets/{environment.dataset}"


def _warehouse(
    environment: Environment, catalog: Catalog, dataset: Mapping[str, Any] | None, tables: set[str]
) -> Iterator[Declared]:
    path = _dataset(environment)
    yield f"google_bigquery_dataset.{environment.dataset}", None if dataset is None else path
    for name in catalog.tables:
        yield f"google_bigquery_table.{name}", f"{path}/tables/{name}" if name in tables else None


def _routines(environment: Environment, catalog: Catalog, tables: set[str], routines: set[str]) -> Iterator[Declared]:
    for item in catalog:
        if isinstance(item, Routine) and item.kind is not RoutineKind.PROCEDURE:
            yield _routine(environment, item, routines)
        elif isinstance(item, View) and item.name in catalog.views:
            path = f"{_dataset(environment)}/tables/{item.name}"
            yield f"google_bigquery_table.{item.name}", path if item.name in tables else None


def _routine(environment: Environment, item: Routine, standing: set[str]) -> Declared:
    path = f"{_dataset(environment)}/routines/{item.name}"
    return f"google_bigquery_routine.{item.name}", path if item.name in standing else None


def _access(environment: Environment, dataset: Mapping[str, Any] | None, api: GoogleApi) -> Iterator[Declared]:
    account = f"projects/{environment.project}/serviceAccounts/{environment.service_account}"
    standing = _answered(api, "GET", account) is not None
    yield "google_service_account.etl", account if standing else None

    granted = {grant for grant in map(dataset_grant, (dataset or {}).get("access", [])) if grant}
    for role, member in members_of(environment, DATASET_ROLES):
        grant = f"{role} {member}"
        address = f"google_bigquery_dataset_iam_member.{grant_name(role, member)}"
        yield address, f"{_dataset(environment)} {grant}" if grant in granted else None

    policy = api.project_policy()
    granted = bindings(policy)
    for role, member in members_of(environment, PROJECT_ROLES):
        grant = f"{role} {member}"
        address = f"google_project_iam_member.{grant_name(role, member)}"
        yield address, f"{environment.project} {grant}" if grant in granted else None

    minter = f"{TOKEN_MINTER} serviceAccount:{environment.transfer_agent}"
    granted = bindings(_answered(api, "POST", f"{account}:getIamPolicy") or {})
    address = "google_service_account_iam_member.transfer_agent_token_minter"
    yield address, f"{account} {minter}" if minter in granted else None

    if environment.preview is None:  # what is the whole project's is no preview's
        audited = any(config.get("service") == AUDITED_SERVICE for config in policy.get("auditConfigs", []))
        audit = f"{environment.project} {AUDITED_SERVICE}" if audited else None
        yield "google_project_iam_audit_config.bigquery", audit


def _answered(api: GoogleApi, method: str, path: str) -> Mapping[str, Any] | None:
    """What the IAM API answers, or None for what is not there."""
    try:
        return api.iam(method, path, {} if method == "POST" else None)
    except RequestRefusedError:
        return None


def _monitoring(environment: Environment, api: GoogleApi) -> Iterator[Declared]:
    channels = {channel.get("displayName"): channel["name"] for channel in api.notification_channels()}
    yield "google_monitoring_notification_channel.operators", channels.get(channel_name(environment))
    policies = {policy.get("displayName"): policy["name"] for policy in api.alert_policies()}
    for alert in alerts_of(environment):
        yield f"google_monitoring_alert_policy.{alert.name}", policies.get(alert.display_name)


def _automation(environment: Environment, catalog: Catalog, routines: set[str], api: GoogleApi) -> Iterator[Declared]:
    for item in catalog.procedures.values():
        yield _routine(environment, item, routines)
    configs = {config["displayName"]: config["name"] for config in api.transfer_configs()}
    for schedule in schedules_of(environment):
        yield f"google_bigquery_data_transfer_config.{schedule.name}", configs.get(schedule.display_name)
    job = _seed_job(environment, api)
    generation = SEED_GENERATION.fullmatch(job) if job else None
    path = f"projects/{environment.project}/jobs/{job}/location/{environment.location}"
    yield "terraform_data.holiday_seed", generation[1] if generation else None
    yield "google_bigquery_job.seed_holiday_calendar", path if generation else None


def _seed_job(environment: Environment, api: GoogleApi) -> str | None:
    """The newest job that filled the calendar which stands; BigQuery forgets jobs after 180 days."""
    calendar = api.table("holiday_calendar")
    if calendar is None:
        return None
    jobs = f"`{environment.project}`.`region-{environment.location.lower()}`.INFORMATION_SCHEMA.JOBS_BY_PROJECT"
    rows = api.query(
        "the jobs that filled the holiday calendar",
        f"SELECT job.job_id FROM {jobs} AS job "  # noqa: S608 - names of the environment and this module's own text
        f"WHERE STARTS_WITH(job.job_id, '{SEED_JOB}_') AND job.state = 'DONE' AND job.error_result.reason IS NULL "
        f"AND job.creation_time > TIMESTAMP_MILLIS({int(calendar['creationTime'])}) "
        f"AND STRPOS(job.query, '.{environment.dataset}.') > 0 "
        "ORDER BY job.creation_time DESC LIMIT 1",
    )
    return str(rows[0].job_id) if rows else None
