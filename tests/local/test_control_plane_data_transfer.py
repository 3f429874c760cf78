"""Scheduled queries: configs as Terraform writes them, and runs that execute and record how they ended."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from local.control_plane import Projects, Store, create_control_plane
from local.control_plane.data_transfer import THREAD_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.control_plane.transfer_runs import ScheduledQuery

BASE = "/bigquerydatatransfer/v1"
CONFIGS = f"{BASE}/projects/eros-local/locations/us/transferConfigs"
SWEEP = {
    "dataSourceId": "scheduled_query",
    "displayName": "eros sweep",
    "params": {"query": "CALL d.sweep()"},
    "schedule": "every 1 hours",
}
NOON = {"requestedRunTime": "2026-01-01T04:00:00-08:00"}


class Queries:
    """A fake BigQuery: records each query, waits until it may end, and fails on request."""

    def __init__(self) -> None:
        self.seen: list[ScheduledQuery] = []
        self.started = threading.Event()
        self.may_end = threading.Event()
        self.ended = threading.Event()
        self.failure: Exception | None = None

    def __call__(self, query: ScheduledQuery) -> None:
        """Run one."""
        self.seen.append(query)
        self.started.set()
        assert self.may_end.wait(60)
        if self.failure:
            raise self.failure


@pytest.fixture
def queries(store: Store) -> Iterator[Queries]:
    queries = Queries()
    yield queries
    queries.may_end.set()
    wait_for_runs()


@pytest.fixture
def client(store: Store, queries: Queries) -> TestClient:
    return TestClient(create_control_plane(store, Projects("eros-local", 100000000001), queries))


def create(client: TestClient, **changes: Any) -> dict[str, Any]:
    answer = client.post(CONFIGS, json={**SWEEP, **changes})
    assert answer.is_success, answer.text
    config: dict[str, Any] = answer.json()
    return config


def wait_for_runs() -> None:
    for thread in threading.enumerate():
        if thread.name == THREAD_NAME:
            thread.join(60)


def run_to_end(client: TestClient, queries: Queries, config: dict[str, Any]) -> dict[str, Any]:
    """Start a manual run and wait for its end."""
    queries.may_end.set()
    run: dict[str, Any] = client.post(f"{BASE}/{config['name']}:startManualRuns", json=NOON).json()["runs"][0]
    wait_for_runs()
    found: dict[str, Any] = client.get(f"{BASE}/{run['name']}").json()
    return found


def test_names_hold_the_project_number_and_answer_to_the_id_too(client: TestClient) -> None:
    name = create(client)["name"]
    assert name.startswith("projects/100000000001/locations/us/transferConfigs/")
    by_id = f"{BASE}/{name.replace('100000000001', 'eros-local').replace('/us/', '/US/')}"
    assert client.get(by_id).json()["name"] == name
    assert [config["name"] for config in client.get(CONFIGS).json()["transferConfigs"]] == [name]
    other = CONFIGS.replace("eros-local", "another-project")
    assert client.get(other).status_code == 404


def test_an_update_changes_only_the_fields_of_its_mask(client: TestClient) -> None:
    config = create(client, notificationPubsubTopic="projects/eros-local/topics/runs")
    changes = {"displayName": "other", "schedule": "every 2 hours"}
    mask = {"updateMask": "schedule,notification_pubsub_topic"}
    updated = client.patch(f"{BASE}/{config['name']}", json=changes, params=mask).json()
    assert updated["schedule"] == "every 2 hours"
    assert updated["displayName"] == "eros sweep"
    assert "notificationPubsubTopic" not in updated


def test_failure_mail_is_always_in_the_answer_once_it_was_set(client: TestClient) -> None:
    assert create(client, emailPreferences={})["emailPreferences"] == {"enableFailureEmail": False}


def test_the_service_account_owns_what_it_runs(client: TestClient) -> None:
    email = "eros-etl@eros-local.iam.gserviceaccount.com"
    as_account = {"serviceAccountName": email}
    missing = client.post(CONFIGS, json=SWEEP, params=as_account)
    assert missing.status_code == 400
    assert "does not exist" in missing.json()["error"]["message"]
    client.post("/iam/v1/projects/eros-local/serviceAccounts", json={"accountId": "eros-etl"})
    config = client.post(CONFIGS, json=SWEEP, params=as_account).json()
    assert config["ownerInfo"] == {"email": email}


@pytest.mark.parametrize(
    "changes",
    [
        {"dataSourceId": "google_ads"},
        {"displayName": ""},
        {"params": {}},
        {"destinationDatasetId": "d"},
    ],
)
def test_configs_that_could_not_run_are_refused(client: TestClient, changes: dict[str, Any]) -> None:
    answer = client.post(CONFIGS, json={**SWEEP, **changes})
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert client.get(CONFIGS).json()["transferConfigs"] == []


def test_a_run_executes_the_query_for_its_time_and_succeeds(client: TestClient, queries: Queries) -> None:
    config = create(client)
    run = run_to_end(client, queries, config)
    assert run["state"] == "SUCCEEDED"
    assert run["runTime"] == "2026-01-01T12:00:00.000000Z"
    assert run["startTime"] <= run["endTime"]
    assert "errorStatus" not in run
    (query,) = queries.seen
    assert query.query == "CALL d.sweep()"
    assert query.run_time == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert query.job_id == f"scheduled_query_{run['name'].rsplit('/', 1)[1]}"
    assert client.get(f"{BASE}/{config['name']}").json()["state"] == "SUCCEEDED"


def test_a_failing_query_is_the_run_s_outcome(client: TestClient, queries: Queries) -> None:
    queries.failure = ValueError("Table not found: d.t")
    run = run_to_end(client, queries, create(client))
    assert run["state"] == "FAILED"
    assert run["errorStatus"]["message"] == "Table not found: d.t"


def test_a_run_is_running_until_its_query_ends(client: TestClient, queries: Queries) -> None:
    config = create(client)
    run = client.post(f"{BASE}/{config['name']}:startManualRuns", json=NOON).json()["runs"][0]
    assert run["state"] == "PENDING"
    assert queries.started.wait(60)
    runs = f"{BASE}/{config['name']}/runs"
    assert [found["name"] for found in client.get(runs, params={"states": "RUNNING"}).json()["transferRuns"]] == [
        run["name"]
    ]
    assert client.get(runs, params={"states": "FAILED"}).json()["transferRuns"] == []


def test_a_config_is_deleted_with_its_runs(client: TestClient, queries: Queries) -> None:
    config = create(client)
    run = run_to_end(client, queries, config)
    assert client.delete(f"{BASE}/{config['name']}").is_success
    for gone in (run["name"], config["name"]):
        assert client.get(f"{BASE}/{gone}").status_code == 404


def test_a_run_interrupted_by_a_restart_has_failed(store: Store, client: TestClient, queries: Queries) -> None:
    config = create(client)
    run = client.post(f"{BASE}/{config['name']}:startManualRuns", json=NOON).json()["runs"][0]
    assert queries.started.wait(60)
    restarted = TestClient(create_control_plane(store, Projects("eros-local", 100000000001), Queries()))
    found = restarted.get(f"{BASE}/{run['name']}").json()
    assert found["state"] == "FAILED"
    assert "server ended" in found["errorStatus"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"requestedTimeRange": {"startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-02T00:00:00Z"}},
        {"requestedRunTime": "noon"},
        {"requestedRunTime": "2026-01-01T00:00:00"},
        {"requestedRunTime": "2999-01-01T00:00:00Z"},
    ],
)
def test_unusable_run_times_are_refused(client: TestClient, queries: Queries, body: Any) -> None:
    config = create(client)
    answer = client.post(f"{BASE}/{config['name']}:startManualRuns", json=body)
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert queries.seen == []


def test_the_data_source_is_known(client: TestClient) -> None:
    sources = CONFIGS.replace("transferConfigs", "dataSources")
    assert client.get(f"{sources}/scheduled_query").json()["dataSourceId"] == "scheduled_query"
    assert client.get(f"{sources}/google_ads").status_code == 404
