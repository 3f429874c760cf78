"""``python -m benchmarks.engine``: how fast the embedded engine answers, and whether it stays so day after day.

Without options: latencies, statements of scripts and concurrent clients of one server, against their budgets.
``--against`` measures a second checkout in turn with it; ``--soak`` simulates days and judges what grows.
Exit code 1: a budget is exceeded, or something grows. Exit code 2: it could not run.
"""

from __future__ import annotations

import json
import math
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from statistics import fmean, median
from threading import Barrier
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer
from google.api_core.exceptions import GoogleAPIError
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from scipy import stats

from catalog.zone import LOS_ANGELES
from declared.schedules import SCHEDULES
from local.control_plane.data_transfer import ScheduledQuery
from local.scheduled_query import run_as_job
from tests.harness.checkout import REPOSITORY
from tests.harness.embedded import Embedded, NotStartedError, embedded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: The samples of a figure, by its name.
Samples = dict[str, list[float]]

#: 5 pages that have sent 200 captions, and 50 schedules of 20 slots.
FILL = (
    "INSERT INTO `{d}.leases` (lease_name) VALUES ('work'), ('sweep'), ('report'), ('update'), ('export')",
    """INSERT INTO `{d}.caption_bank`
      (caption_id, caption_text, content_category, price_tier, has_urgency, overall_performance_score, avg_revenue,
       usage_status)
    SELECT n, FORMAT('New today: offer %d for subscribers', n), 'tutorial', 'mid', FALSE, 0.5, 20.0, 'available'
    FROM UNNEST(GENERATE_ARRAY(1, 200)) AS n""",
    """INSERT INTO `{d}.captions` (caption_id, caption_text, price_tier, content_category, has_urgency)
    SELECT n, FORMAT('From the archive: offer %d', n), 'budget', 'archive', FALSE
    FROM UNNEST(GENERATE_ARRAY(191, 220)) AS n""",
    """INSERT INTO `{d}.caption_bandit_stats`
      (caption_id, page_name, successes, failures, total_observations, avg_conversion_rate, confidence_lower_bound,
       confidence_upper_bound, last_updated)
    SELECT 1 + MOD(n, 200), FORMAT('creator_%02d', DIV(n, 200)), 3, 4, 5, 0.05, 0.1, 0.7, CURRENT_TIMESTAMP()
    FROM UNNEST(GENERATE_ARRAY(0, 999)) AS n""",
    """INSERT INTO `{d}.schedule_recommendations`
      (schedule_id, page_name, day_of_week, scheduled_send_time, message_type, caption_id, created_at, is_active,
       time_slot_rank)
    SELECT FORMAT('schedule %d', DIV(n, 20)), FORMAT('creator_%02d', MOD(DIV(n, 20), 5)), 'Monday',
      CURRENT_TIMESTAMP(), 'ppv', 1 + MOD(n, 220), CURRENT_TIMESTAMP(), TRUE, 1 + MOD(n, 20)
    FROM UNNEST(GENERATE_ARRAY(0, 999)) AS n""",
)

SELECT = "SELECT 1"
COUNT = "COUNT(*) of a small table"
VIEW = "view of one schedule"
QUERIES = {
    SELECT: "SELECT 1",
    COUNT: "SELECT COUNT(*) AS leases FROM `{d}.leases`",
    VIEW: "SELECT * FROM `{d}.schedule_recommendations_messages` WHERE schedule_id = 'schedule 7'",
}
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
WARM_UP = 5
CALLS = 30
SCRIPT_CALLS = 2
CLIENTS = (1, 4, 20)
READERS, WRITERS = 20, 4
SECONDS_TOGETHER = 5.0


@dataclass(frozen=True)
class Figure:
    """What is measured, in ms, a second or as a number; its median's budget is the most, of a rate the least."""

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
    Figure("SELECTs/s beside INSERTs", "/s"),
    Figure("SELECT beside INSERTs"),
    Figure("INSERTs/s beside SELECTs", "/s"),
    Figure("INSERT beside SELECTs"),
    Figure("errors of clients", "", budget=0),
)

