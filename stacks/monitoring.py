"""Monitoring: alerts for scheduled queries that fail or stop running."""

from __future__ import annotations

from typing import TYPE_CHECKING

from declared.alerts import AUTO_CLOSE, NOTIFICATION_PERIOD, Alert, alerts_are_on, alerts_of, channel_name, user_labels
from declared.imports import named
from declared.names import Part
from stacks.base import Deployment, Stack, new_stack
from stacks.cdk import (
    MonitoringAlertPolicy,
    MonitoringAlertPolicyAlertStrategy,
    MonitoringAlertPolicyAlertStrategyNotificationRateLimit,
    MonitoringAlertPolicyConditions,
    MonitoringAlertPolicyConditionsConditionAbsent,
    MonitoringAlertPolicyConditionsConditionAbsentAggregations,
    MonitoringAlertPolicyConditionsConditionMatchedLog,
    MonitoringAlertPolicyDocumentation,
    MonitoringNotificationChannel,
)

if TYPE_CHECKING:
    from stacks.cdk import App


def monitoring(app: App, deployment: Deployment) -> Stack:
    """The stack ``eros-<env>-monitoring``."""
    environment = deployment.environment
    stack = new_stack(app, deployment, Part.MONITORING)
    channel = MonitoringNotificationChannel(
        stack,
        "operators",
        display_name=channel_name(environment),
        type="email",
        labels={"email_address": environment.alert_email},
        user_labels=user_labels(environment),
    )
    stack.declare(channel, "operators", named(channel_name(environment)))
    for alert in alerts_of(environment):
        policy = MonitoringAlertPolicy(
            stack,
            alert.name,
            display_name=alert.display_name,
            enabled=alerts_are_on(environment),
            combiner="OR",
            severity=alert.severity,
            user_labels=user_labels(environment),
            notification_channels=[channel.name],
            documentation=MonitoringAlertPolicyDocumentation(content=alert.guide, mime_type="text/markdown"),
            conditions=[_condition(alert)],
            alert_strategy=_strategy(alert),
        )
        stack.declare(policy, alert.name, named(alert.display_name))
    return stack


def _condition(alert: Alert) -> MonitoringAlertPolicyConditions:
    condition = alert.condition
    name = condition["displayName"]
    if log := condition.get("conditionMatchedLog"):
        matched = MonitoringAlertPolicyConditionsConditionMatchedLog(filter=log["filter"])
        return MonitoringAlertPolicyConditions(display_name=name, condition_matched_log=matched)
    silence = condition["conditionAbsent"]
    (counted,) = silence["aggregations"]
    absent = MonitoringAlertPolicyConditionsConditionAbsent(
        filter=silence["filter"],
        duration=silence["duration"],
        aggregations=[
            MonitoringAlertPolicyConditionsConditionAbsentAggregations(
                alignment_period=counted["alignmentPeriod"],
                per_series_aligner=counted["perSeriesAligner"],
                cross_series_reducer=counted["crossSeriesReducer"],
            )
        ],
    )
    return MonitoringAlertPolicyConditions(display_name=name, condition_absent=absent)


def _strategy(alert: Alert) -> MonitoringAlertPolicyAlertStrategy:
    """The service accepts a rate limit only for conditions on logs, and requires one there."""
    limit = MonitoringAlertPolicyAlertStrategyNotificationRateLimit(period=NOTIFICATION_PERIOD)
    return MonitoringAlertPolicyAlertStrategy(
        auto_close=AUTO_CLOSE, notification_rate_limit=limit if alert.silent_seconds is None else None
    )
