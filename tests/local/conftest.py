"""Two servers for all tests of this folder: BigQuery alone, and the whole embedded environment.

A server takes three seconds of processor time to start, so a test starts its own only to stop it, kill it or damage its
data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.control_plane import Store
from tests.harness.bigquery import DATASET, Server, serving
from tests.harness.deployed import embedded_environment
from tests.local.timed import Timed, timed_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from declared.environment import Environment


@pytest.fixture(scope="session")
def bigquery_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of the BigQuery server."""
    return tmp_path_factory.mktemp("bigquery")


@pytest.fixture(scope="session")
def bigquery_server(bigquery_folder: Path) -> Iterator[Server]:
    with serving(bigquery_folder) as running:
        yield running


@pytest.fixture(scope="module")
def server(bigquery_server: Server) -> Server:
    """The BigQuery server with one empty dataset."""
    for dataset in bigquery_server.client.list_datasets():
        bigquery_server.client.delete_dataset(dataset.reference, delete_contents=True)
    bigquery_server.client.create_dataset(DATASET)
    return bigquery_server


@pytest.fixture(scope="session")
def environment_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the embedded environment."""
    return tmp_path_factory.mktemp("environment")


@pytest.fixture(scope="session")
def environment(environment_folder: Path) -> Iterator[Environment]:
    """The embedded environment; a test that changes it restores it."""
    with embedded_environment(environment_folder) as found:
        yield found


@pytest.fixture(scope="session")
def endpoint(environment: Environment) -> str:
    """The base address of the embedded environment."""
    return str(environment.endpoint)


@pytest.fixture
def timed(environment_folder: Path, environment: Environment) -> Iterator[Timed]:
    """The embedded environment with a clock to move."""
    found = timed_server(environment_folder, environment)
    yield found
    found.release()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store of the control plane."""
    store = Store(tmp_path / "control_plane.sqlite")
    yield store
    store.close()
