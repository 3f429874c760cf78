"""The warehouse: the dataset and the tables that this system owns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from catalog.model import FIELD_TYPES
from declared.environment import DATASET_DESCRIPTION
from declared.imports import fixed
from declared.names import Part
from declared.sizes import DAY_MILLISECONDS
from stacks.base import Deployment, Stack, literal, new_stack
from stacks.cdk import BigqueryDataset, BigqueryTable, BigqueryTableTimePartitioning, TerraformResourceLifecycle

if TYPE_CHECKING:
    from catalog import Column, SqlType, Table
    from stacks.cdk import App


def warehouse(app: App, deployment: Deployment) -> Stack:
    """The stack ``eros-<env>-warehouse``."""
    environment = deployment.environment
    stack = new_stack(app, deployment, Part.WAREHOUSE)
    lifecycle = TerraformResourceLifecycle(prevent_destroy=True) if environment.guards.on else None
    dataset = BigqueryDataset(
        stack,
        "dataset",
        dataset_id=environment.dataset,
        location=environment.location,
        description=DATASET_DESCRIPTION,
        labels=environment.dataset_labels,
        default_table_expiration_ms=_milliseconds(environment.tables_expire_after_days),
        delete_contents_on_destroy=environment.guards.delete_dataset_contents,
        lifecycle=lifecycle,
    )
    stack.declare(dataset, environment.dataset, fixed(deployment.dataset))
    for table in deployment.catalog.tables.values():
        resource = BigqueryTable(
            stack,
            table.name,
            dataset_id=environment.dataset,
            table_id=table.name,
            description=literal(table.description or "") or None,
            labels=dict(table.labels),
            schema=literal(schema_json(table.columns)),
            time_partitioning=_partitioning(table),
            clustering=list(table.clustering) or None,
            deletion_protection=environment.guards.on,
            lifecycle=lifecycle,
            depends_on=[dataset],
        )
        stack.declare(resource, table.name, fixed(f"{deployment.dataset}/tables/{table.name}"))
    return stack


def schema_json(columns: tuple[Column, ...]) -> str:
    """A table's columns as the tables API writes them."""
    return json.dumps([_field(column) for column in columns], ensure_ascii=False)


def _field(column: Column) -> dict[str, Any]:
    field = {"name": column.name, **_typed(column.type)}
    field.setdefault("mode", "REQUIRED" if column.required else "NULLABLE")
    if column.description:
        field["description"] = column.description
    if column.default:
        field["defaultValueExpression"] = column.default
    return field


def _typed(kind: SqlType) -> dict[str, Any]:
    """Type, mode and inner fields; an array is a mode of its elements' type."""
    if kind.kind == "ARRAY" and kind.element is not None:
        return {**_typed(kind.element), "mode": "REPEATED"}
    if kind.kind == "STRUCT":
        fields = [{"name": name, "mode": "NULLABLE", **_typed(inner)} for name, inner in kind.fields]
        return {"type": FIELD_TYPES["STRUCT"], "fields": fields}
    return {"type": FIELD_TYPES.get(kind.kind, kind.kind)}


def _partitioning(table: Table) -> BigqueryTableTimePartitioning | None:
    if table.partitioning is None:
        return None
    return BigqueryTableTimePartitioning(
        type=table.partitioning.granularity,
        field=table.partitioning.column,
        expiration_ms=_milliseconds(table.partitioning.expiration_days),
    )


def _milliseconds(days: float | None) -> float | None:
    return None if days is None else days * DAY_MILLISECONDS
