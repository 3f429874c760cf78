"""The Google APIs besides BigQuery that the declared resources touch, as far as they and the verifier need them."""

from local.control_plane.app import create_control_plane
from local.control_plane.projects import Projects
from local.control_plane.store import Store

__all__ = ["Projects", "Store", "create_control_plane"]
