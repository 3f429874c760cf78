"""The automation: procedures, scheduled queries and the holiday seed. Destroying this stack touches no data."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from catalog import Routine, RoutineKind, deployment_order
from declared import seed
from declared.imports import named, of_the_seed_job
from declared.names import Part
from declared.schedules import schedules_in
from stacks.base import Deployment, Stack, literal, new_stack
from stacks.cdk import (
    BigqueryDataTransferConfig,
    BigqueryJob,
    BigqueryJobQuery,
    DataResource,
    Postcondition,
    TerraformResourceLifecycle,
)
from stacks.routines import routine_resource

if TYPE_CHECKING:
    from stacks.cdk import App, ITerraformDependable


def automation(app: App, deployment: Deployment) -> Stack:
    """The stack ``eros-<env>-automation``."""
    stack = new_stack(app, deployment, Part.AUTOMATION)
    procedures: dict[str, ITerraformDependable] = {}
    for item in deployment_order(deployment.catalog):
        if isinstance(item, Routine) and item.kind is RoutineKind.PROCEDURE:
            needed = [procedures[name] for name in sorted(item.calls) if name in procedures]
            procedures[item.name] = routine_resource(stack, deployment, item, needed)
    _scheduled_queries(stack, deployment, procedures)
    _holiday_seed(stack, deployment, procedures[seed.PROCEDURE])
    return stack


def _scheduled_queries(stack: Stack, deployment: Deployment, procedures: dict[str, ITerraformDependable]) -> None:
    """One transfer config per schedule. A script needs no destination dataset; failure mail would reach nobody."""
    for schedule in schedules_in(deployment.catalog, deployment.environment.system):
        query = deployment.catalog.schedules[schedule.name]
        config = BigqueryDataTransferConfig(
            stack,
            f"schedule {schedule.name}",
            data_source_id="scheduled_query",
            display_name=schedule.display_name,
            location=deployment.environment.location.lower(),  # as the service writes it: a change of case replaces
            schedule=schedule.schedule,
            service_account_name=deployment.environment.service_account,
            params={"query": literal(query.query)},
            depends_on=[procedures[name] for name in sorted(query.calls) if name in procedures] or None,
        )
        stack.declare(config, schedule.name, named(schedule.display_name))


def _holiday_seed(stack: Stack, deployment: Deployment, procedure: ITerraformDependable) -> None:
    """A job that runs again when the call, the rules, the procedure or the table change.

    A job id can be used once. It contains a digest of what is run, and the id of a resource that is recreated by each
    deployment after a rollback. Both can be read from the job, so a lost state is adopted without a run.
    """
    catalog, environment = deployment.catalog, deployment.environment
    call = seed.seed_call(f"{environment.project}.{environment.dataset}")
    seeded = (
        call,
        catalog.table_functions["us_holidays"].body,
        catalog.procedures[seed.PROCEDURE].body,
        catalog.tables[seed.CALENDAR].ddl,
    )
    digest = hashlib.sha256("\0".join(seeded).encode()).hexdigest()[:12]
    generation = DataResource(stack, "seed generation")
    stack.declare(generation, seed.GENERATION, of_the_seed_job("{generation}"))
    job = BigqueryJob(
        stack,
        "seed",
        job_id=seed.job_id(digest, generation.id),
        location=environment.location,
        query=BigqueryJobQuery(
            query=call,
            use_legacy_sql=False,
            # a script has no destination to create or write
            create_disposition="",
            write_disposition="",
        ),
        lifecycle=TerraformResourceLifecycle(
            postcondition=[
                Postcondition(
                    condition="${length(self.status[0].error_result) == 0}",
                    error_message=(
                        f"The holiday seed failed; BigQuery's job history says why (job {seed.JOB}…). "
                        "The next deployment runs it again."
                    ),
                )
            ]
        ),
        depends_on=[procedure],
    )
    identity = of_the_seed_job(f"projects/{environment.project}/jobs/{{job}}/location/{environment.location}")
    stack.declare(job, seed.PROCEDURE, identity)
