"""What every route of the control plane works with. A route takes it as its first argument, named ``plane``."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from local.control_plane.answers import not_found
from local.control_plane.clock import Clock
from local.control_plane.projects import Projects
from local.control_plane.store import Resource, Store
from local.control_plane.transfer_runs import Runs


@dataclass(frozen=True)
class Upload:
    """An object of Cloud Storage on its way: its resource, its name, and the live generations that allow the write."""

    resource: Resource
    name: str
    if_match: int | None
    if_not_match: int | None
    content: bytes = b""


@dataclass(frozen=True)
class ControlPlane:
    """The state behind the APIs. Resumable uploads live in memory: a restart forgets those under way."""

    store: Store
    projects: Projects
    runs: Runs
    clock: Clock
    uploads: dict[str, Upload] = field(default_factory=dict)

    def find(self, kind: str, name: str, called: str = "") -> Resource:
        """A resource.

        Args:
            kind: the kind of the resource.
            name: its name in the store.
            called: what the error calls it; by default its name.

        Raises:
            ApiError: it does not exist.
        """
        if found := self.store.get(kind, name):
            return found
        raise not_found(called or name)


async def plane_of(request: Request) -> ControlPlane:
    """The control plane of the application that received a request."""
    plane: ControlPlane = request.app.state.plane
    return plane


Plane = Annotated[ControlPlane, Depends(plane_of)]


async def known_project(request: Request, plane: Plane) -> None:
    """Refuse a path that names another project; ``-`` is any.

    Raises:
        ApiError: there is no such project.
    """
    if (project := request.path_params.get("project", "-")) != "-":
        plane.projects.number(project)
