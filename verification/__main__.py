"""The command line: ``python -m verification --env ENV [--suite NAME]… [--format table|json|junit[=FILE]]…``."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console

from catalog import CatalogError
from stacks.environment import EnvironmentFileError, load_environment
from verification.live import LiveSystemError
from verification.report import FILE_WIDTH, WRITERS, as_table
from verification.running import verify
from verification.suites import SUITES

if TYPE_CHECKING:
    from verification.results import Report

DEADLINE_SECONDS = 300.0

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class UsageError(Exception):
    """A request that cannot be carried out; the message says how it is written."""


@dataclass(frozen=True)
class Destination:
    """A format, and the file that it goes to; no file means the screen."""

    format: str
    file: Path | None


def destinations(formats: list[str]) -> list[Destination]:
    """Read ``--format`` values.

    Args:
        formats: ``FORMAT`` or ``FORMAT=FILE``.

    Raises:
        UsageError: an unknown format, two of them for the screen or for one file.
    """
    found = []
    for value in formats or ["table"]:
        name, separator, file = value.partition("=")
        if name not in WRITERS or (separator and not file):
            raise UsageError(f"--format {value!r}: write one of {', '.join(WRITERS)}, with =FILE to write it to a file")
        found.append(Destination(name, Path(file) if file else None))
    places = [destination.file for destination in found]
    if places.count(None) > 1:
        raise UsageError("only one format can go to the screen: write the others as FORMAT=FILE")
    if len(set(places)) < len(places):
        raise UsageError("two formats go to the same file")
    return found


def _check_suites(names: list[str]) -> None:
    for name in names:
        if name not in SUITES:
            raise UsageError(f"no suite {name!r}: there are {', '.join(SUITES)}")


def _check_writable(destination: Destination) -> None:
    """Find out before the work, not after it, that a file cannot be written.

    Raises:
        UsageError: it cannot.
    """
    if destination.file is None:
        return
    try:
        destination.file.parent.mkdir(parents=True, exist_ok=True)
        destination.file.open("a").close()
    except OSError as error:
        raise UsageError(f"{destination.file} cannot be written: {error.strerror}") from None


def _write(report: Report, destination: Destination) -> None:
    if destination.file is not None:
        destination.file.write_text(WRITERS[destination.format](report), encoding="utf-8")
    elif destination.format == "table":
        _screen().print(as_table(report))
    else:
        print(WRITERS[destination.format](report), end="")  # noqa: T201 - for a pipe: no wrapping, no colour


def _screen(stderr: bool = False) -> Console:
    """The terminal; where there is none, a width that files are read at."""
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=FILE_WIDTH)


def _give_up(message: str) -> NoReturn:
    """End with exit code 2, whatever other threads wait for."""
    _screen(stderr=True).print(message, markup=False, soft_wrap=True)
    os._exit(2)


@app.command()
def main(
    env: Annotated[str | None, typer.Option("--env", help="environment; by default EROS_ENV, else local")] = None,
    suite: Annotated[list[str] | None, typer.Option(help=f"{', '.join(SUITES)}; by default all")] = None,
    output: Annotated[
        list[str] | None, typer.Option("--format", help="table, json or junit, with =FILE to write it to a file")
    ] = None,
) -> None:
    """Compare what is deployed with the repository: exit 0 all well, 1 a check failed, 2 could not run."""
    late = f"no result after {DEADLINE_SECONDS:.0f} s: a service accepts calls and does not answer them"
    watchdog = threading.Timer(DEADLINE_SECONDS, _give_up, [late])
    watchdog.daemon = True
    watchdog.start()
    try:
        _check_suites(suite or [])
        places = destinations(output or [])
        environment = load_environment(env)
        for place in places:
            _check_writable(place)
        report = verify(environment, suite or [])
        for place in places:
            _write(report, place)
    except (UsageError, EnvironmentFileError, CatalogError, LiveSystemError, OSError) as error:
        _screen(stderr=True).print(str(error), markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    raise typer.Exit(0 if report.well else 1)


if __name__ == "__main__":
    app()
