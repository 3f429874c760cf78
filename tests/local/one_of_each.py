"""One thing for each GET route of a server: what the parameters of the routes are then."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.harness.client import http
from tests.harness.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What each of them is called.
ONE = "oneofeach"
PROJECT = "projects/eros-local"
BIGQUERY = f"bigquery/v2/{PROJECT}"
TRANSFERS = "bigquerydatatransfer/v1"
POOLS = f"iam/v1/{PROJECT}/locations/global/workloadIdentityPools"
SCRIPT = f"""
CREATE TABLE `{ONE}.{ONE}` AS SELECT 1 AS a;
CREATE VIEW `{ONE}.view` AS SELECT 1 AS a;
CREATE FUNCTION `{ONE}.{ONE}`() AS (1);
CREATE ROW ACCESS POLICY {ONE} ON `{ONE}.{ONE}` GRANT TO ('allAuthenticatedUsers') FILTER USING (TRUE);
SELECT 1;
"""
PROVIDER = {"oidc": {"issuerUri": "https://example.com"}, "attributeMapping": {"google.subject": "assertion.sub"}}
ALERT = {
    "displayName": ONE,
    "combiner": "OR",
    "conditions": [{"displayName": ONE, "conditionThreshold": {"filter": "a"}}],
}
QUERY = {"dataSourceId": "scheduled_query", "displayName": ONE, "params": {"query": "SELECT 1"}}


@contextmanager
def one_of_each(endpoint: str) -> Iterator[dict[str, str]]:
    """Create them, and delete at the end what is not only marked as deleted.

    Yields:
        The values of the routes' parameters, without the project.
    """

    def made(path: str, body: object) -> dict[str, Any]:
        answer = http().post(f"{endpoint}/{path}", json=body)
        assert answer.is_success, f"{path}: {answer.text}"
        found: dict[str, Any] = answer.json()
        return found

    made(f"{BIGQUERY}/datasets", {"datasetReference": {"datasetId": ONE}})
    job = made(f"{BIGQUERY}/queries", {"query": SCRIPT, "useLegacySql": False})["jobReference"]["jobId"]
    account = made(f"iam/v1/{PROJECT}/serviceAccounts", {"accountId": ONE})["email"]
    made(f"iam/v1/{PROJECT}/roles", {"roleId": ONE})
    made(f"{POOLS}?workloadIdentityPoolId={ONE}", {})
    made(f"{POOLS}/{ONE}/providers?workloadIdentityPoolProviderId={ONE}", PROVIDER)
    made("storage/v1/b?project=eros-local", {"name": ONE})
    made(f"upload/storage/v1/b/{ONE}/o?uploadType=media&name={ONE}", {"its": "content"})
    channel = made(f"monitoring/v3/{PROJECT}/notificationChannels", {"type": "email"})["name"]
    alert = made(f"monitoring/v3/{PROJECT}/alertPolicies", ALERT)["name"]
    config = made(f"{TRANSFERS}/{PROJECT}/locations/us/transferConfigs", QUERY)["name"]
    started = made(f"{TRANSFERS}/{config}:startManualRuns", {"requestedRunTime": "2026-01-01T00:00:00Z"})
    run = started["runs"][0]["name"]
    until(lambda: http().get(f"{endpoint}/{TRANSFERS}/{run}").json()["state"] == "SUCCEEDED", "the end of the run")
    yield {
        **dict.fromkeys(("datasetId", "tableId", "routineId", "policyId", "modelId"), ONE),
        **dict.fromkeys(("role", "pool", "provider", "bucket", "name"), ONE),
        "identity": account,
        "jobId": job,
        "location": "us",
        "source": "scheduled_query",
        "config": _last(config),
        "run": _last(run),
        "channel": _last(channel),
        "policy": _last(alert),
        "service": "bigquery.googleapis.com",
        "metric": "queries",
    }
    for path in (
        f"{BIGQUERY}/datasets/{ONE}?deleteContents=true",
        f"iam/v1/{PROJECT}/serviceAccounts/{account}",
        f"storage/v1/b/{ONE}/o/{ONE}",
        f"storage/v1/b/{ONE}",
        *(f"monitoring/v3/{name}" for name in (alert, channel)),
        f"{TRANSFERS}/{config}",
    ):
        http().delete(f"{endpoint}/{path}").raise_for_status()


def _last(name: str) -> str:
    return name.rpartition("/")[2]
