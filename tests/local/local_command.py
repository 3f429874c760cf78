"""``python -m local`` on its own data folder and port, called in this process: no interpreter starts for it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from declared.loading import load_environment
from local import cli, process, terraform_variables
from tests.harness.checkout import skip_in_fast_run
from tests.harness.client import http, rows_of
from tests.harness.commands import ended, invoke

if TYPE_CHECKING:
    from pathlib import Path

    from declared.environment import Environment
    from tests.harness.commands import Ended


@dataclass(frozen=True)
class LocalCommand:
    """The command line, with this folder for the data and this port for the environment's endpoint."""

    data: Path
    port: int

    @property
    def endpoint(self) -> str:
        """Where the server answers once it is up."""
        return f"http://127.0.0.1:{self.port}"

    def __call__(self, *arguments: str, **variables: str) -> Ended:
        """Run a command; ``env`` by its own way, as ``local/__main__.py`` does."""
        if arguments[0] == "up":
            skip_in_fast_run()
        with pytest.MonkeyPatch.context() as patch:
            for module in (cli, terraform_variables):
                patch.setattr(module, "DATA", self.data)
            patch.setattr(cli, "load_environment", self._load_environment)
            for name, value in {"EROS_ENV": "local", **variables}.items():
                patch.setenv(name, value)
            if arguments == ("env",):
                return ended(lambda: sys.exit(terraform_variables.print_variables()))
            return invoke(cli.app, cli.KNOWN, *arguments)

    def _load_environment(self, name: str | None = None) -> Environment:
        environment = load_environment(name)
        return environment.model_copy(update={"endpoint": self.endpoint}) if environment.endpoint else environment

    def up(self) -> process.Server:
        """Start the server, which must answer."""
        done = self("up")
        assert done.exit_code == 0, done.stderr
        server = process.running(self.data)
        assert server is not None
        return server

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call an API of the server."""
        response = http().request(method, f"{self.endpoint}/{path}", json=body)
        assert response.is_success, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def query(self, sql: str) -> list[list[Any]]:
        """The rows of a query."""
        answer = self.call("POST", "bigquery/v2/projects/eros-local/queries", {"query": sql, "useLegacySql": False})
        return rows_of(answer)
