"""Executes a scheduled query as the transfer service does: as a BigQuery job, through the public API."""

from __future__ import annotations

import time
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

import httpx

from local.control_plane.answers import timestamp

if TYPE_CHECKING:
    from local.control_plane.transfer_runs import ScheduledQuery

POLL_MILLISECONDS = 10_000
#: BigQuery ends a query after six hours.
LIMIT = timedelta(hours=6)


class QueryFailedError(Exception):
    """A scheduled query failed; with BigQuery's message."""


def run_as_job(endpoint: str, query: ScheduledQuery, limit: timedelta = LIMIT) -> None:
    """Execute a scheduled query and wait for its end.

    Args:
        endpoint: where BigQuery answers.
        query: the query, the job's id, and the time for ``@run_time`` and ``@run_date``.
        limit: how long to wait; then the job is cancelled.

    Raises:
        QueryFailedError: the query failed, or did not end in time.
    """
    deadline = time.monotonic() + limit.total_seconds()
    run_date = query.run_time.astimezone(UTC).date().isoformat()
    job = {
        "jobReference": {"projectId": query.project, "jobId": query.job_id},
        "configuration": {
            "labels": {"data_source_id": "scheduled_query"},
            "query": {
                "query": query.query,
                "useLegacySql": False,
                "parameterMode": "NAMED",
                "queryParameters": [
                    _parameter("run_time", "TIMESTAMP", timestamp(query.run_time)),
                    _parameter("run_date", "DATE", run_date),
                ],
            },
        },
    }
    project = f"{endpoint}/bigquery/v2/projects/{query.project}"
    with httpx.Client(timeout=httpx.Timeout(30, read=60), trust_env=False) as client:
        _answer(client.post(f"{project}/jobs", json=job))
        done = False
        while not done:  # each call waits on the server until the job ends or the time is up
            left = int((deadline - time.monotonic()) * 1000)
            if left <= 0:
                client.post(f"{project}/jobs/{query.job_id}/cancel")
                waited = f"Job {query.job_id} of project {query.project} did not end within {limit} and was cancelled."
                raise QueryFailedError(waited)
            parameters = {"timeoutMs": min(POLL_MILLISECONDS, left), "maxResults": 0}
            done = _answer(client.get(f"{project}/queries/{query.job_id}", params=parameters))["jobComplete"]


def _parameter(name: str, kind: str, value: str) -> dict[str, Any]:
    return {"name": name, "parameterType": {"type": kind}, "parameterValue": {"value": value}}


def _answer(response: httpx.Response) -> dict[str, Any]:
    if response.is_success:
        answer: dict[str, Any] = response.json()
        return answer
    try:
        message = response.json()["error"]["message"]
    except (ValueError, LookupError, TypeError):
        message = f"BigQuery answered {response.status_code}: {response.text}"
    raise QueryFailedError(message)
