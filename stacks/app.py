"""All stacks of an environment, in the order of their deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdktf import App

from catalog import load_catalog, retarget
from declared.environment import EnvironmentFileError
from declared.names import PARTS
from stacks.access import access
from stacks.automation import automation
from stacks.base import Deployment, adopt, adoption_file
from stacks.monitoring import monitoring
from stacks.routines import routines
from stacks.warehouse import warehouse

if TYPE_CHECKING:
    from pathlib import Path

    from declared.environment import Environment

BUILDERS = {
    "warehouse": warehouse,
    "routines": routines,
    "access": access,
    "automation": automation,
    "monitoring": monitoring,
}


def synthesize(environment: Environment, sql: Path, outdir: str | None = None) -> None:
    """Write the configuration of every stack.

    Args:
        environment: the environment's settings.
        sql: the folder of SQL files.
        outdir: where to write; by default what cdktf asks for, else cdktf.out.

    Raises:
        CatalogError: SQL files that do not parse or compile.
        EnvironmentFileError: EROS_ADOPT names what cannot be adopted.
    """
    catalog = retarget(load_catalog(sql), environment.project, environment.dataset)
    deployment = Deployment(environment, catalog)
    adoption = adoption_file()
    if unknown := sorted(set(adoption) - {deployment.stack_name(part) for part in PARTS}):
        raise EnvironmentFileError(f"EROS_ADOPT: environment {environment.name} has no stack {', '.join(unknown)}")
    # cdktf would run `terraform version`, and a machine need not have it on its PATH; `required_version` says the same
    app = App(outdir=outdir, skip_validation=True)
    before = None
    for part in PARTS:
        stack = BUILDERS[part](app, deployment)
        if before is not None:
            stack.add_dependency(before)
        adopt(stack, adoption.get(deployment.stack_name(part), {}))
        before = stack
    app.synth()
