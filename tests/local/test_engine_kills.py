"""The server is killed while it writes and maintains its data: no acknowledged row is lost, no file is left over."""

from __future__ import annotations

import random
import signal
import sqlite3
import threading
import time
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import httpx
import pytest

from local.engine import offline
from tests.harness.client import put_clock, rows_of
from tests.harness.launcher import launch
from tests.harness.waiting import until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

PROJECT = "eros-local"
SEED = 17


class Client:
    """A client by plain HTTP, to which a broken connection is an error immediately."""

    def __init__(self, endpoint: str, process: subprocess.Popen[str]) -> None:
        self.endpoint, self.process = endpoint, process
        self.http = httpx.Client(timeout=60, trust_env=False)

    def query(self, sql: str) -> list[Any]:
        """The rows of a query that has succeeded.

        Raises:
            httpx.HTTPError: it has failed, or its outcome is unknown.
        """
        answer = self.http.post(f"{self.endpoint}/bigquery/v2/projects/{PROJECT}/queries", json={"query": sql})
        answer.raise_for_status()
        return rows_of(answer.json())


@contextmanager
def serving(folder: Path) -> Iterator[Client]:
    """A server that is killed at the end of the block."""
    server = launch(folder)
    try:
        yield Client(server.endpoint, server.process)
    finally:
        server.end(signal.SIGKILL)


def write(client: Client, first: int, acknowledged: set[int]) -> None:
    """Run statements until the server is gone; every writer inserts rows and updates its own row."""
    number = first
    with suppress(httpx.HTTPError):
        while True:
            client.query(f"INSERT INTO kill.inserted (n) VALUES ({number})")
            acknowledged.add(number)
            client.query(f"UPDATE kill.changed SET n = {number} WHERE writer = {first % 3} AND n < {number}")
            number += 3


def move_on(client: Client, start: datetime) -> None:
    """Move the clock by half a day again and again, so that rounds have snapshots to expire and files to remove."""
    now = start
    with suppress(httpx.HTTPError):
        while True:
            now += timedelta(hours=12)
            put_clock(client.endpoint, now)
            client.query("SELECT COUNT(*) FROM kill.inserted")


def wait_for_round(folder: Path, now: datetime) -> None:
    """Wait until a round of maintenance for this instant has begun."""
    with closing(sqlite3.connect(folder / "data" / "maintenance.sqlite")) as file:
        newest = "SELECT max(instant) FROM marks"
        until(lambda: file.execute(newest).fetchone()[0] >= now.isoformat(), "a round of maintenance")


def wait_for_more(acknowledged: set[int]) -> None:
    """Wait until a row more is written, however busy the machine is."""
    before = len(acknowledged)
    until(lambda: len(acknowledged) > before, "a row")


def files(folder: Path) -> tuple[set[str], set[str]]:
    """The Parquet files on the disk, and those of a snapshot."""
    offline.import_extensions()
    there = {path.name for path in (folder / "data" / PROJECT).rglob("*.parquet")}
    with duckdb.connect(str(folder / "data" / f"{PROJECT}.ducklake"), read_only=True) as lake:
        known = lake.execute(
            "SELECT path FROM ducklake_data_file UNION SELECT path FROM ducklake_delete_file"
        ).fetchall()
    return there, {Path(path).name for (path,) in known}


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.long)])
def test_no_acknowledged_row_is_lost_and_no_file_is_left_over(tmp_path: Path, kills: int) -> None:
    moments = random.Random(SEED)  # noqa: S311 - the same moments each time
    print(f"seed {SEED}")  # noqa: T201 - to repeat a failure
    acknowledged: set[int] = set()
    now = datetime.now(UTC)
    with serving(tmp_path) as client:
        dataset = {"datasetReference": {"datasetId": "kill", "projectId": PROJECT}}
        client.http.post(f"{client.endpoint}/bigquery/v2/projects/{PROJECT}/datasets", json=dataset).raise_for_status()
        client.query("CREATE TABLE kill.inserted (n INT64)")
        client.query("CREATE TABLE kill.changed AS SELECT w AS writer, -1 AS n FROM UNNEST([0, 1, 2]) AS w")
    for kill in range(kills):
        with serving(tmp_path) as client:
            first = 1_000_000 * kill
            threads = [
                threading.Thread(target=write, args=(client, first + writer, acknowledged)) for writer in range(3)
            ]
            threads.append(threading.Thread(target=move_on, args=(client, now)))
            for thread in threads:
                thread.start()
            wait_for_more(acknowledged)
            time.sleep(moments.uniform(0.1, 1.0))
            client.process.kill()
            for thread in threads:
                thread.join(70)
        now += timedelta(days=4)
    with serving(tmp_path) as client:
        found = {int(n) for (n,) in client.query("SELECT n FROM kill.inserted")}
        assert acknowledged <= found, f"{sorted(acknowledged - found)} of {len(acknowledged)} are lost"
        assert len(client.query("SELECT writer, n FROM kill.changed")) == 3
        for _ in range(4):  # rounds beyond time travel; when one begins, the previous one has ended
            now += timedelta(days=8)
            put_clock(client.endpoint, now)
            wait_for_round(tmp_path, now)
            client.query("UPDATE kill.changed SET n = n + 1 WHERE TRUE")
        client.process.terminate()
        client.process.wait(60)
        there, known = files(tmp_path)
        assert there == known
