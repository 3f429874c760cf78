"""The job that fills the holiday calendar at a deployment: its call, and its id, by which it is found again."""

from __future__ import annotations

import re

from catalog.zone import ZONE

PROCEDURE = "seed_holiday_calendar"
CALENDAR = "holiday_calendar"
#: Name of the resource whose id each seed job's id contains.
GENERATION = "holiday_seed"
FIRST_YEAR = 2025
YEARS_AHEAD = 2
#: Prefix of the job's id.
JOB = f"{PROCEDURE}_"

_JOB_ID = re.compile(rf"{JOB}[0-9a-f]{{12}}_(?P<generation>[0-9a-f-]{{36}})")


def seed_call(dataset: str) -> str:
    """The statement that fills the calendar.

    Args:
        dataset: the qualified dataset, ``project.dataset``.
    """
    return f"CALL `{dataset}.{PROCEDURE}`({FIRST_YEAR}, EXTRACT(YEAR FROM CURRENT_DATE('{ZONE}')) + {YEARS_AHEAD});"


def job_id(digest: str, generation: str) -> str:
    """The id of a seed job.

    Args:
        digest: 12 hexadecimal digits of what the job runs.
        generation: the id of the resource that is recreated with each deployment after a rollback.
    """
    return f"{JOB}{digest}_{generation}"


def generation_of(job: str) -> str | None:
    """The generation in a seed job's id; None for any other job."""
    found = _JOB_ID.fullmatch(job)
    return found["generation"] if found else None
