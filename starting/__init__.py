"""What a command line does before anything else: Ctrl-C while it loads is a sentence and exit code 2, as later."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


def end_early_with_a_sentence() -> None:
    """Have a signal end the process at once; `catalog.command_line.run` replaces this when it begins."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` leaves it
            signal.signal(number, _end)


def _end(number: int, _frame: FrameType | None) -> None:
    try:
        os.write(2, f"ended by {signal.Signals(number).name}, before it began\n".encode())
    finally:
        os._exit(2)
