"""google_service_account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.provider.resource import RestObject, type_of
from local.provider.rest import ApiError, Session
from local.provider.rules import VIRTUAL, Rule

if TYPE_CHECKING:
    from local.provider.planning import Change
    from local.provider.values import Value

_EXISTS = 409
_MASK = {"description": "description", "display_name": "display_name"}


@dataclass
class ServiceAccount(RestObject):
    """A service account; its address is known before it exists."""

    def adjust(self, session: Session, change: Change) -> None:
        """Plan the address, which follows from the account's id and the project."""
        super().adjust(session, change)
        account, project = change.plan.get("account_id"), change.plan.get("project")
        if change.prior is None and isinstance(account, str) and isinstance(project, str):
            change.plan["email"] = f"{account}@{project}.iam.gserviceaccount.com"
            change.plan["member"] = f"serviceAccount:{change.plan['email']}"

    def create(self, session: Session, plan: Value) -> Value:
        """Create it, or adopt an existing one if that is configured."""
        fields = {"displayName": plan.get("display_name"), "description": plan.get("description")}
        body = {"accountId": plan["account_id"], "serviceAccount": {key: text for key, text in fields.items() if text}}
        try:
            email = session.call(self.api, "POST", self.fill(self.collection, plan), body)["email"]
        except ApiError as error:
            if error.status != _EXISTS or not plan.get("create_ignore_already_exists"):
                raise type_of(error)(f"Error creating service account: {error}") from error
            email = f"{plan['account_id']}@{plan['project']}.iam.gserviceaccount.com"
        except ConnectionError as error:
            raise ConnectionError(f"Error creating service account: {error}") from error
        return {**plan, "email": email}

    def update(self, session: Session, prior: Value, plan: Value) -> None:
        """Enable first, change the texts, disable last."""
        item = self.fill(self.item, plan)
        was_off, is_off = bool(prior.get("disabled")), bool(plan.get("disabled"))
        mask = [name for name in _MASK if (prior.get(name) or "") != (plan.get(name) or "")]
        try:
            if was_off and not is_off:
                session.call(self.api, "POST", f"{item}:enable", {})
            if mask:
                texts: dict[str, Any] = {
                    "displayName": plan.get("display_name") or "",
                    "description": plan.get("description") or "",
                }
                session.call(self.api, "PATCH", item, {"serviceAccount": texts, "updateMask": ",".join(mask)})
            if is_off and not was_off:
                session.call(self.api, "POST", f"{item}:disable", {})
        except (ApiError, ConnectionError) as error:
            raise type_of(error)(f'Error updating service account "{plan["email"]}": {error}') from error


SERVICE_ACCOUNT = ServiceAccount(
    name="google_service_account",
    title="Service Account",
    api="iam",
    collection="projects/{project}/serviceAccounts",
    item="projects/{project}/serviceAccounts/{email}",
    imports=(
        r"projects/(?P<project>[^/]+)/serviceAccounts/(?P<email>[^/]+)",
        r"(?P<project>[^/]+)/(?P<email>[^/]+)",
        r"(?P<email>[^/]+)",
    ),
    rules={
        "account_id": Rule(replaces=True, api="email", dump=lambda email: email.split("@")[0]),
        "project": Rule(replaces=True, api="projectId"),
        "disabled": Rule(default=False),
        "create_ignore_already_exists": Rule(api=VIRTUAL),
        "member": Rule(api="email", dump=lambda email: f"serviceAccount:{email}"),
    },
    also_computed=("project",),
)
