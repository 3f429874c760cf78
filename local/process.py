"""The server as a separate process: start it, stop it, find it.

A server holds a lock on ``server.lock`` in its folder while it lives. The kernel releases the lock when the process
ends in any way, so a killed server never looks like a running one. ``server.json`` exists while the server answers. The
process that starts a server holds a lock on ``start.lock`` until it answers or fails, so two starts take turns.
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
from local.private import FILE_MODE, FOLDER_MODE, close_all_to_others, close_to_others, is_shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: How long a server may take until it answers; one that fails ends immediately.
START_SECONDS = 60.0
STOP_SECONDS = 10.0
LOCK_SECONDS = 2.0
POLL_SECONDS = 0.02
LOCK_FILE = "server.lock"
START_LOCK_FILE = "start.lock"
RECORD_FILE = "server.json"
LOG_FILE = "server.log"
READY_LINE = "Serving at "


@dataclass(frozen=True)
class Server:
    """What a running server records about itself; ``provider`` is the value of TF_REATTACH_PROVIDERS."""

    pid: int
    endpoint: str
    environment: str
    project: str
    dataset: str
    provider: str
    data: str


@contextmanager
def recorded(server: Server, folder: Path) -> Iterator[None]:
    """Publish a server in its folder while the context lasts."""
    record = folder / RECORD_FILE
    part = record.with_suffix(".part")
    part.write_text(json.dumps(asdict(server), indent=2) + "\n", encoding="utf-8")
    part.replace(record)
    try:
        yield
    finally:
        record.unlink(missing_ok=True)


def lock(folder: Path) -> None:
    """Hold a folder for this process until it ends, and remove the record that a killed server left.

    Raises:
        LocalError: another server holds it, or the folder cannot be written.
    """
    file = _lock_file(folder, LOCK_FILE)  # never closed: the end of the process does that
    if not _lock(file, fcntl.LOCK_EX, LOCK_SECONDS):
        raise LocalError(
            f"{folder}: the server with process id {os.read(file, 20).decode().strip()} has this data folder open. "
            "Stop it, or name another folder."
        )
    known = os.fstat(file).st_size > 0
    try:
        (folder / RECORD_FILE).unlink(missing_ok=True)
        os.truncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
    except OSError as error:
        raise _not_usable(folder, error) from None
    if known:  # else nothing in it is an earlier server's
        close_all_to_others(folder)


def _lock_file(folder: Path, name: str) -> int:
    """The descriptor of a lock file.

    Raises:
        LocalError: the folder cannot be written.
    """
    try:
        folder.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
        if is_shared(folder):
            raise LocalError(f"{folder}: not usable as a data folder: it is shared by all users. Name a folder in it.")
        close_to_others(folder)
        return os.open(folder / name, os.O_RDWR | os.O_CREAT, FILE_MODE)
    except OSError as error:
        raise _not_usable(folder, error) from None


def _not_usable(folder: Path, error: OSError) -> LocalError:
    return LocalError(f"{folder}: not usable as a data folder: {error.strerror}")


def _lock(file: int, mode: int, seconds: float) -> bool:
    """Lock a file; wait at most so many seconds for its holder.

    Returns:
        Whether the file is locked now.
    """
    deadline = time.monotonic() + seconds
    while not (locked := _try_lock(file, mode)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return locked


def _try_lock(file: int, mode: int) -> bool:
    """Lock a file if it is free."""
    try:
        fcntl.flock(file, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def holder(folder: Path) -> int | None:
    """The process id of the server that has a folder open, whether it answers yet or not.

    Raises:
        LocalError: it does not write its id, because it was stopped before.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    with suppress(OSError), (folder / LOCK_FILE).open(encoding="utf-8") as file:
        while not _try_lock(file.fileno(), fcntl.LOCK_SH):
            file.seek(0)
            if process := file.read().strip():
                return int(process)
            if time.monotonic() > deadline:
                raise LocalError(f"{file.name} is locked by a process that does not write its id: end that process")
            time.sleep(POLL_SECONDS)  # it has just locked the folder, and writes its id next
    return None


def running(folder: Path) -> Server | None:
    """The server that has a folder open and answers."""
    try:
        if holder(folder) is None:
            return None
        return Server(**json.loads((folder / RECORD_FILE).read_text(encoding="utf-8")))
    except (LocalError, OSError, ValueError, TypeError):
        return None


def start(folder: Path, port: int, repository: Path, waiting: Callable[[], None]) -> Server:
    """Start a server as a separate process and wait until it answers.

    If another server is starting on the folder, wait for that one and return it; if it fails, start one after all.

    Args:
        folder: where the server keeps everything.
        port: its TCP port.
        repository: the checkout whose server it is.
        waiting: called once before this waits for another start.

    Raises:
        LocalError: the server did not start; with its own message.
    """
    file = _lock_file(folder, START_LOCK_FILE)
    try:
        alone = _try_lock(file, fcntl.LOCK_EX)
        if not alone:
            waiting()
            if not _lock(file, fcntl.LOCK_EX, 2 * START_SECONDS):
                raise LocalError(f"{folder}: another start has not ended within {2 * START_SECONDS:.0f} s")
        elif holder(folder) is not None:
            waiting()
        return _answering(folder) or _started(folder, port, repository)
    finally:
        os.close(file)


def _answering(folder: Path) -> Server | None:
    """The server that has the folder open, once it answers; None if there is none, or if it ends before.

    Raises:
        LocalError: it does not answer in time.
    """
    deadline = time.monotonic() + START_SECONDS
    while (process := holder(folder)) is not None:
        if server := running(folder):
            return server
        if time.monotonic() > deadline:
            raise LocalError(
                f"{folder}: the server with process id {process} has this data folder open, and has not answered "
                f"within {START_SECONDS:.0f} s. Stop it (`python -m local down`), or name another folder."
            )
        time.sleep(POLL_SECONDS)
    return None


def _started(folder: Path, port: int, repository: Path) -> Server:
    log = folder / LOG_FILE
    log.touch(FILE_MODE)
    with log.open("ab") as errors:
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
    if server := _answering(folder):  # one that was started by hand was first
        return server
    said = log.read_bytes()[begin:].decode(errors="replace").strip()
    reason = "it ended" if answered else f"no answer within {START_SECONDS:.0f} s"
    raise LocalError(said or f"the server did not start: {reason}; it wrote nothing to {log}")


def stop(folder: Path) -> bool:
    """Stop the server of a folder and wait for its end. A server that does not end in time is killed; no data is lost.

    Returns:
        Whether a server was running.
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
