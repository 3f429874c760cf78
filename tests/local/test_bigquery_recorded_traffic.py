"""What the real Terraform provider sent and got, played again: the same statuses, answers of the same shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.data.recording import REPLAYED_ON_BIGQUERY, TRAFFIC, recorded
from tests.harness.bigquery import DATASET, PROJECT, Server
from tests.harness.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_OURS = {"etag", "user_email"}  # as the server of the recording chose to answer them


def _cases() -> dict[str, list[dict[str, Any]]]:
    cases: dict[str, list[dict[str, Any]]] = {}
    for exchange in recorded(TRAFFIC):
        if exchange["resource"] in REPLAYED_ON_BIGQUERY:
            cases.setdefault(exchange["case"], []).append(exchange)
    return cases


CASES = _cases()
assert CASES


def _differences(expected: Any, got: Any, path: str = "") -> Iterator[str]:
    """Fields that the recording has and the answer lacks, or has with another type."""
    if isinstance(expected, dict) and isinstance(got, dict):
        for key, value in expected.items():
            if key in NOT_OURS:
                continue
            if key not in got:
                yield f"{path}.{key} is missing"
            else:
                yield from _differences(value, got[key], f"{path}.{key}")
    elif isinstance(expected, list) and isinstance(got, list):
        if len(expected) != len(got):
            yield f"{path} has {len(got)} elements, not {len(expected)}"
        for number, (one, other) in enumerate(zip(expected, got, strict=False)):
            yield from _differences(one, other, f"{path}[{number}]")
    elif type(expected) is not type(got):
        yield f"{path} is {got!r}, not {expected!r}"


def _finished(server: Server, job: str) -> Any:
    """A job, once it is done."""
    found: dict[str, Any] = {}

    def is_done() -> bool:
        found.update(requests.get(server.endpoint + job, timeout=60).json())
        return bool(found["status"]["state"] == "DONE")

    until(is_done, job)
    return found


@pytest.mark.parametrize("case", CASES)
def test_recorded_traffic(server: Server, case: str) -> None:
    for dataset in (DATASET, "src"):
        server.client.delete_dataset(dataset, delete_contents=True, not_found_ok=True)
        if not case.startswith("dataset") or case == "dataset_iam":
            server.client.create_dataset(dataset)
    if not case.startswith("dataset") or case == "dataset_iam":
        for table in ("t", "t2"):
            server.rows(f"CREATE TABLE `{PROJECT}.{DATASET}.{table}` (id INT64, page STRING, score FLOAT64)")
    for exchange in CASES[case]:
        answer = requests.request(
            exchange["method"], server.endpoint + exchange["path"], json=exchange["request_body"], timeout=60
        )
        where = f"{exchange['step']}: {exchange['method']} {exchange['path']}"
        assert answer.status_code == exchange["status"], f"{where}: {answer.text}"
        expected, got = exchange["response_body"], answer.json() if answer.content else None
        if isinstance(expected, str):  # the recording says 'as before'
            continue
        if isinstance(expected, dict) and expected.get("status") == {"state": "DONE"}:  # on a busy machine it runs on
            got = _finished(server, expected["selfLink"])
        assert not list(_differences(expected, got)), where
