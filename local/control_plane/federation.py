"""IAM v1: workload identity pools and their providers, and custom roles. No token is ever exchanged here."""

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from local.control_plane.answers import ApiError, fields_of, invalid, update_fields
from local.control_plane.plane import ControlPlane, Plane
from local.control_plane.store import Resource

POOL, PROVIDER, ROLE = "identity_pool", "identity_provider", "custom_role"
IDENTITY = re.compile(r"(?!gcp-)[a-z0-9-]{4,32}")
POOL_FIELDS = frozenset({"displayName", "description", "disabled"})
PROVIDER_FIELDS = POOL_FIELDS | {"attributeMapping", "attributeCondition", "oidc"}
ROLE_ID = re.compile(r"[A-Za-z0-9_.]{3,64}")
GITHUB = "https://token.actions.githubusercontent.com"

#: Google runs these in long-running operations; here they are done immediately.
identity_pools = APIRouter(prefix="/iam/v1/projects/{project}/locations/global/workloadIdentityPools")
custom_roles = APIRouter(prefix="/iam/v1/projects/{project}/roles")


async def pools_name(plane: Plane, project: str) -> str:
    """The collection of a project's pools."""
    return f"projects/{plane.projects.number(project)}/locations/global/workloadIdentityPools"


async def pool_name(pools: Annotated[str, Depends(pools_name)], pool: str) -> str:
    """The name of a pool."""
    return f"{pools}/{pool}"


async def provider_name(pool: Annotated[str, Depends(pool_name)], provider: str) -> str:
    """The name of a provider of a pool."""
    return f"{pool}/providers/{provider}"


async def role_name(project: str, role: str) -> str:
    """The name of a custom role."""
    return f"projects/{project}/roles/{role}"


PoolName = Annotated[str, Depends(pool_name)]
ProviderName = Annotated[str, Depends(provider_name)]
RoleName = Annotated[str, Depends(role_name)]
Mask = Annotated[str, Query(alias="updateMask")]


@identity_pools.post("")
def create_pool(
    plane: Plane,
    pools: Annotated[str, Depends(pools_name)],
    body: Resource,
    pool: Annotated[str, Query(alias="workloadIdentityPoolId")],
) -> Resource:
    """Create a pool."""
    return _create(plane, POOL, f"{pools}/{pool}", body)


@identity_pools.get("/{pool}")
def get_pool(plane: Plane, name: PoolName) -> Resource:
    """A pool, deleted or not."""
    return plane.find(POOL, name)


@identity_pools.patch("/{pool}")
def update_pool(plane: Plane, name: PoolName, body: Resource, mask: Mask = "") -> Resource:
    """Update the fields of the mask."""
    with plane.store.transaction():
        changed = update_fields(plane.find(POOL, name), body, fields_of(mask), POOL_FIELDS)
        return _done(plane.store.put(POOL, name, changed))


@identity_pools.delete("/{pool}")
def delete_pool(plane: Plane, name: PoolName) -> Resource:
    """Delete a pool, which keeps its name."""
    return _put_state(plane, POOL, name, "DELETED")


@identity_pools.post("/{pool}:undelete")
def undelete_pool(plane: Plane, name: PoolName) -> Resource:
    """Restore a deleted pool."""
    return _put_state(plane, POOL, name, "ACTIVE")


@identity_pools.post("/{pool}/providers")
def create_provider(
    plane: Plane,
    pool: PoolName,
    body: Resource,
    provider: Annotated[str, Query(alias="workloadIdentityPoolProviderId")],
) -> Resource:
    """Create a provider of a pool."""
    plane.find(POOL, pool)
    return _create(plane, PROVIDER, f"{pool}/providers/{provider}", _checked_provider(body))


@identity_pools.get("/{pool}/providers/{provider}")
def get_provider(plane: Plane, name: ProviderName) -> Resource:
    """A provider, deleted or not."""
    return plane.find(PROVIDER, name)


@identity_pools.patch("/{pool}/providers/{provider}")
def update_provider(plane: Plane, name: ProviderName, body: Resource, mask: Mask = "") -> Resource:
    """Update the fields of the mask."""
    with plane.store.transaction():
        changed = update_fields(plane.find(PROVIDER, name), body, fields_of(mask), PROVIDER_FIELDS)
        return _done(plane.store.put(PROVIDER, name, _checked_provider(changed)))


