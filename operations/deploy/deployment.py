"""The main job: deploy every stack, verify what stands, run each scheduled query once, and say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.table import Table

from catalog.zone import LOS_ANGELES
from declared.names import stack_names
from google.client import GoogleApi
from operations.deploy.cdktf import CdktfRun, cdktf_variables, own_turn
from operations.deploy.scheduled_runs import ScheduledRun, run_each_schedule
from operations.deploy.steps import StepFailedError, apply_with_cdktf, bring_up, run_module, step
from operations.deploy.synthesis import synthesize
from operations.deploy.verified import PREFLIGHT, verified

if TYPE_CHECKING:
    from rich.console import Console

    from declared.environment import Environment
    from verification.results import Report


@dataclass(frozen=True)
class Deployment:
    """What a deployment did: the stacks' outcomes, the verification's report, the scheduled runs."""

    stacks: CdktfRun
    verification: Report
    runs: tuple[ScheduledRun, ...]


def deploy(environment: Environment, console: Console, adopt: bool, auto_approve: bool) -> Deployment:
    """Deploy an environment from wherever it stands to what the repository declares.

    Args:
        environment: where to; the embedded one is started first; it and previews get dependencies and sample data.
        console: where progress is shown.
        adopt: import objects that stand already; always so where this repository makes all that stands.
        auto_approve: apply without asking; always so there.

    Raises:
        StepFailedError: the first step that did not end well; nothing after it was begun.
    """
    bring_up(environment, console)
    if environment.filled_here:
        with step(console, "Dependencies and sample data") as notes:
            notes.append(run_module("local", "seed", environment=environment))
    verified(environment, console, "Preflight", [PREFLIGHT])
    with own_turn(f"deployment of {environment.name}", console.print):
        synthesize(environment, console, adopt or environment.filled_here)
        stacks = apply_with_cdktf(
            console,
            ["deploy", "*", "--skip-synth"],
            cdktf_variables(environment),
            auto_approve or environment.filled_here,
            _applied,
        )
    report = verified(environment, console, "Verification")
    return Deployment(stacks, report, _run_schedules(environment, console))


def _applied(run: CdktfRun) -> str:
    return "nothing to change" if run.untouched else f"{len(run.stacks)} stacks stand"


def _run_schedules(environment: Environment, console: Console) -> tuple[ScheduledRun, ...]:
    runs = []
    with step(console, "One run of each scheduled query") as notes:
        for run in run_each_schedule(GoogleApi(environment)):
            runs.append(run)
            if not run.succeeded:
                raise StepFailedError(
                    f"{run.schedule.display_name}: {run.state}: {run.message or 'no message was given'}", 1
                )
        notes.append(f"{len(runs)} succeeded")
    return tuple(runs)


def print_summary(environment: Environment, deployment: Deployment, console: Console) -> None:
    """What stands, what ran, where to look next."""
    table = Table(title=f"\n{environment.project}.{environment.dataset} ({environment.name})", title_justify="left")
    table.add_column("what")
    table.add_column("outcome")
    for stack in stack_names(environment.name):
        table.add_row(stack, str(deployment.stacks.stacks.get(stack, "applied")))
    table.add_row("verification", deployment.verification.headline)
    for run in deployment.runs:
        due = run.run_time.astimezone(LOS_ANGELES)
        table.add_row(
            run.schedule.display_name, f"{run.state} in {run.seconds:.1f} s, run time {due:%Y-%m-%d %H:%M %Z}"
        )
    console.print(table)
    if deployment.stacks.untouched:
        console.print("Nothing was changed: what stands is what the repository declares.")
    suffix = "" if environment.name == "local" else f" ENV={environment.name}"
    console.print(
        f"Next: make verify{suffix} · make plan{suffix} · "
        + _way_back(environment, suffix)
        + (
            f"\nBigQuery's REST API answers at {environment.endpoint} until `make down`."
            if environment.endpoint
            else ""
        ),
        highlight=False,
    )


def _way_back(environment: Environment, suffix: str) -> str:
    if environment.preview is None:
        return f"make rollback STACK=automation{suffix}"
    return f"make preview-down NUMBER={environment.number}" + (
        "" if environment.host == "local" else f" ENV={environment.host}"
    )
