"""The seed jobs that have run: a deployment adopts the newest one if it succeeded, and repeats it if it did not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from declared import seed
from declared.names import Part, stack_name
from google.failures import NotPermittedError

if TYPE_CHECKING:
    from google.client import GoogleApi


@dataclass(frozen=True)
class SeedJob:
    """A job that filled the calendar, or was to."""

    job_id: str
    succeeded: bool


def newest_seed_job(api: GoogleApi) -> SeedJob | None:
    """The newest job for the calendar that exists; BigQuery forgets jobs after 180 days.

    Raises:
        LiveSystemError: the history of jobs cannot be read.
    """
    environment, calendar = api.environment, api.table(seed.CALENDAR)
    if calendar is None:
        return None
    jobs = f"`{environment.project}`.`region-{environment.location.lower()}`.INFORMATION_SCHEMA.JOBS_BY_PROJECT"
    rows = api.query(
        "the jobs that filled the holiday calendar",
        "SELECT job.job_id, job.state = 'DONE' AND job.error_result.reason IS NULL AS succeeded "  # noqa: S608 - names of the environment and this module's own text
        f"FROM {jobs} AS job WHERE STARTS_WITH(job.job_id, '{seed.JOB}') "
        f"AND job.creation_time > TIMESTAMP_MILLIS({int(calendar.get('creationTime', 0))}) "
        f"AND STRPOS(job.query, '.{environment.dataset}.') > 0 "
        "ORDER BY job.creation_time DESC LIMIT 1",
    )
    return SeedJob(str(rows[0].job_id), bool(rows[0].succeeded)) if rows else None


def repeating_variables(api: GoogleApi) -> dict[str, str]:
    """What makes terraform.sh run a seed job again that did not succeed: its id can be used once.

    Raises:
        LiveSystemError: no answer came.
    """
    try:
        newest = newest_seed_job(api)
    except NotPermittedError:
        newest = None  # a deployment needs no permission to list jobs
    if newest is None or newest.succeeded:
        return {}
    return {"EROS_REPLACE": f"{stack_name(api.environment.name, Part.AUTOMATION)} terraform_data.{seed.GENERATION}"}
