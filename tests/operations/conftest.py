"""What the tests of plans share: production, and what is declared for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from catalog import load_catalog, retarget
from declared.loading import load_environment

if TYPE_CHECKING:
    from catalog import Catalog
    from declared.environment import Environment


@pytest.fixture(scope="module")
def prod() -> Environment:
    """The settings of production."""
    return load_environment("prod")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """What is declared for production."""
    environment = load_environment("prod")
    return retarget(load_catalog(), environment.project, environment.dataset)
