"""What a deployment would change, stack by stack; nothing is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operations.cdktf import LOG, REPOSITORY, StackOutcome, run_cdktf, stack_names
from operations.deployment import cdktf_variables
from operations.steps import StepFailedError, run_module, step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from stacks.environment import Environment


def plan(environment: Environment, console: Console, adopt: bool) -> dict[str, StackOutcome]:
    """Plan each stack with one synthesis, print Terraform's own words, and return the outcome of each.

    Args:
        environment: what to plan; the embedded one is started first.
        console: where the plans are printed.
        adopt: plan with imports of what stands already; always so in the embedded environment.

    Raises:
        StepFailedError: a stack that could not be planned.
    """
    embedded = environment.endpoint is not None
    if embedded:
        with step(console, "Embedded environment") as notes:
            notes.append(run_module("local", "up"))
    _preflight(environment, console)
    variables = cdktf_variables(environment, adopt or embedded)
    outcomes: dict[str, StackOutcome] = {}
    for number, stack in enumerate(stack_names(environment.name)):
        lines: list[str] = []
        with step(console, stack) as notes:
            run = run_cdktf(
                ["diff", stack, *(["--skip-synth"] if number else [])],
                variables,
                lambda _stack, text, lines=lines: lines.append(text),  # type: ignore[misc]
            )
            if run.exit_code:
                raise StepFailedError(f"{run.explanation}\n(the whole output: {LOG.relative_to(REPOSITORY)})", 2)
            outcomes[stack] = run.stacks.get(stack, StackOutcome(stack))
            notes.append(_planned(outcomes[stack]))
        if not outcomes[stack].untouched:
            console.print("\n".join(_actions(lines)), markup=False, highlight=False, soft_wrap=True)
    return outcomes


def _preflight(environment: Environment, console: Console) -> None:
    """Say what a deployment would be refused for; a plan changes nothing, so it is made all the same."""
    try:
        with step(console, "Preflight") as notes:
            notes.append(run_module("verification", "--env", environment.name, "--suite", "preflight"))
    except StepFailedError as error:
        console.print(f"{error}\nA deployment would stop here; the plan is shown all the same.", markup=False)


def _actions(lines: list[str]) -> Iterator[str]:
    """Terraform's account of what it would do, without what it says before and after."""
    shown = False
    for line in lines:
        shown = shown or line.strip().startswith("#")
        if shown:
            yield line
        if line.startswith("Plan:"):
            return


def _planned(outcome: StackOutcome) -> str:
    if outcome.untouched or outcome.planned is None:
        return "no changes"
    added, changed, destroyed, imported = outcome.planned
    return f"{added} to add, {changed} to change, {destroyed} to destroy, {imported} to import"
