"""The server as a process of its own: started, stopped, and whether it runs.

A server holds a lock on ``server.lock`` of its folder as long as it lives; the kernel lets go of it however the process
ends, so a killed server is never taken for a running one. ``server.json`` stands there while the server answers.
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from local import LocalError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_SECONDS = 30.0
STOP_SECONDS = 10.0
LOCK_SECONDS = 2.0
LOCK_FILE = "server.lock"
RECORD_FILE = "server.json"
LOG_FILE = "server.log"
READY_LINE = "Serving at "


@dataclass(frozen=True)
class Server:
    """What a running server says of itself; ``provider`` is the value of TF_REATTACH_PROVIDERS."""

    pid: int
    endpoint: str
    environment: str
    project: str
    dataset: str
    provider: str
    data: str


@contextmanager
def recorded(server: Server, folder: Path) -> Iterator[None]:
    """Let others find a server as long as the context lasts."""
    record = folder / RECORD_FILE
    part = record.with_suffix(".part")
    part.write_text(json.dumps(asdict(server), indent=2) + "\n", encoding="utf-8")
    part.replace(record)
    try:
        yield
    finally:
        record.unlink(missing_ok=True)


def lock(folder: Path) -> None:
    """Hold a folder for this process alone until it ends; what a killed server left behind is cleared away.

    Raises:
        LocalError: another server holds it, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(
            folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644
        )  # never closed: the end of the process does it
    except OSError as error:
        raise LocalError(f"{folder}: not usable as a data folder: {error.strerror}") from None
    if not _lock(file, fcntl.LOCK_EX, LOCK_SECONDS):
        raise LocalError(
            f"{folder}: the server with process id {os.read(file, 20).decode().strip()} has this data folder open. "
            "Stop it, or name another folder."
        )
    (folder / RECORD_FILE).unlink(missing_ok=True)
    os.truncate(file, 0)
    os.write(file, f"{os.getpid()}\n".encode())


def _lock(file: int, mode: int, seconds: float) -> bool:
    """Lock a file, waiting so long for whoever holds it; whether it was got. In the main thread only."""

    def give_up(_signal: int, _frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        fcntl.flock(file, mode)
    except TimeoutError:
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return True


def holder(folder: Path) -> int | None:
    """The process id of the server that has a folder open, whether it answers already or not."""
    try:
        with (folder / LOCK_FILE).open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read())
    except (OSError, ValueError):
        pass
    return None


def running(folder: Path) -> Server | None:
    """The server that runs on a folder and has begun to answer."""
    if holder(folder) is None:
        return None
    try:
        return Server(**json.loads((folder / RECORD_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def start(folder: Path, port: int, repository: Path) -> Server:
    """Start a server as a process of its own and wait until it answers.

    Raises:
        LocalError: it did not come up; with what it said.
    """
    log = folder / LOG_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        errors = log.open("ab")
    except OSError as error:
        raise LocalError(f"{folder}: not usable as a data folder: {error.strerror}") from None
    with errors:
        begin = errors.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "local", "serve", "--port", str(port), "--data", str(folder), "--clock"],
            cwd=repository,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    assert process.stdout is not None  # noqa: S101 - PIPE was asked for
    with process.stdout as printed, selectors.DefaultSelector() as selector:
        selector.register(printed, selectors.EVENT_READ)
        answered = bool(selector.select(START_SECONDS))
        ready = answered and printed.readline().decode().startswith(READY_LINE)
    if ready and (server := running(folder)):
        return server
    with suppress(ProcessLookupError):
        process.kill()
    process.wait()
    if server := _other(folder):
        return server
    said = log.read_bytes()[begin:].decode(errors="replace").strip()
    reason = "it ended" if answered else f"no answer within {START_SECONDS:.0f} s"
    raise LocalError(said or f"the server did not come up: {reason}; it wrote nothing into {log}")


def _other(folder: Path) -> Server | None:
    """The server that was started at the same time and was first, once it answers."""
    deadline = time.monotonic() + START_SECONDS
    while holder(folder) is not None and time.monotonic() < deadline:
        if server := running(folder):
            return server
        time.sleep(0.02)
    return None


def stop(folder: Path) -> bool:
    """Stop the server of a folder and wait for its end; one that does not end in time is killed, which loses nothing.

    Returns:
        Whether there was one.
    """
    process = holder(folder)
    if process is None:
        return False
    with (folder / LOCK_FILE).open(encoding="utf-8") as file:
        for ending in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.kill(process, ending)
            if _lock(file.fileno(), fcntl.LOCK_SH, STOP_SECONDS):
                return True
    raise LocalError(f"the server (process {process}) cannot be stopped: stop it by hand")
