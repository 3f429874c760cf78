"""The API's resources in the words of the repository: typed objects, and what a table or routine resource says.

Tables and routines stay the API's mappings: each key is read by one function here or by one comparison, and callers
send whole resources back.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from catalog.model import FIELD_TYPES, ROUTINE_TYPES
from declared.sizes import DAY_MILLISECONDS
from google.failures import readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from google.client import GoogleApi

WORKERS = 8
#: Kinds of routines, by the API's names.
ROUTINE_KINDS = {name: kind for kind, name in ROUTINE_TYPES.items()}


@dataclass(frozen=True)
class LiveSystem:
    """API resources by object name; an object that does not exist is not in a mapping."""

    dataset: Mapping[str, Any] | None
    tables: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    routines: Mapping[str, dict[str, Any]] = field(default_factory=dict)


def read_live_system(api: GoogleApi, tables: Iterable[str], routines: Iterable[str]) -> LiveSystem:
    """Read the dataset and the named objects once, several at a time.

    Args:
        api: the environment's Google API.
        tables: names of tables and views to look for.
        routines: names of routines to look for.

    Raises:
        LiveSystemError: the API does not answer.
    """
    dataset = api.dataset()
    if dataset is None:
        api.check_project()
        return LiveSystem(None)
    tables, routines = list(tables), list(routines)
    with ThreadPoolExecutor(WORKERS) as pool:
        found_tables = pool.map(api.table, tables)
        found_routines = pool.map(api.routine, routines)
        return LiveSystem(
            dataset,
            {name: resource for name, resource in zip(tables, found_tables, strict=True) if resource},
            {name: resource for name, resource in zip(routines, found_routines, strict=True) if resource},
        )


@dataclass(frozen=True)
class TransferConfig:
    """A scheduled query of the transfer service.

    ``owner`` is the account that it runs as. Only :func:`transfer_config` knows it, and only for callers who may.
    """

    name: str
    display_name: str
    schedule: str | None
    query: str
    disabled: bool
    destination: str | None
    owner: str | None


def transfer_configs(api: GoogleApi) -> list[TransferConfig]:
    """The scheduled queries of the project in the environment's location, without their owners.

    Raises:
        LiveSystemError: the API does not answer, or the caller may not read it.
    """
    with readable("the scheduled queries"):
        return [_transfer_config(resource) for resource in api.transfer_configs()]


def transfer_config(api: GoogleApi, name: str) -> TransferConfig:
    """One scheduled query by its resource name, with its owner.

    Raises:
        LiveSystemError: the API does not answer, or the caller may not read it.
    """
    with readable(name):
        return _transfer_config(api.data_transfer("GET", name))


def _transfer_config(resource: Mapping[str, Any]) -> TransferConfig:
    return TransferConfig(
        name=resource["name"],
        display_name=resource.get("displayName", ""),
        schedule=resource.get("schedule"),
        query=resource.get("params", {}).get("query", ""),
        disabled=bool(resource.get("disabled")),
        destination=resource.get("destinationDatasetId"),
        owner=resource.get("serviceAccountName") or resource.get("ownerInfo", {}).get("email"),
    )


@dataclass(frozen=True)
class TransferRun:
    """A run of a scheduled query; ``run_time`` is the instant bound to ``@run_time``, ``message`` the run's error."""

    name: str
    state: str
    run_time: datetime
    message: str

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self.state in {"SUCCEEDED", "FAILED", "CANCELLED"}

    @property
    def succeeded(self) -> bool:
        """Whether the query ran to its end."""
        return self.state == "SUCCEEDED"


def transfer_runs(api: GoogleApi, config: TransferConfig) -> list[TransferRun]:
    """The runs of a scheduled query that the service still knows, the newest first.

    Raises:
        LiveSystemError: the API does not answer, or the caller may not read it.
    """
    with readable(f"the runs of {config.display_name}"):
        return [_transfer_run(resource) for resource in api.transfer_runs(config.name)]


def transfer_run(api: GoogleApi, name: str) -> TransferRun:
    """One run by its resource name, as it is now.

    Raises:
        LiveSystemError: the API does not answer, or the caller may not read it.
    """
    with readable(name):
        return _transfer_run(api.data_transfer("GET", name))


def start_run(api: GoogleApi, config: TransferConfig, run_time: datetime) -> TransferRun:
    """Start a run of a scheduled query now.

    Args:
        api: the environment's Google API.
        config: the scheduled query.
        run_time: the instant to bind to ``@run_time``.

    Raises:
        LiveSystemError: the API does not answer, or the caller may not start it.
    """
    with readable(f"a run of {config.display_name}"):
        body = {"requestedRunTime": run_time.isoformat()}
        return _transfer_run(api.data_transfer("POST", f"{config.name}:startManualRuns", body)["runs"][0])


def _transfer_run(resource: Mapping[str, Any]) -> TransferRun:
    return TransferRun(
        name=resource["name"],
        state=resource["state"],
        run_time=datetime.fromisoformat(resource["runTime"]),
        message=resource.get("errorStatus", {}).get("message", ""),
    )


@dataclass(frozen=True)
class AlertPolicy:
    """An alert policy of Cloud Monitoring.

    ``channels`` are resource names, ``conditions`` are without the names that the service gives them; ``auto_close``
    and ``notification_period`` are durations such as ``3600s``.
    """

    name: str
    display_name: str
    enabled: bool
    severity: str | None
    labels: Mapping[str, str]
    channels: tuple[str, ...]
    conditions: tuple[Mapping[str, Any], ...]
    guide: str
    auto_close: str | None
    notification_period: str | None


