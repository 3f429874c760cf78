"""A client of an embedded server: SQL in, rows out. Also a separate server with every object of the SQL files."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog import Catalog, deployment_order, load_catalog, retarget
from catalog.files import REPOSITORY
from tests.harness.client import connect, put_clock
from tests.harness.launcher import launched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from google.cloud import bigquery

    from declared.environment import Environment


class Embedded:
    """A running server; in SQL text ``{d}`` is the environment's dataset."""

    def __init__(self, environment: Environment) -> None:
        """``environment`` has the server's endpoint."""
        self.environment = environment
        self.endpoint = str(environment.endpoint)
        self.catalog: Catalog = retarget(load_catalog(), environment.project, environment.dataset)
        self.client = connect(self.endpoint, environment.project)
        self.dataset = f"{environment.project}.{environment.dataset}"

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a statement, or of a script's last one."""
        text = sql.replace("{d}", self.dataset)
        return [dict(row) for row in self.client.query_and_wait(text, job_retry=None)]  # type: ignore[arg-type]

    def job(self, sql: str) -> bigquery.QueryJob:
        """A finished job, whose statistics are of interest."""
        job = self.client.query(sql.replace("{d}", self.dataset), job_retry=None)
        job.result()
        return job

    def set_clock(self, now: datetime | str | None) -> None:
        """Stop the engine's clock at an instant (with its zone), or let it run again."""
        put_clock(self.endpoint, now)

    def create(self) -> None:
        """Create the dataset and all objects, in deployment order."""
        self.client.create_dataset(self.environment.dataset)
        for item in deployment_order(self.catalog):
            self.job(item.ddl)


class Started(Embedded):
    """A server that ``embedded`` started, with its process id and its data folder."""

    def __init__(self, environment: Environment, pid: int, folder: Path) -> None:
        super().__init__(environment)
        self.pid, self.folder = pid, folder


def fill_with_objects(folder: Path) -> None:
    """Every object, with no rows, into a data folder."""
    with launched(folder) as server:
        Embedded(server.environment).create()


@contextmanager
def embedded(checkout: Path = REPOSITORY) -> Iterator[Started]:
    """A server with every object in place, which ends with the block.

    Args:
        checkout: whose server it is; the objects are always this checkout's.

    Raises:
        NotStartedError: the server ended before it answered.
    """
    with tempfile.TemporaryDirectory() as folder, launched(Path(folder), checkout=checkout) as server:
        one = Started(server.environment, server.process.pid, Path(folder))
        one.create()
        yield one
