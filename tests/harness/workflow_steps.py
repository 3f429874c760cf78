"""The workflows' jobs as data, and their run steps as the commands that a person would type."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from catalog.files import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

WORKFLOWS = REPOSITORY / ".github" / "workflows"


@dataclass(frozen=True)
class RunStep:
    """A run line; ``env`` has what the file writes out: a value with an expression in it is GitHub's to give."""

    line: str
    env: dict[str, str]
    given: frozenset[str]


def read_workflow(name: str) -> dict[Any, Any]:
    """A workflow file; YAML 1.1 reads the key ``on`` as True."""
    content: dict[Any, Any] = yaml.load((WORKFLOWS / f"{name}.yml").read_bytes(), yaml.CSafeLoader)
    return content


def run_steps(workflow: str, job: str) -> list[RunStep]:
    """The run steps of a job in their order, each with its own variables and those of job and workflow."""
    content = read_workflow(workflow)
    outer = content.get("env", {}) | content["jobs"][job].get("env", {})
    steps = []
    for step in content["jobs"][job]["steps"]:
        if "run" in step:
            env = {name: str(value) for name, value in (outer | step.get("env", {})).items()}
            given = frozenset(name for name, value in env.items() if "${{" in value)
            steps.append(RunStep(step["run"], {k: v for k, v in env.items() if k not in given}, given))
    return steps


def run_step(step: RunStep, folder: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a step as GitHub does, by ``bash -e`` in a checkout.

    Args:
        step: the step.
        folder: the checkout.
        variables: what GitHub would give, and ENV for an environment other than the file's.
    """
    missing = step.given - set(variables)
    assert not missing, f"{step.line} needs {', '.join(sorted(missing))}"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["bash", "-e", "-c", step.line],
        cwd=folder,
        env={**inherited, "COLUMNS": "160", **step.env, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