def alert_policies(api: GoogleApi) -> list[AlertPolicy]:
    """The project's alert policies.

    Raises:
        LiveSystemError: the API does not answer, or the caller may not read it.
    """
    with readable("the alert policies"):
        return [_alert_policy(resource) for resource in api.alert_policies()]


def _alert_policy(resource: Mapping[str, Any]) -> AlertPolicy:
    strategy = resource.get("alertStrategy", {})
    conditions = ({key: c[key] for key in c if key != "name"} for c in resource.get("conditions", []))
    return AlertPolicy(
        name=resource["name"],
        display_name=resource.get("displayName", ""),
        enabled=resource.get("enabled") is not False,
        severity=resource.get("severity"),
        labels=resource.get("userLabels", {}),
        channels=tuple(resource.get("notificationChannels", [])),
        conditions=tuple(conditions),
        guide=resource.get("documentation", {}).get("content", ""),
        auto_close=strategy.get("autoClose"),
        notification_period=strategy.get("notificationRateLimit", {}).get("period"),
    )


@dataclass(frozen=True)
class NotificationChannel:
    """Where alerts go: ``kind`` is ``email`` or another type of channel, ``addresses`` are its values.

    ``labels`` are those of its users, by which the channels of an environment are found.
    """

    name: str
    display_name: str
    labels: Mapping[str, str]
    kind: str
    enabled: bool
    addresses: tuple[str, ...]


def notification_channels(api: GoogleApi) -> list[NotificationChannel]:
    """The project's notification channels.

    Raises:
        LiveSystemError: the API does not answer, or the caller may not read it.
    """
    with readable("the notification channels"):
        return [_notification_channel(resource) for resource in api.notification_channels()]


def _notification_channel(resource: Mapping[str, Any]) -> NotificationChannel:
    return NotificationChannel(
        name=resource["name"],
        display_name=resource.get("displayName", ""),
        labels=resource.get("userLabels", {}),
        kind=resource.get("type", ""),
        enabled=resource.get("enabled") is not False,
        addresses=tuple(resource.get("labels", {}).values()),
    )


@dataclass(frozen=True)
class ServiceAccount:
    """The service account of the scheduled queries."""

    email: str
    disabled: bool


def service_account(api: GoogleApi) -> ServiceAccount:
    """The environment's service account.

    Raises:
        RequestRefusedError: the account does not exist.
        LiveSystemError: the API does not answer, or the caller may not read it.
    """
    resource = api.iam("GET", _account_path(api))
    return ServiceAccount(api.environment.service_account, bool(resource.get("disabled")))


def service_account_policy(api: GoogleApi) -> dict[str, Any]:
    """The IAM policy of the environment's service account.

    Raises:
        RequestRefusedError: the account does not exist.
        LiveSystemError: the API does not answer, or the caller may not read it.
    """
    return api.iam("POST", f"{_account_path(api)}:getIamPolicy", {})


def _account_path(api: GoogleApi) -> str:
    return api.environment.account_name(api.environment.service_account)


def user_labels(resource: Mapping[str, Any]) -> dict[str, str]:
    """The labels of a resource without the ``goog-…`` ones, which Terraform and Google add."""
    return {key: value for key, value in resource.get("labels", {}).items() if not key.startswith("goog-")}


def expiry_days(resource: Mapping[str, Any]) -> float | None:
    """Days after which a table's partitions expire, or None."""
    return days_of((resource.get("timePartitioning") or {}).get("expirationMs"))


def table_expiry_days(resource: Mapping[str, Any]) -> float | None:
    """Days from a table's creation to its expiry, to a tenth, or None."""
    if not (expiry := int(resource.get("expirationTime") or 0)):
        return None
    return round((expiry - int(resource.get("creationTime") or 0)) / DAY_MILLISECONDS, 1)


def days_of(milliseconds: str | None) -> float | None:
    """Milliseconds as BigQuery's API writes them, in days; None for none or 0."""
    return int(milliseconds or 0) / DAY_MILLISECONDS or None


def partition_of(resource: Mapping[str, Any]) -> str:
    """How a table is partitioned, such as 'DAY of last_updated'."""
    live = resource.get("timePartitioning")
    return f"{live['type']} of {live.get('field', 'ingestion time')}" if live else "none"


def column_types(resource: Mapping[str, Any]) -> dict[str, str]:
    """Type of each column of a table or view, as INFORMATION_SCHEMA writes it, in the table's order."""
    return {column["name"]: field_type(column) for column in resource.get("schema", {}).get("fields", [])}


STANDARD_NAMES = {**{name: kind for kind, name in FIELD_TYPES.items()}, "DECIMAL": "NUMERIC"}


def field_type(column: Mapping[str, Any]) -> str:
    """The type of a field of the tables API, without its mode NULLABLE or REQUIRED."""
    kind = column["type"].upper()
    if kind in {"RECORD", "STRUCT"}:
        fields = ", ".join(f"{part['name']} {field_type(part)}" for part in column.get("fields", []))
        kind = f"STRUCT<{fields}>"
    kind = STANDARD_NAMES.get(kind, kind)
    return f"ARRAY<{kind}>" if column.get("mode") == "REPEATED" else kind


def standard_type(data_type: Mapping[str, Any]) -> str:
    """A StandardSqlDataType of the routines API as INFORMATION_SCHEMA writes it."""
    match data_type.get("typeKind"):
        case "ARRAY":
            return f"ARRAY<{standard_type(data_type['arrayElementType'])}>"
        case "STRUCT":
            fields = data_type.get("structType", {}).get("fields", [])
            return f"STRUCT<{', '.join(f'{part["name"]} {standard_type(part["type"])}' for part in fields)}>"
        case kind:
            return str(kind)
