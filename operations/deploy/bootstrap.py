"""Creates the bucket of Terraform's state, although the state of that bucket needs a place too.

The stack is applied with its state in a file, which Terraform then moves into the new bucket. Each run looks where the
state is, so the next run finishes one that was interrupted.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.files import REPOSITORY
from declared.imports import read_import_ids, write_imports
from declared.names import BOOTSTRAP, PREVIEWS, stack_name, state_file, state_prefix
from google.client import GoogleApi
from operations.deploy.adoption import adoptable
from operations.deploy.cdktf import StackOutcome, cdktf_variables, read_line, stack_folder
from operations.deploy.interrupts import run_at_the_terminal
from operations.deploy.steps import StepFailedError, bring_up, printed, step

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rich.console import Console

    from declared.environment import Environment

OVERRIDE = "backend_override.tf.json"
OUTPUT = REPOSITORY / ".local" / "bootstrap"


@dataclass(frozen=True)
class Workspace:
    """Where Terraform runs: the synthesized folder, the stack's name, the state's file until there is a bucket."""

    folder: Path
    stack: str
    variables: Mapping[str, str]

    @property
    def local_state(self) -> Path:
        """The state until it is moved."""
        return REPOSITORY / state_file(self.stack)

    @property
    def override(self) -> Path:
        """While this file exists, Terraform uses its backend instead of the declared one."""
        return self.folder / OVERRIDE

    def terraform(self, *arguments: str) -> str:
        """Run Terraform; its output.

        Raises:
            StepFailedError: with everything that it printed, when it does not exit with 0.
        """
        command = [_terraform(), *arguments, "-no-color", "-input=false"]
        return printed(command, self.variables, self.folder, exit_code=2)


def bootstrap(environment: Environment, console: Console, adopt: bool, auto_approve: bool) -> None:
    """Create an environment's state bucket and federation, and keep the state of both in that bucket.

    Args:
        environment: where; the embedded one is started first.
        console: where progress is shown, and at the end the variables that GitHub needs.
        adopt: import the bucket, the pool and the roles that exist already.
        auto_approve: apply without asking.

    Raises:
        StepFailedError: the environment is a preview or has no bucket; or a step failed, and the next run continues
            there.
    """
    if environment.preview is not None:
        raise StepFailedError(
            f"{environment.name} is a preview: its state is in the bucket of {environment.host}.\n"
            f"Run `python -m operations bootstrap --env {environment.host}`.",
            2,
        )
    bucket = environment.state.bucket
    if bucket is None:
        raise StepFailedError(
            f"environment {environment.name!r} keeps its state in a local file: there is nothing to bootstrap.\n"
            f"A bucket is named under `state` in {environment.file} (backend: gcs, bucket: …).",
            2,
        )
    bring_up(environment, console)
    api = GoogleApi(environment)
    with step(console, "Synthesis"):
        workspace = _synthesize(environment)
        if adopt:
            declared = {workspace.stack: read_import_ids(workspace.folder)}
            write_imports(workspace.folder, adoptable(declared, api).found[workspace.stack])
    moved = _holds_state(api, bucket, workspace.stack)
    if not moved:
        text = json.dumps({"terraform": {"backend": {"local": {"path": str(workspace.local_state)}}}}, indent=2)
        workspace.override.write_text(text + "\n", encoding="utf-8")
    with step(console, "terraform init"):
        workspace.terraform("init", "-reconfigure")
    _apply(workspace, console, adopt, auto_approve)
    if not moved:
        with step(console, f"State moved into gs://{bucket}"):
            workspace.override.unlink()
            workspace.terraform("init", "-migrate-state", "-force-copy")
            if not _holds_state(api, bucket, workspace.stack):
                raise StepFailedError(
                    f"The state did not arrive in gs://{bucket}; it is in {workspace.local_state}.", 2
                )
    for file in (workspace.local_state, workspace.local_state.with_suffix(".tfstate.backup")):
        file.unlink(missing_ok=True)  # a second state could be mistaken for the right one
    _print_what_github_needs(environment, console)


def _synthesize(environment: Environment) -> Workspace:
    stack = stack_name(environment.name, BOOTSTRAP)
    folder = stack_folder(stack, OUTPUT)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (folder / OVERRIDE).unlink(missing_ok=True)
    variables = {**cdktf_variables(environment), "CHECKPOINT_DISABLE": "1"}
    variables.pop("EROS_ADOPT", None)  # --adopt writes its import blocks next to the configuration
    printed([sys.executable, "main.py"], {**variables, "EROS_BOOTSTRAP": "1", "CDKTF_OUTDIR": str(OUTPUT)})
    return Workspace(folder, stack, {**variables, **(_embedded_variables(variables) if environment.endpoint else {})})


def _embedded_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables that make Terraform use the embedded environment."""
    command = [sys.executable, "-m", "local", "env"]
    done = subprocess.run(command, cwd=REPOSITORY, env=dict(variables), capture_output=True, text=True, check=False)
    if done.returncode:
        raise StepFailedError(done.stderr.strip(), 2)
    exports = (shlex.split(line)[1].partition("=") for line in done.stdout.splitlines())
    return {name: value for name, _, value in exports}


def _terraform() -> str:
    """Terraform with the kept lock and the plugin cache."""
    return str(REPOSITORY / "operations" / "terraform.sh")


def _holds_state(api: GoogleApi, bucket: str, stack: str) -> bool:
    """Whether the bucket's state of the stack contains any resource: Terraform begins with an empty state."""
    state = api.stored_json(bucket, f"{state_prefix(stack)}/default.tfstate")
    return bool(state and state.get("resources"))


def _apply(workspace: Workspace, console: Console, adopt: bool, auto_approve: bool) -> None:
    """Apply the stack; without ``auto_approve`` Terraform shows its plan and asks."""
    hint = "" if adopt else "\nObjects that exist already are imported with --adopt."
    if not auto_approve:
        title, variables = f"terraform apply of {workspace.stack}", dict(workspace.variables)
        if run_at_the_terminal([_terraform(), "apply"], title, cwd=workspace.folder, env=variables):
            raise StepFailedError(f"{title} failed; its output says why.{hint}", 2)
        return
    with step(console, f"terraform apply of {workspace.stack}") as notes:
        outcome = StackOutcome(workspace.stack)
        try:
            output = workspace.terraform("apply", "-auto-approve")
        except StepFailedError as error:
            raise StepFailedError(f"{error}{hint}", error.exit_code) from None
        for line in output.splitlines():
            read_line(outcome, line)
        notes.append(str(outcome))


def _print_what_github_needs(environment: Environment, console: Console) -> None:
    if environment.github is None:
        console.print("The environment file has no `github` section: the bucket exists, and no workflow can sign in.")
        return
    variables = {
        "PROJECT": environment.project,
        "WORKLOAD_IDENTITY_PROVIDER": environment.identity_provider,
        "PLANNER": environment.planner,
        "DEPLOYER": environment.deployer,
        **({"PREVIEWER": environment.previewer} if environment.github.previews else {}),
    }
    lines = [
        f"Variables of the GitHub environments of {environment.github.repository} that plan or deploy here:",
        *(f"  {name}={value}" for name, value in variables.items()),
        f"A job may deploy in the GitHub environment {environment.name!r}, from the branch main; any job may plan.",
    ]
    if environment.github.previews:
        lines.append(f"A job of any branch may deploy previews in the GitHub environment {PREVIEWS!r}.")
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
