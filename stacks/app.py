"""All stacks of an environment, in the order of their deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog import retarget
from declared.names import PARTS, Part
from stacks.access import access
from stacks.automation import automation
from stacks.base import Deployment, Stack, write
from stacks.cdk import App
from stacks.monitoring import monitoring
from stacks.routines import routines
from stacks.warehouse import warehouse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog import Catalog
    from declared.environment import Environment

BUILDERS = {
    Part.WAREHOUSE: warehouse,
    Part.ROUTINES: routines,
    Part.ACCESS: access,
    Part.MONITORING: monitoring,
    Part.AUTOMATION: automation,
}


def synthesize(
    environment: Environment,
    catalog: Catalog,
    adoption: Mapping[str, Mapping[str, str]],
    outdir: str | None = None,
) -> None:
    """Write the configuration of every stack.

    Args:
        environment: the environment's settings.
        catalog: the objects of the SQL files, under the names that the files give them.
        adoption: import ids of what is adopted, by stack and resource address.
        outdir: where to write; by default what cdktf asks for, else cdktf.out.

    Raises:
        EnvironmentFileError: an address to adopt is not declared.
    """
    deployment = Deployment(
        environment, retarget(catalog, environment.project, environment.dataset, environment.location)
    )
    # cdktf would run `terraform version`, and a machine need not have it on its PATH; `required_version` says the same
    app = App(outdir=outdir, skip_validation=True)
    stacks: list[Stack] = []
    for part in PARTS:
        stack = BUILDERS[part](app, deployment)
        if stacks:
            stack.add_dependency(stacks[-1])
        stacks.append(stack)
    write(app, stacks, adoption)
