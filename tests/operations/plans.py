"""Plans as Terraform writes them, for the tests of their summaries."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from catalog.table_schema import schema_json
from operations.review.plan_summary import summarize
from operations.review.planned import read_plan

if TYPE_CHECKING:
    from catalog import Catalog
    from declared.environment import Environment
    from operations.review.plan_summary import Summary

NOON = datetime(2026, 3, 7, 20, 0, tzinfo=UTC)


def change(address: str, actions: str, before: Any = None, after: Any = None, **more: Any) -> dict[str, Any]:
    """A resource's change as Terraform writes it; ``actions`` is e.g. 'delete create'."""
    place = {key: more.pop(key) for key in ("previous_address",) if key in more}
    return {
        "address": address,
        "change": {"actions": actions.split(), "before": before, "after": after, "after_unknown": {}, **more},
        **place,
    }


def update(address: str, before: dict[str, Any], after: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A change in place."""
    return change(address, "update", before, after, **more)


def summary_of(
    environment: Environment, catalog: Catalog, *changes: dict[str, Any], outside: tuple[dict[str, Any], ...] = ()
) -> Summary:
    """The summary of one stack's plan."""
    plan = {"resource_changes": list(changes), "resource_drift": list(outside)}
    return summarize(environment, catalog, [read_plan("eros-prod-warehouse", plan)], NOON)


def table_state(catalog: Catalog, name: str, *more: dict[str, Any]) -> dict[str, Any]:
    """A declared table as Terraform's state has it, with more columns than are declared."""
    table = catalog.tables[name]
    fields = [*json.loads(schema_json(table.columns)), *more]
    partitioning = table.partitioning
    return {
        "table_id": name,
        "schema": json.dumps(fields),
        "clustering": list(table.clustering) or None,
        "time_partitioning": [
            {
                "type": partitioning.granularity,
                "field": partitioning.column,
                "expiration_ms": (partitioning.expiration_days or 0) * 86_400_000,
            }
        ]
        if partitioning
        else [],
    }


def dropped_column(catalog: Catalog) -> dict[str, Any]:
    """The log of lock sweeps loses a live column."""
    before = table_state(catalog, "lock_sweep_log", {"name": "swept_by", "type": "STRING", "mode": "NULLABLE"})
    return update("google_bigquery_table.lock_sweep_log", before, table_state(catalog, "lock_sweep_log"))


def member(role: str, member_name: str) -> dict[str, Any]:
    """A grant on the project."""
    return {"project": "of-scheduler-proj", "role": role, "member": member_name, "condition": []}
