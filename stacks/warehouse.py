"""The warehouse: the dataset and the tables that this system owns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.table_schema import schema_json
from declared.environment import DATASET_DESCRIPTION
from declared.imports import fixed
from declared.names import Part
from declared.sizes import DAY_MILLISECONDS
from stacks.base import Deployment, Stack, literal, new_stack
from stacks.cdk import BigqueryDataset, BigqueryTable, BigqueryTableTimePartitioning, TerraformResourceLifecycle

if TYPE_CHECKING:
    from catalog import Table
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
