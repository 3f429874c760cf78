"""``python -m benchmarks.engine``: how fast the embedded engine answers, and whether it stays fast day after day.

Without options: latencies, statements of scripts and concurrent clients of one server, against their budgets.
``--against`` measures a second checkout alternately; ``--soak`` simulates days and judges what grows.
Exit code 1: a budget is exceeded, or something grows. Exit code 2: it could not run.
"""

from __future__ import annotations

import json
import math
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from http.client import HTTPException
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from statistics import median
from threading import Barrier
from typing import TYPE_CHECKING, Annotated, Any

import typer
from google.api_core.exceptions import GoogleAPIError
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.client import COUNT, QUERIES, SELECT, VIEW, QueryFailedError, ask, connect, fill, repeated
from benchmarks.soak import FEWEST_DAYS, MOST_GROWTH, SETTLED, DayFigures, Growth, growths, judge, soak
from catalog.files import REPOSITORY
from tests.harness.embedded import Embedded, embedded
from tests.harness.launcher import NotStartedError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The samples of a figure, by its name.
Samples = dict[str, list[float]]

INSERT = "INSERT INTO `{d}.leases` (lease_name) VALUES ('inserted')"
TIDY = "DELETE FROM `{d}.leases` WHERE lease_name = 'inserted'"
#: Statements of a script, and how many of them the long script has more than the short one.
STATEMENTS = {
    "SET": ("SET i = i + 1", 200),
    "INSERT": (INSERT, 20),
    "UPDATE": ("UPDATE `{d}.leases` SET holder = 'run' WHERE lease_name = 'work'", 20),
    "SELECT": (QUERIES[COUNT], 20),
    "MERGE": (
        """MERGE `{d}.leases` AS lease USING (SELECT 'work' AS wanted) AS work ON lease.lease_name = work.wanted
        WHEN MATCHED THEN UPDATE SET holder = 'run' WHEN NOT MATCHED THEN INSERT (lease_name) VALUES (work.wanted)""",
        20,
    ),
}
SHORT_SCRIPT = 5
CALLS = 30
SCRIPT_CALLS = 2
CLIENTS = (1, 4, 20)
READERS, WRITERS = 20, 4
SECONDS_TOGETHER = 5.0


@dataclass(frozen=True)
class Figure:
    """What is measured: milliseconds, a rate or a number. The budget is the highest median, of a rate the lowest."""

    name: str
    unit: str = "ms"
    budget: float | None = None

    def is_kept(self, value: float) -> bool:
        """Whether a median is within the budget."""
        return self.budget is None or (value >= self.budget if self.unit == "/s" else value <= self.budget)


FIGURES = (
    Figure(SELECT, budget=25),
    Figure(COUNT, budget=40),
    Figure(VIEW, budget=80),
    Figure("SELECT 1, Google's client"),
    Figure("SET in a script", budget=3),
    Figure("INSERT in a script", budget=20),
    Figure("UPDATE in a script", budget=20),
    Figure("SELECT in a script", budget=20),
    Figure("MERGE in a script", budget=20),
    Figure("statements/s of a script", "/s"),
    Figure("SELECTs/s, 1 client", "/s"),
    Figure("SELECT, 1 client"),
    Figure("SELECTs/s, 4 clients", "/s"),
    Figure("SELECT, 4 clients"),
    Figure("SELECTs/s, 20 clients", "/s", budget=60),
    Figure("SELECT, 20 clients"),
    Figure("SELECTs/s during INSERTs", "/s"),
    Figure("SELECT during INSERTs"),
    Figure("INSERTs/s during SELECTs", "/s"),
    Figure("INSERT during SELECTs"),
    Figure("errors of clients", "", budget=0),
)
console = Console()
app = typer.Typer(add_completion=False)


class Part(StrEnum):
    """A part of the benchmark."""

    latency = "latency"
    script = "script"
    throughput = "throughput"


@dataclass(frozen=True)
class Answers:
    """The answers that a client got for a repeated statement, and the seconds they took together."""

    seconds: float
    milliseconds: tuple[float, ...]
    errors: tuple[str, ...]


