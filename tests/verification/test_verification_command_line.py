"""The command line: exit codes, several formats at once, and one clear line whenever it could not run."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from verification import __main__ as command_line
from verification import live

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typer.testing import Result as CliResult

    from stacks.environment import Environment
    from tests.verification.deployed import Deployed

REPOSITORY = Path(__file__).resolve().parents[2]


def run(environment: Environment, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> CliResult:
    """The command line in an environment that stands in no file."""
    monkeypatch.setattr(command_line, "load_environment", lambda _name: environment)
    return CliRunner().invoke(command_line.app, list(arguments))


def test_three_formats_at_once(deployed: Deployed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files = {name: tmp_path / "reports" / f"v.{name}" for name in ("json", "junit")}
    formats = [part for name, file in files.items() for part in ("--format", f"{name}={file}")]
    outcome = run(deployed.environment, monkeypatch, "--suite", "schema", "--format", "table", *formats)
    assert outcome.exit_code == 0, outcome.output
    assert "3.1 columns, types and modes" in outcome.stdout
    assert len(json.loads(files["json"].read_text())["results"]) == 4 * len(deployed.catalog.tables)
    assert ET.parse(files["junit"]).getroot().tag == "testsuites"  # noqa: S314 - written a moment ago


def test_a_failed_check_exits_with_1(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = deployed.environment.model_copy(update={"dataset": "nowhere"})
    outcome = run(nowhere, monkeypatch, "--suite", "existence")
    assert outcome.exit_code == 1
    assert "wilson_sample" in outcome.stdout


def test_json_on_the_screen_is_nothing_but_json(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(deployed.environment, monkeypatch, "--suite", "existence", "--format", "json")
    assert json.loads(outcome.stdout)["well"] is True


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "table", "--format", "json"], "only one format can go to the screen"),
        (["--format", "yaml"], "write one of table, json, junit"),
        (["--format", "json="], "write one of table, json, junit"),
        (["--format", "json=a", "--format", "junit=a"], "the same file"),
        (["--suite", "nothing"], "there are preflight, existence"),
        (["--format", "json=/proc/nothing/v.json"], "cannot be written"),
    ],
)
def test_a_request_that_cannot_be_carried_out(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    outcome = run(environment, monkeypatch, *arguments)
    assert outcome.exit_code == 2
    assert message in outcome.stderr


def test_no_such_environment() -> None:
    outcome = CliRunner().invoke(command_line.app, ["--env", "nowhere"])
    assert outcome.exit_code == 2
    assert "no environment 'nowhere'" in outcome.stderr


def test_the_module_runs_as_a_program() -> None:
    command = [sys.executable, "-m", "verification", "--env", "nowhere"]
    outcome = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60)
    assert outcome.returncode == 2
    assert "Traceback" not in outcome.stderr


def test_no_credentials_for_a_real_project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    outcome = CliRunner().invoke(command_line.app, ["--env", "prod"])
    assert outcome.exit_code == 2
    assert "gcloud auth application-default login" in outcome.stderr


def test_nothing_listens_there(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
        started = time.monotonic()
        outcome = run(environment.model_copy(update={"endpoint": endpoint}), monkeypatch)
    assert outcome.exit_code == 2
    assert "make up" in outcome.stderr
    assert outcome.stdout == ""
    assert time.monotonic() - started < 5


@contextmanager
def answering(status: int, body: bytes, length: int) -> Iterator[str]:
    """A server that gives the same answer to everything; a length beyond the body cuts the answer off."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the name that the class calls

        def log_message(self, *_: Any) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "length"),
    [
        (403, b'{"error": {"code": 403, "message": "Access denied."}}', 53),
        (429, b'{"error": {"code": 429, "message": "Too many."}}', 48),
        (500, b"", 0),
        (503, b"busy", 4),
        (200, b'{"kind": "bigquery#da', 4000),
        (200, b"<html>a proxy's page</html>", 27),
    ],
)
def test_a_service_that_does_not_answer_well(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, length: int
) -> None:
    with answering(status, body, length) as endpoint:
        outcome = run(environment.model_copy(update={"endpoint": endpoint}), monkeypatch)
    assert outcome.exit_code == 2, outcome.output
    assert len(outcome.stderr.strip().splitlines()) == 1
    assert "Traceback" not in outcome.output


def test_a_service_that_never_answers(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "CALL_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        outcome = run(environment.model_copy(update={"endpoint": endpoint}), monkeypatch)
    assert outcome.exit_code == 2
    assert "no answer in time" in outcome.stderr
