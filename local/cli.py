"""The commands of ``python -m local``."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from catalog.command_line import alarm
from catalog.command_line import run as run_command_line
from catalog.deadline import Deadline  # noqa: TC001 - typer reads the annotations
from catalog.files import REPOSITORY
from declared.environment import EnvironmentFileError
from declared.loading import load_environment
from declared.output import public
from local import LocalError, process
from local.readiness import answers
from local.terraform_variables import DATA, NOT_UP, print_variables

if TYPE_CHECKING:
    from declared.environment import Environment

LAST_PORT = 65535
#: DuckDB starts as many as it is told, and a machine may not.
MOST_THREADS = 256
#: Seconds; twice the usual time.
SEED_DEADLINE = 120.0

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
console = Console(highlight=False)


class StatusFormat(StrEnum):
    """How ``status`` prints."""

    table = "table"
    json = "json"


@app.command()
def up() -> None:
    """Start the embedded environment and wait until it answers."""
    endpoint = str(_host().endpoint)
    already = process.running(DATA)
    if already and not answers(already) and (problem := _does_not_answer()):
        raise LocalError(problem)
    server = already or process.start(DATA, int(endpoint.rpartition(":")[2]), REPOSITORY, _say_that_it_waits)
    if server.endpoint != endpoint:
        raise LocalError(
            f"up at {server.endpoint}, but the environment's endpoint is {endpoint}: run `python -m local down` first"
        )
    console.print(f"{'already ' if already else ''}up at {server.endpoint}")


def _say_that_it_waits() -> None:
    typer.echo("another start is under way: waiting for it", err=True)


def _does_not_answer() -> str | None:
    """A sentence about the process that has the data folder open, which does not answer; None if there is none."""
    holder = process.holder(DATA)
    if holder is None:
        return None
    return f"The server with process id {holder} is up, but does not answer. Stop it: `python -m local down`."


@app.command()
def down() -> None:
    """Stop the embedded environment and wait for its end; data and state stay."""
    console.print("stopped; data and state stay" if process.stop(DATA) else "was not up")


@app.command()
def status(
    output: Annotated[StatusFormat, typer.Option("--format", help="table or json")] = StatusFormat.table,
) -> None:
    """Show whether it is up, and where; exit code 1 if it is not, or does not answer."""
    server = process.running(DATA)
    if server is None or not answers(server):
        if output is StatusFormat.json:
            typer.echo("{}")
        log = DATA / process.LOG_FILE
        said = f" Its log is {log}." if log.exists() else ""
        typer.echo(f"{_does_not_answer() or NOT_UP}{said}", err=output is StatusFormat.json)
        raise typer.Exit(1)
    found = {
        "bigquery": server.endpoint,
        "project": server.project,
        "dataset": server.dataset,
        "data_transfer": f"{server.endpoint}/bigquerydatatransfer/v1/",
        "iam": f"{server.endpoint}/iam/v1/",
        "resource_manager": f"{server.endpoint}/cloudresourcemanager/v1/",
        "provider": server.provider,
        "pid": server.pid,
        "data": server.data,
    }
    if output is StatusFormat.json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table(show_header=False, box=None)
    for name, value in found.items():
        table.add_row(name, str(value))
    console.print(table)


@app.command()
def env() -> None:
    """Print the variables that point Terraform here, as export lines for a shell; exit code 1 if it is not up."""
    raise typer.Exit(print_variables())


@app.command()
def seed(deadline: Deadline = SEED_DEADLINE) -> None:
    """Create the external objects, with sample data, unless they exist."""
    from local.sample_data import seed as create  # noqa: PLC0415 - the heaviest imports of all commands

    with alarm(deadline):
        console.print(create(load_environment()))


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=0, max=LAST_PORT, help="TCP port on 127.0.0.1; 0 takes any free one.")],
    data: Annotated[Path, typer.Option(help="Folder for data and state.")] = DATA,
    clock: Annotated[bool, typer.Option("--clock", help="Run scheduled queries when they are due.")] = False,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_THREADS, envvar="EROS_THREADS", help="Threads of the engine; one per core by default."
        ),
    ] = None,
) -> None:
    """Serve in the foreground until SIGTERM or SIGINT."""
    from local.server import serve as run  # noqa: PLC0415 - DuckDB, FastAPI and grpc, which only this command needs

    run(_host(), port, data.resolve(), clock, threads)


def _host() -> Environment:
    """The embedded environment. One server serves it and its previews."""
    environment = load_environment(load_environment().host)
    if environment.endpoint is None:
        raise LocalError(
            f"environment {environment.name!r} names no `endpoint`, it is a real project: "
            "set EROS_ENV to an embedded one, such as local"
        )
    return environment


#: What can go wrong; the messages are for the reader.
KNOWN = (EnvironmentFileError, LocalError)


def main() -> None:
    """Run the command line; a known problem is printed, with exit code 2."""
    run_command_line("python -m local", app, KNOWN, public)
