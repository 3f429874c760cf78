"""google_iam_workload_identity_pool and its provider, and google_project_iam_custom_role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.provider.resource import RestObject, type_of
from local.provider.rest import ApiError, Refused, Session
from local.provider.rules import VIRTUAL, Rule

if TYPE_CHECKING:
    from local.provider.values import Value


@dataclass
class Identities(RestObject):
    """A pool or a provider; a deleted one can be read for 30 days, and counts as missing."""

    def read(self, session: Session, known: Value) -> Value:
        """Read it; None if it is missing or deleted."""
        state = super().read(session, known)
        return None if state is None or state.get("state") == "DELETED" else state


@dataclass
class CustomRole(RestObject):
    """A custom role; a deleted one is restored."""

    def create(self, session: Session, plan: Value) -> Value:
        """Create it, or restore a deleted one and update it.

        Raises:
            Refused: it exists already.
        """
        item = self.fill(self.item, plan)
        try:
            existing = session.find(self.api, item)
            if existing is None:
                body = {"roleId": plan["role_id"], "role": self.body(plan, None)}
                session.call(self.api, "POST", self.fill(self.collection, plan), body)
            elif existing.get("deleted"):
                session.call(self.api, "POST", f"{item}:undelete", {})
                session.call(self.api, "PATCH", item, self.body(plan, None))
            else:
                raise Refused(f"Custom project role {item} already exists and must be imported")
        except (ApiError, ConnectionError) as error:
            raise type_of(error)(f"Error creating the custom project role {item}: {error}") from error
        return plan

    def read(self, session: Session, known: Value) -> Value:
        """Read it; None if it is missing or deleted."""
        state = super().read(session, known)
        return None if state is None or state.get("deleted") else state


_POOL = "projects/{project}/locations/global/workloadIdentityPools"
_POOL_ID = r"(?P<workload_identity_pool_id>[^/]+)"
_PROVIDER_ID = r"(?P<workload_identity_pool_provider_id>[^/]+)"
_IMPORTED_POOL = rf"projects/(?P<project>[^/]+)/locations/global/workloadIdentityPools/{_POOL_ID}"

IDENTITY_POOL = Identities(
    name="google_iam_workload_identity_pool",
    title="WorkloadIdentityPool",
    api="iam_beta",
    collection=f"{_POOL}?workloadIdentityPoolId={{workload_identity_pool_id}}",
    item=f"{_POOL}/{{workload_identity_pool_id}}",
    update_method="PATCH",
    masked=True,
    imports=(_IMPORTED_POOL, rf"(?P<project>[^/]+)/{_POOL_ID}", _POOL_ID),
    rules={
        "workload_identity_pool_id": Rule(replaces=True, api=VIRTUAL),
        "project": Rule(replaces=True, api=VIRTUAL),
    },
    also_computed=("project",),
)
IDENTITY_PROVIDER = Identities(
    name="google_iam_workload_identity_pool_provider",
    title="WorkloadIdentityPoolProvider",
    api="iam_beta",
    collection=(
        f"{_POOL}/{{workload_identity_pool_id}}/providers"
        "?workloadIdentityPoolProviderId={workload_identity_pool_provider_id}"
    ),
    item=f"{_POOL}/{{workload_identity_pool_id}}/providers/{{workload_identity_pool_provider_id}}",
    update_method="PATCH",
    masked=True,
    imports=(
        rf"{_IMPORTED_POOL}/providers/{_PROVIDER_ID}",
        rf"(?P<project>[^/]+)/{_POOL_ID}/{_PROVIDER_ID}",
        rf"{_POOL_ID}/{_PROVIDER_ID}",
    ),
    rules={
        "workload_identity_pool_id": Rule(replaces=True, api=VIRTUAL),
        "workload_identity_pool_provider_id": Rule(replaces=True, api=VIRTUAL),
        "project": Rule(replaces=True, api=VIRTUAL),
    },
    also_computed=("project",),
)
CUSTOM_ROLE = CustomRole(
    name="google_project_iam_custom_role",
    title="CustomRole",
    api="iam",
    collection="projects/{project}/roles",
    item="projects/{project}/roles/{role_id}",
    update_method="PATCH",
    imports=(
        r"projects/(?P<project>[^/]+)/roles/(?P<role_id>[^/]+)",
        r"(?P<project>[^/]+)/(?P<role_id>[^/]+)",
        r"(?P<role_id>[^/]+)",
    ),
    rules={
        "role_id": Rule(replaces=True, api=VIRTUAL),
        "project": Rule(replaces=True, api=VIRTUAL),
        "permissions": Rule(api="includedPermissions"),
        "stage": Rule(default="GA"),
    },
    also_computed=("project",),
)
