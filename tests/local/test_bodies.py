"""A body that is too large, or not what it says to be, is an answer, and takes no more memory than the limit."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from local import bodies
from local.bodies import limited
from local.control_plane.answers import ApiError
from local.control_plane.app import answer_error

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 1000


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setattr(bodies, "LARGEST", LIMIT)
    app = FastAPI(exception_handlers={ApiError: answer_error})

    @app.post("/length")
    async def length(request: Request) -> int:
        body = await request.body()
        assert request.headers.get("content-length", str(len(body))) == str(len(body))
        return len(body)

    return TestClient(limited(app))


def chunks(*parts: bytes) -> Iterator[bytes]:
    yield from parts


def test_what_fits_arrives_decompressed(client: TestClient) -> None:
    packed = gzip.compress(b"a" * LIMIT)
    assert client.post("/length", content=b"a" * LIMIT).json() == LIMIT
    assert client.post("/length", content=packed, headers={"Content-Encoding": "gzip"}).json() == LIMIT
    halves = chunks(packed[:5], packed[5:])
    assert client.post("/length", content=halves, headers={"Content-Encoding": "gzip"}).json() == LIMIT


def test_what_does_not_fit_is_413(client: TestClient) -> None:
    assert client.post("/length", content=b"a" * (LIMIT + 1)).status_code == 413
    assert client.post("/length", content=chunks(b"a" * LIMIT, b"a")).status_code == 413
    bomb = gzip.compress(b"a" * 100 * LIMIT)
    assert len(bomb) < LIMIT
    assert client.post("/length", content=bomb, headers={"Content-Encoding": "gzip"}).status_code == 413


@pytest.mark.parametrize(
    "body",
    [b"", b"no gzip", gzip.compress(b"a")[:-1], gzip.compress(b"a") + b"more"],
    ids=["empty", "other bytes", "cut off", "more behind it"],
)
def test_what_is_no_gzip_is_400(client: TestClient, body: bytes) -> None:
    answer = client.post("/length", content=body, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, "gzip" in answer.json()["error"]["message"]) == (400, True)
