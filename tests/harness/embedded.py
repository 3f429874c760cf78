"""An embedded BigQuery of its own for a benchmark, with every object of the SQL files, empty."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from catalog import Catalog, deployment_order, load_catalog, retarget
from declared.loading import load_environment
from tests.harness.checkout import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


class NotStartedError(Exception):
    """The server ended before it answered."""


@dataclass(frozen=True)
class Embedded:
    """A running server; in SQL text ``{d}`` stands for the dataset."""

    endpoint: str
    catalog: Catalog
    client: bigquery.Client
    #: The server's process, and the folder of all that it keeps.
    pid: int
    folder: Path

    @property
    def dataset(self) -> str:
        """Project and dataset."""
        return f"{self.catalog.project}.{self.catalog.dataset}"

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
def embedded(checkout: Path = REPOSITORY) -> Iterator[Embedded]:
    """A server with every object in place, which ends with the block.

    Args:
        checkout: whose server it is; the objects are always this checkout's.

    Raises:
        NotStartedError: the server ended before it answered.
    """
    environment = load_environment("local")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "local", "serve", "--port", "0", "--data", folder]
        process = subprocess.Popen(
            command,
            cwd=checkout,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "EROS_ENV": "local"},
        )
        try:
            endpoint = _announced(process, checkout)
            client = bigquery.Client(
                environment.project,
                AnonymousCredentials(),  # type: ignore[no-untyped-call]
                client_options={"api_endpoint": endpoint},
            )
            client.create_dataset(environment.dataset)
            catalog = retarget(load_catalog(), environment.project, environment.dataset)
            server = Embedded(endpoint, catalog, client, process.pid, Path(folder))
            for item in deployment_order(catalog):
                server.job(item.ddl)
            yield server
        except Exception as error:
            if (code := process.poll()) is not None:
                error.add_note(f"The server of {checkout} has ended with {code}.")
            raise
        finally:
            process.terminate()
            process.wait(30)


def _announced(process: subprocess.Popen[str], checkout: Path) -> str:
    """The endpoint that a server announces when it answers."""
    ready = process.stdout.readline() if process.stdout else ""
    if not ready:
        raise NotStartedError(f"the server of {checkout} ended at its start: `python -m local serve --port 0` says why")
    return ready.split()[-1]
