"""Cloud Monitoring v3: alert policies and notification channels are stored; nobody is ever notified."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query

from local.control_plane.answers import CALLER, fields_of, invalid, timestamp, update_fields
from local.control_plane.plane import Plane
from local.control_plane.store import Resource, Store

POLICY, CHANNEL = "alert_policy", "notification_channel"
CONDITIONS = ("conditionThreshold", "conditionAbsent", "conditionMatchedLog", "conditionMonitoringQueryLanguage")
POLICY_FIELDS = frozenset(
    {
        "alertStrategy",
        "combiner",
        "conditions",
        "displayName",
        "documentation",
        "enabled",
        "notificationChannels",
        "severity",
        "userLabels",
        "validity",
    }
)

router = APIRouter(prefix="/monitoring/v3/projects/{project}")


async def policy_name(project: str, policy: str) -> str:
    """The name of an alert policy."""
    return f"projects/{project}/alertPolicies/{policy}"


async def channel_name(project: str, channel: str) -> str:
    """The name of a notification channel."""
    return f"projects/{project}/notificationChannels/{channel}"


PolicyName = Annotated[str, Depends(policy_name)]
ChannelName = Annotated[str, Depends(channel_name)]


@router.get("/alertPolicies")
def list_policies(plane: Plane, project: str) -> Resource:
    """The alert policies of a project."""
    return {"alertPolicies": plane.store.list(POLICY, f"projects/{project}/")}


@router.post("/alertPolicies")
def create_policy(plane: Plane, project: str, body: Resource) -> Resource:
    """Create an alert policy."""
    name = f"projects/{project}/alertPolicies/{plane.store.next_number()}"
    mutated = {"mutateTime": timestamp(), "mutatedBy": CALLER}
    policy = {**_checked(body), "name": name, "creationRecord": mutated, "mutationRecord": mutated}
    return plane.store.put(POLICY, name, _with_condition_names(plane.store, policy))


@router.get("/alertPolicies/{policy}")
def get_policy(plane: Plane, name: PolicyName) -> Resource:
    """An alert policy."""
    return plane.find(POLICY, name)


@router.patch("/alertPolicies/{policy}")
def update_policy(
    plane: Plane, name: PolicyName, body: Resource, mask: Annotated[str, Query(alias="updateMask")] = ""
) -> Resource:
    """Update the fields of the mask; without a mask, the fields of the body."""
    with plane.store.transaction():
        fields = fields_of(mask) or sorted(POLICY_FIELDS & set(body))
        changed = update_fields(plane.find(POLICY, name), body, fields, POLICY_FIELDS)
        changed["mutationRecord"] = {"mutateTime": timestamp(), "mutatedBy": CALLER}
        return plane.store.put(POLICY, name, _with_condition_names(plane.store, _checked(changed)))


@router.delete("/alertPolicies/{policy}")
def delete_policy(plane: Plane, name: PolicyName) -> Resource:
    """Delete an alert policy."""
    with plane.store.transaction():
        plane.find(POLICY, name)
        plane.store.delete(POLICY, name)
    return {}


@router.get("/notificationChannels")
def list_channels(plane: Plane, project: str) -> Resource:
    """The notification channels of a project."""
    return {"notificationChannels": plane.store.list(CHANNEL, f"projects/{project}/")}


@router.post("/notificationChannels")
def create_channel(plane: Plane, project: str, body: Annotated[Any, Body()] = None) -> Resource:
    """Create a notification channel."""
    if not isinstance(body, dict) or not body.get("type"):
        raise invalid("A notification channel needs a type.")
    name = f"projects/{project}/notificationChannels/{plane.store.next_number()}"
    mutated = {"mutateTime": timestamp()}
    channel = {**body, "name": name, "creationRecord": mutated, "mutationRecords": [mutated]}
    return plane.store.put(CHANNEL, name, channel)


@router.get("/notificationChannels/{channel}")
def get_channel(plane: Plane, name: ChannelName) -> Resource:
    """A notification channel."""
    return plane.find(CHANNEL, name)


@router.patch("/notificationChannels/{channel}")
def update_channel(plane: Plane, name: ChannelName, body: Resource) -> Resource:
    """Replace a notification channel."""
    with plane.store.transaction():
        current = plane.find(CHANNEL, name)
        kept = {key: current[key] for key in ("name", "creationRecord", "mutationRecords")}
        return plane.store.put(CHANNEL, name, {**body, **kept})


@router.delete("/notificationChannels/{channel}")
def delete_channel(plane: Plane, project: str, name: ChannelName) -> Resource:
    """Delete a notification channel that no alert policy uses."""
    with plane.store.transaction():
        plane.find(CHANNEL, name)
        for policy in plane.store.list(POLICY, f"projects/{project}/"):
            if name in policy.get("notificationChannels", []):
                raise invalid(f"The notification channel is used by alert policy {policy['name']}.")
        plane.store.delete(CHANNEL, name)
    return {}


def _checked(policy: Resource) -> Resource:
    """An alert policy as the service stores it.

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
    """The policy, with a name for each new condition."""
    conditions = [
        {**condition, "name": condition.get("name") or f"{policy['name']}/conditions/{store.next_number()}"}
        for condition in policy["conditions"]
    ]
    return {**policy, "conditions": conditions}
