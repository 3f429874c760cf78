"""The one application: who gets a request, and that a failure is an answer that no client tries again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.testclient import TestClient

from local.server import application

if TYPE_CHECKING:
    import pytest


def client() -> TestClient:
    bigquery, control_plane = FastAPI(), FastAPI()

    @bigquery.get("/bigquery/v2/projects")
    def projects() -> str:
        return "bigquery"

    @bigquery.get("/bigquery/v2/broken")
    def broken() -> str:
        raise ZeroDivisionError("in the engine")

    @control_plane.get("/iam/v1/projects/p/serviceAccounts")
    def accounts() -> str:
        return "control plane"

    @control_plane.get("/iam/v1/broken")
    def control_plane_broken() -> str:
        raise ZeroDivisionError("in the control plane")

    return TestClient(application(bigquery, control_plane), raise_server_exceptions=False)


def test_paths_lead_to_their_part_with_one_version_or_two() -> None:
    assert client().get("/ready").json() == {"ready": True}
    assert client().get("/bigquery/v2/projects").json() == "bigquery"
    assert client().get("/bigquery/v2/v2/projects").json() == "bigquery"
    assert client().get("/iam/v1/projects/p/serviceAccounts").json() == "control plane"
    assert client().get("/iam/v1/v1/projects/p/serviceAccounts").json() == "control plane"


def test_a_failure_is_logged_and_answered_so_that_nobody_tries_again(caplog: pytest.LogCaptureFixture) -> None:
    for path in ("/bigquery/v2/broken", "/iam/v1/broken"):
        caplog.clear()
        assert client().get(path).status_code == 400
        (record,) = (record for record in caplog.records if record.name == "local.server")
        assert path in record.getMessage()
        assert record.exc_info is not None
        assert record.exc_info[0] is ZeroDivisionError