@app.command()
def main(
    *,
    checkout: Annotated[Path, typer.Option(help="The checkout whose server is measured.")] = REPOSITORY,
    against: Annotated[
        Path | None, typer.Option(help="A second checkout, measured alternately with the first.")
    ] = None,
    only: Annotated[Part | None, typer.Option(help="Measure only this part.")] = None,
    rounds: Annotated[int, typer.Option(help="How often to measure each server.", min=1)] = 3,
    soak_days: Annotated[int | None, typer.Option("--soak", help="Simulate this many days instead.", min=1)] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file as JSON.")] = None,
) -> None:
    """Measure, print the figures and judge them."""
    for folder in (checkout, against):
        if folder and not (folder / "local" / "__main__.py").exists():
            raise typer.BadParameter(f"{folder} is not a checkout of this repository")
    found: dict[str, Any]
    if soak_days:
        if against or only:
            raise typer.BadParameter("--soak simulates one checkout, without --against and --only")
        days = soak(soak_days, checkout=checkout, each_day=lambda day: tell(day, soak_days))
        growing = growths(days)
        found = {"days": [asdict(day) for day in days], "growths": [asdict(growth) for growth in growing]}
        report_growth(growing)
        failures = judge(days)
    else:
        checkouts = [checkout, *([against] if against else [])]
        measured = measure(checkouts, [only] if only else list(Part), rounds)
        found = {str(path): summary(samples) for path, samples in zip(checkouts, measured, strict=True)}
        failures = report(checkouts, measured)
    if json_file:
        json_file.write_text(json.dumps(found, indent=2), encoding="utf-8")
    for failure in failures:
        console.print(f"[red]{failure}")
    sys.exit(int(bool(failures)))


def measure(checkouts: list[Path], parts: list[Part], rounds: int) -> list[Samples]:
    """The samples of a server of each checkout: measured alternately, so other load affects them alike."""
    samplers = {Part.latency: latencies, Part.script: scripts, Part.throughput: throughput}
    found: list[Samples] = [{} for _ in checkouts]
    with ExitStack() as stack:
        servers = [stack.enter_context(embedded(checkout)) for checkout in checkouts]
        for server in servers:
            fill(server)
        for number in range(rounds):
            for server, samples, checkout in zip(servers, found, checkouts, strict=True):
                console.print(f"round {number + 1} of {rounds}: {checkout.resolve().name} …")
                for part in parts:
                    for name, values in samplers[part](server).items():
                        samples.setdefault(name, []).extend(values)
    return found


def latencies(server: Embedded) -> Samples:
    """Milliseconds of single statements, over HTTP and by Google's client."""

    def by_googles_client() -> float:
        started = time.perf_counter()
        list(server.client.query_and_wait("SELECT 1"))
        return 1000 * (time.perf_counter() - started)

    with closing(connect(server)) as connection:
        found = {name: repeated(partial(ask, connection, server, sql), CALLS) for name, sql in QUERIES.items()}
    return {**found, "SELECT 1, Google's client": repeated(by_googles_client, CALLS)}


def scripts(server: Embedded) -> Samples:
    """Milliseconds of each kind of statement within a script, and statements per second of a script with all kinds."""
    found: Samples = {}
    with closing(connect(server)) as connection:

        def script(statements: Sequence[str]) -> float:
            return ask(connection, server, "; ".join(["DECLARE i INT64 DEFAULT 0", *statements]))

        for kind, (statement, more) in STATEMENTS.items():
            script([statement] * SHORT_SCRIPT)
            differences = [
                script([statement] * (SHORT_SCRIPT + more)) - script([statement] * SHORT_SCRIPT)
                for _ in range(SCRIPT_CALLS)
            ]
            found[f"{kind} in a script"] = [difference / more for difference in differences]
            ask(connection, server, TIDY)  # the next kind starts with a small table too
        every_kind = [statement for statement, _ in STATEMENTS.values()] * SHORT_SCRIPT
        found["statements/s of a script"] = [1000 * len(every_kind) / script(every_kind) for _ in range(SCRIPT_CALLS)]
        ask(connection, server, TIDY)
    return found


def throughput(server: Embedded) -> Samples:
    """SELECTs per second and their milliseconds, with more and more clients, and while other clients write."""
    found: Samples = {}
    errors: list[str] = []
    for clients in CLIENTS:
        answers = together(server, [QUERIES[COUNT]] * clients)
        name = f"{clients} client{'s' if clients > 1 else ''}"
        found |= {f"SELECTs/s, {name}": [rate(answers)], f"SELECT, {name}": all_milliseconds(answers)}
        errors += [error for client in answers for error in client.errors]
    mixed = together(server, [QUERIES[COUNT]] * READERS + [INSERT] * WRITERS)
    for one, other, answers in (("SELECT", "INSERT", mixed[:READERS]), ("INSERT", "SELECT", mixed[READERS:])):
        found[f"{one}s/s during {other}s"] = [rate(answers)]
        found[f"{one} during {other}s"] = all_milliseconds(answers)
    with closing(connect(server)) as connection:
        ask(connection, server, TIDY)
    errors += [error for client in mixed for error in client.errors]
    if errors:
        console.print(f"the first of {len(errors)} errors: {errors[0]}", markup=False)
    return {**found, "errors of clients": [len(errors)]}


