"""The Google APIs other than BigQuery that the declared resources use, as far as they and the verifier need them.

A module per API: a router whose routes are plain functions. They take the ControlPlane as their first argument, so a
test can call one without a server.
"""

from local.control_plane.app import create_control_plane
from local.control_plane.plane import ControlPlane
from local.control_plane.projects import Projects
from local.control_plane.store import Store

__all__ = ["ControlPlane", "Projects", "Store", "create_control_plane"]
