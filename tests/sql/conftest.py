"""One embedded server a session, with every object of the SQL files; tables are emptied before each test."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from catalog import Catalog, Table, deployment_order, load_catalog, retarget
from stacks.environment import load_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
CLOCK = "CURRENT_TIMESTAMP()", "CURRENT_DATE('America/Los_Angeles')"


class Embedded:
    """The embedded BigQuery with every object in place; in SQL text, ``{d}`` stands for the dataset."""

    def __init__(self, endpoint: str, project: str, dataset: str) -> None:
        self.project = project
        self.dataset = dataset
        self.catalog: Catalog = retarget(load_catalog(), project, dataset)
        self.tables = {item.name for item in self.catalog if isinstance(item, Table)}
        self.named: set[str] = set()
        self.moved: dict[str, str] = {}
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

    def call(self, procedure: str, arguments: str = "", now: str | None = None) -> None:
        """Call a procedure, at another time where ``now`` (an instant, with its zone) says so."""
        if now is not None and self.moved.get(procedure) != now:
            text = self.catalog.procedures[procedure].ddl
            instant, day = CLOCK
            text = text.replace(instant, f"TIMESTAMP '{now}'")
            text = text.replace(day, f"DATE(TIMESTAMP '{now}', 'America/Los_Angeles')")
            self.query(text.replace(f".{procedure}`", f".{procedure}_at`"))
            self.moved[procedure] = now
        self.named |= self.catalog.procedures[procedure].writes
        name = procedure if now is None else f"{procedure}_at"
        self.query(f"CALL `{{d}}.{name}`({arguments})")


@pytest.fixture(scope="session")
def session_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    environment = load_environment("local")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "local", "serve", "--port", "0"),
            *("--data", str(tmp_path_factory.mktemp("embedded"))),
        ],
        cwd=REPOSITORY,
        env={**os.environ, "EROS_ENV": "local"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert "http://" in ready, f"the server ended with {process.wait(10)}: {ready}"
        server = Embedded(ready.split()[-1], environment.project, environment.dataset)
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
