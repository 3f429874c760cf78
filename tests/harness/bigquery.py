"""The embedded BigQuery alone in a separate process: one data folder, no control plane.

``python -m tests.harness.bigquery serve`` is that process, PREPARE is Python that it runs before it answers.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from local.bigquery import DataFolderError, create_bigquery_app
from local.listening import listen, run
from tests.harness.client import connect
from tests.harness.launcher import launch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud import bigquery

PROJECT, DATASET = "eros-local", "brain"
PREPARE = "PREPARE"


class Server:
    """A running server and a client for it; ``prepare`` is Python that it runs before it answers.

    Raises:
        NotStartedError: it ended before it answered; with what it said.
    """

    def __init__(self, data: Path, prepare: str = "") -> None:
        self.launched = launch(data, "tests.harness.bigquery", {PREPARE: prepare})
        self.process, self.endpoint = self.launched.process, self.launched.endpoint
        self.client = connect(self.endpoint, PROJECT)

    def rows(self, sql: str, config: bigquery.QueryJobConfig | None = None) -> list[tuple[object, ...]]:
        """The rows of a query or of the last SELECT of a script."""
        return [
            tuple(row.values()) for row in self.client.query(sql, job_config=config, job_retry=None).result(timeout=60)
        ]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the process."""
        self.launched.end(how)


@contextlib.contextmanager
def serving(data: Path, prepare: str = "") -> Iterator[Server]:
    """A server on a data folder, with the dataset in it."""
    server = Server(data, prepare)
    try:
        server.client.create_dataset(DATASET, exists_ok=True)
        yield server
    finally:
        server.stop()


def main(data: Path) -> None:
    """Serve a data folder on a free port, and say so as ``local serve`` does."""
    try:
        app = create_bigquery_app(data, PROJECT, int(os.environ.get("EROS_THREADS", "0")) or None)
    except DataFolderError as error:
        sys.exit(str(error))
    exec(os.environ.get(PREPARE, ""))  # noqa: S102 - what a test prepares in the server's process
    with listen(0) as listener:
        run(app, listener)


if __name__ == "__main__":
    main(Path(sys.argv[-1]))
