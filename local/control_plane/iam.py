"""IAM: policies of projects and service accounts, and the service accounts themselves."""

import base64
import json
import re
from typing import Annotated, Any

from fastapi import APIRouter, Body

from local.control_plane.answers import ApiError, fields_of, invalid, not_found, update_fields
from local.control_plane.plane import ControlPlane, Plane
from local.control_plane.store import Resource, Store

ACCOUNT = "service_account"
POLICY = "policy"
FIRST_ETAG = "BwXAAAAAAAE="
DEFAULT_POLICY_MASK = "bindings,etag"
ACCOUNT_ID = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
ACCOUNT_EMAIL = re.compile(r"serviceAccount:(?P<email>[^@]+@(?P<project>[^.]+)\.iam\.gserviceaccount\.com)")
ACCOUNT_FIELDS = frozenset({"displayName", "description", "etag"})
MEMBER = re.compile(r"allUsers|allAuthenticatedUsers|(user|group|serviceAccount|domain|deleted:\w+|principal\w*):\S+")
CONCURRENT = (
    "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff. "
    "The request's ETag '{}' did not match the current policy's ETag '{}'."
)

resource_manager = APIRouter(prefix="/cloudresourcemanager/v1")
service_accounts = APIRouter(prefix="/iam/v1/projects/{project}/serviceAccounts")


def read_policy(store: Store, name: str) -> Resource:
    """The policy of a resource; an empty one if none was ever set."""
    return store.get(POLICY, name) or {"version": 1, "etag": FIRST_ETAG, "bindings": []}


def replace_policy(plane: ControlPlane, name: str, body: Any) -> Resource:
    """Replace a policy by the one in a request's body. Audit configs change only if ``updateMask`` names them.

    Raises:
        ApiError: the etag is not the current one, since someone else has changed the policy; or a member cannot
            exist, such as a service account of the project that was never created.
    """
    if not isinstance(body, dict) or not isinstance(body.get("policy"), dict):
        raise invalid("The request holds no policy.")
    wanted, mask = body["policy"], fields_of(body.get("updateMask") or DEFAULT_POLICY_MASK)
    with plane.store.transaction():
        current = read_policy(plane.store, name)
        if wanted.get("etag") and wanted["etag"] != current["etag"]:
            raise ApiError("ABORTED", CONCURRENT.format(wanted["etag"], current["etag"]))
        bindings = [
            {**binding, "members": sorted(set(binding["members"]))}
            for binding in wanted.get("bindings", [])
            if binding.get("members")
        ]
        bindings.sort(key=lambda binding: (binding["role"], json.dumps(binding.get("condition"))))
        for member in {member for binding in bindings for member in binding["members"]}:
            _check_member(plane, member)
        policy = {
            "bindings": bindings,
            "etag": base64.b64encode(b"\x07\x05" + plane.store.next_number().to_bytes(6, "big")).decode(),
            "version": 3 if any(binding.get("condition") for binding in bindings) else 1,
        }
        if audit := (wanted if "auditConfigs" in mask else current).get("auditConfigs"):
            policy["auditConfigs"] = audit
        return plane.store.put(POLICY, name, policy)


def check_account(plane: ControlPlane, email: str) -> None:
    """Refuse a service account that does not exist, as Google does; those of other projects are unknown here.

    Raises:
        ApiError: it does not exist.
    """
    match, own = ACCOUNT_EMAIL.fullmatch(f"serviceAccount:{email}"), plane.projects.own
    if match and match["project"] == own and not plane.store.get(ACCOUNT, _account_name(own, email)):
        raise invalid(f"Service account {email} does not exist.")


def _check_member(plane: ControlPlane, member: str) -> None:
    if not MEMBER.fullmatch(member):
        raise invalid(
            f"The member {member} is of an unknown type. Write user:…, group:…, serviceAccount:… or domain:…."
        )
    kind, _, email = member.partition(":")
    if kind == "serviceAccount":
        check_account(plane, email)


def _account_name(project: str, email: str) -> str:
    return f"projects/{project}/serviceAccounts/{email}"


@resource_manager.get("/projects/{project}")
def get_project(plane: Plane, project: str) -> Resource:
    """The project, by its id or its number."""
    return {
        "projectNumber": str(plane.projects.number(project)),
        "projectId": plane.projects.own,
        "lifecycleState": "ACTIVE",
        "name": plane.projects.own,
        "createTime": "2024-01-01T00:00:00.000Z",
    }


