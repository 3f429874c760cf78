"""What a browser sends from a page that somebody merely visits is refused before it is read.

The requests are those of Chromium 153 from pages at 127.0.0.1, localhost and another name, each on another port.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import sqlite3
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi.routing import APIRoute

from local.control_plane.app import ROUTERS
from local.process import running
from local.web_pages import served_hosts
from tests.harness.client import http
from tests.local.one_of_each import one_of_each

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DATASETS = "/bigquery/v2/projects/eros-local/datasets"
ACCOUNTS = "/iam/v1/projects/eros-local/serviceAccounts"
UPLOAD = "/upload/bigquery/v2/projects/eros-local/jobs?uploadType=multipart"
OBJECTS = "/upload/storage/v1/b/pages/o?uploadType=media&name=page"
SCHEMA = "CREATE SCHEMA from_a_page"
JOB = json.dumps({"configuration": {"query": {"query": SCHEMA, "useLegacySql": False}}})
FORM = "multipart/form-data; boundary=edge"
FORM_BODY = f'--edge\r\nContent-Disposition: form-data; name="a"\r\n\r\n{JOB}\r\n--edge\r\n\r\nx\r\n--edge--\r\n'
#: A page's origin, and what Chromium calls its relation to 127.0.0.1.
PAGES = [
    ("http://127.0.0.1:8000", "same-site"),
    ("http://localhost:8000", "cross-site"),
    ("http://example.com", "cross-site"),
    ("null", "cross-site"),  # after a redirect, or from a file or a sandboxed frame
]
#: Method, path, content type and body of what a page sends without asking first.
SENT = {
    "form": ("POST", UPLOAD, FORM, FORM_BODY),
    "url-encoded form": ("POST", UPLOAD, "application/x-www-form-urlencoded", f"a={JOB}"),
    "text form": ("POST", UPLOAD, "text/plain", f"a={JOB}"),
    "fetch of text": ("POST", "/bigquery/v2/projects/eros-local/queries", "text/plain;charset=UTF-8", JOB),
    "fetch of a blob": ("POST", ACCOUNTS, None, '{"accountId": "from-a-page"}'),
    "fetch without a body": ("POST", "/bigquery/v2/projects/eros-local/jobs/none/cancel", None, ""),
    "object": ("POST", OBJECTS, "text/plain", "an object"),
    "preflight": ("OPTIONS", DATASETS, None, ""),
}


@pytest.fixture(scope="module")
def port(endpoint: str) -> int:
    return int(endpoint.rpartition(":")[2])


def answer(port: int, request: str) -> tuple[int, str]:
    """Status and content of the answer to exactly these lines and bytes."""
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(request.encode())
        text, length = b"", None
        while length is None or len(text) < length:
            text += (part := connection.recv(65536))
            head, ended, _ = text.partition(b"\r\n\r\n")
            if ended and length is None:
                sizes = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                length = len(head) + 4 + int(sizes[0].partition(b":")[2])
            assert part, text
        return int(text.split(b" ", 2)[1]), text[len(head) + 4 :].decode()


def sent(port: int, kind: str, *lines: str) -> tuple[int, str]:
    """The answer to one of the requests above, with these header lines beside its own."""
    method, path, content_type, body = SENT[kind]
    lines = (f"{method} {path} HTTP/1.1", *lines, f"Content-Length: {len(body)}")
    if content_type:
        lines = (*lines, f"Content-Type: {content_type}")
    return answer(port, "\r\n".join((*lines, "", body)))


def reason(content: str) -> str:
    """The sentence of an error, which has Google's form."""
    error = json.loads(content)["error"]
    assert error["errors"][0]["message"] == error["message"]
    assert error["status"] in {"PERMISSION_DENIED", "UNSUPPORTED_MEDIA_TYPE"}
    return str(error["message"])


@pytest.mark.parametrize("kind", SENT)
@pytest.mark.parametrize(("origin", "site"), PAGES)
def test_a_page_s_request_is_refused_by_each_of_its_marks(port: int, kind: str, origin: str, site: str) -> None:
    """By its origin in any browser; by Sec-Fetch-Site where a browser leaves the origin out."""
    status, content = sent(port, kind, f"Host: 127.0.0.1:{port}", f"Origin: {origin}")
    assert (status, f"a web page of {origin}" in reason(content)) == (403, True)
    status, content = sent(port, kind, f"Host: 127.0.0.1:{port}", f"Sec-Fetch-Site: {site}")
    assert (status, f"Sec-Fetch-Site: {site}" in reason(content)) == (403, True)


