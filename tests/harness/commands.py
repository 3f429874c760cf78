"""Runs a command line in this process, with the sentences that its failures become."""

from __future__ import annotations

from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

from catalog.command_line import code_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer import Typer


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """Everything that it printed."""
        return self.stdout + self.stderr


def invoke(app: Typer, known: tuple[type[Exception], ...], *arguments: str) -> Ended:
    """Run a command."""
    return ended(lambda: app(list(arguments)), known)


def ended(what: Callable[[], object], known: tuple[type[Exception], ...] = ()) -> Ended:
    """Run what ends as a command does."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = code_of("the command", what, known)
    return Ended(code, out.getvalue(), err.getvalue())
