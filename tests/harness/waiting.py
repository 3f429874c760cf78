"""Waiting for what gives no event."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait until a condition holds.

    Args:
        condition: is asked again and again; whether its answer is true counts.
        what: what is awaited, for the message.
        seconds: how long, at most.

    Raises:
        AssertionError: it does not hold within that time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds:g} s still waiting for {what}"
        time.sleep(0.01)
