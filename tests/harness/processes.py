"""The processes of a command: found below it or in a folder, and killed."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROCESSES = Path("/proc")


def below(process: int) -> list[int]:
    """A process and all that it started, and they."""
    found = [process]
    for one in found:  # it grows
        with suppress(OSError):
            for thread in (PROCESSES / str(one) / "task").iterdir():
                found += map(int, (thread / "children").read_text().split())
    return found


def words(process: int) -> list[str]:
    """The command line of a process; empty for one that has ended."""
    try:
        return (PROCESSES / str(process) / "cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return []


def in_folder(folder: Path) -> Iterator[int]:
    """The processes that work in a folder."""
    for place in PROCESSES.glob("[0-9]*/cwd"):
        with suppress(OSError):
            if place.readlink().is_relative_to(folder):
                yield int(place.parent.name)


def kill(process: int, how: signal.Signals = signal.SIGKILL) -> bool:
    """Kill a process, or send it another signal; False if it has ended."""
    try:
        os.kill(process, how)
    except ProcessLookupError:
        return False
    return True
