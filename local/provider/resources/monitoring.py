"""google_monitoring_notification_channel and google_monitoring_alert_policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.provider.resource import RestObject
from local.provider.rules import VIRTUAL, Rule

if TYPE_CHECKING:
    from local.provider.values import Value


@dataclass
class Named(RestObject):
    """An object whose path is the name that the server gives it."""

    def named(self, answer: Any) -> dict[str, Value]:
        """Take the name."""
        return {"name": answer["name"]}


@dataclass
class NotificationChannel(Named):
    """A channel; deletion by force removes it from policies."""

    def deletion(self, prior: Value) -> str:
        """The path of the delete, with whether to force it."""
        return f"{self.fill(self.item, prior)}?force={'true' if prior.get('force_delete') else 'false'}"


@dataclass
class AlertPolicy(Named):
    """A policy; its conditions have names."""

    def body(self, plan: Value, prior: Value) -> dict[str, Any]:
        """Conditions keep their names."""
        body = super().body(plan, prior)
        for condition, known in zip(body.get("conditions", []), (prior or {}).get("conditions") or [], strict=False):
            if known.get("name"):
                condition["name"] = known["name"]
        return body


NOTIFICATION_CHANNEL = NotificationChannel(
    name="google_monitoring_notification_channel",
    title="NotificationChannel",
    api="monitoring",
    collection="v3/projects/{project}/notificationChannels",
    item="v3/{name}",
    id="{name}",
    update_method="PATCH",
    imports=(r"(?P<name>.+)",),
    rules={
        "project": Rule(replaces=True, api=VIRTUAL),
        "enabled": Rule(default=True, send_zero=True),
        "force_delete": Rule(default=False, api=VIRTUAL),
        "sensitive_labels": Rule(api=VIRTUAL),
    },
    also_computed=("project",),
    sensitive=("sensitive_labels.auth_token", "sensitive_labels.password", "sensitive_labels.service_key"),
)
ALERT_POLICY = AlertPolicy(
    name="google_monitoring_alert_policy",
    title="AlertPolicy",
    api="monitoring",
    collection="v3/projects/{project}/alertPolicies",
    item="v3/{name}",
    id="{name}",
    update_method="PATCH",
    masked=True,
    imports=(r"(?P<name>.+)",),
    rules={
        "project": Rule(replaces=True, api=VIRTUAL),
        "enabled": Rule(default=True, send_zero=True),
        "documentation.mime_type": Rule(default="text/markdown"),
    },
    also_computed=("project",),
)
