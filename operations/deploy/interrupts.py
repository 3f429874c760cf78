"""Child processes that end with the command: told gently first, as Terraform needs it, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: What a child has for ending well: Terraform stops after what it does just now, and writes its state.
GENTLE_SECONDS = 1.5


@contextmanager
def child(command: Sequence[str], **settings: Any) -> Iterator[subprocess.Popen[Any]]:
    """Run a process, and everything that it starts, until the context ends.

    It is a process group of its own: Ctrl-C reaches it only from here. When the context ends by an exception, such as
    that of a signal, the group gets SIGINT, and SIGKILL after :data:`GENTLE_SECONDS`.

    Args:
        command: the command and its arguments.
        settings: as :class:`subprocess.Popen` takes them.

    Yields:
        The process; it has ended when the context has ended without an exception.
    """
    process: subprocess.Popen[Any] = subprocess.Popen(command, process_group=0, **settings)
    try:
        yield process
        process.wait()
    except BaseException:
        _end(process)
        raise
    finally:
        if process.stdout is not None:
            process.stdout.close()


def _end(process: subprocess.Popen[Any]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GENTLE_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)  # what the first process has left, too
    process.wait()
