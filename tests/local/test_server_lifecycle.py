"""The embedded environment's process: up, down, killed, and everything that may stand in its way."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import httpx
import pytest

from tests.harness.checkout import copy_checkout, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNTS = "iam/v1/projects/eros-local/serviceAccounts"
CONFIGS = "bigquerydatatransfer/v1/projects/eros-local/locations/us/transferConfigs"


@dataclass(frozen=True)
class Checkout:
    """A copy of the repository with an embedded environment of its own."""

    folder: Path

    @property
    def data(self) -> Path:
        """The folder of everything that is kept."""
        return self.folder / ".local"

    def local(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run ``python -m local``."""
        return subprocess.run(
            [".venv/bin/python", "-m", "local", *arguments],
            cwd=self.folder,
            env={**os.environ, "EROS_ENV": "local", **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def up(self) -> dict[str, Any]:
        """Bring it up; what ``status`` says then."""
        done = self.local("up")
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(self.local("status", "--format", "json").stdout)
        return answer

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call an API of the server that is up."""
        endpoint = json.loads((self.data / "server.json").read_text())["endpoint"]
        response = httpx.request(method, f"{endpoint}/{path}", json=body, timeout=30)
        assert response.is_success, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def query(self, sql: str) -> list[list[Any]]:
        """The rows of a query."""
        answer = self.call("POST", "bigquery/v2/projects/eros-local/queries", {"query": sql, "useLegacySql": False})
        return [[cell["v"] for cell in row["f"]] for row in answer.get("rows", [])]


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout(copy_checkout(tmp_path_factory.mktemp("checkout")))


@pytest.fixture
def checkout(copied: Checkout, tmp_path: Path) -> Iterator[Checkout]:
    """The checkout with an empty data folder, stopped at the end."""
    yield copied
    assert copied.local("down").returncode == 0
    if copied.data.exists():
        copied.data.rename(tmp_path / "used")


def test_up_tells_where_everything_is(checkout: Checkout) -> None:
    assert checkout.local("status").returncode == 1
    assert checkout.local("env").returncode == 1
    status = checkout.up()
    assert set(status) == {
        *("bigquery", "project", "dataset", "data_transfer", "iam", "resource_manager", "provider", "pid", "data")
    }
    assert status["project"] == "eros-local"
    assert status["dataset"] == "eros_scheduling_brain"
    assert httpx.get(f"{status['bigquery']}/bigquery/v2/projects/eros-local/datasets").json()["datasets"] == []
    assert httpx.get(f"{status['iam']}projects/eros-local/serviceAccounts").json() == {"accounts": []}
    assert "already up" in checkout.local("up").stdout
    assert "pid" in checkout.local("status").stdout


def test_two_that_start_at_the_same_time_end_with_one_server(checkout: Checkout) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: checkout.local("up"), range(2)))
    assert [done.returncode for done in both] == [0, 0], both
    assert checkout.local("status").returncode == 0


def test_down_and_up_again_lose_nothing(checkout: Checkout) -> None:
    checkout.up()
    leave_traces(checkout)
    assert "stopped" in checkout.local("down").stdout
    assert checkout.local("status", "--format", "json").returncode == 1
    assert "was not up" in checkout.local("down").stdout
    checkout.up()
    assert_traces(checkout)


def test_a_killed_server_is_not_taken_for_a_running_one_and_lost_nothing(checkout: Checkout) -> None:
    process = checkout.up()["pid"]
    leave_traces(checkout)
    os.kill(process, signal.SIGKILL)
    assert (checkout.data / "server.json").exists()
    while checkout.local("status").returncode == 0:  # the kernel may need a moment to let go
        time.sleep(0.01)
    assert checkout.local("env").returncode == 1
    assert checkout.up()["pid"] != process
    assert_traces(checkout)


def leave_traces(checkout: Checkout) -> None:
    reference = {"projectId": "eros-local", "datasetId": "kept"}
    checkout.call("POST", "bigquery/v2/projects/eros-local/datasets", {"datasetReference": reference})
    checkout.query("CREATE TABLE kept.t AS SELECT 42 AS answer")
    checkout.call("POST", ACCOUNTS, {"accountId": "eros-etl"})


def assert_traces(checkout: Checkout) -> None:
    assert checkout.query("SELECT answer FROM kept.t") == [["42"]]
    (account,) = checkout.call("GET", ACCOUNTS)["accounts"]
    assert account["email"] == "eros-etl@eros-local.iam.gserviceaccount.com"


def test_a_manual_run_executes_on_the_embedded_bigquery(checkout: Checkout) -> None:
    """@run_time and @run_date are the requested instant, the job is recorded, and a failure says why."""
    checkout.up()
    leave_traces(checkout)
    checkout.query("CREATE TABLE kept.runs (run_time TIMESTAMP, run_date DATE)")
    sql = (
        "IF @run_date = DATE '2026-03-08' THEN INSERT INTO `eros-local.kept.runs` VALUES (@run_time, @run_date); END IF"
    )
    run = run_now(checkout, sql, "2026-03-08T10:00:00Z")
    assert run["state"] == "SUCCEEDED", run
    rows = checkout.query("SELECT FORMAT_TIMESTAMP('%F %T', run_time, 'UTC'), run_date FROM kept.runs")
    assert rows == [["2026-03-08 10:00:00", "2026-03-08"]]
    job = checkout.call("GET", f"bigquery/v2/projects/eros-local/jobs/scheduled_query_{run['name'].rpartition('/')[2]}")
    assert job["configuration"]["labels"] == {"data_source_id": "scheduled_query"}
    failed = run_now(checkout, "SELECT missing FROM `eros-local.kept.t`", "2026-03-08T10:00:00Z")
    assert failed["state"] == "FAILED"
    assert "missing" in failed["errorStatus"]["message"]


def run_now(checkout: Checkout, sql: str, run_time: str) -> dict[str, Any]:
    body = {"dataSourceId": "scheduled_query", "displayName": "eros test", "params": {"query": sql}}
    config = checkout.call("POST", CONFIGS, body)["name"]
    start = f"bigquerydatatransfer/v1/{config}:startManualRuns"
    run: dict[str, Any] = checkout.call("POST", start, {"requestedRunTime": run_time})["runs"][0]
    while run["state"] in {"PENDING", "RUNNING"}:
        run = checkout.call("GET", f"bigquerydatatransfer/v1/{run['name']}")
    return run


def test_everything_listens_on_127_0_0_1_only(checkout: Checkout) -> None:
    """Whoever listens on all interfaces answers at 127.0.0.2 too."""
    status = checkout.up()
    addresses = [status["bigquery"].removeprefix("http://")]
    addresses += [plugin["Addr"]["String"] for plugin in json.loads(status["provider"]).values()]
    for address in addresses:
        host, _, port = address.rpartition(":")
        assert host == "127.0.0.1"
        socket.create_connection((host, int(port)), 5).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", int(port)), 5)


def test_a_port_in_use_is_said_and_nothing_is_lost(checkout: Checkout) -> None:
    endpoint = checkout.up()["bigquery"]
    leave_traces(checkout)
    checkout.local("down")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", int(endpoint.rpartition(":")[2])))
        other.listen()
        refused = checkout.local("up")
    assert_refused(refused, f"port {endpoint.rpartition(':')[2]} of 127.0.0.1 cannot be used")
    checkout.up()
    assert_traces(checkout)


def test_a_corrupt_file_is_said_and_left_as_it_is(checkout: Checkout) -> None:
    checkout.up()
    leave_traces(checkout)
    checkout.local("down")
    corrupt = b"corrupt " * 8192
    for name in ("data/emulator.duckdb", "control_plane.sqlite"):
        file = checkout.data / name
        sound = file.read_bytes()
        file.write_bytes(corrupt)
        refused = checkout.local("up")
        assert_refused(refused, str(file.parent if "/" in name else file))
        assert "Nothing was changed" in refused.stderr
        assert file.read_bytes() == corrupt
        file.write_bytes(sound)
    checkout.up()
    assert_traces(checkout)


def test_a_second_server_on_the_same_folder_is_refused(checkout: Checkout) -> None:
    process = checkout.up()["pid"]
    second = checkout.local("serve", "--port", str(free_port()), "--data", str(checkout.data))
    assert_refused(second, f"process id {process}")
    assert json.loads(checkout.local("status", "--format", "json").stdout)["pid"] == process


def test_data_that_another_program_has_open_is_said(checkout: Checkout) -> None:
    checkout.up()
    checkout.local("down")
    with duckdb.connect(str(checkout.data / "data" / "emulator.duckdb")):
        assert_refused(checkout.local("up"), "another process")
    checkout.up()


def test_a_file_in_the_data_folder_s_place_is_said(checkout: Checkout) -> None:
    checkout.data.write_text("a file")
    assert_refused(checkout.local("up"), "not usable as a data folder")
    assert checkout.data.read_text() == "a file"
    checkout.data.unlink()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_said(checkout: Checkout) -> None:
    checkout.data.mkdir(mode=0o500)
    assert_refused(checkout.local("up"), "not usable as a data folder")


def test_a_real_environment_is_not_embedded(checkout: Checkout) -> None:
    assert_refused(checkout.local("up", EROS_ENV="prod"), "names no `endpoint`")
    assert_refused(checkout.local("up", EROS_ENV="nowhere"), "no environment 'nowhere'")
    checkout.up()
    assert_refused(checkout.local("env", EROS_ENV="prod"), "belongs to the environment 'local'")
    assert_refused(checkout.local("env", EROS_ENV="preview-7"), "belongs to the environment 'local'")
    assert_refused(checkout.local("env", EROS_ENV="preview-local"), "name one by its number")


def test_one_server_serves_an_environment_and_the_previews_beside_it(checkout: Checkout) -> None:
    assert checkout.local("up", EROS_ENV="preview-local-7").returncode == 0
    assert checkout.up()["dataset"] == "eros_scheduling_brain"
    variables = [checkout.local("env", EROS_ENV=name) for name in ("local", "preview-local-7", "preview-local-8")]
    assert [done.returncode for done in variables] == [0, 0, 0]
    assert len({done.stdout for done in variables}) == 1


def assert_refused(done: subprocess.CompletedProcess[str], said: str) -> None:
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_env_leads_a_shell_here(checkout: Checkout) -> None:
    status = checkout.up()
    variables = sourced(checkout)
    assert variables["GOOGLE_BIG_QUERY_CUSTOM_ENDPOINT"] == f"{status['bigquery']}/bigquery/v2/"
    assert variables["GOOGLE_IAM_CUSTOM_ENDPOINT"] == status["iam"]
    assert variables["GOOGLE_BIGQUERY_DATA_TRANSFER_CUSTOM_ENDPOINT"] == status["data_transfer"]
    assert variables["GOOGLE_RESOURCE_MANAGER_CUSTOM_ENDPOINT"] == status["resource_manager"]
    assert variables["TF_REATTACH_PROVIDERS"] == status["provider"]
    assert "TF_REATTACH_PROVIDERS" not in sourced(checkout, EROS_PROVIDER="google")


def sourced(checkout: Checkout, **variables: str) -> dict[str, str]:
    """The variables of a shell that has taken what ``env`` printed."""
    printed = checkout.local("env", **variables).stdout
    shell = subprocess.run(
        ["sh", "-c", f'{printed}\n.venv/bin/python -c "import json, os; print(json.dumps(dict(os.environ)))"'],
        cwd=checkout.folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, str] = json.loads(shell.stdout)
    return found


def test_env_goes_without_the_slow_imports(checkout: Checkout) -> None:
    """Every cdktf command begins with it: 0.04 s instead of 0.2 s."""
    done = subprocess.run(
        [".venv/bin/python", "-X", "importtime", "-m", "local", "env"],
        cwd=checkout.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "local.process" in imported
    assert not imported & {"typer", "rich", "pydantic", "yaml", "fastapi", "duckdb", "grpc"}
