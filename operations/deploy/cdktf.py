"""Runs the cdktf command line, and reads from its output what happens to each stack."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from catalog.files import REPOSITORY
from declared.masking import LineMask
from declared.names import SYSTEM
from operations.deploy.interrupts import child, inherited, run_at_the_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from declared.environment import Environment

OUTPUT = REPOSITORY / "cdktf.out"
COMMAND = REPOSITORY / "operations" / "cdktf.sh"
STACK_COMMAND = REPOSITORY / "operations" / "stack.sh"
LOG = REPOSITORY / ".local" / "cdktf.log"
TURN = REPOSITORY / ".local" / "cdktf.lock"

#: A shell adds this to the number of the signal that ended a command.
SIGNALS = 128
ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
#: A line begins with the stack that it belongs to, or is indented to go on with the stack before.
STACK_LINE = re.compile(rf"^({SYSTEM}-\S+)?(?: {{2}}(.*))?$")
PLAN = re.compile(r"Plan: (?:(\d+) to import, )?(\d+) to add, (\d+) to change, (\d+) to destroy")
RESOURCE = re.compile(r"(\S+): (Creation|Modifications|Destruction|Import) complete")
DONE = {"Creation": "created", "Modifications": "changed", "Destruction": "destroyed", "Import": "adopted"}


@dataclass
class StackOutcome:
    """What one run of cdktf did, or would do, to one stack: addresses by action, and the error lines if it failed."""

    stack: str
    planned: tuple[int, int, int, int] | None = None
    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    destroyed: list[str] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    box: list[str] = field(default_factory=list)  # the message that Terraform is writing, line by line

    @property
    def untouched(self) -> bool:
        """Whether nothing was, or would be, done."""
        return self.planned in {None, (0, 0, 0, 0)} and not any(getattr(self, word) for word in DONE.values())

    def __str__(self) -> str:
        """The outcome in a few words, e.g. ``12 created, 1 adopted``."""
        parts = [f"{len(getattr(self, word))} {word}" for word in DONE.values() if getattr(self, word)]
        return ", ".join(parts) or "no changes"


@dataclass(frozen=True)
class CdktfRun:
    """A finished run: exit code, the outcome of each stack in order of appearance, the last lines of its output.

    ``killed`` has a sentence for each process that was killed; ``unfinished`` the runs of Terraform that did not end
    well, whatever cdktf made of that.
    """

    exit_code: int
    stacks: Mapping[str, StackOutcome]
    tail: tuple[str, ...]
    unfinished: tuple[str, ...] = ()
    killed: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether cdktf or any Terraform that it ran did not end well."""
        return bool(self.exit_code or self.unfinished)

    @property
    def untouched(self) -> bool:
        """Whether cdktf named its stacks and did nothing to any of them."""
        return bool(self.stacks) and all(outcome.untouched for outcome in self.stacks.values())

    @property
    def explanation(self) -> str:
        """What to show after a failure: what was killed and the errors of each stack, else the end of the output."""
        errors = [line for outcome in self.stacks.values() for line in outcome.errors]
        return "\n".join((*self.killed, *errors) or self.tail)


def cdktf_variables(environment: Environment) -> dict[str, str]:
    """The process environment of cdktf, of Terraform and of the synthesis."""
    return {**os.environ, "EROS_ENV": environment.name}


def stack_folder(stack: str, output: Path = OUTPUT) -> Path:
    """The folder of a stack's synthesized configuration and of its plan."""
    return output / "stacks" / stack


@contextmanager
def own_turn(title: str, say: Callable[[str], object]) -> Iterator[None]:
    """Keep other runs in this checkout from using cdktf.out until the context ends.

    Args:
        title: what runs; shown to runs that wait.
        say: called with one line when this run has to wait.
    """
    TURN.parent.mkdir(exist_ok=True)
    # The kernel releases the lock when this process and all that it started have ended in any way.
    with TURN.open("a+", encoding="utf-8") as file, inherited(file.fileno()):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            say(f"Waiting for another run in this checkout to end: {file.read()}")
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(title)
        file.flush()
        yield