@pytest.mark.parametrize("kind", sorted(set(SENT) - {"fetch without a body", "preflight"}))
def test_the_content_types_of_pages_are_refused_whoever_sends_them(port: int, endpoint: str, kind: str) -> None:
    status, content = sent(port, kind, f"Host: 127.0.0.1:{port}")
    assert status == 415
    assert "; write " in reason(content)
    assert "from_a_page" not in httpx.get(f"{endpoint}{DATASETS}").text
    assert "from-a-page" not in httpx.get(f"{endpoint}{ACCOUNTS}").text


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
@pytest.mark.parametrize("mode", ["no-cors", "navigate"])
def test_an_image_a_link_and_a_redirect_get_nothing(port: int, site: str, mode: str) -> None:
    lines = (
        f"GET {DATASETS} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"Sec-Fetch-Site: {site}",
        f"Sec-Fetch-Mode: {mode}",
    )
    assert answer(port, "\r\n".join((*lines, "", "")))[0] == 403


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("Origin", "http://127.0.0.1:{port}", "http://example.com"),
        ("Sec-Fetch-Site", "same-origin", "cross-site"),
        ("Content-Type", "application/json", "text/plain"),
    ],
)
def test_a_header_that_is_sent_twice_counts_twice(port: int, name: str, first: str, second: str) -> None:
    length = "Content-Length: 0" if name != "Content-Type" else "Content-Length: 2"
    for values in ((first, second), (second, first)):
        marks = "\r\n".join(f"{name}: {value.format(port=port)}" for value in values)
        request = f"POST {DATASETS} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{marks}\r\n{length}\r\n\r\n{{}}"
        assert answer(port, request)[0] in {403, 415}


def test_a_rebound_name_is_refused(port: int) -> None:
    """The page and the server have one origin then, and plain http to another name carries no Sec-Fetch-Site."""
    for host in (f"evil.example:{port}", "evil.example", f"127.0.0.1:{port + 1}", f"127.0.0.1.evil.example:{port}", ""):
        status, content = answer(port, f"GET {DATASETS} HTTP/1.1\r\nHost: {host}\r\n\r\n")
        assert (status, f"127.0.0.1:{port}" in reason(content)) == (403, True), host
    assert answer(port, f"GET {DATASETS} HTTP/1.0\r\n\r\n")[0] == 403
    origin = f"Host: evil.example:{port}\r\nOrigin: http://evil.example:{port}"
    assert answer(port, f"PUT /clock HTTP/1.1\r\n{origin}\r\nContent-Length: 0\r\n\r\n")[0] == 403


def test_a_page_opens_no_socket(port: int) -> None:
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMw=="
    request = f"GET {DATASETS} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://localhost:8000\r\n{upgrade}\r\n\r\n"
    assert answer(port, request)[0] == 403


def test_the_answer_comes_before_the_body(port: int) -> None:
    """Only the head is sent; the answer to a request that is read would wait for the rest."""
    begin = f"POST {UPLOAD} HTTP/1.1\r\nContent-Length: 1000000000"
    for marks in (
        "Host: evil.example\r\nContent-Type: multipart/related; boundary=edge",
        f"Host: 127.0.0.1:{port}\r\nOrigin: http://localhost:8000\r\nContent-Type: {FORM}",
        f"Host: 127.0.0.1:{port}\r\nSec-Fetch-Site: same-site\r\nContent-Type: {FORM}",
    ):
        assert answer(port, f"{begin}\r\n{marks}\r\n\r\n")[0] == 403
    assert answer(port, f"{begin}\r\nHost: 127.0.0.1:{port}\r\nContent-Type: {FORM}\r\n\r\n")[0] == 415


def test_a_chunked_body_without_a_type_is_refused(port: int) -> None:
    head = f"POST {ACCOUNTS} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert answer(port, head)[0] == 415


def test_the_provider_s_port_answers_no_browser(environment_folder: Path, port: int) -> None:
    """It speaks HTTP/2 only, which no browser speaks without TLS."""
    server = running(environment_folder)
    assert server is not None
    (plugin,) = json.loads(server.provider).values()
    host, _, plugin_port = plugin["Addr"]["String"].rpartition(":")
    assert int(plugin_port) != port
    with socket.create_connection((host, int(plugin_port)), 60) as connection:
        connection.sendall(f"POST /tfplugin5.Provider/Stop HTTP/1.1\r\nHost: {host}:{plugin_port}\r\n\r\n".encode())
        said = b""
        while part := connection.recv(65536):
            said += part
    assert b"HTTP/1.1 2" not in said


#: GET routes that name what cannot be made here, and what they answer.
NOT_OK = {"/bigquery/v2/projects/{+projectId}/datasets/{+datasetId}/models/{+modelId}": 404}


def get_routes(endpoint: str) -> list[str]:
    """The path of every GET route."""
    discovery = http().get(f"{endpoint}/discovery/v1/apis/bigquery/v2/rest").json()
    paths, places = [], [discovery]
    for place in places:
        places += place.get("resources", {}).values()
        methods = place.get("methods", {}).values()
        paths += [f"/{discovery['servicePath']}{m['path']}" for m in methods if m["httpMethod"] == "GET"]
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    return paths + [route.path for route in routes if "GET" in (route.methods or ())]


def filled(route: str, parameters: Mapping[str, str]) -> str:
    """The path of a route; it writes a parameter as ``{a}``, ``{+a}`` or ``{a:path}``."""
    return re.sub(r"\{\+?(\w+)(:path)?\}", lambda found: parameters[found[1]], route)


