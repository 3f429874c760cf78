"""The jobs of the workflows, run step by step in a checkout, in the embedded environment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.harness.github_server import NAME, GitHub
from tests.harness.workflow_steps import RunStep, run_step, run_steps

if TYPE_CHECKING:
    from tests.harness.checkout import Checkout

#: What GitHub gives to every job.
RUNNER = {"GITHUB_SERVER_URL": "https://github.example.com", "GITHUB_REPOSITORY": NAME, "GITHUB_RUN_ID": "1"}


def run_job_step(checkout: Checkout, step: RunStep, variables: dict[str, str] | None = None, expect: int = 0) -> str:
    """Run a step of a workflow, in the embedded environment unless ``variables`` name another; its output."""
    done = run_step(step, checkout.folder, {**RUNNER, "ENV": "local", **(variables or {})})
    assert done.returncode == expect, f"{step.line} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def run_job(
    checkout: Checkout, workflow: str, job: str, variables: dict[str, str] | None = None, expect: int = 0
) -> list[str]:
    """Run the steps of a job, of which the last may fail; the output of each."""
    *others, last = run_steps(workflow, job)
    printed = [run_job_step(checkout, step, variables) for step in others]
    return [*printed, run_job_step(checkout, last, variables, expect)]


def hand_over(checkout: Checkout, file: str) -> None:
    """Do the same as uploading an artifact and downloading it in the next job."""
    (checkout.folder / "downloaded").mkdir(exist_ok=True)
    (checkout.folder / file).rename(checkout.folder / "downloaded" / file)


def look_for_drift(checkout: Checkout, github: GitHub, expect: int = 0) -> str:
    """Run both jobs of the nightly workflow; what had drifted, as JSON."""
    run_job(checkout, "drift", "drift", expect=expect)
    hand_over(checkout, "drift.json")
    run_job(checkout, "drift", "issue", github.variables)
    return (checkout.folder / "downloaded" / "drift.json").read_text(encoding="utf-8")


def verified(checkout: Checkout) -> int:
    """Run the whole verification, as a deployment's workflow does, and make sure that all is PASS; how much."""
    *_, verify = run_steps("deploy", "staging")
    printed = run_job_step(checkout, verify)
    headline = re.search(r"(\d+) tests, (\d+) results: (\d+) PASS in ", printed)
    assert headline is not None, printed
    assert headline[2] == headline[3]
    return int(headline[2])
