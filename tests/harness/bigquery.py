"""The embedded BigQuery in a process of its own, for tests: one data folder, one free port."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROJECT, DATASET = "eros-local", "brain"
SERVE = """
import sys
from pathlib import Path
import uvicorn
from local.bigquery import DataFolderError, create_bigquery_app
try:
    app = create_bigquery_app(Path(sys.argv[1]), "eros-local")
except DataFolderError as error:
    sys.exit(str(error))
exec(sys.argv[3])
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
"""


class Server:
    """A running server and a client for it; ``prepare`` is Python that it runs before it answers."""

    def __init__(self, data: Path, prepare: str = "") -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(data), str(self.port), prepare], stderr=self.said
        )
        self.client = bigquery.Client(
            PROJECT,
            AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options=ClientOptions(api_endpoint=self.endpoint),
        )

    def wait_until_ready(self) -> None:
        """Wait until it answers; fail with its message when it ends before."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                self.said.seek(0)
                raise AssertionError(self.said.read().decode())
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(f"{self.endpoint}/bigquery/v2/projects", timeout=5).close()  # noqa: S310 - http on this machine
                return
            time.sleep(0.05)
        raise AssertionError("the server did not answer within a minute")

    def rows(self, sql: str, config: bigquery.QueryJobConfig | None = None) -> list[tuple[object, ...]]:
        """The rows of a query or of the last SELECT of a script."""
        return [
            tuple(row.values()) for row in self.client.query(sql, job_config=config, job_retry=None).result(timeout=60)
        ]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the process."""
        os.kill(self.process.pid, how)
        self.process.wait(30)
        self.said.close()


@contextlib.contextmanager
def serving(data: Path, prepare: str = "") -> Iterator[Server]:
    """A server on a data folder, with the dataset in it."""
    server = Server(data, prepare)
    try:
        server.wait_until_ready()
        server.client.create_dataset(DATASET, exists_ok=True)
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()