def kept(folder: Path, endpoint: str) -> dict[str, object]:
    """The names of the files, the control plane's rows, the jobs, and each resource that BigQuery has."""
    with contextlib.closing(sqlite3.connect(folder / "control_plane.sqlite")) as file:
        found: dict[str, object] = {"rows": file.execute("SELECT * FROM resources ORDER BY kind, name").fetchall()}

    def read(path: str) -> dict[str, Any]:
        answer: dict[str, Any] = http().get(f"{endpoint}{path}").json()
        found[path] = answer
        return answer

    read("/bigquery/v2/projects/eros-local/jobs?maxResults=100000")
    for dataset in read(DATASETS).get("datasets", []):
        place = f"{DATASETS}/{dataset['datasetReference']['datasetId']}"
        read(place)
        read(f"{place}/routines")
        for table in read(f"{place}/tables").get("tables", []):
            read(f"{place}/tables/{table['tableReference']['tableId']}")
    return {**found, "files": set(folder.rglob("*"))}


def test_a_get_changes_nothing(environment_folder: Path, endpoint: str) -> None:
    """Nor does one of another project, which finds nothing; HEAD is no route."""
    routes = get_routes(endpoint)
    assert any("/transferConfigs/" in route for route in routes)
    assert any("/tables/" in route for route in routes)
    with one_of_each(endpoint) as parameters:
        before = kept(environment_folder, endpoint)
        for route in routes:
            path = filled(route, {**parameters, "project": "eros-local", "projectId": "eros-local"})
            assert http().get(endpoint + path).status_code == NOT_OK.get(route, 200), path
            assert http().head(endpoint + path).status_code in {404, 405}, path
            other = filled(route, {**parameters, "project": "never-used", "projectId": "never-used"})
            expected = {200} if other == path else {403, 404}
            assert http().get(endpoint + other).status_code in expected, other
        assert kept(environment_folder, endpoint) == before


def test_what_is_kept_shows_each_change(environment_folder: Path, endpoint: str) -> None:
    """Without this, the test above could not fail."""
    place = f"{DATASETS}/seen"
    table, view = ({"datasetId": "seen", "projectId": "eros-local", "tableId": name} for name in ("t", "v"))
    fields = [{"name": "a", "type": "INTEGER"}]
    changes = [
        ("POST", DATASETS, {"datasetReference": {"datasetId": "seen"}}),
        ("POST", f"{place}/tables", {"tableReference": table, "schema": {"fields": fields}}),
        (
            "POST",
            f"{place}/tables",
            {"tableReference": view, "view": {"query": "SELECT 1 AS a", "useLegacySql": False}},
        ),
        ("POST", f"{place}/tables/t/insertAll", {"rows": [{"json": {"a": 1}}]}),
        ("DELETE", f"{place}/tables/t", None),
        ("POST", ACCOUNTS, {"accountId": "seen-account"}),
    ]
    before = kept(environment_folder, endpoint)
    for method, path, body in changes:
        http().request(method, endpoint + path, json=body).raise_for_status()
        after = kept(environment_folder, endpoint)
        assert after != before, path
        before = after
    for path in (f"{place}?deleteContents=true", f"{ACCOUNTS}/seen-account@eros-local.iam.gserviceaccount.com"):
        http().delete(endpoint + path).raise_for_status()


def test_a_user_of_this_machine_is_served(port: int) -> None:
    """By both names, by hand in a browser, and by what Google's clients send."""
    for marks in (
        f"Host: 127.0.0.1:{port}",
        f"Host: LocalHost:{port}",
        f"Host: 127.0.0.1:{port}\r\nSec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate",
        f"Host: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\nSec-Fetch-Site: same-origin",
        f"Host: 127.0.0.1:{port}\r\nContent-Type: application/json",
    ):
        assert answer(port, f"GET {DATASETS} HTTP/1.1\r\n{marks}\r\n\r\n")[0] == 200, marks
    assert served_hosts(80) == {"127.0.0.1:80", "localhost:80", "127.0.0.1", "localhost"}


@pytest.mark.parametrize(
    ("method", "path", "content_type"),
    [
        # Google's Python client and pandas-gbq
        ("POST", UPLOAD, "multipart/related; boundary=edge"),
        ("POST", UPLOAD.replace("multipart", "resumable"), "application/json; charset=UTF-8"),
        ("PUT", "/upload/bigquery/v2/projects/eros-local/jobs?uploadType=resumable&upload_id=none", "*/*"),
        # Go's client names the type of the data
        ("PUT", "/upload/storage/v1/b/none/o?uploadType=resumable&upload_id=none", "text/plain; charset=utf-8"),
        ("POST", OBJECTS, "application/octet-stream"),
        ("POST", ACCOUNTS, "application/json"),
    ],
)
def test_what_client_libraries_send_is_read(endpoint: str, method: str, path: str, content_type: str) -> None:
    """The application answers, whatever it makes of this body."""
    refused = http().request(method, endpoint + path, content=b"{}", headers={"Content-Type": content_type})
    assert refused.status_code not in {403, 415}, refused.text
