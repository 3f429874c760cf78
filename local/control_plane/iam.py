"""IAM: policies of projects and service accounts, and the service accounts themselves."""

from __future__ import annotations

import base64
import json
import re
from typing import Annotated, Any

from fastapi import APIRouter, Body

from local.control_plane.answers import ApiError, fields_of, invalid, not_found, update_fields
from local.control_plane.projects import Projects
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


def get_policy(store: Store, name: str) -> Resource:
    """The policy of a resource; an empty one where none was ever set."""
    return store.get(POLICY, name) or {"version": 1, "etag": FIRST_ETAG, "bindings": []}


def set_policy(store: Store, projects: Projects, name: str, body: Any) -> Resource:
    """Replace a policy by the one in a request's body; without its ``updateMask`` the audit configs stay.

    Raises:
        ApiError: the etag is not the current one, since somebody else changed the policy meanwhile; a member that
            cannot be, such as a service account of the project that does not exist.
    """
    if not isinstance(body, dict) or not isinstance(body.get("policy"), dict):
        raise invalid("The request holds no policy.")
    wanted, mask = body["policy"], fields_of(body.get("updateMask") or DEFAULT_POLICY_MASK)
    with store.transaction():
        current = get_policy(store, name)
        if wanted.get("etag") and wanted["etag"] != current["etag"]:
            raise ApiError("ABORTED", CONCURRENT.format(wanted["etag"], current["etag"]))
        bindings = [
            {**binding, "members": sorted(set(binding["members"]))}
            for binding in wanted.get("bindings", [])
            if binding.get("members")
        ]
        bindings.sort(key=lambda binding: (binding["role"], json.dumps(binding.get("condition"))))
        for member in {member for binding in bindings for member in binding["members"]}:
            _check_member(store, projects, member)
        policy = {
            "bindings": bindings,
            "etag": base64.b64encode(b"\x07\x05" + store.next_number().to_bytes(6, "big")).decode(),
            "version": 3 if any(binding.get("condition") for binding in bindings) else 1,
        }
        if audit := (wanted if "auditConfigs" in mask else current).get("auditConfigs"):
            policy["auditConfigs"] = audit
        return store.put(POLICY, name, policy)


def check_account(store: Store, projects: Projects, email: str) -> None:
    """Google refuses to name a service account that does not exist; of other projects we cannot know.

    Raises:
        ApiError: it does not exist.
    """
    match = ACCOUNT_EMAIL.fullmatch(f"serviceAccount:{email}")
    if match and match["project"] == projects.own and not store.get(ACCOUNT, _account_name(projects.own, email)):
        raise invalid(f"Service account {email} does not exist.")


def _check_member(store: Store, projects: Projects, member: str) -> None:
    if not MEMBER.fullmatch(member):
        raise invalid(
            f"The member {member} is of an unknown type. Write user:…, group:…, serviceAccount:… or domain:…."
        )
    kind, _, email = member.partition(":")
    if kind == "serviceAccount":
        check_account(store, projects, email)


def _account_name(project: str, email: str) -> str:
    return f"projects/{project}/serviceAccounts/{email}"


def resource_manager(store: Store, projects: Projects) -> APIRouter:
    """Cloud Resource Manager v1: a project and its policy."""
    router = APIRouter(prefix="/cloudresourcemanager/v1")

    @router.get("/projects/{project}")
    def get_project(project: str) -> Resource:
        return {
            "projectNumber": str(projects.number(project)),
            "projectId": project,
            "lifecycleState": "ACTIVE",
            "name": project,
            "createTime": "2024-01-01T00:00:00.000Z",
        }

    @router.post("/projects/{project}:getIamPolicy")
    def get_project_policy(project: str) -> Resource:
        return get_policy(store, f"projects/{project}")

    @router.post("/projects/{_project}:testIamPermissions")
    def test_permissions(_project: str, body: Resource) -> Resource:
        return {"permissions": list(body.get("permissions", []))}  # whoever reaches this server may do everything

    @router.post("/projects/{project}:setIamPolicy")
    def set_project_policy(project: str, body: Annotated[Any, Body()] = None) -> Resource:
        return set_policy(store, projects, f"projects/{project}", body)

    return router


def service_accounts(store: Store, projects: Projects) -> APIRouter:
    """IAM v1: service accounts and their policies."""
    router = APIRouter(prefix="/iam/v1/projects/{project}/serviceAccounts")

    def find(identity: str) -> Resource:
        for account in store.list(ACCOUNT):
            if identity in {account["email"], account["uniqueId"]}:
                return account
        raise not_found(f"Service account projects/-/serviceAccounts/{identity}")

    def save(account: Resource) -> Resource:
        return store.put(ACCOUNT, account["name"], account)

    @router.get("")
    def list_accounts(project: str) -> Resource:
        return {"accounts": store.list(ACCOUNT, _account_name(project, ""))}

    @router.post("")
    def create(project: str, body: Resource) -> Resource:
        identity = str(body.get("accountId", ""))
        if not ACCOUNT_ID.fullmatch(identity):
            raise invalid(f"The account ID {identity!r} does not have 6 to 30 lower-case letters, digits and hyphens.")
        email = f"{identity}@{project}.iam.gserviceaccount.com"
        name = _account_name(project, email)
        with store.transaction():
            if store.get(ACCOUNT, name):
                message = f"Service account {identity} already exists within project projects/{project}."
                raise ApiError("ALREADY_EXISTS", message)
            number = store.next_number()
            given = {key: value for key, value in body.get("serviceAccount", {}).items() if value}
            account = {
                "name": name,
                "projectId": project,
                "uniqueId": f"1{number:020}",
                "email": email,
                "oauth2ClientId": f"2{number:020}",
                "etag": "MDEwMjE5MjA=",
            }
            return save({**account, **given})

    @router.get("/{identity}")
    def get(identity: str) -> Resource:
        return find(identity)

    @router.patch("/{identity}")
    def update(identity: str, body: Resource) -> Resource:
        fields = fields_of(body.get("updateMask", ""))
        with store.transaction():
            return save(update_fields(find(identity), body.get("serviceAccount", {}), fields, ACCOUNT_FIELDS))

    @router.delete("/{identity}")
    def delete(identity: str) -> Resource:
        with store.transaction():
            account = find(identity)
            store.delete(ACCOUNT, account["name"])
            store.delete(POLICY, account["name"])
        return {}

    @router.post("/{identity}:getIamPolicy")
    def get_account_policy(identity: str) -> Resource:
        return get_policy(store, find(identity)["name"])

    @router.post("/{identity}:setIamPolicy")
    def set_account_policy(identity: str, body: Annotated[Any, Body()] = None) -> Resource:
        return set_policy(store, projects, find(identity)["name"], body)

    @router.post("/{identity}:enable")
    def enable(identity: str) -> Resource:
        with store.transaction():
            save({key: value for key, value in find(identity).items() if key != "disabled"})
        return {}

    @router.post("/{identity}:disable")
    def disable(identity: str) -> Resource:
        with store.transaction():
            save({**find(identity), "disabled": True})
        return {}

    return router