#: Simulated days begin at midnight in Los Angeles.
FIRST_DAY = datetime(2026, 1, 5, tzinfo=LOS_ANGELES)
EVERY_HOUR = tuple(range(24))
#: From this day on each day is like the one before: as many messages come as go.
SETTLED = 8
CALLS_A_DAY = 15
MOST_GROWTH = 0.02
FEWEST_DAYS = 3
#: Tables whose partitions expire, but whose rows are replaced and not added to.
REPLACED = {"caption_bandit_stats", "holiday_calendar"}
NEW_DAY = (
    """INSERT INTO `{d}.mass_messages`
      (row_id, page_name, message, sending_time, price, sent_count, viewed_count, purchased_count, earnings,
       message_type, caption_id)
    SELECT {day} * 100 + n, FORMAT('creator_%02d', MOD(n, 5)),
      FORMAT('New today: offer %d for subscribers', 1 + DIV(n, 5)),
      TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL n HOUR), 14.0, 300, 100, MOD(n + {day}, 7),
      11.2 * MOD(n + {day}, 7), 'ppv', 1 + DIV(n, 5)
    FROM UNNEST(GENERATE_ARRAY(1, 40)) AS n""",
    "DELETE FROM `{d}.mass_messages` WHERE sending_time < TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 8 DAY)",
    """INSERT INTO `{d}.active_caption_assignments`
      (page_name, caption_id, caption_text, assigned_date, scheduled_send_date, price_tier, is_active, assigned_at,
       assignment_key, schedule_id)
    SELECT FORMAT('creator_%02d', MOD(n, 5)), 100 + n, FORMAT('New today: offer %d for subscribers', 100 + n),
      CURRENT_DATE('America/Los_Angeles'), DATE_ADD(CURRENT_DATE('America/Los_Angeles'), INTERVAL MOD(n, 3) DAY),
      'mid', TRUE, CURRENT_TIMESTAMP(), FORMAT('day {day} lock %d', n), 'schedule {day}'
    FROM UNNEST(GENERATE_ARRAY(1, 10)) AS n""",
    """DELETE FROM `{d}.active_caption_assignments`
    WHERE assigned_at < TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 8 DAY)""",
)

console = Console()
app = typer.Typer(add_completion=False)


class QueryFailedError(Exception):
    """A statement that was not answered with its result."""


class Part(StrEnum):
    """What may be measured by itself."""

    latency = "latency"
    script = "script"
    throughput = "throughput"


@dataclass(frozen=True)
class Answers:
    """What a client that repeats a statement got, and the seconds that it took in all."""

    seconds: float
    milliseconds: tuple[float, ...]
    errors: tuple[str, ...]


@dataclass(frozen=True)
class DayFigures:
    """How the server stands at the end of a simulated day.

    Memory is resident, in MB; files and megabytes are of the data folder, without those of the tables that keep their
    rows by contract: the ``kept_…``. Latencies are medians in ms. ``jobs`` are those of the history.
    """

    day: int
    memory_mb: float
    files: int
    megabytes: float
    select_ms: float
    count_ms: float
    view_ms: float
    jobs: int
    kept_rows: int
    kept_files: int
    kept_megabytes: float


@dataclass(frozen=True)
class Growth:
    """A figure of the settled days: its mean, and the share of it by which it grows a day."""

    figure: str
    mean: float
    a_day: float
    grows: bool


#: What must not grow. Of what the contract keeps there may be more a day, but not more a row.
JUDGED: dict[str, Callable[[DayFigures], float]] = {
    "memory, MB": lambda day: day.memory_mb,
    "files": lambda day: day.files,
    "megabytes": lambda day: day.megabytes,
    "SELECT 1, ms": lambda day: day.select_ms,
    "count, ms": lambda day: day.count_ms,
    "view, ms": lambda day: day.view_ms,
    "kept files a row": lambda day: day.kept_files / max(day.kept_rows, 1),
    "kept megabytes a row": lambda day: day.kept_megabytes / max(day.kept_rows, 1),
}