def together(server: Embedded, statements: Sequence[str], seconds: float = SECONDS_TOGETHER) -> list[Answers]:
    """Repeat each statement by its own client. All begin at the same time and end after so many seconds."""
    start = Barrier(len(statements))

    def client(sql: str) -> Answers:
        milliseconds, errors = [], []
        with closing(connect(server)) as connection:
            start.wait()
            begun = time.perf_counter()
            while time.perf_counter() - begun < seconds:
                try:
                    milliseconds.append(ask(connection, server, sql))
                except (QueryFailedError, OSError, HTTPException) as error:
                    connection.close()  # the next request opens it again
                    errors.append(repr(error))
            return Answers(time.perf_counter() - begun, tuple(milliseconds), tuple(errors))

    with ThreadPoolExecutor(len(statements)) as pool:
        return list(pool.map(client, statements))


def rate(answers: Sequence[Answers]) -> float:
    """Answers per second of clients that ran at the same time."""
    return len(all_milliseconds(answers)) / max(client.seconds for client in answers)


def all_milliseconds(answers: Sequence[Answers]) -> list[float]:
    """The milliseconds of every answer."""
    return [value for client in answers for value in client.milliseconds]


def percentile_95(values: Sequence[float]) -> float:
    """The 95th percentile, as one of the values."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def summary(samples: Samples) -> list[dict[str, Any]]:
    """The figures of a checkout: name, unit, budget, number of samples, median and 95th percentile."""
    return [
        {**asdict(figure), "samples": len(values), "median": median(values), "p95": percentile_95(values)}
        for figure in FIGURES
        if (values := samples.get(figure.name))
    ]


def number(value: float) -> str:
    """A number with as many digits as are useful."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"  # noqa: PLR2004 - a tenth of more than 100 does not matter


def report(checkouts: list[Path], measured: list[Samples]) -> list[str]:
    """Print the figures side by side; return those of the first checkout that exceed their budgets."""
    table = Table(
        title="the embedded engine: milliseconds, or the unit in a row's name", box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    table.add_column("figure", no_wrap=True)
    names = [column for checkout in checkouts for column in (checkout.resolve().name, "p95")]
    for column in (*names, *["ratio"] * (len(checkouts) - 1), "budget", ""):
        table.add_column(column, justify="right", no_wrap=True)
    failures = []
    for figure in FIGURES:
        if not all(samples.get(figure.name) for samples in measured):
            continue  # not requested, or every statement failed
        columns = []
        for samples in measured:
            values = samples[figure.name]
            columns += [number(median(values)), number(percentile_95(values)) if figure.unit == "ms" else ""]
        ours, *others = [median(samples[figure.name]) for samples in measured]
        columns += [f"{ours / other:.2f}" if other else "" for other in others]
        if figure.budget is not None:
            columns += [f"{figure.budget:g}", "ok" if figure.is_kept(ours) else "OVER"]
        if not figure.is_kept(ours):
            failures.append(f"{figure.name}: {ours:,.1f}, the budget is {figure.budget:g}")
        table.add_row(figure.name, *columns)
    console.print(table)
    return failures


def tell(day: DayFigures, days: int) -> None:
    """Print one line per day."""
    console.print(
        f"day {day.day} of {days}: {day.memory_mb:,.0f} MB of memory, {day.files:,} files, {day.megabytes:,.1f} MB; "
        f"SELECT 1 {day.select_ms:.1f} ms, count {day.count_ms:.1f} ms, view {day.view_ms:.1f} ms; "
        f"{day.jobs:,} jobs; kept by contract: {day.kept_rows:,} rows, {day.kept_files:,} files, "
        f"{day.kept_megabytes:.2f} MB",
        soft_wrap=True,
    )


def report_growth(found: list[Growth]) -> None:
    """Print how each figure was judged."""
    if not found:
        console.print(f"Too few days to judge growth: {SETTLED + FEWEST_DAYS - 1} are needed.")
        return
    table = Table(title=f"growth from day {SETTLED} on, at most {MOST_GROWTH:.0%} per day")
    for column in ("figure", "mean", "per day", ""):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for growth in found:
        table.add_row(growth.figure, f"{growth.mean:,.4g}", f"{growth.per_day:+.1%}", "GROWS" if growth.grows else "ok")
    console.print(table)


if __name__ == "__main__":
    try:
        app()
    except (NotStartedError, QueryFailedError, GoogleAPIError, HTTPException, OSError) as error:
        console.print(f"[red]The measurement failed: {error}")
        sys.exit(2)
