"""The embedded environment's process: up, down, killed, and everything that can stop it from starting."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import duckdb
import httpx
import pytest

from catalog.files import REPOSITORY
from local import LocalError, process, readiness
from local.listening import ENDING_SECONDS
from local.process import STOP_SECONDS, Server, running
from tests.harness.checkout import free_port
from tests.harness.commands import Ended
from tests.harness.waiting import until
from tests.local.local_command import LocalCommand

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: More than any of this takes, on any machine.
PATIENCE = 20.0
JOBS = "bigquery/v2/projects/eros-local/jobs"
ACCOUNTS = "iam/v1/projects/eros-local/serviceAccounts"
CONFIGS = "bigquerydatatransfer/v1/projects/eros-local/locations/us/transferConfigs"


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalCommand]:
    """An environment that is not up; stopped at the end."""
    command = LocalCommand(tmp_path / ".local", free_port())
    yield command
    assert command("down").exit_code == 0


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCommand]:
    """An environment that is up, for tests that leave it so."""
    command = LocalCommand(tmp_path_factory.mktemp("shared") / ".local", free_port())
    assert command("status").exit_code == 1
    assert command("env").exit_code == 1
    command.up()
    yield command
    assert "stopped" in command("down").stdout


@pytest.fixture
def server(shared: LocalCommand) -> Server:
    found = running(shared.data)
    assert found is not None
    return found


def test_status_tells_where_everything_is(shared: LocalCommand) -> None:
    status = json.loads(shared("status", "--format", "json").stdout)
    assert set(status) == {
        *("bigquery", "project", "dataset", "data_transfer", "iam", "resource_manager", "provider", "pid", "data")
    }
    assert status["project"] == "eros-local"
    assert status["dataset"] == "eros_scheduling_brain"
    assert httpx.get(f"{status['bigquery']}/bigquery/v2/projects/eros-local/datasets").is_success
    assert httpx.get(f"{status['iam']}projects/eros-local/serviceAccounts").is_success
    assert "already up" in shared("up").stdout
    assert "pid" in shared("status").stdout


def test_status_and_up_say_that_a_server_does_not_answer(
    shared: LocalCommand, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is stopped is alive and holds its folder."""
    monkeypatch.setattr(readiness, "ANSWER_SECONDS", 0.1)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        said = f"The server with process id {server.pid} is up, but does not answer."
        table, as_json, up = shared("status"), shared("status", "--format", "json"), shared("up")
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert (table.exit_code, as_json.exit_code, as_json.stdout) == (1, 1, "{}\n")
    assert said in table.stdout
    assert said in as_json.stderr
    assert_refused(up, said)
    monkeypatch.undo()
    assert shared("status").exit_code == 0


def test_the_data_folder_is_its_user_s_alone(local: LocalCommand) -> None:
    """What the server creates, and what an earlier one left to others; a program stays a program."""
    local.data.mkdir()
    local.up()
    leave_traces(local)
    assert open_to_others(local.data) == []
    assert "stopped" in local("down").stdout
    (elsewhere := local.data.parent / "elsewhere").mkdir(mode=0o755)
    (local.data / "link").symlink_to(elsewhere)
    (program := local.data / "program").touch()
    for place in (
        local.data,
        program,
        *local.data.rglob("*.ducklake"),
        *local.data.glob("*.sqlite"),
        local.data / "data",
    ):
        place.chmod(0o755)
    local.up()
    assert_traces(local)
    assert open_to_others(local.data) == []
    assert stat.S_IMODE(program.stat().st_mode) == 0o700
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o755


def open_to_others(folder: Path) -> list[str]:
    """The files and folders that other users may use in some way."""
    places = (folder, *folder.rglob("*"))
    return [str(place) for place in places if not place.is_symlink() and place.stat().st_mode & 0o077]


