"""The control plane answers the real provider's recorded requests as the recorded server did."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from local.control_plane import Projects, Store, create_control_plane
from tests.data.recording import REPLAYED_ON_THE_CONTROL_PLANE, TRAFFIC, recorded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: The recorded server's base paths, the version as the provider doubles it, and ours.
BASES = {
    "/crm/v1/v1/": "/cloudresourcemanager/v1/",
    "/iam/v1/v1/": "/iam/v1/",
    "/bqdts/v1/": "/bigquerydatatransfer/v1/",
    "/monitoring/v3/": "/monitoring/v3/",
}
SAME_AS_EARLIER = str


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    store = Store(tmp_path / "control_plane.sqlite")
    with TestClient(create_control_plane(store, Projects("eros-local", 100000000001), lambda _query: None)) as client:
        account = {"accountId": "runner-sa", "serviceAccount": {"displayName": "Runner"}}
        assert client.post("/iam/v1/projects/eros-local/serviceAccounts", json=account).is_success
        yield client
    store.close()


@pytest.mark.parametrize("resource", REPLAYED_ON_THE_CONTROL_PLANE)
def test_recorded_requests_get_answers_of_the_recorded_form(resource: str, client: TestClient) -> None:
    exchanges = [exchange for exchange in recorded(TRAFFIC) if exchange["resource"] == resource]
    assert len(exchanges) > 5
    ours: dict[str, str] = {}
    for step, of_step in groupby(exchanges, key=lambda exchange: exchange["step"]):
        for exchange in of_step:
            expected = exchange["response_body"]
            answer = client.request(
                exchange["method"], _translated(_path(exchange["path"]), ours), **_body(exchange["request_body"], ours)
            )
            assert answer.status_code == exchange["status"], (step, exchange["method"], exchange["path"], answer.text)
            if not isinstance(expected, SAME_AS_EARLIER):
                assert _form(answer.json()) == _form(expected), (step, exchange["method"], exchange["path"])
                ours |= _identities(expected, answer.json())


def _path(text: str) -> str:
    base = next(base for base in BASES if text.startswith(base))
    return BASES[base] + text.removeprefix(base)


def _body(body: Any, ours: dict[str, str]) -> dict[str, Any]:
    return {} if body is None else {"json": json.loads(_translated(json.dumps(body), ours))}


def _translated(text: str, ours: dict[str, str]) -> str:
    for theirs, replacement in ours.items():
        text = text.replace(theirs, replacement)
    return text


def _identities(expected: dict[str, Any], found: dict[str, Any]) -> dict[str, str]:
    """Names and etags that the server chose: requests that follow hold them."""
    return {expected[key]: found[key] for key in ("name", "etag") if key in expected}


def _form(value: Any) -> Any:
    """The keys and types of a JSON value; the values themselves where they are the caller's, not the server's."""
    match value:
        case dict():
            return {key: _form(item) for key, item in sorted(value.items())}
        case list():
            return [_form(item) for item in value]
    return type(value).__name__
