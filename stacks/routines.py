"""The routines: functions, table functions and the view; none of them contains data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from catalog import RoutineKind, deployment_order
from catalog.model import ROUTINE_TYPES, Routine, View
from declared.imports import fixed
from declared.names import Part
from stacks.base import Deployment, Stack, literal, new_stack
from stacks.cdk import BigqueryRoutine, BigqueryRoutineArguments, BigqueryTable, BigqueryTableView

if TYPE_CHECKING:
    from stacks.cdk import App, ITerraformDependable


def routines(app: App, deployment: Deployment) -> Stack:
    """The stack ``eros-<env>-routines``; each object comes after those that its SQL names."""
    stack = new_stack(app, deployment, Part.ROUTINES)
    catalog = deployment.catalog
    made: dict[str, ITerraformDependable] = {}
    for item in deployment_order(catalog):
        needed = [made[name] for name in sorted(item.reads | item.calls) if name in made]
        if isinstance(item, Routine) and item.kind is not RoutineKind.PROCEDURE:
            made[item.name] = routine_resource(stack, deployment, item, needed)
        elif isinstance(item, View) and item.name in catalog.views:
            made[item.name] = _view_resource(stack, deployment, item, needed)
    return stack


def routine_resource(
    stack: Stack, deployment: Deployment, routine: Routine, needed: list[ITerraformDependable]
) -> BigqueryRoutine:
    """A routine, its body and types in the API's canonical form, so that a second plan is empty."""
    resource = BigqueryRoutine(
        stack,
        routine.name,
        dataset_id=deployment.environment.dataset,
        routine_id=routine.name,
        routine_type=ROUTINE_TYPES[routine.kind],
        language="SQL",  # without it, every plan would show a difference
        description=literal(routine.description or "") or None,
        definition_body=literal(routine.body),
        arguments=[
            BigqueryRoutineArguments(
                name=argument.name, argument_kind="FIXED_TYPE", mode=argument.mode, data_type=_json(argument.type.api)
            )
            for argument in routine.arguments
        ],
        return_type=_json(routine.returns.api) if routine.returns else None,
        return_table_type=_return_table(routine),
        depends_on=needed or None,
    )
    stack.declare(resource, routine.name, fixed(f"{deployment.dataset}/routines/{routine.name}"))
    return resource


def _return_table(routine: Routine) -> str | None:
    if not routine.returns_table:
        return None
    return _json({"columns": [{"name": column.name, "type": column.type.api} for column in routine.returns_table]})


def _json(value: dict[str, Any]) -> str:
    """JSON with sorted keys and no white space, as the provider keeps it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _view_resource(
    stack: Stack, deployment: Deployment, view: View, needed: list[ITerraformDependable]
) -> BigqueryTable:
    resource = BigqueryTable(
        stack,
        view.name,
        dataset_id=deployment.environment.dataset,
        table_id=view.name,
        description=literal(view.description or "") or None,
        labels=dict(view.labels),
        view=BigqueryTableView(query=literal(view.query), use_legacy_sql=False),
        deletion_protection=False,  # a view contains no data
        depends_on=needed or None,
    )
    stack.declare(resource, view.name, fixed(f"{deployment.dataset}/tables/{view.name}"))
    return resource