@identity_pools.delete("/{pool}/providers/{provider}")
def delete_provider(plane: Plane, name: ProviderName) -> Resource:
    """Delete a provider, which keeps its name."""
    return _put_state(plane, PROVIDER, name, "DELETED")


@identity_pools.post("/{pool}/providers/{provider}:undelete")
def undelete_provider(plane: Plane, name: ProviderName) -> Resource:
    """Restore a deleted provider."""
    return _put_state(plane, PROVIDER, name, "ACTIVE")


@custom_roles.post("")
def create_role(plane: Plane, project: str, body: Resource) -> Resource:
    """Create a custom role."""
    identity = str(body.get("roleId", ""))
    if not ROLE_ID.fullmatch(identity):
        raise invalid(f"The role_id {identity!r} does not have 3 to 64 letters, digits, underscores and periods.")
    name = f"projects/{project}/roles/{identity}"
    with plane.store.transaction():
        if plane.store.get(ROLE, name):
            raise ApiError("ALREADY_EXISTS", f"A role named {identity} in projects/{project} already exists.")
        return plane.store.put(ROLE, name, {**body.get("role", {}), "name": name, "etag": "BwXrole"})


@custom_roles.get("/{role}")
def get_role(plane: Plane, name: RoleName) -> Resource:
    """A custom role, deleted or not."""
    return plane.find(ROLE, name, f"The role named {name}")


@custom_roles.patch("/{role}")
def update_role(plane: Plane, name: RoleName, body: Resource) -> Resource:
    """Replace a custom role."""
    with plane.store.transaction():
        kept = {key: value for key, value in get_role(plane, name).items() if key in {"name", "etag", "deleted"}}
        return plane.store.put(ROLE, name, {**body, **kept})


@custom_roles.delete("/{role}")
def delete_role(plane: Plane, name: RoleName) -> Resource:
    """Delete a custom role, which can be restored."""
    with plane.store.transaction():
        return plane.store.put(ROLE, name, {**get_role(plane, name), "deleted": True})


@custom_roles.post("/{role}:undelete")
def undelete_role(plane: Plane, name: RoleName) -> Resource:
    """Restore a deleted custom role."""
    with plane.store.transaction():
        kept = {key: value for key, value in get_role(plane, name).items() if key != "deleted"}
        return plane.store.put(ROLE, name, kept)


def _create(plane: ControlPlane, kind: str, name: str, body: Resource) -> Resource:
    if not IDENTITY.fullmatch(name.rsplit("/", 1)[1]):
        raise invalid(
            f"{name}: an id has 4 to 32 lower-case letters, digits and hyphens, and does not begin with gcp-."
        )
    with plane.store.transaction():
        if plane.store.get(kind, name):  # a deleted one keeps its name for 30 days
            raise ApiError("ALREADY_EXISTS", "Requested entity already exists")
        return _done(plane.store.put(kind, name, {**body, "name": name, "state": "ACTIVE"}))


def _put_state(plane: ControlPlane, kind: str, name: str, state: str) -> Resource:
    with plane.store.transaction():
        return _done(plane.store.put(kind, name, {**plane.find(kind, name), "state": state}))


def _done(resource: Resource) -> Resource:
    """An operation that has ended."""
    return {"name": f"{resource['name']}/operations/done", "done": True, "response": resource}


def _checked_provider(body: Resource) -> Resource:
    """A provider as IAM stores it.

    Raises:
        ApiError: its issuer, mapping or condition is refused.
    """
    if not body.get("oidc", {}).get("issuerUri", "").startswith("https://"):
        raise invalid("oidc.issuerUri must begin with https://")
    if "google.subject" not in body.get("attributeMapping", {}):
        raise invalid("The attribute mapping must map google.subject.")
    if body["oidc"]["issuerUri"] == GITHUB and "assertion." not in body.get("attributeCondition", ""):
        raise invalid("The attribute condition must reference one of the provider's claims.")
    return body
