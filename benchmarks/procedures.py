"""``python -m benchmarks.procedures``: time, rows per second and statements of each procedure as the data grows.

The operators' sizes are 100 K messages, 100 creators, 10 K locks and 200 captions; they are measured as they are, ten
and a hundred times. Exit code 1: a budget at the operators' sizes is exceeded, ten times the work costs more than
eleven times the time, or the number of statements grows.
"""

from __future__ import annotations

import io
import math
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import typer
from google.cloud import bigquery
from rich.console import Console
from rich.table import Table

from catalog.zone import ZONE
from tests.harness.embedded import Embedded, embedded

CATEGORIES = ("archive", "bundle", "live event", "new collection", "preview", "Q and A", "studio", "tutorial")
TIERS = ("budget", "mid", "premium", "bump")
CHUNK = 1_000_000
SELECTIONS = 20
POOL = 200
#: Seconds at the operators' sizes on two cores.
BUDGETS = {
    "update_caption_performance": 5.0,
    "run_daily_automation": 10.0,
    "sweep_expired_caption_locks": 1.0,
    "select_captions_for_creator, p95": 0.5,
}
#: A little more than linear: the fixed cost of a run is small, and hides no growth.
GROWTH_OF_TEN_TIMES = 11.0
console = Console()
app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class Size:
    """How much data, as a multiple of the operators'."""

    factor: int

    @property
    def messages(self) -> int:
        """Messages of the last 90 days."""
        return 100_000 * self.factor

    @property
    def creators(self) -> int:
        """Pages."""
        return 100 * self.factor

    @property
    def locks(self) -> int:
        """Active locks, half of them due to be swept."""
        return 10_000 * self.factor

    @property
    def captions(self) -> int:
        """Captions of the bank, for every page."""
        return 200 * self.factor


@dataclass(frozen=True)
class Measurement:
    """One procedure at one size."""

    procedure: str
    factor: int
    rows: int
    seconds: float
    statements: int


@app.command()
def main(
    factor: Annotated[list[int] | None, typer.Option(help="Multiples of the operators' sizes.")] = None,
) -> None:
    """Measure every size on its own server, print the measurements and judge them."""
    found = [measurement for multiple in factor or [1, 10, 100] for measurement in measure(Size(multiple))]
    failures = report(found)
    for failure in failures:
        console.print(f"[red]{failure}")
    sys.exit(int(bool(failures)))


def measure(size: Size) -> list[Measurement]:
    """Fill an empty server and run each procedure once, selections several times."""
    with embedded() as server:
        console.print(f"{size.messages:,} messages, {size.creators:,} creators, {size.locks:,} locks …")
        fill(server, size)
        daily = f"CALL `{{d}}.run_daily_automation`(CURRENT_DATE('{ZONE}'))"
        found = [
            timed(server, size, "sweep_expired_caption_locks", size.locks),
            timed(server, size, "update_caption_performance", size.messages),
            timed(server, size, "run_daily_automation", size.messages, daily),
            selections(server, size),
        ]
        processed = server.rows(
            "SELECT creators_processed FROM `{d}.etl_job_runs` "
            "WHERE job_name = 'run_daily_automation' AND job_status = 'SUCCESS'"
        )
        if [row["creators_processed"] for row in processed] != [size.creators]:
            raise SystemExit(f"the daily run did not process its {size.creators:,} creators: {processed}")
    return found


def timed(server: Embedded, size: Size, procedure: str, rows: int, call: str = "") -> Measurement:
    """One call, by the clock of the caller."""
    started = time.perf_counter()
    job = server.job(call or f"CALL `{{d}}.{procedure}`()")
    return Measurement(procedure, size.factor, rows, time.perf_counter() - started, job.num_child_jobs)


def selections(server: Embedded, size: Size) -> Measurement:
    """The 95th percentile of selections for different creators."""
    runs = []
    for number in range(SELECTIONS):
        page = f"creator_{number * size.creators // SELECTIONS:05}"
        call = f"CALL `{{d}}.select_captions_for_creator`('{page}', 'Budget-Conscious', 3, 3, 2, 2)"
        runs.append(timed(server, size, "select_captions_for_creator, p95", size.captions, call))
    return sorted(runs, key=lambda run: run.seconds)[math.ceil(0.95 * SELECTIONS) - 1]


