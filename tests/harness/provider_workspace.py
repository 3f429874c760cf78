"""A Terraform workspace without Terraform: one resource's configuration planned and applied in this process."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.provider import mapping
from local.provider.plugin import planned
from local.provider.resources import load
from local.provider.rest import Session, local_endpoints
from local.provider.values import UNKNOWN, conform
from tests.harness.checkout import skip_in_fast_run

if TYPE_CHECKING:
    from pathlib import Path

    from local.provider.planning import Change

PROJECT = "eros-local"
PROVIDER, RESOURCES = load()


def run_terraform(folder: Path, variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Terraform in a folder, both of its outputs in one, without the settings of the person who runs the tests."""
    skip_in_fast_run()
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("TF_", "GOOGLE_"))},
        **variables,
        "TF_CLI_CONFIG_FILE": os.devnull,
        "CHECKPOINT_DISABLE": "1",
    }
    return subprocess.run(
        ["terraform", *arguments, "-no-color"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )


@dataclass(frozen=True)
class RecordingSession(Session):
    """A session that keeps what it wrote: method, path and body."""

    writes: list[tuple[str, str, Any]] = field(default_factory=list)

    def call(self, api: str, method: str, path: str, body: Any = None) -> Any:
        """Make one request and keep it, unless it is a read."""
        if method != "GET" and not path.partition("?")[0].endswith(":getIamPolicy"):
            self.writes.append((method, path, body))
        return super().call(api, method, path, body)


def session(endpoint: str, *, attribution: bool = False) -> RecordingSession:
    """Configure a provider for a server."""
    return RecordingSession(local_endpoints(endpoint), PROJECT, attribution_label=attribution)


@dataclass
class Managed:
    """One resource under management: its type, its session and its state."""

    type: str
    session: RecordingSession
    state: Any = None

    def refresh(self) -> None:
        """Read the state again, as each plan does first."""
        if self.state is not None:
            self.state = conform(self._block, RESOURCES[self.type].read(self.session, self.state))

    def plan(self, config: dict[str, Any]) -> Change:
        """Plan a configuration against the current state."""
        self.refresh()
        return self._planned(self.state, config)

    def apply(self, config: dict[str, Any]) -> Change:
        """Plan and apply a configuration; replaces where the plan says so."""
        change, resource = self.plan(config), RESOURCES[self.type]
        if self.state is not None and not changed(change):
            return change
        if self.state is not None and change.replace:
            self.destroy()
            change = self._planned(None, config)
        plan = conform(self._block, change.plan)
        if self.state is None:
            known = _known(resource.create(self.session, plan))
            known["id"] = resource.id_of(known)
        else:
            resource.update(self.session, self.state, plan)
            known = plan
        read = conform(self._block, resource.read(self.session, known))
        self.state = mapping.settle(self._block, read, plan)
        return change

    def destroy(self) -> None:
        """Delete the resource."""
        RESOURCES[self.type].delete(self.session, self.state)
        self.state = None

    @property
    def _block(self) -> Any:
        return RESOURCES[self.type].schema.block

    def _planned(self, prior: Any, config: dict[str, Any]) -> Change:
        change = planned(RESOURCES[self.type], self.session, prior, conform(self._block, config))
        change.plan = conform(self._block, change.plan)
        return change


def changed(change: Change) -> list[str]:
    """Name the attributes and blocks that differ between the state and the plan, as Terraform compares them.

    If an object is replaced, everything that is computed again differs too.
    """
    plan = change.plan
    if change.replace:
        resource = next(
            r for r in RESOURCES.values() if r.schema.block.attributes.keys() <= plan.keys() == change.prior.keys()
        )
        plan = conform(
            resource.schema.block,
            planned(resource, Session({}, PROJECT, attribution_label=False), None, change.config).plan,
        )
    return sorted(name for name in plan if plan[name] is UNKNOWN or plan[name] != change.prior.get(name))


def line_of(write: tuple[str, str, Any]) -> str:
    """Write a request in one line, without what a server makes up."""
    method, path, _ = write
    path = re.sub(r"^projects/[^/?:]+", "", path)
    return f"{method} " + re.sub(r"(transferConfigs/)[^?]+", r"\1…", path)


def _known(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _known(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_known(item) for item in value]
    return None if value is UNKNOWN else value
