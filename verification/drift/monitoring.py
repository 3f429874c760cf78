"""Alert policies and the notification channel."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from declared.alerts import AUTO_CLOSE, NOTIFICATION_PERIOD, alerts_are_on, alerts_of, user_labels
from google.resources import alert_policies as live_policies
from google.resources import notification_channels
from verification.drift.core import Aspect

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from declared.alerts import Alert
    from google.resources import AlertPolicy, NotificationChannel
    from verification.results import Subject


def alert_policies(subject: Subject) -> Iterator[Aspect[str]]:
    """Each declared policy with its channel; undeclared policies that have this system's labels."""
    channels = {channel.name: channel for channel in notification_channels(subject.api)}
    live = live_policies(subject.api)
    declared = {alert.display_name: alert for alert in alerts_of(subject.environment)}
    for name, alert in declared.items():
        found = [line for policy in live if policy.display_name == name for line in _live_policy(policy, channels)]
        action = f"Run `{subject.deploy}`. If the change is intended, write it into declared/alerts.py first."
        expected = tuple(_declared_policy(subject, alert))
        yield Aspect(alert.name, "alert policy", expected, tuple(found) or ("missing",), action)
    ours = user_labels(subject.environment).items()
    for policy in live:
        if policy.display_name not in declared and ours <= policy.labels.items():
            action = "It is not declared: delete it, or add it to declared/alerts.py."
            yield Aspect(policy.display_name, "alert policy", (), tuple(_live_policy(policy, channels)), action)


def _declared_policy(subject: Subject, alert: Alert) -> Iterator[str]:
    limit = NOTIFICATION_PERIOD if alert.silent_seconds is None else None
    yield _summary(alerts_are_on(subject.environment), alert.severity, AUTO_CLOSE, limit)
    yield f"notifies: email {subject.environment.alert_email} (enabled)"
    yield _json(alert.condition)
    yield alert.guide


def _live_policy(policy: AlertPolicy, channels: Mapping[str, NotificationChannel]) -> Iterator[str]:
    yield _summary(policy.enabled, policy.severity, policy.auto_close, policy.notification_period)
    for name in policy.channels:
        yield f"notifies: {_channel(channels.get(name))}"
    for condition in policy.conditions:
        yield _json(condition)
    yield policy.guide


def _summary(enabled: bool, severity: str | None, auto_close: str | None, limit: str | None) -> str:
    state = "enabled" if enabled else "disabled"
    return f"{state}, severity {severity or 'none'}, closed after {auto_close or 'never'}, rate limit {limit or 'none'}"


def _json(condition: Mapping[str, Any]) -> str:
    return json.dumps(condition, indent=2, sort_keys=True)


def _channel(channel: NotificationChannel | None) -> str:
    if channel is None:
        return "a channel that does not exist"
    return f"{channel.kind} {', '.join(channel.addresses)} ({'enabled' if channel.enabled else 'disabled'})"
