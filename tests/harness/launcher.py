"""Starts the embedded server as a separate process, for tests and benchmarks: one way for all of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from catalog.files import REPOSITORY
from declared.loading import load_environment
from local.process import READY_LINE
from tests.harness.checkout import skip_in_fast_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from declared.environment import Environment

#: A server that does not end by SIGTERM within this time hangs.
SECONDS_TO_END = 30


class NotStartedError(AssertionError):
    """The server ended before it answered; the message is what it said."""


@dataclass(frozen=True)
class Launched:
    """A server that answers."""

    process: subprocess.Popen[str]
    endpoint: str
    errors: IO[bytes]

    @property
    def environment(self) -> Environment:
        """The settings of ``local``, pointed at this server."""
        return load_environment("local").model_copy(update={"endpoint": self.endpoint})

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the process and wait for its end; a second call does nothing."""
        if self.process.poll() is None:
            os.kill(self.process.pid, how)
            self.process.wait(SECONDS_TO_END)
        self.errors.close()


def launch(
    data: Path, module: str = "local", variables: Mapping[str, str] | None = None, checkout: Path = REPOSITORY
) -> Launched:
    """Start a server on a free port, and wait until it answers.

    Args:
        data: its data folder.
        module: what is run with ``serve``: ``local``, or a module of the harness that wraps it.
        variables: environment variables in addition to the process's own.
        checkout: whose code it runs.

    Raises:
        NotStartedError: it ended before it answered.
    """
    skip_in_fast_run()
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
    process = subprocess.Popen(
        [sys.executable, "-m", module, "serve", "--port", "0", "--data", str(data)],
        cwd=checkout,
        env={**os.environ, "EROS_ENV": "local", **(variables or {})},
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith(READY_LINE):
        process.wait(SECONDS_TO_END)
        errors.seek(0)
        raise NotStartedError(f"{line}{errors.read().decode()}")
    return Launched(process, line.removeprefix(READY_LINE).strip(), errors)


@contextmanager
def launched(
    data: Path, module: str = "local", variables: Mapping[str, str] | None = None, checkout: Path = REPOSITORY
) -> Iterator[Launched]:
    """``launch``, for the length of a block."""
    server = launch(data, module, variables, checkout)
    try:
        yield server
    except Exception as error:
        if (code := server.process.poll()) is not None:
            error.add_note(f"The server on {data} has ended with {code}.")
        raise
    finally:
        server.end()
