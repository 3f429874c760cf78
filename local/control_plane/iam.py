"""IAM: policies of projects and service accounts, and the service accounts themselves."""

from __future__ import annotations

import base64
import json
from typing import Any

from fastapi import APIRouter, Body

from local.control_plane.answers import ApiError, already_exists, invalid, not_found, update_by_mask
from local.control_plane.store import Resource, Store

FIRST_ETAG = "BwXAAAAAAAE="
CONCURRENT = (
    "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff. "
    "The request's ETag '{}' did not match the current policy's ETag '{}'."
)


def get_policy(store: Store, name: str) -> Resource:
    """The policy of a resource; an empty one where none was ever set."""
    return store.get("policy", name) or {"version": 1, "etag": FIRST_ETAG, "bindings": []}


def set_policy(store: Store, name: str, wanted: Resource) -> Resource:
    """Replace a policy.

    Raises:
        ApiError: 409, when the etag is not the current one's: somebody else changed the policy meanwhile.
    """
    with store.lock:
        current = get_policy(store, name)
        if wanted.get("etag") and wanted["etag"] != current["etag"]:
            raise ApiError(409, "ABORTED", CONCURRENT.format(wanted["etag"], current["etag"]), "aborted")
        bindings = [
            {**binding, "members": sorted(binding["members"])}
            for binding in wanted.get("bindings", [])
            if binding.get("members")
        ]
        bindings.sort(key=lambda binding: (binding["role"], json.dumps(binding.get("condition"))))
        policy = {
            "bindings": bindings,
            "etag": base64.b64encode(b"\x07\x05" + store.next_number().to_bytes(6, "big")).decode(),
            "version": 3 if any(binding.get("condition") for binding in bindings) else 1,
        }
        if wanted.get("auditConfigs"):
            policy["auditConfigs"] = wanted["auditConfigs"]
        return store.put("policy", name, policy)


def resource_manager(store: Store, project_number: int) -> APIRouter:
    """Cloud Resource Manager v1: the project and its policy."""
    router = APIRouter(prefix="/cloudresourcemanager/v1")

    @router.get("/projects/{project}")
    def get_project(project: str) -> Resource:
        return {
            "projectNumber": str(project_number),
            "projectId": project,
            "lifecycleState": "ACTIVE",
            "name": project,
            "createTime": "2024-01-01T00:00:00.000Z",
        }

    @router.post("/projects/{project}:getIamPolicy")
    def get_project_policy(project: str) -> Resource:
        return get_policy(store, f"projects/{project}")

    @router.post("/projects/{project}:setIamPolicy")
    def set_project_policy(project: str, body: Resource) -> Resource:
        return set_policy(store, f"projects/{project}", _policy_of(body))

    return router


def service_accounts(store: Store) -> APIRouter:
    """IAM v1: service accounts and their policies."""
    router = APIRouter(prefix="/iam/v1")

    def find(identity: str) -> Resource:
        for account in store.list("service_account"):
            if identity in {account["email"], account["uniqueId"]}:
                return account
        raise not_found(f"Service account projects/-/serviceAccounts/{identity}")

    def save(account: Resource) -> Resource:
        return store.put("service_account", account["name"], account)

    @router.get("/projects/{project}/serviceAccounts")
    def list_accounts(project: str) -> Resource:
        return {"accounts": store.list("service_account", f"projects/{project}/")}

    @router.post("/projects/{project}/serviceAccounts")
    def create(project: str, body: Resource) -> Resource:
        if not body.get("accountId"):
            raise invalid("The account ID is missing.")
        email = f"{body['accountId']}@{project}.iam.gserviceaccount.com"
        name = f"projects/{project}/serviceAccounts/{email}"
        with store.lock:
            if store.get("service_account", name):
                raise already_exists(
                    f"Service account {body['accountId']} already exists within project projects/{project}."
                )
            number = store.next_number()
            described = {key: value for key, value in body.get("serviceAccount", {}).items() if value}
            return save(
                {
                    "name": name,
                    "projectId": project,
                    "uniqueId": f"1{number:020}",
                    "email": email,
                    "oauth2ClientId": f"2{number:020}",
                    "etag": "MDEwMjE5MjA=",
                    **described,
                }
            )

    @router.get("/projects/{project}/serviceAccounts/{identity}")
    def get(project: str, identity: str) -> Resource:  # noqa: ARG001 - the address holds the project
        return find(identity)

    @router.patch("/projects/{project}/serviceAccounts/{identity}")
    def update(project: str, identity: str, body: Resource) -> Resource:  # noqa: ARG001
        with store.lock:
            return save(update_by_mask(find(identity), body["serviceAccount"], body["updateMask"]))

    @router.delete("/projects/{project}/serviceAccounts/{identity}")
    def delete(project: str, identity: str) -> Resource:  # noqa: ARG001
        with store.lock:
            account = find(identity)
            store.delete("service_account", account["name"])
            store.delete("policy", account["name"])
        return {}

    @router.post("/projects/{project}/serviceAccounts/{identity_and_verb}")
    def act(project: str, identity_and_verb: str, body: Any = Body(None)) -> Resource:  # noqa: ARG001, B008
        identity, _, verb = identity_and_verb.rpartition(":")
        with store.lock:
            account = find(identity)
            match verb:
                case "enable" | "disable":
                    account.pop("disabled", None)
                    save({**account, **({"disabled": True} if verb == "disable" else {})})
                    return {}
                case "getIamPolicy":
                    return get_policy(store, account["name"])
                case "setIamPolicy":
                    return set_policy(store, account["name"], _policy_of(body))
        raise invalid(f"Unknown method {verb!r} of a service account.")

    return router


def _policy_of(body: Any) -> Resource:
    if not isinstance(body, dict) or not isinstance(body.get("policy"), dict):
        raise invalid("The request holds no policy.")
    policy: Resource = body["policy"]
    return policy
