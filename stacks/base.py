"""What every stack has: a name, the provider, the place of its state, and the import ids of its objects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from declared import names
from declared.environment import EnvironmentFileError
from declared.imports import IMPORTS, ImportId, write_import_ids, write_imports
from stacks.cdk import GcsBackend, GoogleProvider, LocalBackend, TerraformStack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from catalog import Catalog
    from declared.environment import Environment
    from stacks.cdk import App, TerraformResource


@dataclass(frozen=True)
class Deployment:
    """What is deployed where: an environment, and the catalog under its names."""

    environment: Environment
    catalog: Catalog

    @property
    def dataset(self) -> str:
        """The import id of the dataset, with which those of its objects begin."""
        return f"projects/{self.environment.project}/datasets/{self.environment.dataset}"

    def stack_name(self, part: names.Part) -> str:
        """The name of a stack, e.g. ``eros-prod-warehouse``."""
        return names.stack_name(self.environment.name, part)


class Stack(TerraformStack):
    """A stack with provider and backend; ``import_ids`` are by address how an existing object's import id is found."""

    def __init__(self, app: App, environment: Environment, name: str) -> None:
        super().__init__(app, name)
        self.import_ids: dict[str, ImportId] = {}
        self.add_override("terraform.required_version", ">= 1.7")
        # labels are only those of the SQL files, so that adopting a table changes none
        GoogleProvider(self, "google", project=environment.project, add_terraform_attribution_label=False)
        if environment.state.backend == "gcs":
            GcsBackend(self, bucket=environment.state.bucket or "", prefix=names.state_prefix(name))
        else:
            # relative to the folder in which Terraform runs, so that the configuration contains no machine's path
            LocalBackend(self, path=f"../../../{names.state_file(name)}")

    def declare(self, resource: TerraformResource, name: str, import_id: ImportId | None = None) -> None:
        """Give a resource its plain address, without the hash that cdktf would append.

        Args:
            resource: a resource of this stack.
            name: its name within its type.
            import_id: how it is found when it exists; None for what need not be imported, since creating it again
                changes nothing.
        """
        resource.override_logical_id(name)
        if import_id is not None:
            self.import_ids[f"{resource.terraform_resource_type}.{name}"] = import_id


def new_stack(app: App, deployment: Deployment, part: names.Part) -> Stack:
    """An empty stack of a deployment."""
    return Stack(app, deployment.environment, deployment.stack_name(part))


def literal(text: str) -> str:
    """A text that Terraform takes literally: ``${`` and ``%{`` would begin a template."""
    return text.replace("${", "$${").replace("%{", "%%{")


def write(app: App, stacks: Sequence[Stack], adoption: Mapping[str, Mapping[str, str]]) -> None:
    """Write every stack, and next to each how its objects are imported; imports of an earlier run are removed.

    Args:
        app: the stacks' app.
        stacks: what to write.
        adoption: import ids by stack and resource address.

    Raises:
        EnvironmentFileError: an address that is not declared.
    """
    for stack in stacks:
        if wanted := adoption.get(stack.node.id):
            _check_adoption(stack, wanted)
    folders = {stack: Path(app.outdir) / "stacks" / stack.node.id for stack in stacks}
    for folder in folders.values():
        (folder / IMPORTS).unlink(missing_ok=True)
    app.synth()
    for stack, folder in folders.items():
        write_import_ids(folder, stack.import_ids)
        write_imports(folder, adoption.get(stack.node.id, {}))


def _check_adoption(stack: Stack, wanted: Mapping[str, str]) -> None:
    declared = {
        f"{kind}.{resource}" for kind, resources in stack.to_terraform()["resource"].items() for resource in resources
    }
    if unknown := sorted(set(wanted) - declared):
        raise EnvironmentFileError(f"EROS_ADOPT: stack {stack.node.id} declares no {', '.join(unknown)}")
