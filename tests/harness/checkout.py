"""A copy of this checkout with its own embedded environment, and what can be done in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from catalog.files import REPOSITORY
from declared.loading import load_environment
from local.sample_data import Size, seed
from tests.harness.client import http, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: Enough for every procedure to have work.
SMALL = Size(creators=6, days=60, messages=3_000, captions=300)


def skip_in_fast_run() -> None:
    """Skip the test in ``make test-fast``, which starts no server and runs no Terraform."""
    if os.environ.get("EROS_FAST_TESTS"):
        pytest.skip("starts a server or runs Terraform: `make test` runs it")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def copy_checkout(target: Path) -> Path:
    """Copy the repository's files, as they are now, to ``target``; installed things and caches are shared by links.

    The copy's local environment gets a free port; its data and state are its own.

    Returns:
        The copy's folder.
    """
    skip_in_fast_run()
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (REPOSITORY / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, target / name)
    (REPOSITORY / ".cache").mkdir(exist_ok=True)
    for shared in (".venv", "node_modules", ".cache"):
        (target / shared).symlink_to(REPOSITORY / shared)
    settings = target / "environments" / "local.yaml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{free_port()}", text), encoding="utf-8")
    return target


@dataclass(frozen=True)
class Checkout:
    """A copy of the repository and what can be done in it, in one environment."""

    folder: Path
    environment: str = "local"

    def run(self, *command: str, expect: int = 0) -> str:
        """Run a command there; its output, both streams together."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == expect, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def make(self, target: str, *variables: str, expect: int = 0) -> str:
        """Run a make target; a failing recipe is make's exit code 2."""
        return self.run("make", "-s", target, *variables, expect=expect)

    def python(self, *arguments: str, expect: int = 0) -> str:
        """Run a module of the repository."""
        return self.run(".venv/bin/python", "-m", *arguments, expect=expect)

    def begin(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Begin a Python process; the caller ends it."""
        return subprocess.Popen(
            [".venv/bin/python", *arguments],
            cwd=self.folder,
            env=self._variables | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def start(self, *command: str, prepare: Callable[[], None] | None = None) -> subprocess.Popen[str]:
        """Start a command, both streams together; ``prepare`` runs in its process first. The caller waits for it."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self._variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=prepare,  # noqa: PLW1509 - no thread of a test holds a lock
        )

    @property
    def _variables(self) -> dict[str, str]:
        return {**os.environ, "EROS_ENV": self.environment, "COLUMNS": "160"}

    def status(self) -> dict[str, Any]:
        """What ``python -m local status`` says."""
        answer: dict[str, Any] = json.loads(self.python("local", "status", "--format", "json"))
        return answer

    def bigquery(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call BigQuery's REST API by hand, as somebody who bypasses Terraform would."""
        return self.api(f"bigquery/v2/{path}", method, json=body)

    def query(self, sql: str) -> list[list[Any]]:
        """The rows of a query."""
        answer = self.bigquery("POST", "projects/eros-local/queries", {"query": sql, "useLegacySql": False})
        return rows_of(answer)

    @property
    def data(self) -> Path:
        """The folder of everything that the embedded environment keeps."""
        return self.folder / ".local"

    @property
    def state(self) -> Path:
        """The folder of Terraform's state files."""
        return self.data / "state"

    @property
    def endpoint(self) -> str:
        """The address of the server that is up."""
        record = (self.data / "server.json").read_text(encoding="utf-8")
        return str(json.loads(record)["endpoint"])

    def api(self, path: str, method: str = "GET", **request: Any) -> dict[str, Any]:
        """Call an API of the server that is up, for any environment."""
        response = http().request(method, f"{self.endpoint}/{path}", **request)
        assert response.is_success, response.text
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer

    def seed(self, environment: str = "local") -> None:
        """Create the external tables with a small agency's data, instead of the 100,000 messages of a deployment."""
        seed(load_environment(environment).model_copy(update={"endpoint": self.endpoint}), SMALL)
