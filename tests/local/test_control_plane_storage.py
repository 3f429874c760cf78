"""Cloud Storage's API: what makes an object a lock, and what keeps its older versions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi.testclient import TestClient

from local.control_plane import Projects, Store, create_control_plane

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from httpx import Response

BUCKET = "/storage/v1/b/eros-state"
LOCK, STATE = "eros/x/default.tflock", "eros/x/default.tfstate"


def client_of(file: Path) -> tuple[TestClient, Store]:
    store = Store(file)
    app = create_control_plane(store, Projects("eros-local", 100000000001), lambda _query: None)
    return TestClient(app, raise_server_exceptions=False), store


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    client, store = client_of(tmp_path / "control_plane.sqlite")
    body = {"name": "eros-state", "location": "us", "versioning": {"enabled": True}}
    assert client.post("/storage/v1/b?project=eros-local", json=body).is_success
    yield client
    store.close()


def place(name: str) -> str:
    """The address of an object; clients quote its name."""
    return f"{BUCKET}/o/{name.replace('/', '%2F')}"


def write(client: TestClient, name: str, content: str, query: str = "") -> Response:
    """Upload as Go's client does: the resource and the content as two parts."""
    body = (
        f'--edge\r\nContent-Type: application/json\r\n\r\n{{"bucket":"eros-state","name":"{name}"}}\r\n'
        f"--edge\r\nContent-Type: text/plain\r\n\r\n{content}\r\n--edge--\r\n"
    )
    path = f"/upload{BUCKET}/o?uploadType=multipart&name={name}{query}"
    answer: Response = client.post(path, content=body, headers={"content-type": "multipart/related; boundary=edge"})
    return answer


def versions(client: TestClient, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"{BUCKET}/o", params={"prefix": name, "versions": "true"}).json()["items"]
    return found


def test_of_many_writers_that_expect_no_object_one_succeeds(client: TestClient) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: write(client, LOCK, str(n), "&ifGenerationMatch=0"), range(16)))
    assert sorted(answer.status_code for answer in answers) == [200, *[412] * 15]
    refused = next(answer for answer in answers if answer.status_code == 412).json()["error"]
    assert refused["errors"][0]["reason"] == "conditionNotMet"
    winner = next(n for n, answer in enumerate(answers) if answer.is_success)
    assert client.get(f"/eros-state/{LOCK}").text == str(winner)


def test_an_object_is_deleted_only_at_the_expected_generation(client: TestClient) -> None:
    generation = write(client, LOCK, "held").json()["generation"]
    assert client.delete(place(LOCK), params={"ifGenerationMatch": str(int(generation) - 1)}).status_code == 412
    assert client.get(place(LOCK)).is_success
    assert client.delete(place(LOCK), params={"ifGenerationMatch": generation}).status_code == 204
    assert client.get(place(LOCK)).status_code == 404
    assert client.delete(place(LOCK)).status_code == 404


def test_an_overwritten_version_can_be_read_and_restored(client: TestClient) -> None:
    first, second = (write(client, STATE, text).json()["generation"] for text in ("first", "second"))
    assert [version["generation"] for version in versions(client, STATE)] == [first, second]
    assert "timeDeleted" in versions(client, STATE)[0]
    assert client.get(place(STATE), params={"alt": "media", "generation": first}).text == "first"
    rewrite = f"{place(STATE)}/rewriteTo/b/eros-state/o/{STATE.replace('/', '%2F')}"
    assert client.post(rewrite, params={"sourceGeneration": first}).json()["done"] is True
    assert client.get(f"/eros-state/{STATE}").text == "first"
    assert len(versions(client, STATE)) == 3
    client.delete(place(STATE), params={"generation": second})
    assert second not in [version["generation"] for version in versions(client, STATE)]


def test_without_versioning_no_older_version_is_kept(client: TestClient) -> None:
    assert client.patch(BUCKET, json={"versioning": {"enabled": False}}).json()["metageneration"] == "2"
    old = write(client, STATE, "first").json()["generation"]
    write(client, STATE, "second")
    assert len(versions(client, STATE)) == 1
    assert client.get(place(STATE), params={"generation": old}).status_code == 404


def test_a_listing_has_folders_and_objects(client: TestClient) -> None:
    for name in ("eros/x/default.tfstate", "eros/x/other/default.tfstate", "eros/y/default.tfstate"):
        write(client, name, "{}")
    listed = client.get(f"{BUCKET}/o", params={"prefix": "eros/x/", "delimiter": "/"}).json()
    assert [item["name"] for item in listed["items"]] == ["eros/x/default.tfstate"]
    assert listed["prefixes"] == ["eros/x/other/"]
    assert client.get("/storage/v1/b/no-such-bucket/o").status_code == 404