@resource_manager.post("/projects/{project}:getIamPolicy")
def get_project_policy(plane: Plane, project: str) -> Resource:
    """The policy of a project."""
    return read_policy(plane.store, f"projects/{project}")


@resource_manager.post("/projects/{_project}:testIamPermissions")
def granted_permissions(_project: str, body: Resource) -> Resource:
    """The permissions of the caller: all of them, since the server checks nobody's access."""
    return {"permissions": list(body.get("permissions", []))}


@resource_manager.post("/projects/{project}:setIamPolicy")
def set_project_policy(plane: Plane, project: str, body: Annotated[Any, Body()] = None) -> Resource:
    """Replace the policy of a project."""
    return replace_policy(plane, f"projects/{project}", body)


@service_accounts.get("")
def list_accounts(plane: Plane, project: str) -> Resource:
    """The service accounts of a project."""
    return {"accounts": plane.store.list(ACCOUNT, _account_name(project, ""))}


@service_accounts.post("")
def create_account(plane: Plane, project: str, body: Resource) -> Resource:
    """Create a service account."""
    identity = str(body.get("accountId", ""))
    if not ACCOUNT_ID.fullmatch(identity):
        raise invalid(f"The account ID {identity!r} does not have 6 to 30 lower-case letters, digits and hyphens.")
    email = f"{identity}@{project}.iam.gserviceaccount.com"
    name = _account_name(project, email)
    with plane.store.transaction():
        if plane.store.get(ACCOUNT, name):
            message = f"Service account {identity} already exists within project projects/{project}."
            raise ApiError("ALREADY_EXISTS", message)
        number = plane.store.next_number()
        given = {key: value for key, value in body.get("serviceAccount", {}).items() if value}
        account = {
            "name": name,
            "projectId": project,
            "uniqueId": f"1{number:020}",
            "email": email,
            "oauth2ClientId": f"2{number:020}",
            "etag": "MDEwMjE5MjA=",
        }
        return _save(plane.store, {**account, **given})


@service_accounts.get("/{identity}")
def get_account(plane: Plane, identity: str) -> Resource:
    """A service account, by its e-mail address or unique id."""
    for account in plane.store.list(ACCOUNT):
        if identity in {account["email"], account["uniqueId"]}:
            return account
    raise not_found(f"Service account projects/-/serviceAccounts/{identity}")


@service_accounts.patch("/{identity}")
def update_account(plane: Plane, identity: str, body: Resource) -> Resource:
    """Update the fields of the mask."""
    fields = fields_of(body.get("updateMask", ""))
    with plane.store.transaction():
        account = get_account(plane, identity)
        return _save(plane.store, update_fields(account, body.get("serviceAccount", {}), fields, ACCOUNT_FIELDS))


@service_accounts.delete("/{identity}")
def delete_account(plane: Plane, identity: str) -> Resource:
    """Delete a service account and its policy."""
    with plane.store.transaction():
        account = get_account(plane, identity)
        plane.store.delete(ACCOUNT, account["name"])
        plane.store.delete(POLICY, account["name"])
    return {}


@service_accounts.post("/{identity}:getIamPolicy")
def get_account_policy(plane: Plane, identity: str) -> Resource:
    """The policy of a service account."""
    return read_policy(plane.store, get_account(plane, identity)["name"])


@service_accounts.post("/{identity}:setIamPolicy")
def set_account_policy(plane: Plane, identity: str, body: Annotated[Any, Body()] = None) -> Resource:
    """Replace the policy of a service account."""
    return replace_policy(plane, get_account(plane, identity)["name"], body)


@service_accounts.post("/{identity}:enable")
def enable_account(plane: Plane, identity: str) -> Resource:
    """Enable a service account."""
    with plane.store.transaction():
        account = get_account(plane, identity)
        _save(plane.store, {key: value for key, value in account.items() if key != "disabled"})
    return {}


@service_accounts.post("/{identity}:disable")
def disable_account(plane: Plane, identity: str) -> Resource:
    """Disable a service account."""
    with plane.store.transaction():
        _save(plane.store, {**get_account(plane, identity), "disabled": True})
    return {}


def _save(store: Store, account: Resource) -> Resource:
    return store.put(ACCOUNT, account["name"], account)
