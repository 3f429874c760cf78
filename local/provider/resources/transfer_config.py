"""google_bigquery_data_transfer_config: a scheduled query."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.provider.resource import RestObject, type_of
from local.provider.rest import ApiError, Session
from local.provider.rules import REPLACES, VIRTUAL, Rule, camel

if TYPE_CHECKING:
    from local.provider.planning import Change
    from local.provider.values import Value

# the order in which the original writes them
_MASKED = (
    "destination_dataset_id",
    "display_name",
    "schedule",
    "schedule_options",
    "email_preferences",
    "notification_pubsub_topic",
    "data_refresh_window_days",
    "encryption_configuration",
    "disabled",
    "params",
)


@dataclass
class TransferConfig(RestObject):
    """A transfer config; an update names the fields that changed."""

    def adjust(self, session: Session, change: Change) -> None:
        """The account's e-mail address is in the query, so changing it is an update with an empty body."""
        super().adjust(session, change)
        if change.prior is not None and change.plan.get("service_account_name") is None:
            change.plan["service_account_name"] = ""

    def create(self, session: Session, plan: Value) -> Value:
        """Create it; the server names it."""
        path = self.fill(self.collection, plan)
        if plan.get("service_account_name"):
            path += "?" + urllib.parse.urlencode({"serviceAccountName": plan["service_account_name"]})
        try:
            answer = session.call(self.api, "POST", path, self.body(plan, None))
        except (ApiError, ConnectionError) as error:
            raise type_of(error)(f"Error creating Config: {error}") from error
        return {**plan, "name": answer["name"]}

    def update(self, session: Session, prior: Value, plan: Value) -> None:
        """Send what is configured, with a mask of what changed."""
        mask = [camel(name) for name in _MASKED if prior.get(name) != plan.get(name)]
        account, before = plan.get("service_account_name") or "", prior.get("service_account_name") or ""
        if account and account != before:
            mask.append("serviceAccountName")
        if not mask and account == before:
            return
        query = {"serviceAccountName": account} if account or before else {}
        path = f"{self.fill(self.item, plan)}?{urllib.parse.urlencode({**query, 'updateMask': ','.join(mask)})}"
        self.send_update(session, path, prior, plan)

    def body(self, plan: Value, prior: Value) -> dict[str, Any]:
        """An update that switches mails off sends the empty preferences; a new config leaves them out."""
        body = super().body(plan, prior)
        preferences = body.get("emailPreferences") == {}
        if preferences and prior is None:
            del body["emailPreferences"]
        return body

    def complete_import(self, session: Session, state: dict[str, Value]) -> None:
        """A server may name the provider's project by its number."""
        if str(state["project"]).isdigit() and session.project:
            state["project"] = session.project


TRANSFER_CONFIG = TransferConfig(
    name="google_bigquery_data_transfer_config",
    title="Config",
    api="transfer",
    collection="projects/{project}/locations/{location}/transferConfigs",
    item="{name}",
    update_method="PATCH",
    imports=(r"(?:\S+[ /])?(?P<name>projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)/transferConfigs/[^/]+)",),
    rules={
        "data_source_id": REPLACES,
        "location": Rule(replaces=True, default="US", api=VIRTUAL),
        "project": Rule(replaces=True, api=VIRTUAL),
        "service_account_name": Rule(default="", api=VIRTUAL),
        "sensitive_params": Rule(api=VIRTUAL),
    },
    also_computed=("project",),
    sensitive=("sensitive_params.secret_access_key",),
    write_only=("sensitive_params.secret_access_key_wo",),
)
