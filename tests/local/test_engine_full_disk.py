"""A full disk: statements name it and fail, no acknowledged row is lost, and with room everything works again."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError
from google.cloud import bigquery

from tests.harness.bigquery import DATASET, PROJECT, Server, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TABLE = f"`{PROJECT}.{DATASET}.kept`"
COPY = f"`{PROJECT}.{DATASET}.copy`"
LOADED = bigquery.LoadJobConfig(source_format="CSV", skip_leading_rows=1)
MANY = "FROM UNNEST(GENERATE_ARRAY(1, 40000)) AS i"
#: Checkpoints at almost every commit, where DuckDB gives up a database that it cannot write.
OFTEN = """
from local_bigquery.engine import database
database.execute("SET GLOBAL checkpoint_threshold = '16KB'")
"""


@contextmanager
def mounted(folder: Path, megabytes: int) -> Iterator[Path]:
    """A disk of a size, in MB."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """An empty disk."""
    with mounted(tmp_path, 48) as folder:
        yield folder


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A disk for tests that leave its server unchanged."""
    with mounted(tmp_path_factory.mktemp("small_disk"), 128) as folder:
        yield folder


@pytest.fixture(scope="module")
def small(small_disk: Path) -> Iterator[Server]:
    """A server whose data is on that disk."""
    with serving(small_disk / "data") as server:
        yield server


def fill(disk: Path, left: int) -> Path:
    """Fill the disk, except for so many bytes."""
    file, room = disk / "filling", os.statvfs(disk)
    with suppress(OSError):  # other threads write too
        file.write_bytes(bytes(max(0, room.f_bavail * room.f_frsize - left)))
    return file


@pytest.mark.parametrize("left", [0, 20_000, 300_000])
def test_statements_name_the_full_disk_and_work_again_with_room(small_disk: Path, small: Server, left: int) -> None:
    small.rows(f"CREATE TABLE {TABLE} (n INT64, text STRING); INSERT {TABLE} VALUES (1, 'kept')")
    statements = {
        "insert": f"INSERT {TABLE} SELECT i, REPEAT(TO_HEX(SHA256(CAST(i AS STRING))), 4) {MANY}",
        "create": f"CREATE TABLE {COPY} AS SELECT i, TO_HEX(SHA256(CAST(i AS STRING))) AS t {MANY}",
        "result": f"SELECT REPEAT('x', 100) {MANY}",
    }
    filling = fill(small_disk, left)
    for name, statement in statements.items():
        with pytest.raises(BadRequest, match=r"is full .* and the statement was not applied") as refused:
            small.rows(statement)
        assert refused.value.errors[0]["reason"] == "resourcesExceeded", name
    assert small.rows(f"SELECT n FROM {TABLE}") == [(1,)]
    file = io.BytesIO(b"n,text\n" + b"2,more captions for tonight\n" * 20_000)
    with pytest.raises(GoogleAPICallError, match="is full"):
        small.client.load_table_from_file(file, TABLE.strip("`"), job_config=LOADED).result()
    listed = list(small.client.list_jobs())
    assert len(listed) >= 5
    assert {job.state for job in listed} == {"DONE"}
    filling.unlink()
    for statement in statements.values():
        small.rows(statement)
    assert small.rows(f"SELECT COUNT(*) FROM {TABLE}") == [(40_001,)]
    assert small.rows(f"SELECT COUNT(*) FROM {COPY}") == [(40_000,)]
    for table in (TABLE, COPY):
        small.client.delete_table(table.strip("`"))


@pytest.mark.parametrize(
    "prepare",
    [pytest.param("", marks=pytest.mark.long, id="checkpoints seldom"), pytest.param(OFTEN, id="checkpoints often")],
)
def test_no_acknowledged_row_is_lost(disk: Path, prepare: str) -> None:
    """Three writers while the disk fills and empties; then the process is killed."""
    acknowledged: set[int] = set()
    ended = threading.Event()

    def write(server: Server, first: int) -> None:
        number = first
        while not ended.is_set():
            try:
                server.rows(f"INSERT {TABLE} (n) VALUES ({number})")
                acknowledged.add(number)
            except GoogleAPICallError:
                pass
            number += 3

    with serving(disk / "data", prepare) as server:
        server.rows(f"CREATE TABLE {TABLE} (n INT64)")
        writers = [threading.Thread(target=write, args=(server, first)) for first in range(3)]
        for writer in writers:
            writer.start()
        try:
            for left in (0, 4_000, 0, 100_000):
                filling = fill(disk, left)
                for _ in range(8):
                    with suppress(BadRequest):
                        server.rows(f"INSERT {TABLE} SELECT -i {MANY}")
                filling.unlink()
                before, deadline = len(acknowledged), time.monotonic() + 60
                while len(acknowledged) <= before + 3:
                    assert time.monotonic() < deadline, "nothing can be written, though there is room"
                    server.rows("SELECT 1")
                server.rows(f"DELETE {TABLE} WHERE n < 0")
        finally:
            ended.set()
            for writer in writers:
                writer.join(60)
        server.stop(signal.SIGKILL)
    with serving(disk / "data") as server:
        found = {n for (n,) in server.rows(f"SELECT n FROM {TABLE} WHERE n >= 0")}
        assert acknowledged <= found, f"{len(acknowledged - found)} of {len(acknowledged)} rows are lost"
