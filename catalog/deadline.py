"""The option ``--deadline`` of a command: how long it may take."""

from __future__ import annotations

from typing import Annotated

import typer

LEAST_SECONDS, MOST_SECONDS = 0.1, 86_400.0


def _in_range(value: float) -> float:
    """Refuse what is no time, such as nan."""
    if not LEAST_SECONDS <= value <= MOST_SECONDS:
        raise typer.BadParameter(f"{value:g} is not a time: write seconds from {LEAST_SECONDS:g} to {MOST_SECONDS:g}")
    return value


Deadline = Annotated[
    float,
    typer.Option(
        "--deadline",
        callback=_in_range,
        help="seconds before it ends with what it has and exit code 2; by default twice its usual time",
    ),
]
