"""Policies and service accounts: read-modify-write that loses nothing, and what Google refuses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from local import LocalError
from local.control_plane import Projects, Store, create_control_plane

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = "/cloudresourcemanager/v1/projects/eros-local"
ACCOUNTS = "/iam/v1/projects/eros-local/serviceAccounts"
EMAIL = "eros-etl@eros-local.iam.gserviceaccount.com"
AUDIT = [{"service": "bigquery.googleapis.com", "auditLogConfigs": [{"logType": "DATA_READ"}]}]


@pytest.fixture
def client(store: Store) -> TestClient:
    app = create_control_plane(store, Projects("eros-local", 100000000001), lambda _query: None)
    return TestClient(app, raise_server_exceptions=False)


def policy(client: TestClient, resource: str = PROJECT) -> dict[str, Any]:
    found: dict[str, Any] = client.post(f"{resource}:getIamPolicy", json={}).json()
    return found


def members(client: TestClient, role: str) -> list[str]:
    return [
        member for binding in policy(client)["bindings"] if binding["role"] == role for member in binding["members"]
    ]


def test_a_stale_etag_is_refused_and_changes_nothing(client: TestClient) -> None:
    first = policy(client)
    binding = {"role": "roles/viewer", "members": ["user:a@example.com"]}
    assert client.post(f"{PROJECT}:setIamPolicy", json={"policy": {**first, "bindings": [binding]}}).is_success
    late = client.post(f"{PROJECT}:setIamPolicy", json={"policy": {**first, "bindings": []}})
    assert late.status_code == 409
    assert late.json()["error"]["status"] == "ABORTED"
    assert "concurrent policy changes" in late.json()["error"]["message"]
    assert policy(client)["bindings"] == [binding]


def test_members_added_at_the_same_time_all_arrive(client: TestClient) -> None:
    """Each thread reads, adds itself and writes, and starts again if its etag is stale, as Terraform does."""
    conflicts = []

    def add(number: int) -> None:
        while True:
            read = policy(client)
            mine = f"user:{number}@example.com"
            others = [member for binding in read["bindings"] for member in binding["members"]]
            read["bindings"] = [{"role": "roles/viewer", "members": [*others, mine]}]
            answer = client.post(f"{PROJECT}:setIamPolicy", json={"policy": read})
            if answer.is_success:
                return
            assert answer.status_code == 409
            conflicts.append(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(24)))
    assert sorted(members(client, "roles/viewer")) == sorted(f"user:{number}@example.com" for number in range(24))


def test_audit_configs_stay_unless_the_mask_names_them(client: TestClient) -> None:
    masked = {"policy": {"auditConfigs": AUDIT}, "updateMask": "bindings,etag,auditConfigs"}
    assert client.post(f"{PROJECT}:setIamPolicy", json=masked).is_success
    assert client.post(f"{PROJECT}:setIamPolicy", json={"policy": {"bindings": []}}).is_success
    assert policy(client)["auditConfigs"] == AUDIT
    assert client.post(f"{PROJECT}:setIamPolicy", json={**masked, "policy": {}}).is_success
    assert "auditConfigs" not in policy(client)


@pytest.mark.parametrize(
    ("member", "said"),
    [(f"serviceAccount:{EMAIL}", "does not exist"), ("a@example.com", "unknown type")],
)
def test_members_that_cannot_be_are_refused(client: TestClient, member: str, said: str) -> None:
    wanted = {"policy": {"bindings": [{"role": "roles/viewer", "members": [member]}]}}
    answer = client.post(f"{PROJECT}:setIamPolicy", json=wanted)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]
    assert policy(client)["bindings"] == []


def test_a_service_account_lives_and_takes_its_policy_with_it(client: TestClient) -> None:
    account = f"{ACCOUNTS}/{EMAIL}"
    body = {"accountId": "eros-etl", "serviceAccount": {"displayName": "ETL"}}
    assert client.post(ACCOUNTS, json=body).json()["email"] == EMAIL
    assert client.post(ACCOUNTS, json=body).json()["error"]["status"] == "ALREADY_EXISTS"
    change = {"serviceAccount": {"displayName": "", "description": "runs the queries"}, "updateMask": "description"}
    assert client.patch(account, json=change).json()["displayName"] == "ETL"
    assert client.get(account).json()["description"] == "runs the queries"
    client.post(f"{account}:disable")
    assert client.get(account).json()["disabled"] is True
    client.post(f"{account}:enable")
    assert "disabled" not in client.get(account).json()
    binding = {"role": "roles/iam.serviceAccountUser", "members": [f"serviceAccount:{EMAIL}"]}
    assert client.post(f"{account}:setIamPolicy", json={"policy": {"bindings": [binding]}}).is_success
    assert policy(client, account)["bindings"] == [binding]
    assert client.delete(account).is_success
    assert client.get(account).json()["error"]["status"] == "NOT_FOUND"
    client.post(ACCOUNTS, json=body)
    assert policy(client, account)["bindings"] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", ACCOUNTS, {"accountId": "X"}, "INVALID_ARGUMENT"),
        ("POST", ACCOUNTS, ["no object"], "INVALID_ARGUMENT"),
        ("POST", f"{PROJECT}:setIamPolicy", {}, "INVALID_ARGUMENT"),
        ("POST", f"{ACCOUNTS}/nobody@example.com:getIamPolicy", {}, "NOT_FOUND"),
        ("DELETE", f"{ACCOUNTS}/nobody@example.com", None, "NOT_FOUND"),
        ("GET", "/iam/v1/nonsense", None, "NOT_FOUND"),
    ],
)
def test_errors_have_googles_form(client: TestClient, method: str, path: str, body: Any, status: str) -> None:
    error = client.request(method, path, json=body).json()["error"]
    assert error["status"] == status
    assert error["message"]
    assert error["errors"][0]["reason"]
    assert error["code"] == {"INVALID_ARGUMENT": 400, "NOT_FOUND": 404}[status]


def test_resources_survive_a_new_start(client: TestClient, tmp_path: Path) -> None:
    client.post(ACCOUNTS, json={"accountId": "eros-etl"})
    again = Store(tmp_path / "control_plane.sqlite")
    assert [account["email"] for account in again.list("service_account")] == [EMAIL]
    again.close()


def test_a_transaction_happens_wholly_or_not_at_all(store: Store) -> None:
    def interrupted() -> None:
        with store.transaction():
            store.put("kind", "a", {})
            with store.transaction():
                store.put("kind", "b", {})
            raise KeyError

    with pytest.raises(KeyError):
        interrupted()
    assert store.list("kind") == []


def test_a_corrupt_file_is_said_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "broken.sqlite"
    file.write_bytes(b"not a database at all, but long enough to be read as one" * 100)
    before = file.read_bytes()
    with pytest.raises(LocalError, match=r"broken\.sqlite.*cannot be used"):
        Store(file)
    assert file.read_bytes() == before
