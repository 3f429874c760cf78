"""Synthesizes the stacks of an environment, and has Terraform import the objects that exist already."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from declared.imports import read_import_ids, write_imports
from declared.names import stack_names
from google.client import GoogleApi
from operations.deploy.adoption import Adoption, adoptable
from operations.deploy.cdktf import OUTPUT, cdktf_variables, stack_folder
from operations.deploy.steps import printed, step

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from declared.environment import Environment


def synthesize(environment: Environment, console: Console, adopt: bool) -> None:
    """Write every stack's configuration to cdktf.out; the caller has its turn there.

    Args:
        environment: what to synthesize.
        console: where progress is shown.
        adopt: also write import blocks of the objects that exist. EROS_ADOPT is then ignored.

    Raises:
        StepFailedError: the SQL or the environment's file cannot be used.
        LiveSystemError: the live system cannot be read.
    """
    with step(console, "Synthesis"):
        _run_app(environment, OUTPUT, adopt)
        if adopt:
            for stack, ids in _adoption(environment, OUTPUT).found.items():
                write_imports(stack_folder(stack, OUTPUT), ids)


def adoption_of(environment: Environment, output: Path) -> Adoption:
    """What exists of everything that an environment's stacks declare.

    Args:
        environment: the environment to look at.
        output: a folder for the synthesis.

    Raises:
        StepFailedError: the SQL or the environment's file cannot be used.
        LiveSystemError: the live system cannot be read.
    """
    _run_app(environment, output, adopt=True)
    return _adoption(environment, output)


def _run_app(environment: Environment, output: Path, adopt: bool) -> None:
    variables = {**cdktf_variables(environment), "CDKTF_OUTDIR": str(output)}
    if adopt:  # EROS_ADOPT would write a second import block for an object
        variables.pop("EROS_ADOPT", None)
    printed([sys.executable, "main.py"], variables)


def _adoption(environment: Environment, output: Path) -> Adoption:
    stacks = stack_names(environment.name)
    return adoptable({stack: read_import_ids(stack_folder(stack, output)) for stack in stacks}, GoogleApi(environment))
