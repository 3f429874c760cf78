"""Child processes that end with the command: told gently first, as Terraform needs it, and never left behind."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import termios
import time
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

from catalog.command_line import StoppedError, held_back
from verification.deadlines import half_done

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: What a child has for ending well: Terraform stops after what it does just now, and writes its state.
GENTLE_SECONDS = 1.5
POLL_SECONDS = 0.02
#: The exit codes of what Ctrl-C ended: that of a process, and that of a shell which ran it.
BY_CTRL_C = {-signal.SIGINT, 128 + signal.SIGINT}
#: The standard input, where it is a terminal.
TERMINAL = 0
#: The least number of a descriptor that children inherit: Node keeps lower ones from what it starts.
LEAST_INHERITED = 100

_inherited: list[int] = []


@contextmanager
def inherited(file: int) -> Iterator[None]:
    """Have children keep a descriptor open: its lock lasts until they have ended, too, when this process is killed."""
    copy = fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, LEAST_INHERITED)
    _inherited.append(copy)
    try:
        yield
    finally:
        _inherited.remove(copy)
        os.close(copy)


@contextmanager
def child(command: Sequence[str], terminal: bool = False, **settings: Any) -> Iterator[subprocess.Popen[Any]]:
    """Run a process, and everything that it starts, until the context ends.

    It is a process group of its own: Ctrl-C reaches it only from here. When the context ends by an exception, such as
    that of a signal, the group gets SIGINT, and SIGKILL after :data:`GENTLE_SECONDS`. What is left of the group when
    the context ends without one is killed.

    Args:
        command: the command and its arguments.
        terminal: give it the terminal, with its keys, until the context ends.
        settings: as :class:`subprocess.Popen` takes them.

    Yields:
        The process; it has ended when the context has ended without an exception.
    """
    with ExitStack() as ending:
        with held_back(), _ignored(signal.SIGTSTP) if terminal else nullcontext():  # nobody could continue it
            process: subprocess.Popen[Any] = subprocess.Popen(command, process_group=0, pass_fds=_inherited, **settings)
            if terminal:
                ending.enter_context(_terminal_of(process))
            ending.push(lambda _kind, error, _trace: _end(process, gently=error is not None))
        yield process
        process.wait()


def run_at_the_terminal(command: Sequence[str], title: str, **settings: Any) -> int:
    """Run a process that asks at the terminal; its exit code, negative for a signal.

    Args:
        command: the command and its arguments.
        title: what is half done when it is told to end.
        settings: as :class:`subprocess.Popen` takes them.

    Raises:
        StoppedError: Ctrl-C ended it.
    """
    with half_done(title), child(command, terminal=True, **settings) as process:
        if process.wait() in BY_CTRL_C:
            raise StoppedError(f"ended by {signal.SIGINT.name}")  # within the context: what it started ends gently
    return process.returncode


def _end(process: subprocess.Popen[Any], gently: bool) -> None:
    with held_back():
        with suppress(ProcessLookupError):
            if gently:
                if process.poll() not in BY_CTRL_C:  # else all of them know: Terraform takes a second one for a kill
                    os.killpg(process.pid, signal.SIGINT)
                end = time.monotonic() + GENTLE_SECONDS
                while time.monotonic() < end:
                    process.poll()  # it belongs to the group until somebody has asked how it ended
                    os.killpg(process.pid, 0)
                    time.sleep(POLL_SECONDS)
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in filter(None, (process.stdout, process.stderr)):
            stream.close()


@contextmanager
def _terminal_of(process: subprocess.Popen[Any]) -> Iterator[None]:
    """Let a process group read the terminal and get its keys; without one, or without a right to it, do nothing."""
    try:
        settings = termios.tcgetattr(TERMINAL)
        os.tcsetpgrp(TERMINAL, process.pid)
    except (OSError, termios.error):
        yield
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGCONT)  # it may have asked before
    with _ignored(signal.SIGTTOU):  # it stops what is in the background and touches the terminal
        try:
            yield
        finally:
            with suppress(OSError, termios.error):
                os.tcsetpgrp(TERMINAL, os.getpgrp())
                termios.tcsetattr(TERMINAL, termios.TCSANOW, settings)  # a killed one may have left it without echo


@contextmanager
def _ignored(number: signal.Signals) -> Iterator[None]:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(number, before)
