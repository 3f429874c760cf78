"""Runs a command line to its end: whatever happens, a person reads a sentence, and the exit code is 0, 1 or 2."""

from __future__ import annotations

import atexit
import errno
import os
import shlex
import signal
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, NoReturn

import starting
from catalog.files import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

#: The exit code of what could not run.
COULD_NOT_RUN = 2
#: The longest that a command goes on after it was told to end.
ENDING_SECONDS = 2.5
#: What tells a command to end, :func:`alarm` included.
ENDINGS = (*starting.ENDINGS, signal.SIGALRM)
#: Errors of writing, which do not name the file.
NOT_WRITTEN = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}
#: The most digits of a terminal's width.
WIDEST = 4
FAULTS = REPOSITORY / ".local" / "faults"


class StoppedError(BaseException):
    """The command was told to end. No handler of errors takes it for one; its notes say what is half done."""


class _Ending:
    """Whether a command was told to end, whether a sentence said so, and what is done then."""

    def __init__(self) -> None:
        self.told = self.explained = False
        self.over = False  # the command has ended, in whatever way
        self.held_back = 0
        self.waiting = 0  # the number of a signal
        self.callbacks: list[Callable[[], None]] = []


_ending = _Ending()


def at_the_end(callback: Callable[[], None]) -> None:
    """Have a function called, in a thread of its own, when a command is told to end: it wakes what waits."""
    if callback not in _ending.callbacks:
        _ending.callbacks.append(callback)


@contextmanager
def held_back() -> Iterator[None]:
    """Have a signal wait until the context ends, so that what is done in it is done whole; in the main thread only.

    Raises:
        StoppedError: when the context ends, if a signal told the command to end.
    """
    _ending.held_back += 1
    try:
        yield
    finally:
        _ending.held_back -= 1
        if _ending.waiting and not _ending.held_back:
            _stop(_ending.waiting, None)


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Tell the command to end when the context takes longer, as Ctrl-C does; only within :func:`run`."""
    if signal.getsignal(signal.SIGALRM) is not _stop:
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def run(
    program: str,
    app: Callable[[], object],
    known: tuple[type[Exception], ...] = (),
    mask: Callable[[str], str] = str,
) -> NoReturn:
    """Run a command line and end the process; the arguments are those of :func:`code_of`."""
    if sys.stdout is None:  # it is closed
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the process ends
    if len(os.environ.get("COLUMNS", "")) > WIDEST:  # lines are padded to it, which no memory is enough for
        del os.environ["COLUMNS"]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may not know each character

    def heard() -> None:
        _listen()  # here, where what it raises becomes a sentence
        app()

    code = code_of(program, heard, known, mask)
    try:
        sys.stdout.flush()
    except (OSError, ValueError):  # what is left is dropped: Python would try again, and end with 120
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def code_of(
    program: str,
    app: Callable[[], object],
    known: tuple[type[Exception], ...] = (),
    mask: Callable[[str], str] = str,
) -> int:
    """Run a command line, explain how it failed, and return its exit code.

    Args:
        program: how it is called, such as ``python -m catalog``.
        app: what runs it; it may end with SystemExit.
        known: errors whose messages are for the reader; one with an ``exit_code`` has that, the others 2.
        mask: hides credentials in a text.
    """
    command = shlex.join([*shlex.split(program), *sys.argv[1:]])
    try:
        return _ended(app)
    except BrokenPipeError:
        _end_quietly()
    except StoppedError as error:
        _ending.explained = True
        _say(mask(f"{error}{_half_done(error)}\nRun it again to go on: {_variables()}{command}"))
    except known as error:
        _say(mask(str(error)))
        return int(getattr(error, "exit_code", COULD_NOT_RUN))
    except RecursionError:
        _say("something that was read is nested too deep: a file or an answer is not what it should be")
    except OSError as error:
        _say(mask(_of_the_system(error)))
    except Exception as error:  # noqa: BLE001 - it becomes a file and a sentence
        _say(_unexpected(error, command, mask))
    return COULD_NOT_RUN


def _ended(app: Callable[[], object]) -> int:
    """The exit code of a command line whose whole output is written."""
    code = 0
    try:
        try:
            app()
        except SystemExit as ended:
            if isinstance(ended.__context__, BrokenPipeError):  # typer makes an exit of it
                raise BrokenPipeError from None
            code = ended.code if isinstance(ended.code, int) else COULD_NOT_RUN if ended.code else 0
        sys.stdout.flush()
    finally:
        _ending.over = True  # a signal has nothing left to end, and would hide how it ended
    return code


def _of_the_system(error: OSError) -> str:
    reason = error.strerror or str(error)
    if error.filename:
        return f"{error.filename}: {reason}"
    return f"the output, or a file, cannot be written: {reason}" if error.errno in NOT_WRITTEN else reason


def _half_done(error: BaseException) -> str:
    notes = getattr(error, "__notes__", [])
    return f". Half done: {', '.join(notes)}." if notes else "."


def _variables() -> str:
    environment = os.environ.get("EROS_ENV")
    return f"EROS_ENV={shlex.quote(environment)} " if environment else ""


def _unexpected(error: Exception, command: str, mask: Callable[[str], str]) -> str:
    """Write down an error that nobody expected."""
    now = datetime.now(UTC)
    details = f"{now:%Y-%m-%d %H:%M:%S} UTC\n{command}\nPython {sys.version}\n\n" + "".join(
        traceback.format_exception(error)
    )
    what = f"an unexpected {type(error).__name__}, a defect of this program"
    for folder in (FAULTS, Path(tempfile.gettempdir())):
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", prefix=f"{now:%Y%m%d-%H%M%S}-", suffix=".txt", dir=folder, delete=False, encoding="utf-8"
            ) as file:
                file.write(mask(details))
            return f"{what}: open an issue with {file.name}, or see SECURITY.md if it must not be public"
    return f"{what}, and no file can be written: {mask(traceback.format_exception_only(error)[-1].strip())}"


def _say(text: str) -> None:
    with suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - the one sentence for the reader


def _listen() -> None:
    """Raise StoppedError at a signal; at the latest after :data:`ENDING_SECONDS` the process has ended."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)  # a thread hears of signals also while the main thread waits elsewhere
    Thread(target=_watch, args=(reader,), daemon=True).start()
    starting.handle(ENDINGS, _stop)
    atexit.register(_ignore_signals)


def _ignore_signals() -> None:
    """Python ends by itself now, and would end by a signal's number or with a traceback."""
    for number in ENDINGS:
        signal.signal(number, signal.SIG_IGN)


def _stop(number: int, _frame: FrameType | None) -> None:
    if _ending.told or _ending.over:
        return
    if _ending.held_back:
        _ending.waiting = number
        return
    _ending.told = True
    name = signal.Signals(number).name
    raise StoppedError("ended: it took longer than its --deadline" if number == signal.SIGALRM else f"ended by {name}")


def _watch(reader: int) -> None:
    """Wait for a signal that :func:`_stop` handles; a server has handlers of its own."""
    while signal.getsignal(os.read(reader, 1)[0]) is not _stop:
        pass
    for callback in _ending.callbacks:
        with suppress(Exception):  # what fails to wake something must not keep the process
            callback()
    time.sleep(ENDING_SECONDS)
    if not _ending.explained:
        _say("ended, although something did not stop; run it again")
    os._exit(COULD_NOT_RUN)


def _end_quietly() -> None:
    """End as other Unix tools do whose reader has gone, such as `head`: by SIGPIPE, which a shell shows as 141."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGPIPE)
