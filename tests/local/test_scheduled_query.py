"""A scheduled query as a job: the limit of the wait."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from local.control_plane.transfer_runs import ScheduledQuery
from local.scheduled_query import QueryFailedError, run_as_job
from tests.harness.waiting import until

if TYPE_CHECKING:
    from declared.environment import Environment

ENDLESS = (
    "SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 300000)) a, UNNEST(GENERATE_ARRAY(1, 300000)) b WHERE a * b = 0"
)


def test_a_query_over_the_limit_is_cancelled_and_named(environment: Environment) -> None:
    job_id = str(uuid.uuid4())
    query = ScheduledQuery(environment.project, job_id, ENDLESS, datetime.now(UTC))
    with pytest.raises(
        QueryFailedError, match=f"Job {job_id} of project {environment.project} did not end within 0:00:00.200000"
    ):
        run_as_job(str(environment.endpoint), query, timedelta(milliseconds=200))
    address = f"{environment.endpoint}/bigquery/v2/projects/{environment.project}/jobs/{job_id}"
    until(lambda: httpx.get(address).json()["status"]["state"] == "DONE", "the end of the job")
    assert httpx.get(address).json()["status"]["errorResult"]["reason"] == "stopped"
