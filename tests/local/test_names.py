"""Names that Google refuses: refused by every API before they become part of a path."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import requests
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import bigquery

from local import names
from tests.harness.bigquery import DATASET, PROJECT, Server

if TYPE_CHECKING:
    from pathlib import Path

    from declared.environment import Environment

D = f"{PROJECT}.{DATASET}"

GOOD = {
    "project": ["eros-local", "a12345", "a" * 30, "example.com:project"],
    "dataset": ["brain", "_results", "A1_", "x" * 1024],
    "table": ["messages", "tips 2026", "tips-2026", "подсказки", "कीमत", "a" * 1024, "t‿"],
    "routine": ["score", "A_1", "x" * 256],
    "job": ["job_1-a", "x" * 1024],
    "bucket": ["abc", "a.b-c_d", "0" * 63],
    "object": ["a", "a/../b", "../x", "...", "a b?#", "ü" * 512, ".well-known/x"],
    "location": ["us", "US", "us-central1"],
    "transfer config": ["6a1b-22", "run_1"],
}
BAD = {
    "project": [
        "",
        "../../x",
        "a",
        "1project",
        "project-",
        "Project",
        "a" * 31,
        "a_bcde",
        "eros-local\n",
        "a/b:project",
    ],
    "dataset": ["", "..", "a.b", "a-b", "a/b", "x" * 1025, "brain\n", "ü"],
    "table": ["", "..", "a/b", "a.b", "a`b", 'a"b', "a\0", "a\nb", "ü" * 513, "\ud800", "a$20260101", "a@1"],
    "routine": ["", "a-b", "a.b", "../x", "x" * 257, "score\n"],
    "job": ["", "a/b", "a.b", "..", "ü", "x" * 1025, "job\n"],
    "bucket": ["", "..", "ab", "Abc", "-abc", "abc-", "a/b", "0" * 64, "abc\n"],
    "object": ["", ".", "..", "a\nb", "a\r", "ü" * 513, ".well-known/acme-challenge/x", "\ud800"],
    "location": ["", "..", "us/x", "us\n"],
    "transfer config": ["", "..", "a/b", "a:b", "a\n"],
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, found in GOOD.items() for name in found])
def test_a_name_that_google_accepts(kind: str, name: str) -> None:
    assert names.fault(kind, name) is None


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, found in BAD.items() for name in found])
def test_a_name_that_google_refuses(kind: str, name: str) -> None:
    assert names.fault(kind, name)


def test_every_kind_has_names_of_both_sorts_and_short_errors() -> None:
    assert names.RULES.keys() == GOOD.keys() == BAD.keys()
    assert all(len(names.fault(kind, "/" * 5000 + "\n") or "") < 400 for kind in names.RULES)


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("projects/UPPER/datasets", 400, "Invalid project ID: UPPER"),
        ("projects/%2E%2E%2F%2E%2E%2Fx/datasets", 400, "Invalid project ID: .."),
        ("projects/unknown-project/datasets", 404, "Not found: Project unknown-project"),
        ("projects/unknown-project/datasets/d/tables/t", 404, "Not found: Project unknown-project"),
        (f"projects/{PROJECT}/datasets/a-b", 400, "Invalid dataset ID"),
        (f"projects/{PROJECT}/datasets/{DATASET}/tables/a%60b", 400, "Invalid table ID"),
        (f"projects/{PROJECT}/datasets/{DATASET}/tables/%2E%2E/data", 400, "Invalid table ID"),
        (f"projects/{PROJECT}/datasets/{DATASET}/routines/a-b", 400, "Invalid routine ID"),
        (f"projects/{PROJECT}/jobs/a.b", 400, "Invalid job ID"),
        (f"projects/{PROJECT}/queries/a.b", 400, "Invalid job ID"),
    ],
)
def test_the_paths_of_bigquery(server: Server, path: str, status: int, said: str) -> None:
    answer = requests.get(f"{server.endpoint}/bigquery/v2/{path}", timeout=60)
    assert (answer.status_code, said in answer.json()["error"]["message"]) == (status, True), answer.text


def test_a_project_that_is_not_served_is_not_created(server: Server, bigquery_folder: Path) -> None:
    """Neither by a path, a request's body nor a statement."""
    before = sorted(file.name for file in bigquery_folder.iterdir())
    around = sorted(file.name for file in bigquery_folder.parent.iterdir())
    for project, status in (("unknown-project", 404), ("../../x", 400), ("UPPER", 400)):
        url = f"{server.endpoint}/bigquery/v2/projects/{quote(project, safe='')}"
        body: dict[str, Any] = {"datasetReference": {"projectId": project, "datasetId": "d"}}
        query: dict[str, Any] = {"query": "SELECT 1", "useLegacySql": False}
        assert requests.post(f"{url}/datasets", json=body, timeout=60).status_code == status
        assert requests.post(f"{url}/queries", json=query, timeout=60).status_code == status
        assert requests.post(f"{url}/jobs", json={"configuration": {"query": query}}, timeout=60).status_code == status
        default: dict[str, Any] = {"defaultDataset": {"projectId": project, "datasetId": "d"}}
        own = f"{server.endpoint}/bigquery/v2/projects/{PROJECT}"
        assert requests.post(f"{own}/queries", json=query | default, timeout=60).status_code == status
        for statement in (f"CREATE SCHEMA `{project}.d`", f"CREATE TABLE `{project}.d.t` (a INT64)"):
            with pytest.raises(GoogleAPICallError):
                server.rows(statement)
        destination: Any = {"projectId": project, "datasetId": "d", "tableId": "t"}
        job = requests.post(
            f"{own}/jobs", json={"configuration": {"query": query | {"destinationTable": destination}}}, timeout=60
        ).json()
        assert job["status"]["errorResult"]["reason"] in {"notFound", "invalid"}
    assert sorted(file.name for file in bigquery_folder.iterdir()) == before
    assert sorted(file.name for file in bigquery_folder.parent.iterdir()) == around


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("CREATE SCHEMA `a-b`", "Invalid dataset ID"),
        (f"CREATE TABLE `{D}`.`a/b` (a INT64)", "Invalid table ID"),
        (f"CREATE VIEW `{D}`.`a/b` AS SELECT 1 AS a", "Invalid table ID"),
        (f"CREATE FUNCTION `{D}`.`a-b`() AS (1)", "Invalid routine ID"),
        (f"CREATE PROCEDURE `{D}`.`a-b`() BEGIN SELECT 1; END", "Invalid routine ID"),
        (f"CREATE OR REPLACE TABLE `{D}.old` (a INT64); ALTER TABLE `{D}.old` RENAME TO `a/b`", "Invalid table ID"),
    ],
)
def test_the_names_in_statements(server: Server, statement: str, said: str) -> None:
    with pytest.raises(GoogleAPICallError, match=said):
        server.rows(statement)


