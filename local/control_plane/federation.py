"""IAM v1: workload identity pools and their providers, and custom roles; nobody's token is ever exchanged here."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Query

from local.control_plane.answers import ApiError, fields_of, invalid, not_found, update_fields
from local.control_plane.projects import Projects
from local.control_plane.store import Resource, Store

POOL, PROVIDER, ROLE = "identity_pool", "identity_provider", "custom_role"
IDENTITY = re.compile(r"(?!gcp-)[a-z0-9-]{4,32}")
POOL_FIELDS = frozenset({"displayName", "description", "disabled"})
PROVIDER_FIELDS = POOL_FIELDS | {"attributeMapping", "attributeCondition", "oidc"}
ROLE_ID = re.compile(r"[A-Za-z0-9_.]{3,64}")
GITHUB = "https://token.actions.githubusercontent.com"


def identity_pools(store: Store, projects: Projects) -> APIRouter:
    """The routes of pools and providers; what Google does in a long-running operation is done at once."""
    router = APIRouter(prefix="/iam/v1/projects/{project}/locations/global/workloadIdentityPools")

    def name_of(project: str, pool: str, provider: str = "") -> str:
        name = f"projects/{projects.number(project)}/locations/global/workloadIdentityPools/{pool}"
        return f"{name}/providers/{provider}" if provider else name

    def find(kind: str, name: str) -> Resource:
        if found := store.get(kind, name):
            return found
        raise not_found(name)

    def create(kind: str, name: str, body: Resource) -> Resource:
        if not IDENTITY.fullmatch(name.rsplit("/", 1)[1]):
            raise invalid(f"{name}: an id has 4 to 32 lower-case letters, digits and hyphens, and not gcp- first.")
        with store.transaction():
            if store.get(kind, name):  # a deleted one keeps its name for 30 days
                raise ApiError("ALREADY_EXISTS", "Requested entity already exists")
            return done(name, store.put(kind, name, {**body, "name": name, "state": "ACTIVE"}))

    def update(kind: str, name: str, body: Resource, mask: str) -> Resource:
        with store.transaction():
            known = POOL_FIELDS if kind == POOL else PROVIDER_FIELDS
            changed = update_fields(find(kind, name), body, fields_of(mask), known)
            if kind == PROVIDER:
                _check_provider(changed)
            return done(name, store.put(kind, name, changed))

    def delete(kind: str, name: str) -> Resource:
        with store.transaction():
            return done(name, store.put(kind, name, {**find(kind, name), "state": "DELETED"}))

    def undelete(kind: str, name: str) -> Resource:
        with store.transaction():
            return done(name, store.put(kind, name, {**find(kind, name), "state": "ACTIVE"}))

    @router.post("")
    def create_pool(
        project: str, body: Resource, pool: Annotated[str, Query(alias="workloadIdentityPoolId")]
    ) -> Resource:
        return create(POOL, name_of(project, pool), body)

    @router.get("/{pool}")
    def get_pool(project: str, pool: str) -> Resource:
        return find(POOL, name_of(project, pool))

    @router.patch("/{pool}")
    def update_pool(
        project: str, pool: str, body: Resource, mask: Annotated[str, Query(alias="updateMask")] = ""
    ) -> Resource:
        return update(POOL, name_of(project, pool), body, mask)

    @router.delete("/{pool}")
    def delete_pool(project: str, pool: str) -> Resource:
        return delete(POOL, name_of(project, pool))

    @router.post("/{pool}:undelete")
    def undelete_pool(project: str, pool: str) -> Resource:
        return undelete(POOL, name_of(project, pool))

    @router.post("/{pool}/providers")
    def create_provider(
        project: str, pool: str, body: Resource, provider: Annotated[str, Query(alias="workloadIdentityPoolProviderId")]
    ) -> Resource:
        find(POOL, name_of(project, pool))
        _check_provider(body)
        return create(PROVIDER, name_of(project, pool, provider), body)

    @router.get("/{pool}/providers/{provider}")
    def get_provider(project: str, pool: str, provider: str) -> Resource:
        return find(PROVIDER, name_of(project, pool, provider))

    @router.patch("/{pool}/providers/{provider}")
    def update_provider(
        project: str, pool: str, provider: str, body: Resource, mask: Annotated[str, Query(alias="updateMask")] = ""
    ) -> Resource:
        return update(PROVIDER, name_of(project, pool, provider), body, mask)

    @router.delete("/{pool}/providers/{provider}")
    def delete_provider(project: str, pool: str, provider: str) -> Resource:
        return delete(PROVIDER, name_of(project, pool, provider))

    @router.post("/{pool}/providers/{provider}:undelete")
    def undelete_provider(project: str, pool: str, provider: str) -> Resource:
        return undelete(PROVIDER, name_of(project, pool, provider))

    return router


def done(name: str, resource: Resource) -> Resource:
    """An operation that has ended."""
    return {"name": f"{name}/operations/done", "done": True, "response": resource}


def _check_provider(body: Resource) -> None:
    if not body.get("oidc", {}).get("issuerUri", "").startswith("https://"):
        raise invalid("oidc.issuerUri must begin with https://")
    if "google.subject" not in body.get("attributeMapping", {}):
        raise invalid("The attribute mapping must map google.subject.")
    if body["oidc"]["issuerUri"] == GITHUB and "assertion." not in body.get("attributeCondition", ""):
        raise invalid("The attribute condition must reference one of the provider's claims.")


def custom_roles(store: Store) -> APIRouter:
    """The routes of a project's custom roles; a deleted one can be taken back."""
    router = APIRouter(prefix="/iam/v1/projects/{project}/roles")

    def find(project: str, role: str) -> Resource:
        if found := store.get(ROLE, f"projects/{project}/roles/{role}"):
            return found
        raise not_found(f"The role named projects/{project}/roles/{role}")

    def save(role: Resource) -> Resource:
        return store.put(ROLE, role["name"], role)

    @router.post("")
    def create(project: str, body: Resource) -> Resource:
        identity = str(body.get("roleId", ""))
        if not ROLE_ID.fullmatch(identity):
            raise invalid(f"The role_id {identity!r} does not have 3 to 64 letters, digits, underscores and periods.")
        with store.transaction():
            name = f"projects/{project}/roles/{identity}"
            if store.get(ROLE, name):
                raise ApiError("ALREADY_EXISTS", f"A role named {identity} in projects/{project} already exists.")
            return save({**body.get("role", {}), "name": name, "etag": "BwXrole"})

    @router.get("/{role}")
    def get(project: str, role: str) -> Resource:
        return find(project, role)

    @router.patch("/{role}")
    def update(project: str, role: str, body: Resource) -> Resource:
        with store.transaction():
            kept = {key: value for key, value in find(project, role).items() if key in {"name", "etag", "deleted"}}
            return save({**body, **kept})

    @router.delete("/{role}")
    def delete(project: str, role: str) -> Resource:
        with store.transaction():
            return save({**find(project, role), "deleted": True})

    @router.post("/{role}:undelete")
    def undelete(project: str, role: str) -> Resource:
        with store.transaction():
            return save({key: value for key, value in find(project, role).items() if key != "deleted"})

    return router
