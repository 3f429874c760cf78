"""How long a command may take that asks Google: the default of its ``--deadline``, and what happens there."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from catalog.command_line import COULD_NOT_RUN, alarm
from google.waiting import time_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.waiting import TimeLimit

#: The usual time of a command at Google in seconds, rounded up generously.
USUAL_SECONDS = {
    "verify": 150.0,  # with the minute in which Google shows late what was changed
    "drift": 60.0,
    "doctor": 60.0,
    "plan-summary": 60.0,
    "cost": 60.0,
    "day": 60.0,
    "export": 60.0,
    "adopt": 60.0,
    "run-schedules": 900.0,
    "rehearse": 300.0,
    "preview sweep": 1800.0,
    "deploy": 1800.0,
    "plan": 300.0,
    "destroy": 900.0,
    "bootstrap": 600.0,
    "preview up": 1800.0,
    "preview down": 900.0,
    "comment": 60.0,
    "drift-issue": 60.0,
}
#: The default of a command's ``--deadline``.
DEADLINES = {command: 2 * seconds for command, seconds in USUAL_SECONDS.items()}
#: What a command has for writing what it has, after its deadline.
GRACE_SECONDS = 5.0


@contextmanager
def within(seconds: float) -> Iterator[TimeLimit]:
    """Do something within a deadline: its waits for services end there, all else a moment later."""
    with time_limit(seconds) as limit, alarm(seconds + GRACE_SECONDS):
        yield limit


@contextmanager
def half_done(title: str) -> Iterator[None]:
    """Name what is half done where a command is told to end within the context, such as by its deadline."""
    try:
        yield
    except BaseException as error:
        error.add_note(title)
        raise


def end_if_incomplete(limit: TimeLimit, complain: Callable[[str], None]) -> None:
    """End with exit code 2 where something had no answer in time; what there is has been printed."""
    if limit.passed:
        complain(f"not complete: {limit}")
        raise typer.Exit(COULD_NOT_RUN)