def test_a_folder_for_all_users_is_refused(tmp_path: Path) -> None:
    local = LocalCommand(tmp_path / "shared", free_port())
    local.data.mkdir()
    local.data.chmod(0o1777)
    assert_refused(local("up"), "it is shared by all users")
    assert stat.S_IMODE(local.data.stat().st_mode) == 0o1777


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("serve", "--port", "99999"), "65535"),
        (("serve", "--port", "-1"), "--port"),
        (("serve", "--port", "http"), "--port"),
        (("serve",), "--port"),
        (("serve", "--port", "0", "--data", "/proc/none"), "not usable as a data folder"),
        (("serve", "--port", "0", "--data", "x" * 300), "not usable as a data folder"),
        (("serve", "--port", "0", "--data", "/dev/null"), "not usable as a data folder"),
        (("status", "--format", "xml"), "--format"),
        (("up", "--again"), "--again"),
        (("env", "more"), "more"),
        (("nothing",), "nothing"),
    ],
)
def test_a_bad_option_is_a_sentence(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    assert_refused(LocalCommand(tmp_path / "data", free_port())(*arguments), said)


def test_a_new_environment_is_empty(shared: LocalCommand) -> None:
    assert shared.call("GET", "bigquery/v2/projects/eros-local/datasets")["datasets"] == []
    assert shared.call("GET", ACCOUNTS) == {"accounts": []}


def test_a_killed_server_is_not_taken_for_a_running_one_and_lost_nothing(local: LocalCommand) -> None:
    process = local.up().pid
    leave_traces(local)
    os.kill(process, signal.SIGKILL)
    assert (local.data / "server.json").exists()
    until(lambda: not running(local.data), "the kernel to release the lock")
    assert local("status").exit_code == 1
    assert local("env").exit_code == 1
    assert local.up().pid != process
    assert_traces(local)


def leave_traces(local: LocalCommand) -> None:
    reference = {"projectId": "eros-local", "datasetId": "kept"}
    local.call("POST", "bigquery/v2/projects/eros-local/datasets", {"datasetReference": reference})
    local.query("CREATE TABLE kept.t AS SELECT 42 AS answer")
    local.call("POST", ACCOUNTS, {"accountId": "eros-etl"})


def assert_traces(local: LocalCommand) -> None:
    assert local.query("SELECT answer FROM kept.t") == [["42"]]
    (account,) = local.call("GET", ACCOUNTS)["accounts"]
    assert account["email"] == "eros-etl@eros-local.iam.gserviceaccount.com"


def test_down_loses_nothing_and_neither_does_a_start_that_fails(local: LocalCommand) -> None:
    """A start fails and names the reason: a port in use, a corrupt file, data that another program has open."""
    local.up()
    leave_traces(local)
    assert "stopped" in local("down").stdout
    assert local("status", "--format", "json").exit_code == 1
    assert "was not up" in local("down").stdout
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", local.port))
        other.listen()
        assert_refused(local("up"), f"port {local.port} of 127.0.0.1 cannot be used")
    for name in ("data/emulator.duckdb", "control_plane.sqlite"):
        assert_corrupt_is_refused(local, local.data / name)
    with duckdb.connect(str(local.data / "data" / "emulator.duckdb")):
        assert_refused(local("up"), "another process")
    local.up()
    assert_traces(local)


def assert_corrupt_is_refused(local: LocalCommand, file: Path) -> None:
    corrupt, sound = b"corrupt " * 8192, file.read_bytes()
    file.write_bytes(corrupt)
    refused = local("up")
    assert_refused(refused, str(file if file.suffix == ".sqlite" else file.parent))
    assert "Nothing was changed" in refused.stderr
    assert file.read_bytes() == corrupt
    file.write_bytes(sound)


def test_a_lock_without_an_id_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a thread, and without a signal that the command's own end needs."""
    monkeypatch.setattr(process, "LOCK_SECONDS", 0.1)
    with ThreadPoolExecutor() as pool, (tmp_path / process.LOCK_FILE).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert pool.submit(running, tmp_path).result(PATIENCE) is None
        with pytest.raises(LocalError, match="locked by a process that does not write its id"):
            pool.submit(process.holder, tmp_path).result(PATIENCE)
        with pytest.raises(LocalError, match="has this data folder open"):
            pool.submit(process.lock, tmp_path).result(PATIENCE)


JAVASCRIPT = "CREATE TEMP FUNCTION f(x FLOAT64) RETURNS FLOAT64 LANGUAGE js AS 'while (true) {}'; SELECT f(1.0)"


@pytest.mark.parametrize(
    ("sql", "seconds"),
    [("LOOP SELECT 1; END LOOP", ENDING_SECONDS), pytest.param(JAVASCRIPT, STOP_SECONDS, marks=pytest.mark.long)],
)
def test_a_server_ends_although_a_job_never_does(local: LocalCommand, sql: str, seconds: float) -> None:
    """A script is cancelled; nothing interrupts JavaScript, so the process ends without it, before it is killed."""
    local.up()
    job = {"configuration": {"query": {"query": sql, "useLegacySql": False}}}
    path = f"{JOBS}/{local.call('POST', JOBS, job)['jobReference']['jobId']}"
    until(lambda: local.call("GET", path)["status"]["state"] == "RUNNING", "the job to run")
    began = time.monotonic()
    assert "stopped" in local("down").stdout
    assert time.monotonic() - began < seconds


def test_a_manual_run_executes_on_the_embedded_bigquery(shared: LocalCommand) -> None:
    """@run_time and @run_date are the requested instant, the job is recorded, and a failure has its reason."""
    reference = {"projectId": "eros-local", "datasetId": "manual"}
    shared.call("POST", "bigquery/v2/projects/eros-local/datasets", {"datasetReference": reference})
    shared.query("CREATE TABLE manual.runs (run_time TIMESTAMP, run_date DATE)")
    sql = (
        "IF @run_date = DATE '2026-03-08' THEN "
        "INSERT INTO `eros-local.manual.runs` VALUES (@run_time, @run_date); END IF"
    )
    run = run_now(shared, sql, "2026-03-08T10:00:00Z")
    assert run["state"] == "SUCCEEDED", run
    rows = shared.query("SELECT FORMAT_TIMESTAMP('%F %T', run_time, 'UTC'), run_date FROM manual.runs")
    assert rows == [["2026-03-08 10:00:00", "2026-03-08"]]
    job = shared.call("GET", f"bigquery/v2/projects/eros-local/jobs/scheduled_query_{run['name'].rpartition('/')[2]}")
    assert job["configuration"]["labels"] == {"data_source_id": "scheduled_query"}
    failed = run_now(shared, "SELECT missing FROM `eros-local.manual.runs`", "2026-03-08T10:00:00Z")
    assert failed["state"] == "FAILED"
    assert "missing" in failed["errorStatus"]["message"]


def run_now(local: LocalCommand, sql: str, run_time: str) -> dict[str, Any]:
    body = {"dataSourceId": "scheduled_query", "displayName": "eros test", "params": {"query": sql}}
    config = local.call("POST", CONFIGS, body)["name"]
    start = f"bigquerydatatransfer/v1/{config}:startManualRuns"
    run: dict[str, Any] = local.call("POST", start, {"requestedRunTime": run_time})["runs"][0]
    while run["state"] in {"PENDING", "RUNNING"}:
        run = local.call("GET", f"bigquerydatatransfer/v1/{run['name']}")
    return run


def test_everything_listens_on_127_0_0_1_only(server: Server) -> None:
    """A server that listens on all interfaces would answer at 127.0.0.2 too."""
    addresses = [server.endpoint.removeprefix("http://")]
    addresses += [plugin["Addr"]["String"] for plugin in json.loads(server.provider).values()]
    for address in addresses:
        host, _, port = address.rpartition(":")
        assert host == "127.0.0.1"
        socket.create_connection((host, int(port)), 60).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", int(port)), 60)


def test_a_second_server_on_the_same_folder_is_refused(shared: LocalCommand, server: Server) -> None:
    command = [sys.executable, "-m", "local", "serve", "--port", str(free_port()), "--data", str(shared.data)]
    second = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, "EROS_ENV": "local"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert_refused(Ended(second.returncode, second.stdout, second.stderr), f"process id {server.pid}")
    assert running(shared.data) == server


def test_a_file_in_the_place_of_the_data_folder_is_refused(tmp_path: Path) -> None:
    local = LocalCommand(tmp_path / "a_file", free_port())
    local.data.write_text("a file")
    assert_refused(local("up"), "not usable as a data folder")
    assert local.data.read_text() == "a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    local = LocalCommand(tmp_path / "read_only", free_port())
    local.data.mkdir(mode=0o500)
    assert_refused(local("up"), "not usable as a data folder")


def test_a_real_environment_is_not_embedded(shared: LocalCommand) -> None:
    assert_refused(shared("up", EROS_ENV="prod"), "names no `endpoint`")
    assert_refused(shared("up", EROS_ENV="nowhere"), "no environment 'nowhere'")
    assert_refused(shared("env", EROS_ENV="prod"), "belongs to the environment 'local'")
    assert_refused(shared("env", EROS_ENV="preview-7"), "belongs to the environment 'local'")
    assert_refused(shared("env", EROS_ENV="preview-local"), "name one by its number")


def test_one_server_serves_an_environment_and_its_previews(shared: LocalCommand, server: Server) -> None:
    assert shared("up", EROS_ENV="preview-local-7").stdout == f"already up at {server.endpoint}\n"
    assert server.dataset == "eros_scheduling_brain"
    variables = [shared("env", EROS_ENV=name) for name in ("local", "preview-local-7", "preview-local-8")]
    assert [done.exit_code for done in variables] == [0, 0, 0]
    assert len({done.stdout for done in variables}) == 1


def test_another_endpoint_than_the_server_s_is_refused(shared: LocalCommand, server: Server) -> None:
    moved = LocalCommand(shared.data, free_port())
    assert_refused(moved("up"), f"up at {server.endpoint}, but the environment's endpoint is {moved.endpoint}")


def assert_refused(done: Ended, said: str) -> None:
    assert done.exit_code == 2, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_env_leads_a_shell_here(shared: LocalCommand, server: Server) -> None:
    status = json.loads(shared("status", "--format", "json").stdout)
    variables = sourced(shared)
    assert variables["GOOGLE_BIG_QUERY_CUSTOM_ENDPOINT"] == f"{server.endpoint}/bigquery/v2/"
    assert variables["GOOGLE_IAM_CUSTOM_ENDPOINT"] == status["iam"]
    assert variables["GOOGLE_BIGQUERY_DATA_TRANSFER_CUSTOM_ENDPOINT"] == status["data_transfer"]
    assert variables["GOOGLE_RESOURCE_MANAGER_CUSTOM_ENDPOINT"] == status["resource_manager"]
    assert variables["TF_REATTACH_PROVIDERS"] == status["provider"] == server.provider
    assert "TF_REATTACH_PROVIDERS" not in sourced(shared, EROS_PROVIDER="google")


def sourced(local: LocalCommand, **variables: str) -> dict[str, str]:
    """The variables of a shell that has read what ``env`` printed."""
    shell = subprocess.run(
        ["sh", "-c", f"{local('env', **variables).stdout}\nenv -0"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split("=", 1) for line in shell.stdout.split("\0") if line)


def test_env_works_without_the_slow_imports() -> None:
    """Every cdktf command begins with it: 0.04 s instead of 0.2 s."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "local", "env"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "local.process" in imported
    assert not imported & {"typer", "rich", "pydantic", "yaml", "fastapi", "duckdb", "grpc"}
