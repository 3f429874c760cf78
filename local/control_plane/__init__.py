"""The Google APIs besides BigQuery that the declared resources touch, as far as the provider and the verifier use them."""

from local.control_plane.app import create_control_plane

__all__ = ["create_control_plane"]
