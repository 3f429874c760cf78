"""The main job: deploy every stack, run each scheduled query once, verify the live system, print a summary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.table import Table

from catalog.zone import LOS_ANGELES
from declared.names import make, stack_names
from google.client import GoogleApi
from operations.deploy.cdktf import CdktfRun, cdktf_variables, own_turn
from operations.deploy.scheduled_runs import ScheduledRun, run_each_schedule
from operations.deploy.seed_job import repeating_variables
from operations.deploy.states import restore_states
from operations.deploy.steps import (
    StepFailedError,
    apply_with_cdktf,
    bring_up,
    explained_by_the_server,
    run_module,
    step,
)
from operations.deploy.synthesis import synthesize
from operations.deploy.verified import PREFLIGHT, verified

if TYPE_CHECKING:
    from rich.console import Console

    from declared.environment import Environment
    from verification.results import Report


#: Findings of check_health that are shown.
SHOWN_FINDINGS = 10


@dataclass(frozen=True)
class Deployment:
    """What a deployment did: the stacks' outcomes, the scheduled runs, the verification's report."""

    stacks: CdktfRun
    runs: tuple[ScheduledRun, ...]
    verification: Report


def deploy(environment: Environment, console: Console, adopt: bool, auto_approve: bool) -> Deployment:
    """Deploy what the repository declares to an environment, no matter what exists there already.

    Args:
        environment: where to deploy. The embedded one is started first; it and previews get dependencies and sample
            data.
        console: where progress is shown.
        adopt: import objects that exist already; always done where this repository creates all objects.
        auto_approve: apply without asking; always done there.

    Raises:
        StepFailedError: the first step that failed; the steps after it were not started.
    """
    bring_up(environment, console)
    with explained_by_the_server(environment):
        return _deploy(environment, console, adopt or environment.filled_here, auto_approve or environment.filled_here)


def _deploy(environment: Environment, console: Console, adopt: bool, auto_approve: bool) -> Deployment:
    """The verification comes last: it judges the newest run of each query, and an earlier one may have been cut off.

    All of it is one turn: a run that followed would change what is verified.
    """
    with own_turn(f"deployment of {environment.name}", console.print):
        if environment.filled_here:
            with step(console, "Dependencies and sample data") as notes:
                notes.append(run_module(environment, "local", "seed"))
        verified(environment, console, "Preflight", [PREFLIGHT])
        restore_states(environment, console)
        synthesize(environment, console, adopt)
        arguments = ["deploy", "*", "--skip-synth"]
        variables = {**cdktf_variables(environment), **repeating_variables(GoogleApi(environment))}
        stacks = apply_with_cdktf(console, arguments, variables, auto_approve, _applied)
        runs = _run_schedules(environment, console)
        return Deployment(stacks, runs, verified(environment, console, "Verification"))


def _applied(run: CdktfRun) -> str:
    return "nothing to change" if run.untouched else f"{len(run.stacks)} stacks deployed"


def _run_schedules(environment: Environment, console: Console) -> tuple[ScheduledRun, ...]:
    runs = []
    with step(console, "One run of each scheduled query") as notes:
        for run in run_each_schedule(GoogleApi(environment)):
            runs.append(run)
            if not run.succeeded:
                doctor = (
                    f"`python -m verification doctor --env {environment.name}` shows what is wrong, and what fixes it."
                )
                problem = f"{run.schedule.display_name}: {run.state}: {run.message or 'no message'}"
                raise StepFailedError(f"{problem}\n{doctor}", 1)
        notes.append(f"{len(runs)} succeeded")
    for run in runs:
        print_findings(run, console)
    return tuple(runs)


def print_findings(run: ScheduledRun, console: Console) -> None:
    """Print what a run of check_health found, the worst first, and where to read on."""
    if run.look is None or not run.look.findings:
        return
    for finding in run.look.findings[:SHOWN_FINDINGS]:
        console.print(f"  {finding}", markup=False, highlight=False, soft_wrap=True)
    if more := len(run.look.findings[SHOWN_FINDINGS:]):
        console.print(f"  and {more} more", markup=False)
    console.print("  `python -m verification doctor` shows what fixes them.", markup=False, soft_wrap=True)


def print_summary(environment: Environment, deployment: Deployment, console: Console) -> None:
    """Print the outcome of each stack and each run, and the next commands."""
    table = Table(title=f"\n{environment.project}.{environment.dataset} ({environment.name})", title_justify="left")
    table.add_column("what")
    table.add_column("outcome")
    for stack in stack_names(environment.name):
        table.add_row(stack, str(deployment.stacks.stacks.get(stack, "applied")))
    for run in deployment.runs:
        due = run.run_time.astimezone(LOS_ANGELES)
        table.add_row(
            run.schedule.display_name, f"{run.state} in {run.seconds:.1f} s, run time {due:%Y-%m-%d %H:%M %Z}"
        )
    table.add_row("verification", deployment.verification.headline)
    console.print(table)
    if deployment.stacks.untouched:
        console.print("Nothing was changed: the live system is what the repository declares.")
    console.print(
        f"Next: {environment.make('verify')} · {environment.make('plan')} · {_way_back(environment)}"
        + (
            f"\nBigQuery's REST API answers at {environment.endpoint} until `make down`."
            if environment.endpoint
            else ""
        ),
        highlight=False,
    )


def _way_back(environment: Environment) -> str:
    if environment.preview is None:
        return environment.make("rollback STACK=automation")
    return make(f"preview-down NUMBER={environment.number}", environment.host)
