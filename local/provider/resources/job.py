"""google_bigquery_job: SQL that runs once, when it is created."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.provider.resource import RestObject
from local.provider.rest import Refused, Session
from local.provider.rules import REPLACES, VIRTUAL, Rule, Rules

if TYPE_CHECKING:
    from local.provider.values import Value

_POLL_SECONDS = 0.2
_LONGEST_SECONDS = 6 * 3600  # BigQuery's own limit of a query

_QUERY_FIELDS = (
    "query",
    "allow_large_results",
    "flatten_results",
    "maximum_billing_tier",
    "maximum_bytes_billed",
    "parameter_mode",
    "schema_update_options",
)


@dataclass
class Job(RestObject):
    """A job; any change replaces it, and deleting it sends nothing."""

    def labels_place(self) -> str:
        """Labels are in a job's configuration."""
        return "configuration.labels"

    def create(self, session: Session, plan: Value) -> Value:
        """Start the job and wait for its end; failed SQL is only in `status`, as in the original."""
        state = super().create(session, plan)
        pause = threading.Event()
        for _ in range(int(_LONGEST_SECONDS / _POLL_SECONDS)):
            job = session.find(self.api, self._url(self.item, plan))
            if job is None or job.get("status", {}).get("state") == "DONE":
                return state
            pause.wait(_POLL_SECONDS)  # the jobs API offers only polling
        raise Refused(f"Error waiting to create Job: {plan['job_id']} has not ended")

    def delete(self, session: Session, prior: Value) -> None:
        """A job that ran cannot be undone: it only leaves the state."""

    def state(self, session: Session, data: Any, known: Value) -> Value:
        """Ignore the destination that BigQuery invents for a query without one."""
        new = super().state(session, data, known)
        configured = (known.get("query") or [{}])[0].get("destination_table")
        if new["query"] and not configured:
            new["query"][0]["destination_table"] = []
        return new


def _rules() -> Rules:
    """Every change of a job's configuration replaces it."""
    rules: Rules = {
        "job_id": Rule(replaces=True, api="jobReference.jobId"),
        "location": Rule(replaces=True, default="US", api="jobReference.location"),
        "project": Rule(replaces=True, api=VIRTUAL),
        "job_timeout_ms": Rule(replaces=True, api="configuration.jobTimeoutMs"),
        "job_type": Rule(api="configuration.jobType"),
        "user_email": Rule(api="user_email"),
        "effective_labels": REPLACES,
        "labels": Rule(api=VIRTUAL),
        "query.create_disposition": Rule(replaces=True, default="CREATE_IF_NEEDED"),
        "query.write_disposition": Rule(replaces=True, default="WRITE_EMPTY"),
        "query.priority": Rule(replaces=True, default="INTERACTIVE"),
        "query.use_legacy_sql": Rule(replaces=True, default=True, send_zero=True),
        "query.use_query_cache": Rule(replaces=True, default=True, send_zero=True),
        "query.destination_table": Rule(keeps_block=True),
        **{f"query.{name}": REPLACES for name in _QUERY_FIELDS},
    }
    for kind in ("query", "load", "copy", "extract"):
        rules[kind] = Rule(replaces=True, api=f"configuration.{kind}")
    references = (
        "query.destination_table",
        "query.default_dataset",
        "load.destination_table",
        "copy.destination_table",
    )
    for place in (*references, "copy.source_tables", "extract.source_table"):
        for part in ("project_id", "dataset_id", "table_id"):
            rules[f"{place}.{part}"] = REPLACES
    for part in ("statement_timeout_ms", "statement_byte_budget", "key_result_statement"):
        rules[f"query.script_options.{part}"] = REPLACES
    for name in ("inline_code", "resource_uri"):
        rules[f"query.user_defined_function_resources.{name}"] = REPLACES
    return rules


JOB = Job(
    name="google_bigquery_job",
    title="Job",
    api="bigquery",
    collection="projects/{project}/jobs",
    item="projects/{project}/jobs/{job_id}",
    query="location={location}",
    update_method="",
    version=1,
    imports=(
        r"projects/(?P<project>[^/]+)/jobs/(?P<job_id>[^/]+)/location/(?P<location>[^/]+)",
        r"projects/(?P<project>[^/]+)/jobs/(?P<job_id>[^/]+)",
        r"(?P<project>[^/]+)/(?P<job_id>[^/]+)/(?P<location>[^/]+)",
        r"(?P<job_id>[^/]+)/(?P<location>[^/]+)",
        r"(?P<job_id>[^/]+)",
    ),
    rules=_rules(),
    also_computed=(
        "project",
        "query.default_dataset.project_id",
        *(
            f"{place}.{part}"
            for place in (
                "copy.destination_table",
                "copy.source_tables",
                "extract.source_table",
                "load.destination_table",
                "query.destination_table",
            )
            for part in ("project_id", "dataset_id")
        ),
        "extract.destination_format",
        "extract.field_delimiter",
        "load.field_delimiter",
        "load.quote",
    ),
)
