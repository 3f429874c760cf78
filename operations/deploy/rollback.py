"""Destroys stacks: one of them, such as procedures and schedules only, or all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from declared.names import Part, stack_name
from operations.deploy.cdktf import CdktfRun, cdktf_variables, own_turn
from operations.deploy.steps import StepFailedError, apply_with_cdktf, bring_up

if TYPE_CHECKING:
    from rich.console import Console

    from declared.environment import Environment


def destroy(environment: Environment, console: Console, part: Part | None, auto_approve: bool) -> None:
    """Destroy one stack, or all of them.

    Args:
        environment: where; the embedded one is started first.
        console: where progress is shown.
        part: one stack; None for all.
        auto_approve: destroy without asking; always done where this repository creates all objects.

    Raises:
        StepFailedError: the data is guarded, or cdktf failed.
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
    target = stack_name(environment.name, part) if part else "*"
    with own_turn(f"destruction of {environment.name}", console.print):
        variables = cdktf_variables(environment)
        apply_with_cdktf(console, ["destroy", target], variables, auto_approve or environment.filled_here, _destroyed)
    if part == Part.AUTOMATION:
        console.print("Procedures and schedules are gone; tables, their data, functions and the view are unchanged.")


def _destroyed(run: CdktfRun) -> str:
    gone = sum(len(outcome.destroyed) for outcome in run.stacks.values())
    return f"{gone} objects destroyed" if gone else "nothing existed"