def fill(server: Embedded, size: Size) -> None:
    """Captions, locks and messages of 90 days."""
    random = np.random.default_rng(1)
    numbers = np.arange(1, size.captions + 1)
    texts = np.array([f"New today: offer {number} for subscribers" for number in numbers], dtype=object)
    load(
        server,
        "caption_bank",
        caption_id=numbers,
        caption_text=texts,
        content_category=random.choice(CATEGORIES, size.captions),
        price_tier=random.choice(TIERS, size.captions),
        has_urgency=random.random(size.captions) < 0.2,  # noqa: PLR2004 - one of five
        overall_performance_score=np.full(size.captions, 0.5),
        avg_revenue=random.gamma(2.0, 15.0, size.captions),
        usage_status=np.full(size.captions, "available", dtype=object),
    )
    server.job("UPDATE `{d}.caption_bank` SET caption_key = `{d}.caption_key`(caption_text) WHERE caption_key IS NULL")
    days = np.array([datetime.now(UTC).date() + timedelta(days=days) for days in (-2, 2)], dtype=object)
    load(
        server,
        "active_caption_assignments",
        page_name=pages(random.integers(0, size.creators, size.locks)),
        caption_id=random.integers(1, size.captions + 1, size.locks),
        scheduled_send_date=days[np.arange(size.locks) % 2],
        is_active=np.full(size.locks, True),
    )
    for start in range(0, size.messages, CHUNK):
        rows = np.arange(start, min(start + CHUNK, size.messages))
        load(server, "mass_messages", **messages(random, size, texts, rows))


def messages(random: np.random.Generator, size: Size, texts: Any, rows: Any) -> dict[str, Any]:
    """The columns of a part of the messages; one of ten has no caption id and is matched by its text."""
    now, count = time.time(), len(rows)
    creators = rows % size.creators
    # a creator sends from a pool of 200, so that a caption is sent 5 times for a page at every size
    choice = (37 * creators + random.integers(0, POOL, count)) % size.captions
    viewed = random.integers(20, 400, count)
    purchased = random.binomial(viewed, 0.06)
    sent_at = ((now - random.uniform(3600, 89 * 86_400, count)) * 1e6).astype("int64")
    return {
        "row_id": rows,
        "page_name": pages(creators),
        "message": pa.DictionaryArray.from_arrays(pa.array(choice), pa.array(texts)).cast(pa.string()),
        "sending_time": pa.array(sent_at).cast(pa.timestamp("us", tz="UTC")),
        "price": random.choice([6.0, 14.0, 32.0], count),
        "sent_count": viewed * 3,
        "viewed_count": viewed,
        "purchased_count": purchased.astype(float),
        "earnings": purchased * 11.2,
        "caption_id": pa.array(choice + 1, mask=random.random(count) < 0.1),  # noqa: PLR2004 - one of ten
    }


def pages(numbers: Any) -> pa.Array:
    """Names of creators."""
    names = pa.array([f"creator_{number:05}" for number in range(int(numbers.max()) + 1)])
    return pa.DictionaryArray.from_arrays(pa.array(numbers), names).cast(pa.string())


def load(server: Embedded, name: str, **columns: Any) -> None:
    """Append rows by a load job."""
    file = io.BytesIO()
    pq.write_table(pa.table({column: pa.array(values) for column, values in columns.items()}), file)
    file.seek(0)
    config = bigquery.LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_APPEND")
    server.client.load_table_from_file(file, f"{server.dataset}.{name}", job_config=config).result()


def report(found: list[Measurement]) -> list[str]:
    """Print the measurements with their growth; return what exceeds a budget."""
    table = Table(title="procedures on the embedded engine")
    for column in ("procedure", "size", "rows", "seconds", "rows/s", "statements", "growth"):
        table.add_column(column, justify="left" if column == "procedure" else "right")
    failures = []
    before: dict[str, Measurement] = {}
    for run in sorted(found, key=lambda run: (run.procedure, run.factor)):
        growth = ""
        if run.factor == 1 and run.seconds > BUDGETS[run.procedure]:
            failures.append(f"{run.procedure} took {run.seconds:.2f} s of {BUDGETS[run.procedure]} s")
        if last := before.get(run.procedure):
            ratio, more = run.seconds / last.seconds, run.factor / last.factor
            exponent = math.log(ratio) / math.log(more)
            growth = f"x {ratio:.1f} (n^{exponent:.2f})"
            if exponent > math.log10(GROWTH_OF_TEN_TIMES):
                failures.append(f"{run.procedure}: {more:.0f} times the work took {ratio:.1f} times the time")
            if run.statements != last.statements:
                failures.append(f"{run.procedure}: statements grew from {last.statements} to {run.statements}")
        before[run.procedure] = run
        rate = f"{run.rows / run.seconds:,.0f}"
        columns = (f"{run.factor} x", f"{run.rows:,}", f"{run.seconds:.2f}", rate, str(run.statements), growth)
        table.add_row(run.procedure, *columns)
    console.print(table)
    return failures


if __name__ == "__main__":
    app()
