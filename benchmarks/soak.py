"""Simulated days of one embedded server, and a judgement of what grows from day to day."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING

import scipy

from benchmarks.client import COUNT, QUERIES, SELECT, VIEW, QueryFailedError, ask, connect, fill, repeated
from catalog.files import REPOSITORY
from catalog.model import EVERY_HOUR
from catalog.zone import LOS_ANGELES
from declared.schedules import HEALTH, all_schedules
from local.control_plane.transfer_runs import ScheduledQuery
from local.scheduled_query import QueryFailedError as ScheduledQueryFailedError
from local.scheduled_query import run_as_job
from tests.harness.client import TODAY
from tests.harness.embedded import Embedded, Started, embedded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from http.client import HTTPConnection

#: Simulated days begin at midnight in Los Angeles.
FIRST_DAY = datetime(2026, 1, 5, tzinfo=LOS_ANGELES)
#: From this day on the days are alike: as many messages are deleted as inserted.
SETTLED = 8
CALLS_A_DAY = 15
MOST_GROWTH = 0.02
FEWEST_DAYS = 3
#: Tables with expiring partitions whose rows are replaced, so they do not grow.
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
      {today}, DATE_ADD({today}, INTERVAL MOD(n, 3) DAY),
      'mid', TRUE, CURRENT_TIMESTAMP(), FORMAT('day {day} lock %d', n), 'schedule {day}'
    FROM UNNEST(GENERATE_ARRAY(1, 10)) AS n""",
    """DELETE FROM `{d}.active_caption_assignments`
    WHERE assigned_at < TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 8 DAY)""",
)


@dataclass(frozen=True)
class DayFigures:
    """A server at the end of a simulated day.

    Memory is resident, in MB; files and megabytes are of the data folder, without those of the tables that keep their
    rows by contract, which are the ``kept_…`` fields. Latencies are medians in ms. ``jobs`` counts the history.
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
    """A figure of the settled days: its mean, and its daily growth as a share of the mean."""

    figure: str
    mean: float
    per_day: float
    grows: bool


#: What must not grow. What the contract keeps may grow per day, but not per row.
JUDGED: dict[str, Callable[[DayFigures], float]] = {
    "memory, MB": lambda day: day.memory_mb,
    "files": lambda day: day.files,
    "megabytes": lambda day: day.megabytes,
    "SELECT 1, ms": lambda day: day.select_ms,
    "count, ms": lambda day: day.count_ms,
    "view, ms": lambda day: day.view_ms,
    "kept files per row": lambda day: day.kept_files / max(day.kept_rows, 1),
    "kept megabytes per row": lambda day: day.kept_megabytes / max(day.kept_rows, 1),
}


def soak(
    days: int,
    hours: Sequence[int] = EVERY_HOUR,
    checkout: Path = REPOSITORY,
    each_day: Callable[[DayFigures], None] = lambda _day: None,
    calls: int = CALLS_A_DAY,
) -> list[DayFigures]:
    """Simulate days of one server: the scheduled queries, some messages and locks, and a reader.

    Args:
        days: how many days.
        hours: the hours in Los Angeles at which scheduled queries run; a guarded one works at its own only.
        checkout: whose server it is.
        each_day: called with the figures of each day at its end.
        calls: how often each query is timed at the end of a day.

    Raises:
        QueryFailedError: a statement or a scheduled query failed.
    """
    found = []
    with embedded(checkout) as server, closing(connect(server)) as connection, ThreadPoolExecutor(1) as pool:
        server.set_clock(FIRST_DAY)
        fill(server)
        for number in range(1, days + 1):
            midnight = FIRST_DAY + timedelta(days=number - 1)
            server.set_clock(midnight)
            for statement in NEW_DAY:
                server.job(statement.replace("{day}", str(number)).replace("{today}", TODAY))
            for hour in hours:
                moment = midnight.replace(hour=hour)
                server.set_clock(moment.replace(minute=30))
                reader = pool.submit(read, connection, server)
                run_schedules(server, moment)
                reader.result()
            found.append(day_figures(server, connection, number, calls))
            each_day(found[-1])
    return found


def read(connection: HTTPConnection, server: Embedded) -> None:
    """Run the queries of a reader."""
    for sql in QUERIES.values():
        ask(connection, server, sql)


def run_schedules(server: Embedded, hour: datetime) -> None:
    """Run each hourly scheduled query at its minute, as the transfer service does.

    What check_health finds is no failure: some hours, or the calendar, may be left out on purpose.
    """
    for schedule in sorted(all_schedules(), key=lambda schedule: schedule.minute):
        if schedule.day_of_year is None:
            run_time = hour.replace(minute=schedule.minute).astimezone(UTC)
            query = server.catalog.schedules[schedule.name].query
            with suppress(ScheduledQueryFailedError) if schedule.name == HEALTH else nullcontext():
                run_as_job(server.endpoint, ScheduledQuery(server.catalog.project, str(uuid.uuid4()), query, run_time))


def day_figures(server: Started, connection: HTTPConnection, day: int, calls: int) -> DayFigures:
    """Measure a server at the end of a day.

    Raises:
        QueryFailedError: a scheduled query failed.
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
        name: median(repeated(partial(ask, connection, server, sql), calls)) for name, sql in QUERIES.items()
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


def growths(days: Sequence[DayFigures], settled: int = SETTLED) -> list[Growth]:
    """How each figure grows from a day on; empty if there are too few days to fit a line.

    A latency grows only when its slope is above the allowed one with a confidence of 95 %: it is measured with noise.
    """
    days = [day for day in days if day.day >= settled]
    if len(days) < FEWEST_DAYS:
        return []
    found = []
    for name, figure in JUDGED.items():
        values = [figure(day) for day in days]
        line = scipy.stats.linregress([day.day for day in days], values)
        noise = scipy.stats.t.ppf(0.95, len(days) - 2) * line.stderr if name.endswith(", ms") else 0.0
        mean = fmean(values)
        grows = bool(line.slope - noise > MOST_GROWTH * mean)
        found.append(Growth(name, mean, float(line.slope) / mean if mean else 0.0, grows))
    return found


def judge(days: Sequence[DayFigures], settled: int = SETTLED) -> list[str]:
    """The figures that grow by more than 2 % per day, from a day on."""
    return [
        f"{growth.figure}: grows by {growth.per_day:.1%} per day, more than {MOST_GROWTH:.0%}"
        for growth in growths(days, settled)
        if growth.grows
    ]
