"""A separate checkout and GitHub for each module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.harness.checkout import Checkout, copy_checkout
from tests.harness.github_server import GitHub, github_server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A separate checkout; its embedded environment is stopped at the end."""
    copy = Checkout(copy_checkout(tmp_path_factory.mktemp("lifecycle")))
    yield copy
    copy.python("local", "down")


@pytest.fixture(scope="module")
def github() -> Iterator[GitHub]:
    """A GitHub for the jobs that write there."""
    with github_server() as server:
        yield server
