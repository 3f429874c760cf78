"""An embedded BigQuery of its own for a benchmark, with every object of the SQL files, empty."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from catalog import deployment_order, load_catalog, retarget
from stacks.environment import load_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


@dataclass(frozen=True)
class Embedded:
    """A running server; in SQL text ``{d}`` stands for the dataset."""

    endpoint: str
    dataset: str
    client: bigquery.Client

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a statement or script."""
        return [dict(row) for row in self.job(sql).result()]

    def job(self, sql: str) -> bigquery.QueryJob:
        """A finished job, whose statistics are of interest."""
        job = self.client.query(sql.replace("{d}", self.dataset), job_retry=None)
        job.result()
        return job

    def set_clock(self, now: datetime) -> None:
        """Stop the server's clock at an instant."""
        httpx.put(f"{self.endpoint}/clock", json={"now": now.isoformat()}).raise_for_status()


@contextmanager
def embedded() -> Iterator[Embedded]:
    """A server with every object in place, which ends with the block."""
    environment = load_environment("local")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "local", "serve", "--port", "0", "--data", folder]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "EROS_ENV": "local"},
        )
        try:
            endpoint = process.stdout.readline().split()[-1] if process.stdout else ""
            client = bigquery.Client(
                environment.project,
                AnonymousCredentials(),  # type: ignore[no-untyped-call]
                client_options={"api_endpoint": endpoint},
            )
            client.create_dataset(environment.dataset)
            server = Embedded(endpoint, f"{environment.project}.{environment.dataset}", client)
            for item in deployment_order(retarget(load_catalog(), environment.project, environment.dataset)):
                server.job(item.ddl)
            yield server
        finally:
            process.terminate()
            process.wait(30)
