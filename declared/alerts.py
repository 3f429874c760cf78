"""Alert policies, as data for the monitoring stack and for the verifier."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from declared.names import SYSTEM, alert_display_name, channel_display_name

if TYPE_CHECKING:
    from declared.environment import Environment

#: The shortest period: a mail about one query must not suppress that of check_health, which limits itself.
NOTIFICATION_PERIOD = "300s"
AUTO_CLOSE = "86400s"
#: The page with a section for each alert and each finding.
RUNBOOK = "docs/runbook.md"
OF_A_TRANSFER_CONFIG = 'resource.type="bigquery_dts_config"'


@dataclass(frozen=True)
class Alert:
    """An alert policy of one condition: a log entry that matches ``filter``, or a metric that is silent too long.

    ``silent_seconds`` is None for a log entry. ``guide`` is the text of the mail, in Markdown. ``{dataset}`` in the
    filter is the environment's dataset, ``{env}`` in the guide its name.
    """

    name: str
    title: str
    severity: str
    filter: str
    guide: str
    silent_seconds: int | None = None
    system: str = SYSTEM

    @property
    def section(self) -> str:
        """The section of the runbook."""
        return f"{RUNBOOK}#{self.name}"

    @property
    def display_name(self) -> str:
        """The policy's name, which is how it is found again."""
        return alert_display_name(self.system, self.title)

    @property
    def condition(self) -> dict[str, Any]:
        """The condition as Cloud Monitoring's API writes it, without the name that the service assigns."""
        if self.silent_seconds is None:
            return {"displayName": self.display_name, "conditionMatchedLog": {"filter": self.filter}}
        counted = {
            "alignmentPeriod": "3600s",
            "perSeriesAligner": "ALIGN_DELTA",
            "crossSeriesReducer": "REDUCE_SUM",
        }
        silence = {"filter": self.filter, "duration": f"{self.silent_seconds}s", "aggregations": [counted]}
        return {"displayName": self.display_name, "conditionAbsent": silence}


ALERTS = (
    # mail of the transfer service itself would go to the config's owner, a service account whose mail nobody reads
    Alert(
        "scheduled_query_failed",
        "a scheduled query failed",
        "ERROR",
        f"{OF_A_TRANSFER_CONFIG} AND severity>=ERROR",
        "A scheduled query of the EROS Scheduling System failed, or check_health found something CRITICAL; the error "
        "lists it. `python -m verification doctor --env {env}` shows what is wrong, the rows that prove it, and how to "
        "fix it.",
    ),
    Alert(
        "scheduled_queries_silent",
        "no scheduled query has ended for 3 hours",
        "CRITICAL",
        f'{OF_A_TRANSFER_CONFIG} AND metric.type="bigquerydatatransfer.googleapis.com/transfer_config/completed_runs"',
        "The lock sweep runs every hour, and nothing has ended for 3 hours: scheduled queries are disabled, gone, or "
        "have no permission to run. `python -m verification doctor --env {env}` shows which.",
        silent_seconds=3 * 60 * 60,
    ),
    # changes of a dataset's access by datasets.update are logged as any other change of the dataset
    Alert(
        "access_changed",
        "access to the project or the dataset was changed",
        "WARNING",
        'logName:"cloudaudit.googleapis.com%2Factivity" AND ((resource.type="project" AND '
        'protoPayload.methodName="SetIamPolicy") OR (resource.type="bigquery_dataset" AND '
        'resource.labels.dataset_id="{dataset}" AND protoPayload.metadata.datasetChange.reason=("UPDATE" OR '
        '"SET_IAM_POLICY")))',
        "Somebody changed who may do what in the project or the dataset; a deployment does so, too. "
        "`python -m verification drift --env {env}` shows grants that are not declared. Revoke what nobody wanted, or "
        "declare it in the environment file.",
    ),
)


def alerts_of(environment: Environment) -> tuple[Alert, ...]:
    """The alerts with an environment's own names."""
    return tuple(
        replace(
            alert,
            system=environment.system,
            filter=alert.filter.replace("{dataset}", environment.dataset),
            guide=f"{alert.guide.replace('{env}', environment.name)}\n\nRunbook: {alert.section}",
        )
        for alert in ALERTS
    )


def alerts_are_on(environment: Environment) -> bool:
    """Whether the policies are enabled: those of a preview alert nobody, since they see its neighbours' queries too."""
    return environment.preview is None


def channel_name(environment: Environment) -> str:
    """The display name of the notification channel, which is how it is found again."""
    return channel_display_name(environment.system)


def user_labels(environment: Environment) -> dict[str, str]:
    """Labels of channel and policies; by them the verifier finds undeclared ones."""
    return {"system": environment.system}
