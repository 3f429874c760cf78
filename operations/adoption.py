"""Finds the declared objects that stand already, so that Terraform adopts them instead of meeting a 409."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.alerts import ALERTS, CHANNEL
from stacks.schedules import SCHEDULES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from catalog import Catalog
    from stacks.environment import Environment
    from verification.live import GoogleApi

Adoption = dict[str, dict[str, str]]


def adoptable(environment: Environment, catalog: Catalog, api: GoogleApi) -> Adoption:
    """Import ids of everything that is declared and exists, by stack and resource address.

    An address that the state knows already may be in it: Terraform passes over such an import.

    Args:
        environment: the environment to look at.
        catalog: what is declared there.
        api: the environment's Google API.

    Returns:
        ``{stack: {address: import id}}``, which EROS_ADOPT leads synthesis to; empty where no dataset stands.
    """
    dataset = f"projects/{environment.project}/datasets/{environment.dataset}"
    if not api.dataset_exists():
        return {}
    tables, routines = api.table_labels(), api.routine_names()
    names = {part: f"eros-{environment.name}-{part}" for part in ("warehouse", "routines", "automation", "monitoring")}

    def standing_tables(declared: Iterable[str]) -> dict[str, str]:
        return {f"google_bigquery_table.{name}": f"{dataset}/tables/{name}" for name in declared if name in tables}

    def standing_routines(declared: Iterable[str]) -> dict[str, str]:
        return {
            f"google_bigquery_routine.{name}": f"{dataset}/routines/{name}" for name in declared if name in routines
        }

    policies = {policy.get("displayName"): policy["name"] for policy in api.alert_policies()}
    channels = {channel.get("displayName"): channel["name"] for channel in api.notification_channels()}
    configs = {config["displayName"]: config["name"] for config in api.transfer_configs()}
    return {
        names["warehouse"]: {
            f"google_bigquery_dataset.{environment.dataset}": dataset,
            **standing_tables(catalog.tables),
        },
        names["routines"]: {
            **standing_routines([*catalog.functions, *catalog.table_functions]),
            **standing_tables(catalog.views),
        },
        names["automation"]: {
            **standing_routines(catalog.procedures),
            **{
                f"google_bigquery_data_transfer_config.{schedule.name}": configs[schedule.display_name]
                for schedule in SCHEDULES
                if schedule.display_name in configs
            },
        },
        names["monitoring"]: {
            **({"google_monitoring_notification_channel.operators": channels[CHANNEL]} if CHANNEL in channels else {}),
            **{
                f"google_monitoring_alert_policy.{alert.name}": policies[alert.display_name]
                for alert in ALERTS
                if alert.display_name in policies
            },
        },
    }
