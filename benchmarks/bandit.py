"""``python -m benchmarks.bandit``: does the bandit learn? 90 days of a page with known caption values.

The real procedures lock captions and update their statistics on the embedded engine, whose clock is moved from day to
day; three other policies choose from the same captions under the same constraints. Exit code 1: the procedures' regret
is more than half of uniform choice's.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import matplotlib as mpl
import numpy as np
import scipy
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.simulation import (
    PRICES,
    SENT,
    VIEWED,
    WANTED,
    History,
    SimulatedCaption,
    best_average,
    choose,
    oracle,
    outcome,
    simulated_captions,
    uniform,
)
from catalog.zone import LOS_ANGELES
from tests.harness.embedded import Embedded, embedded

if TYPE_CHECKING:
    from collections.abc import Callable

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "bandit_regret.png"
FIRST_DAY = datetime(2026, 1, 5, 9, tzinfo=LOS_ANGELES)
STEPS = 200
console = Console()
app = typer.Typer(add_completion=False)


@app.command()
def main(
    days: Annotated[int, typer.Option(help="Simulated days.")] = 90,
    seed: Annotated[int, typer.Option(help="Seed of captions and outcomes.")] = 1,
    picture: Annotated[Path, typer.Option(help="File for the curves.")] = PICTURE,
) -> None:
    """Simulate every policy, print the cumulative regret and draw it."""
    captions = simulated_captions(np.random.default_rng(seed), days)
    best = simulate(captions, oracle, days, seed)
    regrets = {
        "uniform choice": best - simulate(captions, uniform, days, seed),
        "best average": best - simulate(captions, best_average, days, seed),
        "the procedures (Wilson interval)": best - run_procedures(captions, days, seed, "Wilson"),
        "the procedures, Beta draws": best - run_procedures(captions, days, seed, "Beta"),
    }
    report(regrets, best, days)
    draw(regrets, picture)
    wilson, any_caption = regrets["the procedures (Wilson interval)"][-1], regrets["uniform choice"][-1]
    sys.exit(int(wilson > any_caption / 2))


def simulate(captions: list[SimulatedCaption], policy: Callable[..., Any], days: int, seed: int) -> Any:
    """Cumulative expected EMV of a policy, by day, in US dollars."""
    random, history, values = np.random.default_rng(seed + 1), History(), []
    for day in range(days):
        chosen = choose(captions, history, day, policy(history, day, random))
        values.append(sum(caption.value_on(day) for caption in chosen))
        for caption in chosen:
            _, _, emv = outcome(random, caption, day)
            history.days.setdefault(caption.caption_id, []).append(day)
            history.emvs.setdefault(caption.caption_id, []).append(emv)
    return np.cumsum(values)


def run_procedures(captions: list[SimulatedCaption], days: int, seed: int, draws: str) -> Any:
    """Cumulative expected EMV of what the procedures lock, by day; ``draws`` is Wilson or Beta."""
    random, values = np.random.default_rng(seed + 1), []
    with embedded() as server:
        if draws == "Beta":
            draw_from_beta(server)
        for day in track(range(days), f"{draws}: days", console=console):
            morning = FIRST_DAY + timedelta(days=day)
            arrive(server, [caption for caption in captions if caption.arrives_on == day])
            server.set_clock(morning)
            locked = lock(server, captions, morning, day)
            values.append(sum(caption.value_on(day) for caption in locked))
            send(server, locked, morning + timedelta(hours=3), day, random)
            server.set_clock(morning + timedelta(hours=9))
            server.job("CALL `{d}.update_caption_performance`()")
    return np.cumsum(values)


def arrive(server: Embedded, captions: list[SimulatedCaption]) -> None:
    """New captions of the bank."""
    if captions:
        rows = ", ".join(
            f"({c.caption_id}, 'New today: offer {c.caption_id}', '{c.category}', '{c.tier}', {c.urgent}, 0.5, "
            f"{c.avg_revenue}, 'available')"
            for c in captions
        )
        server.job(
            "INSERT INTO `{d}.caption_bank` (caption_id, caption_text, content_category, price_tier, has_urgency, "
            f"overall_performance_score, avg_revenue, usage_status) VALUES {rows}"
        )


def lock(server: Embedded, captions: list[SimulatedCaption], now: datetime, day: int) -> list[SimulatedCaption]:
    """What lock_captions_for_creator locks for the day."""
    rows = server.rows(
        f"CALL `{{d}}.lock_captions_for_creator`('day {day}', DATE '{now:%Y-%m-%d}', 'page', 'Standard', "
        f"{WANTED['budget']}, {WANTED['mid']}, {WANTED['premium']}, 0)"
    )
    return [captions[row["caption_id"] - 1] for row in rows]


def send(server: Embedded, chosen: list[SimulatedCaption], at: datetime, day: int, random: np.random.Generator) -> None:
    """A message for each caption, with an outcome drawn from its true value."""
    rows: list[str] = []
    for caption in chosen:
        purchased, earnings, _ = outcome(random, caption, day)
        rows.append(
            f"({day * 100 + len(rows)}, 'page', TIMESTAMP '{at.isoformat()}', {PRICES[caption.tier]}, {SENT}, "
            f"{VIEWED}, {purchased}, {earnings}, {caption.caption_id})"
        )
    server.job(
        "INSERT INTO `{d}.mass_messages` (row_id, page_name, sending_time, price, sent_count, viewed_count, "
        f"purchased_count, earnings, caption_id) VALUES {', '.join(rows)}"
    )


def draw_from_beta(server: Embedded) -> None:
    """Replace the point in the Wilson interval by the quantile of Beta(successes, failures) at u.

    Quantiles at 200 steps come from a table: the cooldown lets a caption be sent 13 times in 90 days, so pairs are few.
    """
    server.job("CREATE TABLE `{d}.beta_quantiles` (successes INT64, failures INT64, quantiles ARRAY<FLOAT64>)")
    shares = (np.arange(STEPS) + 0.5) / STEPS
    pairs = [(s, f) for s in range(1, 20) for f in range(1, 20)]
    rows = [f"({s}, {f}, [{', '.join(f'{q:.6f}' for q in scipy.stats.beta.ppf(shares, s, f))}])" for s, f in pairs]
    server.job(f"INSERT INTO `{{d}}.beta_quantiles` VALUES {', '.join(rows)}")
    server.job(
        "CREATE OR REPLACE FUNCTION `{d}.wilson_sample_at`(p_successes INT64, p_failures INT64, u FLOAT64) "
        "RETURNS FLOAT64 AS ((SELECT beta.quantiles[OFFSET(CAST(FLOOR(u * 199.999) AS INT64))] "
        "FROM `{d}.beta_quantiles` AS beta WHERE beta.successes = p_successes AND beta.failures = p_failures))"
    )


def report(regrets: dict[str, Any], best: Any, days: int) -> None:
    """Regret in US dollars of expected EMV and against uniform choice's."""
    table = Table(title=f"cumulative regret against the oracle, which earns ${best[-1]:,.0f} in {days} days")
    for column in ("policy", "day 30", "day 60", f"day {days}", "of uniform choice's"):
        table.add_column(column, justify="left" if column == "policy" else "right")
    for name, regret in regrets.items():
        share = regret[-1] / regrets["uniform choice"][-1]
        marks = [f"${regret[min(day, days) - 1]:,.0f}" for day in (30, 60, days)]
        table.add_row(name, *marks, f"{share:.0%}")
    console.print(table)


def draw(regrets: dict[str, Any], picture: Path) -> None:
    """The curves as a PNG."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the backend is chosen

    figure, axes = plt.subplots(figsize=(8, 4.5), dpi=120)
    for name, regret in regrets.items():
        axes.plot(np.arange(1, len(regret) + 1), regret, label=name)
    changes = len(next(iter(regrets.values()))) // 2
    axes.axvline(changes, color="grey", linestyle=":", label="the best and the worst caption change places")
    axes.set(xlabel="day", ylabel="cumulative regret (US dollars of expected EMV)")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(picture)
    console.print(f"The curves are in {picture}.")


if __name__ == "__main__":
    app()