@app.command()
def main(
    *,
    checkout: Annotated[Path, typer.Option(help="Whose server is measured.")] = REPOSITORY,
    against: Annotated[Path | None, typer.Option(help="A second checkout, measured in turn with the first.")] = None,
    only: Annotated[Part | None, typer.Option(help="Measure this part alone.")] = None,
    rounds: Annotated[int, typer.Option(help="How often each server is measured.", min=1)] = 3,
    soak_days: Annotated[int | None, typer.Option("--soak", help="Simulate so many days instead.", min=1)] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where the figures go as JSON.")] = None,
) -> None:
    """Measure, print what was found and judge it."""
    for folder in (checkout, against):
        if folder and not (folder / "local" / "__main__.py").exists():
            raise typer.BadParameter(f"{folder} is not a checkout of this repository")
    found: dict[str, Any]
    if soak_days:
        if against or only:
            raise typer.BadParameter("--soak simulates one checkout, without --against and --only")
        days = soak(soak_days, checkout=checkout, told=lambda day: tell(day, soak_days))
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
    """The samples of a server of each checkout: measured in turn, so that the machine's moods meet them all."""
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


def fill(server: Embedded) -> None:
    """A few rows in the small tables, a thousand where the view reads."""
    for statement in FILL:
        server.job(statement)


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
    """Milliseconds of each kind of statement within a script, and statements a second of a script with all kinds."""
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
            ask(connection, server, TIDY)  # the next kind has a small table, too
        every_kind = [statement for statement, _ in STATEMENTS.values()] * SHORT_SCRIPT
        found["statements/s of a script"] = [1000 * len(every_kind) / script(every_kind) for _ in range(SCRIPT_CALLS)]
        ask(connection, server, TIDY)
    return found


def throughput(server: Embedded) -> Samples:
    """SELECTs a second and their milliseconds with more and more clients, and beside clients that write."""
    found: Samples = {}
    errors: list[str] = []
    for clients in CLIENTS:
        answers = together(server, [QUERIES[COUNT]] * clients)
        name = f"{clients} client{'s' if clients > 1 else ''}"
        found |= {f"SELECTs/s, {name}": [rate(answers)], f"SELECT, {name}": all_milliseconds(answers)}
        errors += [error for client in answers for error in client.errors]
    mixed = together(server, [QUERIES[COUNT]] * READERS + [INSERT] * WRITERS)
    for one, other, answers in (("SELECT", "INSERT", mixed[:READERS]), ("INSERT", "SELECT", mixed[READERS:])):
        found[f"{one}s/s beside {other}s"] = [rate(answers)]
        found[f"{one} beside {other}s"] = all_milliseconds(answers)
    with closing(connect(server)) as connection:
        ask(connection, server, TIDY)
    errors += [error for client in mixed for error in client.errors]
    if errors:
        console.print(f"the first of {len(errors)} errors: {errors[0]}", markup=False)
    return {**found, "errors of clients": [len(errors)]}


def together(server: Embedded, statements: Sequence[str], seconds: float = SECONDS_TOGETHER) -> list[Answers]:
    """Each statement is repeated by a client of its own; all begin at once and end after so many seconds."""
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
    """Answers a second of clients that ran at once."""
    return len(all_milliseconds(answers)) / max(client.seconds for client in answers)


def all_milliseconds(answers: Sequence[Answers]) -> list[float]:
    """The milliseconds of every answer."""
    return [value for client in answers for value in client.milliseconds]


def connect(server: Embedded) -> HTTPConnection:
    """A connection that stays open from one statement to the next."""
    address = urlsplit(server.endpoint)
    return HTTPConnection(str(address.hostname), address.port, timeout=120)