def run_cdktf(
    arguments: Iterable[str],
    variables: Mapping[str, str],
    on_line: Callable[[str, str], None] = lambda _stack, _text: None,
    interactive: bool = False,
) -> CdktfRun:
    """Run ``cdktf ARGUMENTS`` and wait for it; its whole output is appended to ``.local/cdktf.log``.

    Args:
        arguments: the subcommand and its arguments.
        variables: the whole environment of the process.
        on_line: called with stack name and text for each line that belongs to a stack.
        interactive: leave the terminal to cdktf, which asks for approval; then no outcome is read.

    Returns:
        What happened to each stack that the output names.

    Raises:
        StoppedError: Ctrl-C ended an interactive one.
    """
    command = [str(COMMAND), *arguments]
    outcomes: dict[str, StackOutcome] = {}
    tail: deque[str] = deque(maxlen=40)
    with TemporaryDirectory(prefix="terraform-ends-") as folder:
        own = {**variables, "EROS_TERRAFORM_ENDS": folder}
        if interactive:
            exit_code = run_at_the_terminal(command, f"cdktf {' '.join(command[1:])}", env=own)
        else:
            exit_code = _run_and_read(command, own, on_line, outcomes, tail)
        ends = {mark.name: mark.read_text(encoding="utf-8").strip() for mark in sorted(Path(folder).iterdir())}
    killed = [f"Terraform was killed: {_named(end)}" for end, code in ends.items() if not code or int(code) > SIGNALS]
    if exit_code < 0:
        killed.append(f"cdktf {' '.join(command[1:])} was killed by {signal.Signals(-exit_code).name}")
    return CdktfRun(exit_code, outcomes, tuple(tail), tuple(map(_named, ends)), tuple(killed))


def _named(mark: str) -> str:
    """What a mark of terraform.sh is about: ``apply of eros-local-warehouse``."""
    subcommand, _, stack = mark.partition(".")
    return f"{subcommand} of {stack}"


def _run_and_read(
    command: list[str],
    variables: Mapping[str, str],
    on_line: Callable[[str, str], None],
    outcomes: dict[str, StackOutcome],
    tail: deque[str],
) -> int:
    """Run cdktf without a terminal; its exit code, negative for a signal."""
    stack = ""
    mask = LineMask()
    LOG.parent.mkdir(exist_ok=True)
    with (
        LOG.open("a", encoding="utf-8") as log,
        child(
            command, env=dict(variables), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process,
    ):
        assert process.stdout is not None  # noqa: S101 - PIPE was asked for
        for raw in process.stdout:
            line = mask(ESCAPE.sub("", raw.decode(errors="replace")).rstrip())
            if line:
                log.write(line + "\n")
                log.flush()
                tail.append(line)
            match = STACK_LINE.match(line)
            if match and line:
                stack = match[1] or stack
                text = (match[2] or "") if match[1] else line[len(stack) + 2 :]
            elif stack and (PLAN.match(line) or RESOURCE.match(line)):
                text = line  # cdktn's command line does not indent
            else:
                continue
            read_line(outcomes.setdefault(stack, StackOutcome(stack)), text.strip())
            on_line(stack, text)
    return process.returncode


def read_line(outcome: StackOutcome, text: str) -> None:
    """Read from one line of Terraform's output what happens to its stack."""
    if match := PLAN.search(text):
        imported, added, changed, destroyed = (int(number or 0) for number in match.groups())
        outcome.planned = (added, changed, destroyed, imported)
    elif match := RESOURCE.search(text):
        getattr(outcome, DONE[match[2]]).append(match[1])
    elif text.startswith("╷"):
        outcome.box = []
    elif text.startswith("│"):
        outcome.box.append(text.removeprefix("│").strip())
    elif text.startswith("╵") and any(line.startswith("Error") for line in outcome.box):
        outcome.errors += [line for line in outcome.box if line]
