"""One deployed system a session; a test that changes it puts it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.harness.deployed import Deployed, deploy, embedded_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from declared.environment import Environment


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """The environment of an embedded server of this session's own, with nothing in it."""
    with embedded_environment(tmp_path_factory.mktemp("embedded")) as found:
        yield found


@pytest.fixture(scope="session")
def deployed(environment: Environment) -> Deployed:
    """The deployed system; a test that changes it puts it back."""
    return deploy(environment)
