"""Starts and stops the server as a process of its own, and tells whether it runs."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from local import LocalError

if TYPE_CHECKING:
    from pathlib import Path

START_SECONDS = 30.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.02


class ServerError(LocalError):
    """The server could not be started or stopped; the message says why and what to do."""


def read_server_file(data: Path) -> dict[str, Any] | None:
    """What a running server says of itself; None where none runs, whatever an old file says."""
    try:
        content: dict[str, Any] = json.loads((data / "server.json").read_text(encoding="utf-8"))
        os.kill(content["pid"], 0)
    except (OSError, ValueError, KeyError):
        return None
    return content if _is_ready(content["endpoint"]) else None


def _is_ready(endpoint: str) -> bool:
    connection = http.client.HTTPConnection(endpoint.removeprefix("http://"), timeout=2)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().read() == b"ready\n"
    except OSError:
        return False
    except http.client.HTTPException:
        return False
    finally:
        connection.close()


def start(data: Path, port: int, repository: Path) -> bool:
    """Start the server unless it runs, and wait until it answers.

    Returns:
        Whether it was started; False when it ran already.

    Raises:
        ServerError: it ended, or did not answer in time; with what it printed.
    """
    if read_server_file(data):
        return False
    try:
        data.mkdir(parents=True, exist_ok=True)
        log = (data / "server.log").open("a", encoding="utf-8")
    except OSError as error:
        raise ServerError(f"{data}: not usable as a data folder: {error.strerror}") from None
    with log:
        begin = log.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "local", "serve", "--port", str(port), "--data", str(data)],
            cwd=repository,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerError(_printed(data, begin) or f"the server ended with {process.returncode}")
        found = read_server_file(data)
        if found and found["pid"] == process.pid:
            return True
        time.sleep(POLL_SECONDS)  # another process' readiness gives no event
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    raise ServerError(f"the server did not answer within {START_SECONDS:.0f} s; {data / 'server.log'} says more")


def _printed(data: Path, begin: int) -> str:
    with (data / "server.log").open(encoding="utf-8") as log:
        log.seek(begin)
        return log.read().strip()


def stop(data: Path) -> bool:
    """Stop the server and wait for its end.

    Returns:
        Whether one ran.

    Raises:
        ServerError: it did not end in time.
    """
    running = read_server_file(data)
    if running is None:
        return False
    os.kill(running["pid"], signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        try:
            os.kill(running["pid"], 0)
        except ProcessLookupError:
            return True
        if _is_zombie(running["pid"]):
            return True
        time.sleep(POLL_SECONDS)  # not our child: there is no event to wait for
    raise ServerError(f"the server (process {running['pid']}) did not end within {STOP_SECONDS:.0f} s")


def _is_zombie(pid: int) -> bool:
    """Whether a process has ended and only waits to be reaped by whoever started it."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:  # noqa: PTH123 - no path to build
            return stat.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return False
