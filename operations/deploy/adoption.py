"""Finds the declared objects that exist already, so that Terraform adopts them: after a lost state, or created by hand.

The stacks say how each object's import id is found; here the live system is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from declared import seed
from declared.imports import FoundBy, ImportId
from google.failures import RequestRefusedError
from google.grants import dataset_grants, policy_grants
from google.resources import alert_policies, notification_channels, transfer_configs
from operations.deploy.seed_job import newest_seed_job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from google.client import GoogleApi
    from google.resources import AlertPolicy, NotificationChannel, TransferConfig


@dataclass(frozen=True)
class Adoption:
    """What exists of all that is declared: ``found`` has import ids by stack and address, ``missing`` the addresses."""

    found: Mapping[str, Mapping[str, str]]
    missing: tuple[str, ...]

    def __str__(self) -> str:
        """What a plan with it does, for a person."""
        existing = sum(len(addresses) for addresses in self.found.values())
        words = f"{existing} of {existing + len(self.missing)} declared objects exist"
        return words + (f"; these would be created: {', '.join(self.missing)}" if self.missing else "")


def adoptable(declared: Mapping[str, Mapping[str, ImportId]], api: GoogleApi) -> Adoption:
    """Import ids of everything that is declared and exists, by stack and resource address.

    An address that the state knows already may be in it: Terraform ignores such an import.

    Args:
        declared: how the import ids are found, by stack and resource address.
        api: the environment's Google API.

    Raises:
        LiveSystemError: the live system cannot be read.
    """
    live = _Live(api)
    found: dict[str, dict[str, str]] = {}
    missing: list[str] = []
    for stack, addresses in declared.items():
        existing = found.setdefault(stack, {})
        for address, import_id in addresses.items():
            if (identity := _identity(live, address.partition(".")[0], import_id)) is None:
                missing.append(address)
            else:
                existing[address] = identity
    return Adoption(found, tuple(missing))


@dataclass(frozen=True)
class _Live:
    """What exists in the live system, each part read when it is first asked for."""

    api: GoogleApi

    @cached_property
    def dataset(self) -> Mapping[str, Any] | None:
        return self.api.dataset()

    @cached_property
    def tables(self) -> set[str]:
        return set(self.api.table_labels())

    @cached_property
    def routines(self) -> set[str]:
        return self.api.routine_names()

    @cached_property
    def dataset_grants(self) -> set[str]:
        return set(map(str, dataset_grants(self.dataset)))

    @cached_property
    def policy(self) -> Mapping[str, Any]:
        return self.api.project_policy()

    @cached_property
    def project_grants(self) -> set[str]:
        return set(map(str, policy_grants(self.policy)))

    @cached_property
    def seed_job(self) -> str | None:
        """The newest seed job; one that did not succeed is repeated instead of adopted."""
        newest = newest_seed_job(self.api)
        return newest.job_id if newest and newest.succeeded else None

    @cached_property
    def transfer_configs(self) -> dict[str, str]:
        return _by_display_name(transfer_configs(self.api))

    @cached_property
    def alert_policies(self) -> dict[str, str]:
        return _by_display_name(alert_policies(self.api))

    @cached_property
    def notification_channels(self) -> dict[str, str]:
        return _by_display_name(notification_channels(self.api))

    def resource(self, method: str, path: str) -> Mapping[str, Any] | None:
        """What the IAM API answers; None for what does not exist."""
        try:
            return self.api.iam(method, path, {} if method == "POST" else None)
        except RequestRefusedError:
            return None

    def has_resource(self, path: str) -> bool:
        """Whether the IAM API knows a resource that is not deleted: it shows deleted ones for a while."""
        found = self.resource("GET", path)
        return found is not None and found.get("state") != "DELETED" and not found.get("deleted")

    def has_account_grant(self, identity: str) -> bool:
        """Whether a service account's policy has a grant: its import id is the account, a space, and the grant."""
        account, _, grant = identity.partition(" ")
        return grant in set(map(str, policy_grants(self.resource("POST", f"{account}:getIamPolicy") or {})))


def _by_display_name(resources: Iterable[TransferConfig | AlertPolicy | NotificationChannel]) -> dict[str, str]:
    return {resource.display_name: resource.name for resource in resources}


#: Whether the object of a fixed import id exists, by Terraform's type.
EXISTS: dict[str, Callable[[_Live, str], bool]] = {
    "google_bigquery_dataset": lambda live, _: live.dataset is not None,
    "google_bigquery_dataset_iam_member": lambda live, identity: identity.partition(" ")[2] in live.dataset_grants,
    "google_bigquery_routine": lambda live, identity: identity.rpartition("/")[2] in live.routines,
    "google_bigquery_table": lambda live, identity: identity.rpartition("/")[2] in live.tables,
    "google_iam_workload_identity_pool": _Live.has_resource,
    "google_iam_workload_identity_pool_provider": _Live.has_resource,
    "google_project_iam_audit_config": lambda live, identity: any(
        config.get("service") == identity.partition(" ")[2] for config in live.policy.get("auditConfigs", [])
    ),
    "google_project_iam_custom_role": _Live.has_resource,
    "google_project_iam_member": lambda live, identity: identity.partition(" ")[2] in live.project_grants,
    "google_service_account": _Live.has_resource,
    "google_service_account_iam_member": _Live.has_account_grant,
    "google_storage_bucket": lambda live, identity: live.api.bucket_exists(identity),
}
#: The import ids of objects that are found by their display names, by Terraform's type.
NAMED: dict[str, Callable[[_Live], dict[str, str]]] = {
    "google_bigquery_data_transfer_config": lambda live: live.transfer_configs,
    "google_monitoring_alert_policy": lambda live: live.alert_policies,
    "google_monitoring_notification_channel": lambda live: live.notification_channels,
}


def _identity(live: _Live, kind: str, import_id: ImportId) -> str | None:
    """The import id of an object; None for an object that does not exist."""
    match import_id.by:
        case FoundBy.ID:
            return import_id.value if EXISTS[kind](live, import_id.value) else None
        case FoundBy.DISPLAY_NAME:
            return NAMED[kind](live).get(import_id.value)
        case FoundBy.SEED_JOB:
            generation = seed.generation_of(live.seed_job) if live.seed_job else None
            return import_id.value.format(job=live.seed_job, generation=generation) if generation else None
