"""One embedded server a session, with every object of the SQL files; tables are emptied before each test."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from google.api_core.exceptions import BadRequest
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from catalog import Catalog, Table, deployment_order, load_catalog, retarget
from declared.loading import load_environment
from tests.harness.interruptible_server import CUT_OFF_FILE, MESSAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]


class Embedded:
    """The embedded BigQuery with every object in place; in SQL text, ``{d}`` stands for the dataset."""

    def __init__(self, endpoint: str, project: str, dataset: str, cut_off_file: Path) -> None:
        self.endpoint = endpoint
        self.project = project
        self.dataset = dataset
        self.catalog: Catalog = retarget(load_catalog(), project, dataset)
        self.tables = {item.name for item in self.catalog if isinstance(item, Table)}
        self.named: set[str] = set()
        self.replaced: set[str] = set()
        self.clock_stands = False
        self.cut_off_file = cut_off_file
        self.client = bigquery.Client(
            project=project,
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": endpoint},
        )

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query, or of a script's last statement."""
        text = sql.replace("{d}", f"{self.project}.{self.dataset}")
        names = set(re.findall(rf"`{self.project}\.{self.dataset}\.(\w+)`", text))
        self.named |= names & self.tables
        return [tuple(row.values()) for row in self.client.query_and_wait(text, job_retry=None)]  # type: ignore[arg-type]

    def value(self, sql: str) -> Any:
        """The one value of a query that has one row and one column."""
        rows = self.query(sql)
        assert len(rows) == 1
        assert len(rows[0]) == 1
        return rows[0][0]

    def create(self) -> None:
        """Create the dataset and all objects, in deployment order."""
        self.client.create_dataset(self.dataset)
        for item in deployment_order(self.catalog):
            self.query(item.ddl)

    def reset(self) -> None:
        """Empty every table that a query has named, or a called procedure may write, since the last reset."""
        if self.named:
            self.query("".join(f"TRUNCATE TABLE `{{d}}.{name}`;" for name in sorted(self.named)))
        self.named.clear()
        for name in self.replaced:
            self.query(self.catalog.dependencies[name].ddl)
        self.replaced.clear()
        if self.clock_stands:
            self.set_clock(None)

    def replace_view(self, name: str, select: str) -> None:
        """Give a view other rows until the next reset."""
        self.query(f"CREATE OR REPLACE VIEW `{{d}}.{name}` AS {select}")
        self.replaced.add(name)

    def call(self, procedure: str, arguments: str = "", now: str | None = None) -> list[tuple[Any, ...]]:
        """The rows of a procedure, called at another time where ``now`` (an instant, with its zone) says so."""
        if now is not None:
            self.set_clock(now)
        self.named |= self.written_by(procedure)
        return self.query(f"CALL `{{d}}.{procedure}`({arguments})")

    def call_cut_off(self, procedure: str, arguments: str, statements: int) -> bool:
        """Call a procedure and end it after so many statements; whether it had more than those."""
        self.cut_off_file.write_text(str(statements))
        try:
            self.call(procedure, arguments)
        except BadRequest as error:
            if MESSAGE not in error.message:
                raise
            return True
        finally:
            self.cut_off_file.unlink()
        return False

    def set_clock(self, now: str | None) -> None:
        """Stop the engine's clock at an instant, or let it go; it goes again at the next reset."""
        httpx.put(f"{self.endpoint}/clock", json={"now": now}).raise_for_status()
        self.clock_stands = now is not None

    def written_by(self, procedure: str) -> set[str]:
        """The tables that a procedure, or one that it calls, may write."""
        called = self.catalog.procedures[procedure]
        inner = (self.written_by(name) for name in called.calls if name in self.catalog.procedures)
        return set(called.writes).union(*inner)


@pytest.fixture(scope="session")
def session_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    environment = load_environment("local")
    cut_off_file = tmp_path_factory.mktemp("cut_off") / "statements"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.harness.interruptible_server", "serve", "--port", "0"),
            *("--data", str(tmp_path_factory.mktemp("embedded"))),
        ],
        cwd=REPOSITORY,
        env={**os.environ, "EROS_ENV": "local", CUT_OFF_FILE: str(cut_off_file)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert "http://" in ready, f"the server ended with {process.wait(10)}: {ready}"
        server = Embedded(ready.split()[-1], environment.project, environment.dataset, cut_off_file)
        server.create()
        yield server
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def embedded(session_server: Embedded) -> Embedded:
    """The server with empty tables."""
    session_server.reset()
    return session_server
