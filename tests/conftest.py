"""One deployed system per worker, and the order of the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.harness.deployed import Deployed, deploy, embedded_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from declared.environment import Environment

#: The folders that take longest come first, so that both workers end at about the same time.
FIRST = ("tests/lifecycle/", "tests/sql/", "tests/operations/", "tests/verification/", "tests/local/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes long first."""
    places = {folder: number for number, folder in enumerate(FIRST)}
    items.sort(key=lambda item: next((places[f] for f in FIRST if item.nodeid.startswith(f)), len(FIRST)))


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """The environment of an embedded server of this worker's own, with nothing in it."""
    with embedded_environment(tmp_path_factory.mktemp("embedded")) as found:
        yield found


@pytest.fixture(scope="session")
def deployed(environment: Environment) -> Deployed:
    """The deployed system; a test that changes it restores it."""
    return deploy(environment)
