"""The data folder: in use, damaged, and after the process was killed."""

from __future__ import annotations

import shutil
import signal
from typing import TYPE_CHECKING

import pytest

from tests.harness.bigquery import DATASET, PROJECT, Server, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TABLE = f"`{PROJECT}.{DATASET}.kept`"


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that a server has left in order."""
    folder = tmp_path_factory.mktemp("left")
    with serving(folder):
        pass
    return folder


@pytest.fixture
def folder(left: Path, tmp_path: Path) -> Iterator[Path]:
    """The folder, restored after the test. It contains its own path, so a copy could not be opened."""
    kept = shutil.copytree(left, tmp_path / "kept")
    yield left
    shutil.copytree(kept, left, dirs_exist_ok=True)


def test_folder_in_use(server: Server, bigquery_folder: Path) -> None:
    with pytest.raises(AssertionError, match="another process has the data open") as refused:
        Server(bigquery_folder)
    assert server.rows("SELECT 1") == [(1,)]
    assert "Traceback" not in str(refused.value)


@pytest.mark.parametrize("name", ["emulator.duckdb", f"{PROJECT}.ducklake", "jobs.sqlite", "maintenance.sqlite"])
def test_damaged_file_is_left_alone(folder: Path, name: str) -> None:
    damaged = b"not a database" * 1000
    (folder / name).write_bytes(damaged)
    for log in folder.glob(f"{name}-*"):  # SQLite would repair the file from it
        log.unlink()
    with pytest.raises(AssertionError, match=f"cannot be opened: .*{name}") as refused:
        Server(folder)
    assert "Traceback" not in str(refused.value)
    assert (folder / name).read_bytes() == damaged


def test_killed_process_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.rows(f"CREATE TABLE {TABLE} (n INT64); INSERT {TABLE} VALUES (1), (2)")
        endless = "SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 300000)) a, UNNEST(GENERATE_ARRAY(1, 300000)) b"
        running = server.client.query(
            f"BEGIN TRANSACTION; INSERT {TABLE} VALUES (3); {endless} WHERE a * b = 0; COMMIT TRANSACTION"
        )
        server.stop(signal.SIGKILL)
    with serving(tmp_path) as server:
        assert server.rows(f"SELECT n FROM {TABLE} ORDER BY n") == [(1,), (2,)]
        job = server.client.get_job(running.job_id)
        assert job.state == "DONE"
        assert job.error_result["reason"] == "stopped"
        server.rows(f"INSERT {TABLE} VALUES (4)")
        assert server.rows(f"SELECT COUNT(*) FROM {TABLE}") == [(3,)]
