"""The command line: ``python -m verification [drift|doctor] --env ENV …``; without a command, the verification."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from catalog import CatalogError
from declared.environment import EnvironmentFileError
from declared.loading import load_environment
from google.client import LiveSystemError
from verification import doctor as diagnosis
from verification.drift import read_drift
from verification.report import FILE_WIDTH, WRITERS, as_table, json_schema
from verification.results import Status
from verification.running import chosen_checks, read_subject, verify
from verification.suites import SUITES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from declared.environment import Environment
    from verification.results import Report

DEADLINE_SECONDS = 300.0
#: So long Google may take to show what was changed; the embedded environment shows it at once.
SETTLE_SECONDS = 60.0

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

Env = Annotated[str | None, typer.Option("--env", help="environment; by default EROS_ENV, else local")]
Deadline = Annotated[float, typer.Option(min=0.1, help="seconds after which it gives up with exit code 2")]


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


def _complain(message: str) -> None:
    _screen(stderr=True).print(message, markup=False, soft_wrap=True)


def _give_up(message: str) -> NoReturn:
    """End with exit code 2, whatever other threads wait for."""
    _complain(message)
    os._exit(2)


@contextmanager
def _explained(deadline: float) -> Iterator[None]:
    """Whatever goes wrong is one clear line and exit code 2; so is a deadline that passes."""
    late = f"no result after {deadline:g} s: a service accepts calls and does not answer them, or very slowly"
    watchdog = threading.Timer(deadline, _give_up, [late])
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    except (UsageError, LookupError, EnvironmentFileError, CatalogError, LiveSystemError, OSError) as error:
        _complain(str(error.args[0] if isinstance(error, LookupError) else error))
        raise typer.Exit(2) from None
    finally:
        watchdog.cancel()


@app.callback(invoke_without_command=True)
def main(  # noqa: PLR0917 - typer takes its options as arguments
    context: typer.Context,
    env: Env = None,
    suite: Annotated[list[str] | None, typer.Option(help=f"{', '.join(SUITES)}; by default all")] = None,
    test: Annotated[list[str] | None, typer.Option(help="one test by its number, such as 3.1 or access.2")] = None,
    output: Annotated[
        list[str] | None, typer.Option("--format", help=f"{', '.join(WRITERS)}, with =FILE to write it to a file")
    ] = None,
    list_tests: Annotated[bool, typer.Option("--list", help="list suites and tests, and do nothing else")] = False,
    print_schema: Annotated[bool, typer.Option("--print-schema", help="print the JSON report's schema only")] = False,
    settle: Annotated[
        float | None, typer.Option(min=0, help="seconds in which what settles late is looked at again; 60 at Google's")
    ] = None,
    deadline: Deadline = DEADLINE_SECONDS,
) -> None:
    """Compare what is deployed with the repository: exit 0 all well, 1 a check failed, 2 could not run."""
    if context.invoked_subcommand is not None:
        return
    if list_tests:
        _screen().print(_listing())
        return
    if print_schema:
        print(json_schema(), end="")  # noqa: T201 - for a file
        return
    with _explained(deadline):
        chosen_checks(suite or [], test or [])
        places = destinations(output or [])
        environment = load_environment(env)
        for place in places:
            _check_writable(place)
        report = verify(environment, suite or [], test or [], _settle_seconds(environment, settle))
        for place in places:
            _write(report, place)
    if report.count(Status.DENIED):
        _complain(_denied(report))
    raise typer.Exit(report.exit_code)


def _settle_seconds(environment: Environment, asked: float | None) -> float:
    if asked is not None:
        return asked
    return 0.0 if environment.endpoint else SETTLE_SECONDS


def _denied(report: Report) -> str:
    denied = [result for result in report.results if result.status is Status.DENIED]
    numbers = ", ".join(dict.fromkeys(result.id for result in denied))
    return f"not verified, for want of a permission: {numbers} ({denied[0].found})"


def _listing() -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("suite", "test", "name", "when"):
        table.add_column(column)
    for suite, checks in SUITES.items():
        for check in checks:
            table.add_row(suite, check.id, check.name, "when asked for" if check.before_a_plan else "always")
    return table


@app.command()
def drift(env: Env = None, deadline: Deadline = DEADLINE_SECONDS) -> None:
    """Show what was changed by hand as unified diffs: exit 0 nothing, 1 drift, 2 could not run."""
    with _explained(deadline):
        aspects = read_drift(read_subject(load_environment(env)))
    changed = [aspect for aspect in aspects if not aspect.same]
    for aspect in changed:
        print("\n".join([*aspect.diff, f"# {aspect.action}", ""]))  # noqa: T201 - a diff goes to pipes as well
    print(f"{len(changed)} of {len(aspects)} aspects of what is declared have drifted")  # noqa: T201 - as above
    raise typer.Exit(1 if changed else 0)


@app.command()
def doctor(
    env: Env = None,
    case: Annotated[list[str] | None, typer.Option(help="one ailment by its name; by default all")] = None,
    output: Annotated[str, typer.Option("--format", help="table or json")] = "table",
    deadline: Deadline = DEADLINE_SECONDS,
) -> None:
    """Find what ails the system, show the rows that prove it and the command that puts it right; changes nothing.

    Exit 0 all well, 1 something ails it, 2 could not run.
    """
    with _explained(deadline):
        if output not in diagnosis.WRITERS:
            raise UsageError(f"--format {output!r}: write one of {', '.join(diagnosis.WRITERS)}")
        examination = diagnosis.examine(load_environment(env), case or [])
    diagnosis.WRITERS[output](examination, _screen())
    if examination.unknown:
        _complain(f"not examined: {', '.join(case.title for case in examination.unknown)}")
    raise typer.Exit(examination.exit_code)


if __name__ == "__main__":
    app()
