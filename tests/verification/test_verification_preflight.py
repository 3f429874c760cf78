"""The preflight reports everything that is missing, together, before a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.cloud import bigquery

from google.client import NO_RETRY
from tests.harness.client import connect
from verification.results import Status
from verification.running import verify

if TYPE_CHECKING:
    from declared.environment import Environment
    from verification.results import Result


def failures(environment: Environment) -> dict[str, Result]:
    results = verify(environment, ["preflight"]).results
    return {result.object: result for result in results if result.status is not Status.PASS}


def test_no_dataset_is_one_failure(environment: Environment) -> None:
    (failure,) = failures(environment.model_copy(update={"dataset": "nowhere"})).values()
    assert failure.object == "nowhere"
    assert failure.status is Status.FAIL
    assert "python -m local seed" in failure.action


def test_every_suite_can_run_without_a_dataset(environment: Environment) -> None:
    report = verify(environment.model_copy(update={"dataset": "nowhere"}))
    missing = {result.object for result in report.results if result.id.startswith("1.")}
    assert {"caption_key_v2", "leases", "schedule_recommendations_messages", "seed_holiday_calendar"} <= missing
    assert report.count(Status.ERROR) == 0
    assert not report.well


def test_everything_missing_is_reported_together(environment: Environment) -> None:
    """Eight objects are missing, a ninth lacks a column and has one of another type; extra columns are fine."""
    partly = environment.model_copy(update={"dataset": "partly"})
    client = connect(str(partly.endpoint), partly.project)
    client.create_dataset("partly", timeout=30)
    fields = "caption_id STRING, caption_text STRING, price_tier STRING, has_urgency BOOL, remark STRING"
    client.query_and_wait(f"CREATE TABLE `{partly.project}.partly.captions` ({fields})", job_retry=NO_RETRY)

    found = failures(partly)
    assert len(found) == 8 + 2
    assert found["mass_messages"].found == "missing"
    assert found["captions.content_category"].found == "missing"
    assert (found["captions.caption_id"].expected, found["captions.caption_id"].found) == ("INT64", "STRING")
    assert all(result.action for result in found.values())


def test_another_location(environment: Environment) -> None:
    there = environment.model_copy(update={"dataset": "elsewhere"})
    client = connect(str(there.endpoint), there.project)
    dataset = bigquery.Dataset(f"{there.project}.elsewhere")
    dataset.location = "EU"
    client.create_dataset(dataset)
    assert failures(there)["elsewhere"].found == "EU"
