"""One bad input: a command line in this process, with its files and variables, and a verdict on how it ended."""

from __future__ import annotations

import contextlib
import io
import os
import re
import resource
import runpy
import signal
import sys
import threading
import time
import traceback
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from catalog import cache, command_line
from declared import loading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: What lines are broken with, in the boxes of usage errors too.
BREAKS = re.compile(r"[\s│]")
#: Seconds that a command may take for a bad input, on a busy machine.
LIMIT = 20
#: Bytes of memory that a command may take for one, in addition to what this process has.
MEMORY = 2 * 1024**3
#: The environment of a command that takes its bad one for none: nothing may be deployed or destroyed.
NOWHERE = "no-such-environment"
FINE, FOUND, IMPOSSIBLE = 0, 1, 2


class HangError(BaseException):
    """A command that did not end in time; no handler of the command catches it."""


class ForcedEndError(BaseException):
    """A thread of the command ended the process; the argument is the exit code."""


@dataclass(frozen=True)
class Attack:
    """A bad input.

    Attributes:
        kind: what of the system it enters by, such as ``plan``.
        what: what is bad, for a report; one line.
        program: ``catalog``, ``operations``, ``verification`` or ``local``.
        arguments: of the command line; ``{place}`` is the attack's own folder.
        make: writes the files into that folder.
        variables: environment variables, with ``{place}`` as above; None removes one.
        codes: the exit codes that are right.
        names: one of these is in what a failed command says; none: any sentence will do.
    """

    kind: str
    what: str
    program: str
    arguments: tuple[str, ...]
    make: Callable[[Path], Any] = Path.exists
    variables: Mapping[str, str | None] = field(default_factory=dict)
    codes: tuple[int, ...] = (IMPOSSIBLE,)
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ending:
    """How a command ended: its exit code, what it printed, its seconds, and what it raised instead of ending."""

    code: int
    output: str
    seconds: float
    raised: str = ""

    def fault(self, attack: Attack) -> str:
        """What is wrong with it; '' if the reader can go on."""
        if self.raised or "Traceback" in self.output or "an unexpected " in self.output:
            return f"a traceback: {self.raised or self.output[-500:]}"
        if self.code not in attack.codes:
            return f"exit code {self.code}, not {attack.codes}: {self.output[:300]!r}"
        if self.code != FINE and not self.output.strip():
            return "no sentence"
        printed = BREAKS.sub("", self.output)
        names = [BREAKS.sub("", name) for name in attack.names]
        if self.code == IMPOSSIBLE and names and not any(name in printed for name in names):
            return f"none of {attack.names} is named: {self.output[:300]!r}"
        if self.seconds > LIMIT:
            return f"{self.seconds:.0f} s"
        return ""


def carry_out(attack: Attack, place: Path) -> Ending:
    """Run an attack's command in this process.

    Args:
        attack: what to run.
        place: an empty folder for its files; an ``environments/`` in it replaces the repository's.
    """
    attack.make(place)
    shown = {"place": str(place)}
    arguments = [_filled(argument, shown) for argument in attack.arguments]
    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    started = time.monotonic()
    with _surroundings(attack, place, shown), contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code, raised = _ended(attack.program, arguments)
    printed = output.buffer.getvalue().decode(errors="replace")
    return Ending(code, printed, time.monotonic() - started, raised)


def _filled(text: str, shown: Mapping[str, str]) -> str:
    return text.replace("{place}", shown["place"])


def _ended(program: str, arguments: list[str]) -> tuple[int, str]:
    """The exit code of a program, and what it raised instead."""
    code, raised = 0, ""
    with mock.patch.object(sys, "argv", [program, *arguments]), _ends_in_time(), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # another test may have imported the module
        try:
            runpy.run_module(program, run_name="__main__", alter_sys=False)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)  # noqa: T201 - as the interpreter does
        except ForcedEndError as end:
            code = end.args[0]
        except HangError:
            raised = f"no end after {LIMIT} s"
        except BaseException as error:  # noqa: BLE001 - this is the fault that is looked for
            place = traceback.extract_tb(error.__traceback__)[-1]
            raised = f"{type(error).__name__}: {str(error)[:200]} ({place.filename}:{place.lineno})"
    return code, raised


@contextlib.contextmanager
def _ends_in_time() -> Iterator[None]:
    """End the command in this thread, after :data:`LIMIT` and where it would end the process."""
    ends: list[BaseException] = []
    others = set(threading.enumerate())

    def interrupt(end: BaseException) -> None:
        ends.append(end)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    def end_now(*_: Any) -> None:
        raise ends[0]

    def leave(code: int) -> None:
        if threading.current_thread() is threading.main_thread():
            sys.exit(code)
        interrupt(ForcedEndError(code))

    before = {number: signal.getsignal(number) for number in (signal.SIGUSR1, *command_line.ENDINGS)}
    signal.signal(signal.SIGUSR1, end_now)  # commands have handlers of the other signals
    timer = threading.Timer(LIMIT, interrupt, (HangError(),))
    timer.start()
    try:
        with mock.patch.object(os, "_exit", leave):
            yield
    finally:
        timer.cancel()
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        if command_line._ending.told:  # noqa: SLF001 - what would end the process later than the command
            with mock.patch.object(os, "_exit"):
                for thread in set(threading.enumerate()) - others:
                    if "(_watch)" in thread.name:
                        thread.join(command_line.ENDING_SECONDS + 1)
        signal.set_wakeup_fd(-1)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _bounded_memory() -> Iterator[None]:
    """Without the limit, a command that reads a device would take the whole machine's memory."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (used + MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


@contextlib.contextmanager
def _surroundings(attack: Attack, place: Path, shown: Mapping[str, str]) -> Iterator[None]:
    """The attack's variables and environment files; what would end this process ends the command instead."""
    given = {"EROS_ENV": NOWHERE}
    given |= {name: _filled(value, shown) for name, value in attack.variables.items() if value is not None}
    hook = sys.excepthook
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, given))
        for name, value in attack.variables.items():
            if value is None:
                os.environ.pop(name, None)
        stack.enter_context(mock.patch.object(command_line, "_ending", type(command_line._ending)()))  # noqa: SLF001
        stack.enter_context(_bounded_memory())
        if (place / "environments").exists():
            folder = place / "environments"
            stack.enter_context(mock.patch.object(loading.load_environment, "__defaults__", (None, folder)))
            stack.enter_context(mock.patch.object(loading.previews, "__defaults__", (folder,)))
        if not {"XDG_CACHE_HOME", "HOME"}.isdisjoint(attack.variables):
            cache.cache_folder.cache_clear()
            stack.callback(cache.cache_folder.cache_clear)
        yield
    sys.excepthook = hook
