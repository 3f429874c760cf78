"""What every stack has: its name, the provider, where its state is kept, and imports of what stands already."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cdktf import GcsBackend, LocalBackend, TerraformElement, TerraformStack

from declared import names
from declared.environment import EnvironmentFileError
from stacks.google import GoogleProvider

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdktf import App

    from catalog import Catalog
    from declared.environment import Environment


@dataclass(frozen=True)
class Deployment:
    """What is deployed where: an environment, and the catalog under its names."""

    environment: Environment
    catalog: Catalog

    def stack_name(self, part: str) -> str:
        """The name of a stack, e.g. ``eros-prod-warehouse``."""
        return names.stack_name(self.environment.name, part)


def new_stack(app: App, deployment: Deployment, part: str) -> TerraformStack:
    """An empty stack of a deployment, with provider and backend."""
    return empty_stack(app, deployment.environment, deployment.stack_name(part))


def empty_stack(app: App, environment: Environment, name: str) -> TerraformStack:
    """An empty stack with provider and backend."""
    stack = TerraformStack(app, name)
    stack.add_override("terraform.required_version", ">= 1.7")
    # labels are those that the SQL files give, so that adopting a table changes none
    GoogleProvider(stack, "google", project=environment.project, add_terraform_attribution_label=False)
    if environment.state.backend == "gcs":
        GcsBackend(stack, bucket=environment.state.bucket or "", prefix=names.state_prefix(name))
    else:
        # relative to the folder in which Terraform runs, so that no machine's path is in the configuration
        LocalBackend(stack, path=f"../../../.local/state/{name}.tfstate")
    return stack


def literal(text: str) -> str:
    """A text that Terraform takes as it stands: ``${`` and ``%{`` would begin a template."""
    return text.replace("${", "$${").replace("%{", "%%{")


def resource_id(element: TerraformElement, name: str) -> None:
    """Give a resource its plain address, without the hash that cdktf would append."""
    element.override_logical_id(name)


def adopt(stack: TerraformStack, wanted: Mapping[str, str]) -> None:
    """Emit import blocks for resources of a stack.

    Args:
        stack: the stack, with all its resources.
        wanted: import ids by resource address.

    Raises:
        EnvironmentFileError: an address that the stack does not declare.
    """
    if not wanted:
        return
    declared = {
        f"{kind}.{resource}" for kind, resources in stack.to_terraform()["resource"].items() for resource in resources
    }
    unknown = sorted(set(wanted) - declared)
    if unknown:
        raise EnvironmentFileError(f"EROS_ADOPT: stack {stack.node.id} declares no {', '.join(unknown)}")
    stack.add_override("import", [{"to": address, "id": identity} for address, identity in sorted(wanted.items())])


def adoption_file() -> dict[str, dict[str, str]]:
    """What is to be adopted: the file named by EROS_ADOPT, ``{stack: {resource address: import id}}``.

    Raises:
        EnvironmentFileError: the file cannot be read, or holds something else.
    """
    path = os.environ.get("EROS_ADOPT")
    if not path:
        return {}
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EnvironmentFileError(f"EROS_ADOPT: {path} cannot be read as JSON: {error}") from None
    stacks = content.values() if isinstance(content, dict) else [None]
    if not all(isinstance(ids, dict) and all(isinstance(identity, str) for identity in ids.values()) for ids in stacks):
        raise EnvironmentFileError(f'EROS_ADOPT: {path} must hold {{"stack": {{"resource address": "import id"}}}}')
    return cast("dict[str, dict[str, str]]", content)
