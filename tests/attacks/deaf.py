"""``python -m tests.attacks.deaf`` is told to end at once, and goes on."""

from __future__ import annotations

import time
from contextlib import suppress

from catalog.command_line import StoppedError, alarm, run

#: More than the harness lets a command take.
LONG = 60


def _sleep() -> None:
    with alarm(0.1):
        for _ in range(2):
            with suppress(StoppedError):
                time.sleep(LONG)


if __name__ == "__main__":
    run("python -m tests.attacks.deaf", _sleep)
