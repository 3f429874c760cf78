"""What a command line does before anything else: Ctrl-C while it loads is a sentence and exit code 2, as later."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

#: What tells a command to end: Ctrl-C, `kill` and the end of a container, a terminal that is gone.
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_early_with_a_sentence() -> None:
    """Have a signal end the process at once; `catalog.command_line.run` replaces this when it begins."""
    handle(ENDINGS, _end)


def handle(numbers: Iterable[signal.Signals], handler: Callable[[int, FrameType | None], None]) -> None:
    """Give signals a handler; an ignored SIGHUP stays ignored, as `nohup` wants it."""
    for number in numbers:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _end(number: int, _frame: FrameType | None) -> None:
    try:
        os.write(2, f"ended by {signal.Signals(number).name}, before it began\n".encode())
    finally:
        os._exit(2)
