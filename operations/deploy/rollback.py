"""Destroys stacks: one of them, such as procedures and schedules only, or all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from declared.imports import FoundBy, read_import_ids
from declared.names import Part, stack_name, stack_names
from google.client import GoogleApi
from google.waiting import current_limit
from operations.deploy.adoption import adoptable
from operations.deploy.cdktf import CdktfRun, cdktf_variables, own_turn, stack_folder
from operations.deploy.states import restore_states
from operations.deploy.steps import StepFailedError, apply_with_cdktf, bring_up, explained_by_the_server
from verification.running import PAUSE_SECONDS, settle_seconds_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from declared.environment import Environment
    from declared.imports import ImportId


def destroy(environment: Environment, console: Console, part: Part | None, auto_approve: bool) -> None:
    """Destroy one stack, or all of them.

    Args:
        environment: where; the embedded one is started first.
        console: where progress is shown.
        part: one stack; None for all.
        auto_approve: destroy without asking; always done where this repository creates all objects.

    Raises:
        StepFailedError: the data is guarded, a Terraform did not end well, or something declared still exists.
        LiveSystemError: nothing can be said about what exists.
    """
    if part in {None, Part.WAREHOUSE} and environment.guards.on:
        raise StepFailedError(
            f"{environment.name} guards its data: the warehouse is not destroyed.\n"
            f"`{environment.make('rollback STACK=automation')}` removes procedures and schedules and keeps "
            "the data. To remove the data too, set guards.allow_full_rollback in "
            f"{environment.file} and deploy that first.",
            2,
        )
    bring_up(environment, console)
    with explained_by_the_server(environment), own_turn(f"destruction of {environment.name}", console.print):
        destroy_stacks(environment, console, part, auto_approve or environment.filled_here)
        nothing_is_left(environment, part)
    if part == Part.AUTOMATION:
        console.print("Procedures and schedules are gone; tables, their data, functions and the view are unchanged.")


def destroy_stacks(environment: Environment, console: Console, part: Part | None, auto_approve: bool) -> None:
    """Have Terraform destroy what its state knows of one stack, or of all.

    The environment is up, and the caller has its turn in cdktf.out.

    Raises:
        StepFailedError: cdktf, or a Terraform that it ran, did not end well.
    """
    target = stack_name(environment.name, part) if part else "*"
    restore_states(environment, console)
    apply_with_cdktf(console, ["destroy", target], cdktf_variables(environment), auto_approve, _destroyed)


def nothing_is_left(environment: Environment, part: Part | None) -> None:
    """Ask the live system about everything that the destroyed stacks declare.

    cdktf.out has their synthesis, and the caller still has its turn there.

    Raises:
        StepFailedError: some of it exists.
        LiveSystemError: no answer came.
    """
    stacks = [stack_name(environment.name, part)] if part else stack_names(environment.name)
    declared = {stack: _destroyable(read_import_ids(stack_folder(stack))) for stack in stacks}
    api, deadline = GoogleApi(environment), time.monotonic() + settle_seconds_of(environment)
    while left := [address for found in adoptable(declared, api).found.values() for address in found]:
        if time.monotonic() > deadline:
            every = sum(map(len, declared.values()))
            adopting = environment.make("deploy" if environment.filled_here else "deploy ADOPT=1")
            raise StepFailedError(
                f"{len(left)} of {every} declared objects still exist: {', '.join(left)}.\n"
                f"Terraform's state does not know them. `{adopting}` adopts them; then destroy again.",
                1,
            )
        # Google does not notify when a deletion has taken effect
        current_limit().sleep("the end of what was destroyed", PAUSE_SECONDS)


def _destroyable(ids: Mapping[str, ImportId]) -> dict[str, ImportId]:
    """All but the seed job: BigQuery keeps jobs."""
    return {address: identity for address, identity in ids.items() if identity.by is not FoundBy.SEED_JOB}


def _destroyed(run: CdktfRun) -> str:
    gone = sum(len(outcome.destroyed) for outcome in run.stacks.values())
    return f"{gone} objects destroyed" if gone else "nothing existed"
