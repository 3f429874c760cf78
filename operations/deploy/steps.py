"""One step of a longer operation: its title, its time, and the output of its command when that matters."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from catalog.files import REPOSITORY
from google.failures import LiveSystemError
from operations.deploy.cdktf import LOG, CdktfRun, run_cdktf
from operations.deploy.interrupts import child
from verification.deadlines import half_done

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from declared.environment import Environment


class StepFailedError(Exception):
    """A step that failed; ``exit_code`` is 1 for a failed check, 2 for what could not run."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@contextmanager
def step(console: Console, title: str) -> Iterator[list[str]]:
    """Show that a step is running; at its end print its time and the last note in the yielded list."""
    started = time.monotonic()
    notes: list[str] = []
    try:
        with half_done(title), console.status(f"{title} …"):
            yield notes
    except BaseException:
        console.print(f"[red]✗[/] {title}  [dim]{time.monotonic() - started:.1f} s[/]")
        raise
    text = f"  {notes[-1]}" if notes else ""
    console.print(f"[green]✓[/] {title}{text}  [dim]{time.monotonic() - started:.1f} s[/]", highlight=False)


def printed(
    command: Sequence[str], variables: Mapping[str, str], folder: Path = REPOSITORY, exit_code: int | None = None
) -> str:
    """Run a command to its end, without a terminal, and return what it printed, both streams together.

    Args:
        command: the command and its arguments.
        variables: the whole environment of the process.
        folder: where it runs.
        exit_code: the exit code of the error; by default 1 where that of the command is 1, else 2.

    Raises:
        StepFailedError: with everything that it printed, when it does not exit with 0.
    """
    with child(
        command,
        cwd=folder,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        output: str = process.communicate()[0]
    if process.returncode:
        message = output.strip() or f"{' '.join(map(str, command))} ended with {process.returncode}"
        raise StepFailedError(message, exit_code or (1 if process.returncode == 1 else 2))
    return output


def run_module(environment: Environment, *arguments: str) -> str:
    """Run ``python -m ARGUMENTS`` in this repository and return the last line that it printed.

    Args:
        environment: the environment that EROS_ENV names there.
        arguments: the module and its arguments.

    Raises:
        StepFailedError: with everything that it printed, when it does not exit with 0.
    """
    variables = {**os.environ, "PYTHONUNBUFFERED": "1", "EROS_ENV": environment.name}
    output = printed([sys.executable, "-m", *arguments], variables).strip()
    return output.splitlines()[-1].strip() if output else ""


def bring_up(environment: Environment, console: Console) -> None:
    """Start the embedded environment, as a step; does nothing for a real project.

    Raises:
        StepFailedError: it did not start.
    """
    if environment.endpoint is not None:
        with step(console, "Embedded environment") as notes:
            notes.append(run_module(environment, "local", "up"))


@contextmanager
def explained_by_the_server(environment: Environment) -> Iterator[None]:
    """Explain the failure of what a block does by the end of the embedded server, where it has ended.

    Without it, Terraform has pages to say about a provider that does not answer.

    Raises:
        StepFailedError: instead of the failure, when the server does not answer.
    """
    try:
        yield
    except (StepFailedError, LiveSystemError):
        if environment.endpoint is not None:
            try:
                run_module(environment, "local", "status")
            except StepFailedError as down:
                sentence = f"The embedded server ended or hung during this run. {down}"
                raise StepFailedError(f"{sentence}\nThen run this again: it goes on where it stopped.", 2) from None
        raise


def apply_with_cdktf(
    console: Console,
    arguments: list[str],
    variables: Mapping[str, str],
    auto_approve: bool,
    describe: Callable[[CdktfRun], str],
) -> CdktfRun:
    """Run a cdktf subcommand that changes things, as a step that shows its progress.

    The caller has its turn in cdktf.out.

    Without ``auto_approve`` the terminal is left to cdktf, which asks before each stack.

    Raises:
        StepFailedError: when cdktf or a Terraform that it ran did not end well: with what was killed, Terraform's own
            errors, and the path of the log.
    """
    title = f"cdktf {' '.join(arguments)}"
    if not auto_approve:
        run = run_cdktf(arguments, variables, interactive=True)
        if run.failed:
            raise StepFailedError("\n".join((*run.killed, f"{title} failed; its output says why.")), 2)
        return run
    with step(console, title) as notes, console.status(title) as status:
        run = run_cdktf(
            [*arguments, "--auto-approve"],
            variables,
            lambda stack, text: status.update(f"{title}: {stack} {text[:90]}"),
        )
        if run.failed:
            raise StepFailedError(f"{run.explanation}\n(the whole output: {LOG.relative_to(REPOSITORY)})", 2)
        notes.append(describe(run))
    return run
