"""``python -m benchmarks.failing_creators``: the daily run's time with creators that fail, against the time without.

Of 1,000 creators 1, 4 and 20 fail: by a pattern that is not valid, which is known beforehand, and by figures that
overflow, which are found by halving. Exit code 1: a run takes more times the time without than it may.
"""

from __future__ import annotations

import sys
import time
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from benchmarks.procedures import Size, fill
from catalog.zone import ZONE
from tests.harness.embedded import Embedded, embedded

COUNTS = (1, 4, 20)
#: The most times the time without failures, by what makes creators fail and by their number.
LIMITS = {
    "pattern": dict.fromkeys(COUNTS, 1.2),
    "figures": {1: 3.5, 4: 5.75, 20: 8.0},
}
VIEW = "active_creator_caption_restrictions_v"
console = Console()
app = typer.Typer(add_completion=False)


@app.command()
def main(
    factor: Annotated[int, typer.Option(help="Multiple of the operators' 100 creators.")] = 10, seed: int = 1
) -> None:
    """Measure on one server, print each time and judge it."""
    size = Size(factor)
    random = np.random.default_rng(seed)
    well = True
    with embedded() as server:
        console.print(f"{size.messages:,} messages, {size.creators:,} creators; seed {seed} …")
        fill(server, size)
        run(server, 0)  # the first run translates the procedures
        without = min(run(server, 0) for _ in range(2))
        console.print(f"no failure: {without:.1f} s")
        for kind, limits in LIMITS.items():
            for count, limit in limits.items():
                chosen = random.choice(size.creators, count, replace=False)
                pages = [f"creator_{number:05}" for number in sorted(chosen)]
                seconds = with_failures(server, kind, pages)
                times = seconds / without
                well = well and times <= limit
                colour = "green" if times <= limit else "red"
                console.print(f"{kind}, {count} fail: {seconds:.1f} s, [{colour}]{times:.2f} times[/] of {limit:g}")
    sys.exit(int(not well))


def with_failures(server: Embedded, kind: str, pages: list[str]) -> float:
    """The seconds of a run in which these pages fail."""
    names = ", ".join(f"'{page}'" for page in pages)
    if kind == "pattern":
        none = "CAST([] AS ARRAY<STRING>)"
        server.job(
            f"CREATE OR REPLACE VIEW `{{d}}.{VIEW}` AS SELECT page_name, 'all' AS applies_to_scope, 0 AS min_ppv_pool, "
            f"0 AS min_bump_pool, ['(never closed'] AS hard_patterns, {none} AS soft_patterns, "
            f"{none} AS restricted_categories, {none} AS restricted_price_tiers FROM UNNEST([{names}]) AS page_name"
        )
    else:
        server.job(
            "INSERT INTO `{d}.mass_messages` (row_id, page_name, sending_time, price, sent_count, viewed_count, "
            "purchased_count, earnings) SELECT -1, page_name, TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 48 HOUR), "
            f"1e300, 100, 50, 5, 50 FROM UNNEST([{names}]) AS page_name"
        )
    seconds = run(server, len(pages))
    server.job("DELETE FROM `{d}.mass_messages` WHERE row_id = -1")
    server.job(server.catalog.dependencies[VIEW].ddl)
    return seconds


def run(server: Embedded, failing: int) -> float:
    """The seconds of a daily run, after which nothing of the day is left."""
    started = time.perf_counter()
    server.job(f"CALL `{{d}}.run_daily_automation`(CURRENT_DATE('{ZONE}'))")
    seconds = time.perf_counter() - started
    (row,) = server.rows("SELECT creators_failed FROM `{d}.etl_job_runs` WHERE job_name = 'run_daily_automation'")
    if row["creators_failed"] != failing:
        raise SystemExit(f"{row['creators_failed']} creators failed, not {failing}")
    for table in ("schedule_generation_queue", "creator_performance_reports", "etl_job_runs"):
        server.job(f"TRUNCATE TABLE `{{d}}.{table}`")
    return seconds


if __name__ == "__main__":
    app()