def ask(connection: HTTPConnection, server: Embedded, sql: str) -> float:
    """Run a statement or script to its end.

    Returns:
        The milliseconds from the request to the whole answer.

    Raises:
        QueryFailedError: with BigQuery's answer.
    """
    body = {"query": sql.replace("{d}", server.dataset), "useLegacySql": False, "timeoutMs": 100_000}
    request = json.dumps(body).encode()
    path = f"/bigquery/v2/projects/{server.catalog.project}/queries"

    def post() -> HTTPResponse:
        connection.request("POST", path, request, {"Content-Type": "application/json"})
        return connection.getresponse()

    started = time.perf_counter()
    try:
        response = post()
    except ConnectionError:  # it was idle for five seconds, and the server has closed it
        connection.close()
        started = time.perf_counter()
        response = post()
    with response:
        answer = response.read()
    elapsed = 1000 * (time.perf_counter() - started)
    if response.status != 200 or not json.loads(answer)["jobComplete"]:  # noqa: PLR2004 - HTTP's OK
        raise QueryFailedError(answer.decode())
    return elapsed


def repeated(call: Callable[[], float], times: int) -> list[float]:
    """What a call gives, once it is warm."""
    for _ in range(WARM_UP):
        call()
    return [call() for _ in range(times)]


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
    """As short as it may be read."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"  # noqa: PLR2004 - from there on a tenth says nothing


def report(checkouts: list[Path], measured: list[Samples]) -> list[str]:
    """Print the figures side by side; the first checkout's that are not within their budgets."""
    table = Table(title="the embedded engine: milliseconds, or what a row says", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("figure", no_wrap=True)
    names = [column for checkout in checkouts for column in (checkout.resolve().name, "p95")]
    for column in (*names, *["ratio"] * (len(checkouts) - 1), "budget", ""):
        table.add_column(column, justify="right", no_wrap=True)
    failures = []
    for figure in FIGURES:
        if not all(samples.get(figure.name) for samples in measured):
            continue  # not asked for, or every statement failed
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


def soak(
    days: int,
    hours: Sequence[int] = EVERY_HOUR,
    checkout: Path = REPOSITORY,
    told: Callable[[DayFigures], None] = lambda _day: None,
) -> list[DayFigures]:
    """Simulate days of one server: what is scheduled, some messages and locks, and a reader beside.

    Args:
        days: how many.
        hours: of Los Angeles, at which the scheduled queries run; the guarded ones work at 0, 3, 6, 12 and 18.
        checkout: whose server it is.
        told: what is to be done with each day's figures at its end.

    Raises:
        QueryFailedError: a statement failed, or a scheduled query did not end well.
    """
    found = []
    with embedded(checkout) as server, closing(connect(server)) as connection, ThreadPoolExecutor(1) as pool:
        server.set_clock(FIRST_DAY)
        fill(server)
        for number in range(1, days + 1):
            midnight = FIRST_DAY + timedelta(days=number - 1)
            server.set_clock(midnight)
            for statement in NEW_DAY:
                server.job(statement.replace("{day}", str(number)))
            for hour in hours:
                moment = midnight.replace(hour=hour)
                server.set_clock(moment.replace(minute=30))
                reader = pool.submit(read, connection, server)
                run_schedules(server, moment)
                reader.result()
            found.append(day_figures(server, connection, number))
            told(found[-1])
    return found


def read(connection: HTTPConnection, server: Embedded) -> None:
    """What somebody looks at within an hour."""
    for sql in QUERIES.values():
        ask(connection, server, sql)


def run_schedules(server: Embedded, hour: datetime) -> None:
    """Run each hourly scheduled query at its minute, as the transfer service does."""
    for schedule in sorted(SCHEDULES, key=lambda schedule: schedule.minute):
        if schedule.day_of_year is None:
            run_time = hour.replace(minute=schedule.minute).astimezone(UTC)
            query = server.catalog.schedules[schedule.name].query
            run_as_job(server.endpoint, ScheduledQuery(server.catalog.project, str(uuid.uuid4()), query, run_time))


def day_figures(server: Embedded, connection: HTTPConnection, day: int) -> DayFigures:
    """Measure a server at the end of a day.

    Raises:
        QueryFailedError: a scheduled query did not end well.
    """
    if ended := server.rows("SELECT job_name, job_status FROM `{d}.etl_job_runs` WHERE job_status <> 'SUCCESS'"):
        raise QueryFailedError(f"runs that did not succeed: {ended}")
    kept = {
        table.name
        for table in server.catalog.tables.values()
        if table.partitioning and table.partitioning.expiration_days and table.name not in REPLACED
    }
    counts = " + ".join(f"(SELECT COUNT(*) FROM `{{d}}.{name}`)" for name in sorted(kept))
    jobs = "SELECT COUNT(*) FROM `region-us`.INFORMATION_SCHEMA.JOBS"
    (rows,) = server.rows(f"SELECT ({jobs}) AS jobs, {counts} AS kept")
    milliseconds = {
        name: median(repeated(partial(ask, connection, server, sql), CALLS_A_DAY)) for name, sql in QUERIES.items()
    }
    sizes = file_sizes(server.folder)
    of_kept = [size for path, size in sizes.items() if kept & set(path.parts)]
    return DayFigures(
        day=day,
        memory_mb=memory_mb(server.pid),
        files=len(sizes) - len(of_kept),
        megabytes=(sum(sizes.values()) - sum(of_kept)) / 1e6,
        select_ms=milliseconds[SELECT],
        count_ms=milliseconds[COUNT],
        view_ms=milliseconds[VIEW],
        jobs=rows["jobs"],
        kept_rows=rows["kept"],
        kept_files=len(of_kept),
        kept_megabytes=sum(of_kept) / 1e6,
    )


def file_sizes(folder: Path) -> dict[Path, int]:
    """Bytes of each file of a folder that is in use."""
    sizes = {}
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # it was just deleted
            if path.is_file():
                sizes[path] = path.stat().st_size
    return sizes


def memory_mb(pid: int) -> float:
    """Resident memory of a process, in MB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024 / 1e6


def tell(day: DayFigures, days: int) -> None:
    """One line for a day."""
    console.print(
        f"day {day.day} of {days}: {day.memory_mb:,.0f} MB of memory, {day.files:,} files, {day.megabytes:,.1f} MB; "
        f"SELECT 1 {day.select_ms:.1f} ms, count {day.count_ms:.1f} ms, view {day.view_ms:.1f} ms; "
        f"{day.jobs:,} jobs; kept by contract: {day.kept_rows:,} rows, {day.kept_files:,} files, "
        f"{day.kept_megabytes:.2f} MB",
        soft_wrap=True,
    )


def growths(days: Sequence[DayFigures], settled: int = SETTLED) -> list[Growth]:
    """How each figure grows from a day on; none when there are too few days to fit a line.

    A latency grows only when its slope is above the allowed one with a confidence of 95 %: it is measured with noise.
    """
    days = [day for day in days if day.day >= settled]
    if len(days) < FEWEST_DAYS:
        return []
    found = []
    for name, figure in JUDGED.items():
        values = [figure(day) for day in days]
        line = stats.linregress([day.day for day in days], values)
        noise = stats.t.ppf(0.95, len(days) - 2) * line.stderr if name.endswith(", ms") else 0.0
        mean = fmean(values)
        grows = bool(line.slope - noise > MOST_GROWTH * mean)
        found.append(Growth(name, mean, float(line.slope) / mean if mean else 0.0, grows))
    return found


def judge(days: Sequence[DayFigures], settled: int = SETTLED) -> list[str]:
    """What grows by more than 2 % a day from a day on."""
    return [
        f"{growth.figure}: grows by {growth.a_day:.1%} a day, more than {MOST_GROWTH:.0%}"
        for growth in growths(days, settled)
        if growth.grows
    ]


def report_growth(found: list[Growth]) -> None:
    """Print the judgement of each figure."""
    if not found:
        console.print(f"Too few days to judge growth: it takes {SETTLED + FEWEST_DAYS - 1} or more.")
        return
    table = Table(title=f"growth from day {SETTLED} on, at most {MOST_GROWTH:.0%} a day")
    for column in ("figure", "mean", "a day", ""):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for growth in found:
        table.add_row(growth.figure, f"{growth.mean:,.4g}", f"{growth.a_day:+.1%}", "GROWS" if growth.grows else "ok")
    console.print(table)


if __name__ == "__main__":
    try:
        app()
    except (NotStartedError, QueryFailedError, GoogleAPIError, HTTPException, OSError) as error:
        console.print(f"[red]It could not be measured: {error}")
        sys.exit(2)