@pytest.mark.parametrize("job", ["../../x", "a.b", "a b"])
def test_the_id_of_a_job(server: Server, job: str) -> None:
    with pytest.raises(GoogleAPICallError, match="Invalid job ID"):
        server.client.query("SELECT 1", job_id=job, job_retry=None)


def test_a_partition_is_part_of_a_tables_name(server: Server) -> None:
    assert server.client.query("SELECT 1 AS a", bigquery.QueryJobConfig(destination=f"{D}.whole")).result()
    answer = requests.get(
        f"{server.endpoint}/bigquery/v2/projects/{PROJECT}/datasets/{DATASET}/tables/whole$20260101", timeout=60
    )
    assert "Invalid table ID" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "storage/v1/b?project={project}", {"name": "../x"}, 400),
        ("POST", "storage/v1/b?project=unknown-project", {"name": "good-name"}, 404),
        ("GET", "storage/v1/b/UPPER", None, 400),
        ("GET", "storage/v1/b/{bucket}/o/%2E%2E", None, 400),
        ("POST", "upload/storage/v1/b/{bucket}/o?uploadType=media&name=%2E%2E", {}, 400),
        ("POST", "upload/storage/v1/b/{bucket}/o?uploadType=media&name=a%0Ab", {}, 400),
        ("POST", "upload/storage/v1/b/{bucket}/o?uploadType=media&name=a/../b", {}, 200),
        ("POST", "storage/v1/b/{bucket}/o/a%2F..%2Fb/rewriteTo/b/{bucket}/o/%2E%2E", None, 400),
        ("GET", "bigquerydatatransfer/v1/projects/unknown-project/locations/us/transferConfigs", None, 404),
        ("GET", "bigquerydatatransfer/v1/projects/UPPER/locations/us/transferConfigs", None, 400),
        ("GET", "bigquerydatatransfer/v1/projects/{project}/locations/u%20s/transferConfigs", None, 400),
        ("GET", "bigquerydatatransfer/v1/projects/{project}/locations/us/transferConfigs/a%20b", None, 400),
        ("GET", "bigquerydatatransfer/v1/projects/{project}/locations/us/transferConfigs/a/runs/b%20c", None, 400),
        ("GET", "cloudresourcemanager/v1/projects/unknown-project", None, 404),
    ],
)
def test_the_control_plane(environment: Environment, method: str, path: str, body: Any, status: int) -> None:
    bucket = f"names-{''.join(c for c in method.lower() if c in string.ascii_letters)}"
    made = f"{environment.endpoint}/storage/v1/b?project={environment.project}"
    assert requests.post(made, json={"name": bucket}, timeout=60).status_code in {200, 409}
    url = f"{environment.endpoint}/{path.format(project=environment.project, bucket=bucket)}"
    answer = requests.request(method, url, json=body, timeout=60)
    assert answer.status_code == status, answer.text
