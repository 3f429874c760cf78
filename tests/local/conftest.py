"""One embedded BigQuery for the tests of a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.harness.bigquery import Server, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server with an empty dataset."""
    with serving(tmp_path_factory.mktemp("bigquery")) as running:
        yield running
