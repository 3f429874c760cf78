"""A busy machine is not a slow function: the tests of this folder run with wider time budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from verification.suites import performance

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY = 30


@pytest.fixture(scope="session", autouse=True)
def wide_time_budgets() -> Iterator[None]:
    """Multiply the time budgets of the performance suite."""
    with pytest.MonkeyPatch.context() as patch:
        for budget in ("FUNCTION_MILLISECONDS", "VIEW_SECONDS"):
            patch.setattr(performance, budget, getattr(performance, budget) * BUSY)
        yield