def test_an_upload_in_chunks_becomes_an_object_with_the_last_chunk(client: TestClient) -> None:
    started = client.post(
        f"/upload{BUCKET}/o?uploadType=resumable&ifGenerationMatch=0", json={"name": STATE, "contentType": "text/x"}
    )
    session = started.headers["location"]
    first = client.put(session, content=b"abc", headers={"content-range": "bytes 0-2/*"})
    assert (first.status_code, first.headers["range"]) == (308, "bytes=0-2")
    assert client.get(place(STATE)).status_code == 404
    last = client.put(session, content=b"de", headers={"content-range": "bytes 3-4/5"}).json()
    assert (last["size"], last["contentType"]) == ("5", "text/x")
    assert client.get(f"/eros-state/{STATE}").text == "abcde"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/storage/v1/b?project=eros-local", {"name": "eros-state"}, 409),
        ("POST", "/storage/v1/b?project=eros-local", {"name": "Eros_State!"}, 400),
        ("GET", "/storage/v1/b/no-such-bucket", None, 404),
        ("GET", "/no-such-bucket/object", None, 404),
        ("POST", f"/upload{BUCKET}/o?uploadType=multipart&name=x", {"no": "parts"}, 400),
    ],
)
def test_what_google_refuses_is_refused(
    client: TestClient, method: str, path: str, body: dict[str, str] | None, status: int
) -> None:
    assert client.request(method, path, json=body).status_code == status


def test_a_bucket_with_objects_stays(client: TestClient) -> None:
    write(client, STATE, "{}")
    assert client.delete(BUCKET).status_code == 409
    client.delete(place(STATE), params={"generation": versions(client, STATE)[0]["generation"]})
    assert client.delete(BUCKET).status_code == 204


def test_a_bucket_policy_is_written_at_the_etag_that_was_read(client: TestClient) -> None:
    binding = {"role": "roles/storage.objectViewer", "members": ["group:viewers@example.com"]}
    read = client.get(f"{BUCKET}/iam").json()
    assert client.put(f"{BUCKET}/iam", json={**read, "bindings": [binding]}).is_success
    assert client.get(f"{BUCKET}/iam").json()["bindings"] == [binding]
    assert client.put(f"{BUCKET}/iam", json={**read, "bindings": []}).status_code == 412


def test_objects_survive_a_restart(tmp_path: Path) -> None:
    client, store = client_of(tmp_path / "control_plane.sqlite")
    client.post("/storage/v1/b?project=eros-local", json={"name": "eros-state"})
    write(client, STATE, "kept")
    store.close()
    client, store = client_of(tmp_path / "control_plane.sqlite")
    assert client.get(f"/eros-state/{STATE}").text == "kept"
    store.close()


POOLS = "/iam/v1/projects/eros-local/locations/global/workloadIdentityPools"
OIDC = {
    "oidc": {"issuerUri": "https://token.actions.githubusercontent.com"},
    "attributeMapping": {"google.subject": "assertion.sub"},
    "attributeCondition": "assertion.repository == 'a/b'",
}


def test_a_deleted_pool_keeps_its_name_and_can_be_restored(client: TestClient) -> None:
    create = f"{POOLS}?workloadIdentityPoolId=github"
    made = client.post(create, json={"displayName": "GitHub"}).json()
    assert made["done"] is True
    assert made["response"]["name"] == "projects/100000000001/locations/global/workloadIdentityPools/github"
    client.delete(f"{POOLS}/github")
    assert client.get(f"{POOLS}/github").json()["state"] == "DELETED"
    assert client.post(create, json={}).status_code == 409
    client.post(f"{POOLS}/github:undelete")
    assert client.get(f"{POOLS}/github").json()["state"] == "ACTIVE"


def test_a_provider_for_github_needs_a_condition(client: TestClient) -> None:
    client.post(f"{POOLS}?workloadIdentityPoolId=github", json={})
    create = f"{POOLS}/github/providers?workloadIdentityPoolProviderId=github"
    open_to_all = {key: value for key, value in OIDC.items() if key != "attributeCondition"}
    assert client.post(create, json=open_to_all).status_code == 400
    assert client.post(create, json=OIDC).is_success
    changed = client.patch(f"{POOLS}/github/providers/github?updateMask=attributeCondition", json={})
    assert changed.status_code == 400, "a mask that clears the condition"


@pytest.mark.parametrize("body", [b"null", b"[]", b"1", b'"x"', b"[" * 100_000, b"{"])
def test_a_resumable_upload_begins_with_a_json_object(endpoint: str, body: bytes) -> None:
    httpx.post(f"{endpoint}/storage/v1/b?project=eros-local", json={"name": "resumed"})
    address = f"{endpoint}/upload/storage/v1/b/resumed/o?uploadType=resumable&name=x"
    answer = httpx.post(address, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_a_browser_runs_no_content(endpoint: str) -> None:
    httpx.post(f"{endpoint}/storage/v1/b?project=eros-local", json={"name": "shown"})
    head = '--edge\r\nContent-Type: application/json\r\n\r\n{"name": "page", "contentType": "text/html"}\r\n'
    content = f"{head}--edge\r\nContent-Type: text/html\r\n\r\n<script>\r\n--edge--"
    kind = {"Content-Type": "multipart/related; boundary=edge"}
    httpx.post(f"{endpoint}/upload/storage/v1/b/shown/o?uploadType=multipart", content=content, headers=kind)
    for path in ("/shown/page", "/storage/v1/b/shown/o/page?alt=media"):
        headers = httpx.get(endpoint + path).headers
        assert (headers["content-security-policy"], headers["x-content-type-options"]) == ("sandbox", "nosniff")
