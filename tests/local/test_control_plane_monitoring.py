"""Alert policies and notification channels are kept as Google keeps them, and refused for the same reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from local.control_plane import Projects, Store, create_control_plane

if TYPE_CHECKING:
    from pathlib import Path

BASE = "/monitoring/v3"
PROJECT = f"{BASE}/projects/eros-local"
ON_LOGS: dict[str, Any] = {
    "displayName": "failed",
    "combiner": "OR",
    "conditions": [{"displayName": "c", "conditionMatchedLog": {"filter": "severity>=ERROR"}}],
    "alertStrategy": {"notificationRateLimit": {"period": "3600s"}},
}


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    store = Store(tmp_path / "store.sqlite")
    return TestClient(create_control_plane(store, Projects("eros-local", 100000000001), lambda _query: None))


@pytest.mark.parametrize(
    "change",
    [
        {"conditions": []},
        {"conditions": [{"displayName": "c"}]},
        {"displayName": ""},
        {"alertStrategy": {}},
        {"conditions": [{"displayName": "c", "conditionAbsent": {"filter": "x", "duration": "60s"}}]},
    ],
)
def test_a_policy_that_cannot_be_is_refused(client: TestClient, change: dict[str, Any]) -> None:
    assert client.post(f"{PROJECT}/alertPolicies", json=ON_LOGS | change).status_code == 400
    assert client.get(f"{PROJECT}/alertPolicies").json() == {"alertPolicies": []}


def test_an_update_changes_what_its_mask_names_and_keeps_the_conditions_names(client: TestClient) -> None:
    made = client.post(f"{PROJECT}/alertPolicies", json=ON_LOGS).json()
    change = {**made, "severity": "ERROR", "displayName": "other"}
    updated = client.patch(f"{BASE}/{made['name']}?updateMask=severity", json=change).json()
    assert (updated["severity"], updated["displayName"]) == ("ERROR", "failed")
    assert updated["conditions"] == made["conditions"]
    assert made["conditions"][0]["name"].startswith(f"{made['name']}/conditions/")


def test_a_mask_is_read_as_everywhere_else(client: TestClient) -> None:
    """Whichever form it has; what is not a policy's is refused; without one, the body's fields change."""
    made = client.post(f"{PROJECT}/alertPolicies", json=ON_LOGS).json()
    place = f"{BASE}/{made['name']}"
    change = {**made, "severity": "ERROR", "displayName": "other"}
    masked = client.patch(place, params={"updateMask": "display_name, severity"}, json=change).json()
    assert (masked["severity"], masked["displayName"]) == ("ERROR", "other")
    assert client.patch(place, params={"updateMask": "name"}, json=change).status_code == 400
    whole = client.patch(place, json={"displayName": "third", "name": "another", "creationRecord": {}}).json()
    assert whole["displayName"] == "third"
    assert (whole["name"], whole["creationRecord"]) == (made["name"], made["creationRecord"])


def test_a_channel_that_is_used_is_not_deleted(client: TestClient) -> None:
    channel = client.post(f"{PROJECT}/notificationChannels", json={"type": "email"}).json()
    policy = client.post(f"{PROJECT}/alertPolicies", json={**ON_LOGS, "notificationChannels": [channel["name"]]}).json()
    assert client.delete(f"{BASE}/{channel['name']}").status_code == 400
    assert client.delete(f"{BASE}/{policy['name']}").status_code == 200
    assert client.delete(f"{BASE}/{channel['name']}").status_code == 200
    assert client.get(f"{BASE}/{channel['name']}").status_code == 404
