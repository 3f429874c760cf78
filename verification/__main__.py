"""The command line: ``python -m verification [drift|doctor] --env ENV …``; without a command, the verification."""

from __future__ import annotations

if __name__ == "__main__":
    from starting import end_early_with_a_sentence

    end_early_with_a_sentence()  # the imports below take their time

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from catalog import CatalogError, load_catalog
from catalog.command_line import at_the_end, run
from catalog.deadline import MOST_SECONDS, Deadline
from declared.environment import EnvironmentFileError
from declared.loading import load_environment
from declared.output import mask_failures, public, write_out
from google.failures import LiveSystemError
from google.waiting import end_all_waits
from verification import doctor as diagnosis
from verification import runbook as findings
from verification.deadlines import DEADLINES, end_if_incomplete, half_done, within
from verification.drift import read_drift
from verification.drift import report as drift_reports
from verification.report import FILE_WIDTH, WRITERS, as_table, console_of, json_schema, refuse_what_is_no_file
from verification.results import Status
from verification.running import (
    UnknownNameError,
    chosen_checks,
    read_subject,
    settle_seconds_of,
    verify,
)
from verification.suites import SUITES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verification.results import Report

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

Env = Annotated[str | None, typer.Option("--env", help="environment; by default EROS_ENV, else local")]


class UsageError(Exception):
    """A command line that cannot be carried out; the message says how to write it."""


#: What can go wrong; the messages are for the reader.
KNOWN = (UsageError, UnknownNameError, EnvironmentFileError, CatalogError, LiveSystemError)


@dataclass(frozen=True)
class Destination:
    """A format and its file; None means the screen."""

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
    """Check before the work, not after it, that a file can be written.

    Raises:
        UsageError: it cannot be written.
    """
    if destination.file is None:
        return
    try:
        refuse_what_is_no_file(destination.file)
        destination.file.parent.mkdir(parents=True, exist_ok=True)
        destination.file.open("a").close()
    except OSError as error:
        raise UsageError(f"{destination.file} cannot be written: {error.strerror}") from None


def _write(report: Report, destination: Destination) -> None:
    if destination.file is not None:
        destination.file.write_text(WRITERS[destination.format](report), encoding="utf-8")
    elif destination.format == "table":
        console_of(FILE_WIDTH).print(as_table(report))
    else:
        write_out(WRITERS[destination.format](report))


def _complain(message: str) -> None:
    console_of(FILE_WIDTH, stderr=True).print(message, markup=False, soft_wrap=True)


@app.callback(invoke_without_command=True)
def verification(  # noqa: PLR0917 - typer takes its options as arguments
    context: typer.Context,
    env: Env = None,
    suite: Annotated[list[str] | None, typer.Option(help=f"{', '.join(SUITES)}; by default all")] = None,
    test: Annotated[list[str] | None, typer.Option(help="one test by its number, such as 3.1 or access.2")] = None,
    output: Annotated[
        list[str] | None, typer.Option("--format", help=f"{', '.join(WRITERS)}, with =FILE to write it to a file")
    ] = None,
    list_tests: Annotated[bool, typer.Option("--list", help="list suites and tests only")] = False,
    print_schema: Annotated[bool, typer.Option("--print-schema", help="print the JSON schema only")] = False,
    settle: Annotated[
        float | None,
        typer.Option(min=0, max=MOST_SECONDS, help="seconds to retry checks of what Google shows late; 60 at Google"),
    ] = None,
    deadline: Deadline = DEADLINES["verify"],
) -> None:
    """Compare what is deployed with the repository: exit 0 all checks pass, 1 a check failed, 2 could not run."""
    if context.invoked_subcommand is not None:
        return
    if list_tests:
        console_of(FILE_WIDTH).print(_listing())
        return
    if print_schema:
        write_out(json_schema())
        return

    chosen_checks(suite or [], test or [])
    places = destinations(output or [])
    with within(deadline) as limit:
        environment = load_environment(env)
        for place in places:
            _check_writable(place)
        with half_done("Looking at the live system"):
            report = verify(
                environment, suite or [], test or [], settle_seconds_of(environment) if settle is None else settle
            )
        for place in places:
            with half_done(f"Writing {place.file or 'the report'}"):
                _write(report, place)
        if report.count(Status.DENIED):
            _complain(_denied(report))
        end_if_incomplete(limit, _complain)
    raise typer.Exit(report.exit_code)


def _denied(report: Report) -> str:
    denied = [result for result in report.results if result.status is Status.DENIED]
    numbers = ", ".join(dict.fromkeys(result.id for result in denied))
    return f"not verified, a permission is missing: {numbers} ({denied[0].found})"


def _listing() -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("suite", "test", "name", "when"):
        table.add_column(column)
    for suite, checks in SUITES.items():
        for check in checks:
            table.add_row(suite, check.id, check.name, "when asked for" if check.before_a_plan else "always")
    return table


@app.command()
def drift(
    env: Env = None,
    output: Annotated[str, typer.Option("--format", help=", ".join(drift_reports.WRITERS))] = "text",
    print_schema: Annotated[bool, typer.Option("--print-schema", help="print the JSON schema only")] = False,
    deadline: Deadline = DEADLINES["drift"],
) -> None:
    """Show every manual change as a unified diff: exit 0 no drift, 1 drift, 2 could not run."""
    if print_schema:
        write_out(drift_reports.json_schema())
        return

    write = _writer(drift_reports.WRITERS, output)
    with within(deadline) as limit:
        environment = load_environment(env)
        report = drift_reports.drift_report(environment, read_drift(read_subject(environment)))
        if not limit.passed or write is drift_reports.as_text:  # nobody may take a part of the JSON for all of it
            write_out(write(report))
        end_if_incomplete(limit, _complain)
    raise typer.Exit(1 if report.drifted else 0)


def _writer[Writer](writers: Mapping[str, Writer], output: str) -> Writer:
    """The writer of a format.

    Raises:
        UsageError: there is no such format.
    """
    if output not in writers:
        raise UsageError(f"--format {output!r}: write one of {', '.join(writers)}")
    return writers[output]


@app.command()
def doctor(
    env: Env = None,
    case: Annotated[list[str] | None, typer.Option(help="one problem by its name; by default all")] = None,
    output: Annotated[str, typer.Option("--format", help="table or json")] = "table",
    deadline: Deadline = DEADLINES["doctor"],
) -> None:
    """Diagnose known problems: show the rows that prove each and the command that fixes it; changes nothing.

    Exit 0 no problem, 1 problems found, 2 could not run.
    """
    write = _writer(diagnosis.WRITERS, output)
    with within(deadline) as limit:
        examination = diagnosis.examine(load_environment(env), case or [])
        write(examination, console_of(diagnosis.LOG_WIDTH))
        if examination.unknown:
            _complain(f"could not check: {', '.join(case.title for case in examination.unknown)}")
        end_if_incomplete(limit, _complain)
    raise typer.Exit(examination.exit_code)


@app.command()
def runbook() -> None:
    """Print the page of findings, docs/runbook.md: the cause of each, the query that shows it, the fix."""
    write_out(findings.runbook(load_catalog()))


def main() -> None:
    """Run the command line; an error is one message and exit code 2."""
    mask_failures()
    at_the_end(end_all_waits)
    run("python -m verification", app, KNOWN, public)


if __name__ == "__main__":
    main()
