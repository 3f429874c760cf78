"""What a deployment would change, stack by stack; nothing is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from declared.masking import masked
from declared.names import stack_names
from operations.deploy.cdktf import (
    STACK_COMMAND,
    StackOutcome,
    cdktf_variables,
    own_turn,
    read_line,
    stack_folder,
)
from operations.deploy.states import restore_states
from operations.deploy.steps import StepFailedError, bring_up, printed, step
from operations.deploy.synthesis import synthesize
from operations.deploy.verified import PREFLIGHT, verified

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from declared.environment import Environment


def plan(environment: Environment, console: Console, adopt: bool) -> dict[str, StackOutcome]:
    """Plan each stack with one synthesis, print Terraform's own words, and return the outcome of each.

    Terraform is run directly: the plan is the one of ``cdktf plan``, without starting cdktf for each stack.

    Args:
        environment: what to plan; the embedded one is started first.
        console: where the plans are printed.
        adopt: plan with imports of objects that exist already; always done where this repository creates all objects.

    Raises:
        StepFailedError: a stack that could not be planned.
    """
    bring_up(environment, console)
    _preflight(environment, console)
    with own_turn(f"plan of {environment.name}", console.print):
        restore_states(environment, console)
        return _plans(environment, console, adopt or environment.filled_here)


def _plans(environment: Environment, console: Console, adopt: bool) -> dict[str, StackOutcome]:
    """Plan every stack, also when one of them fails: a summary of the others still shows what is dangerous."""
    stacks = stack_names(environment.name)
    for left in (stack_folder(stack) / name for stack in stacks for name in ("plan", "plan.empty", "plan.failed")):
        left.unlink(missing_ok=True)  # a summary must never be of an older plan
    synthesize(environment, console, adopt)
    outcomes: dict[str, StackOutcome] = {}
    failures: dict[str, list[str]] = {}  # the stacks that fail in the same words
    for stack in stacks:
        outcome = outcomes[stack] = StackOutcome(stack)
        try:
            with step(console, stack) as notes:
                lines = printed([str(STACK_COMMAND), "plan", stack], cdktf_variables(environment)).splitlines()
                for line in lines:
                    read_line(outcome, line)
                empty = (stack_folder(stack) / "plan.empty").exists()
                notes.append("no changes" if empty else _planned(outcome))
        except StepFailedError as error:
            failures.setdefault(masked(str(error)), []).append(stack)
            continue
        if not empty:
            console.print(masked("\n".join(_actions(lines))), markup=False, highlight=False, soft_wrap=True)
    if failures:
        raise StepFailedError("\n\n".join(f"{', '.join(failed)}:\n{said}" for said, failed in failures.items()), 2)
    return outcomes


def _preflight(environment: Environment, console: Console) -> None:
    """Show why a deployment would be refused; a plan changes nothing, so it is made anyway."""
    try:
        verified(environment, console, "Preflight", [PREFLIGHT])
    except StepFailedError as error:
        console.print(f"{error}\nA deployment would stop here; the plan is shown anyway.", markup=False)


def _actions(lines: list[str]) -> Iterator[str]:
    """The part of Terraform's output that lists what it would do; all of it where no object is listed."""
    first = next((number for number, line in enumerate(lines) if line.strip().startswith("#")), 0)
    for line in lines[first:]:
        yield line
        if line.startswith("Plan:"):
            return


def _planned(outcome: StackOutcome) -> str:
    if outcome.planned is None:
        return "changes of no object, such as of outputs"
    added, changed, destroyed, imported = outcome.planned
    return f"{added} to add, {changed} to change, {destroyed} to destroy, {imported} to import"
