"""Synthesizes in this process. jsii, which takes two seconds, starts with the first synthesis, not with an import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from declared.imports import adoption_file
from declared.names import stack_names

if TYPE_CHECKING:
    from pathlib import Path

    from catalog import Catalog
    from declared.environment import Environment


def synthesize(environment: Environment, catalog: Catalog, folder: Path) -> Path:
    """Write the configuration of every stack, as main.py does.

    Returns:
        The folder with a folder for each stack.

    Raises:
        EnvironmentFileError: EROS_ADOPT names what cannot be adopted.
    """
    from stacks import app  # noqa: PLC0415 - see above

    app.synthesize(environment, catalog, adoption_file(stack_names(environment.name)), str(folder))
    return folder / "stacks"


def automation_of(environment: Environment, catalog: Catalog, folder: Path) -> dict[str, Any]:
    """The resources of the stack with the scheduled queries of exactly this catalog, by type and name."""
    from stacks import automation, base, cdk  # noqa: PLC0415 - see above

    stack = automation.automation(cdk.App(outdir=str(folder)), base.Deployment(environment, catalog))
    found: dict[str, Any] = stack.to_terraform()["resource"]
    return found


def literal(text: str) -> str:
    """A text as the stacks write it for Terraform."""
    from stacks import base  # noqa: PLC0415 - see above

    return base.literal(text)
