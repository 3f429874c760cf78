"""Cloud Monitoring v3: alert policies and notification channels, kept and named; nobody is told of anything."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query

from local.control_plane.answers import ApiError, invalid, not_found, timestamp
from local.control_plane.data_transfer import CALLER
from local.control_plane.store import Resource, Store

POLICY, CHANNEL = "alert_policy", "notification_channel"
CONDITIONS = ("conditionThreshold", "conditionAbsent", "conditionMatchedLog", "conditionMonitoringQueryLanguage")


def monitoring(store: Store) -> APIRouter:
    """The routes of alert policies and notification channels."""
    router = APIRouter(prefix="/monitoring/v3/projects/{project}")

    def find(kind: str, name: str) -> Resource:
        if found := store.get(kind, name):
            return found
        raise not_found(f"{name}")

    @router.get("/alertPolicies")
    def list_policies(project: str) -> Resource:
        return {"alertPolicies": store.list(POLICY, f"projects/{project}/")}

    @router.post("/alertPolicies")
    def create_policy(project: str, body: Resource) -> Resource:
        name = f"projects/{project}/alertPolicies/{store.next_number()}"
        mutated = {"mutateTime": timestamp(), "mutatedBy": CALLER}
        policy = {**_checked(body), "name": name, "creationRecord": mutated, "mutationRecord": mutated}
        return store.put(POLICY, name, _with_condition_names(store, policy))

    @router.get("/alertPolicies/{policy}")
    def get_policy(project: str, policy: str) -> Resource:
        return find(POLICY, f"projects/{project}/alertPolicies/{policy}")

    @router.patch("/alertPolicies/{policy}")
    def update_policy(
        project: str, policy: str, body: Resource, mask: Annotated[str, Query(alias="updateMask")] = ""
    ) -> Resource:
        with store.transaction():
            current = find(POLICY, f"projects/{project}/alertPolicies/{policy}")
            fields = {field.split(".")[0] for field in mask.split(",") if field} or set(body)
            changed = {key: value for key, value in current.items() if key not in fields}
            changed |= {key: value for key, value in body.items() if key in fields}
            changed["mutationRecord"] = {"mutateTime": timestamp(), "mutatedBy": CALLER}
            return store.put(POLICY, current["name"], _with_condition_names(store, _checked(changed)))

    @router.delete("/alertPolicies/{policy}")
    def delete_policy(project: str, policy: str) -> Resource:
        name = f"projects/{project}/alertPolicies/{policy}"
        find(POLICY, name)
        store.delete(POLICY, name)
        return {}

    @router.get("/notificationChannels")
    def list_channels(project: str) -> Resource:
        return {"notificationChannels": store.list(CHANNEL, f"projects/{project}/")}

    @router.post("/notificationChannels")
    def create_channel(project: str, body: Annotated[Any, Body()] = None) -> Resource:
        if not isinstance(body, dict) or not body.get("type"):
            raise invalid("A notification channel needs a type.")
        name = f"projects/{project}/notificationChannels/{store.next_number()}"
        mutated = {"mutateTime": timestamp()}
        return store.put(CHANNEL, name, {**body, "name": name, "creationRecord": mutated, "mutationRecords": [mutated]})

    @router.get("/notificationChannels/{channel}")
    def get_channel(project: str, channel: str) -> Resource:
        return find(CHANNEL, f"projects/{project}/notificationChannels/{channel}")

    @router.patch("/notificationChannels/{channel}")
    def update_channel(project: str, channel: str, body: Resource) -> Resource:
        with store.transaction():
            current = find(CHANNEL, f"projects/{project}/notificationChannels/{channel}")
            kept = {key: current[key] for key in ("name", "creationRecord", "mutationRecords")}
            return store.put(CHANNEL, current["name"], {**body, **kept})

    @router.delete("/notificationChannels/{channel}")
    def delete_channel(project: str, channel: str) -> Resource:
        name = f"projects/{project}/notificationChannels/{channel}"
        find(CHANNEL, name)
        for policy in store.list(POLICY, f"projects/{project}/"):
            if name in policy.get("notificationChannels", []):
                message = f"The notification channel is used by alert policy {policy['name']}."
                raise ApiError("INVALID_ARGUMENT", message)
        store.delete(CHANNEL, name)
        return {}

    return router


def _checked(policy: Resource) -> Resource:
    """A policy as the service keeps it.

    Raises:
        ApiError: it has no name, no condition, or a condition on logs without a rate limit.
    """
    if not policy.get("displayName") or not policy.get("combiner"):
        raise invalid("An alert policy needs a displayName and a combiner.")
    conditions = policy.get("conditions") or []
    if not conditions or not all(any(kind in condition for kind in CONDITIONS) for condition in conditions):
        raise invalid("An alert policy needs conditions, each of a known kind.")
    limit = policy.get("alertStrategy", {}).get("notificationRateLimit")
    on_logs = any("conditionMatchedLog" in condition for condition in conditions)
    if on_logs != bool(limit):
        raise invalid("alertStrategy.notificationRateLimit belongs to conditions on logs, and they need it.")
    return policy


def _with_condition_names(store: Store, policy: Resource) -> Resource:
    """Conditions that are new get a name of the policy's."""
    conditions = [
        {**condition, "name": condition.get("name") or f"{policy['name']}/conditions/{store.next_number()}"}
        for condition in policy["conditions"]
    ]
    return {**policy, "conditions": conditions}
