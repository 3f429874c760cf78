"""Prints estimates: a table for the terminal, Markdown for a comment, JSON for programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from declared.budgets import ObjectKind
from declared.masking import masked_values
from declared.sizes import GIGABYTE, MEGABYTE
from verification.markdown_text import cell, code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from operations.review.cost import CostChange, Estimate

#: A log file has no width.
LOG_WIDTH = 160
COLUMNS = ("object", "kind", "reads", "tables", "per call", "calls per month", "per month", "budget")
DIFFERENCES = ("reads more", "more per month")
NUMBERS = {"reads", "tables", "per call", "calls per month", "per month", *DIFFERENCES}


def table(changes: Sequence[CostChange], with_base: bool) -> Table:
    """One row per object, with the differences to the base if there is one."""
    shown = Table(title=escape(headline(changes)), title_justify="left")
    for column in _columns(with_base):
        shown.add_column(column, justify="right" if column in NUMBERS else "left", overflow="fold")
    for change in changes:
        over = change.proposed is not None and change.proposed.over_budget
        shown.add_row(*map(escape, _cells(change, with_base)), style="red" if over else None)
    return shown


def markdown(changes: Sequence[CostChange], with_base: bool) -> str:
    """The same as a table in GitHub's Markdown, below a headline."""
    return "\n".join([cell(headline(changes)), "", *markdown_rows(changes, with_base)])


def markdown_rows(changes: Sequence[CostChange], with_base: bool) -> list[str]:
    """The lines of the table alone."""
    columns = _columns(with_base)
    lines = [
        f"| {' | '.join(columns)} |",
        f"|{'|'.join('---:' if column in NUMBERS else '---' for column in columns)}|",
    ]
    for change in changes:
        name, *others = _cells(change, with_base)
        lines.append(f"| {' | '.join([code(name), *map(cell, others)])} |")
    return lines


def as_json(changes: Sequence[CostChange], with_base: bool) -> str:
    """The entries as text."""
    return json.dumps(masked_values(entries_of(changes, with_base)), indent=2)


def entries_of(changes: Sequence[CostChange], with_base: bool) -> list[dict[str, Any]]:
    """One entry per object: figures in bytes and US dollars."""
    entries: list[dict[str, Any]] = []
    for change in changes:
        entry: dict[str, Any] = {"name": change.name, "kind": change.kind, "proposed": _entry(change.proposed)}
        if with_base:
            entry |= {
                "base": _entry(change.base),
                "bytes_difference": change.bytes_difference,
                "dollars_a_month_difference": change.dollars_a_month_difference,
            }
        entries.append(entry)
    return entries


def _entry(estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    figures = {key: value for key, value in asdict(estimate).items() if key not in {"name", "kind"}}
    return figures | {
        "dollars": estimate.dollars,
        "dollars_a_month": estimate.dollars_a_month,
        "budget": asdict(estimate.budget) if estimate.budget else None,
        "over_budget": estimate.over_budget,
    }


def headline(changes: Sequence[CostChange]) -> str:
    """What the schedules cost together, and what is over its budget; a price includes that of what is called."""
    estimates = [change.proposed for change in changes if change.proposed]
    known = [each for each in estimates if not each.problem]
    parts = [f"{len(changes)} object{'' if len(changes) == 1 else 's'}", *_scheduled(estimates)]
    if over := [each.name for each in known if each.over_budget]:
        parts.append(f"over budget: {', '.join(over)}")
    elif known == estimates:
        parts.append("all within their budgets")
    elif known:
        parts.append("what was estimated is within its budget")
    if unknown := len(estimates) - len(known):
        parts.append(f"not estimated: {unknown}")
    return "; ".join(parts)


def _scheduled(estimates: Sequence[Estimate]) -> list[str]:
    """What the schedules cost together, as far as it is known."""
    scheduled = [each for each in estimates if each.kind is ObjectKind.SCHEDULED_QUERY]
    known = [each.dollars_a_month for each in scheduled if not each.problem]
    if not scheduled:
        return []
    if not known:
        return ["scheduled queries: not known"]
    without = f" without {len(scheduled) - len(known)} not estimated" if len(known) < len(scheduled) else ""
    return [f"scheduled queries: {money(sum(known))} per month{without}"]


def _columns(with_base: bool) -> tuple[str, ...]:
    return (*COLUMNS[:-1], *(DIFFERENCES if with_base else ()), COLUMNS[-1])


def _cells(change: CostChange, with_base: bool) -> list[str]:
    estimate = change.proposed
    if estimate is None:
        figures = ["removed", "", "", "", ""]
    elif estimate.problem:
        figures = ["not known", "", "", "", ""]
    else:
        figures = [
            size(estimate.bytes_read),
            str(estimate.tables),
            money(estimate.dollars),
            f"{estimate.calls_a_month:,.1f}" if estimate.calls_a_month else "on demand",
            money(estimate.dollars_a_month) if estimate.calls_a_month else "",
        ]
    differences = []
    if with_base:
        known = not any(each and each.problem for each in (change.base, change.proposed))
        differences = (
            [_signed(size, change.bytes_difference), _signed(money, change.dollars_a_month_difference)]
            if known
            else ["not known", ""]
        )
    return [change.name, change.kind or "", *figures, *differences, _verdict(estimate)]


def _verdict(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    if estimate.problem:
        return estimate.problem
    budget = estimate.budget
    if budget is None:
        return ""
    read, price = size(budget.bytes_read), money(budget.dollars)
    if not estimate.over_budget and estimate.dollars > budget.dollars:
        return f"within {read}; {money(estimate.dollars)} with the minimum of 10 MB per table, over {price}"
    return f"{'OVER' if estimate.over_budget else 'within'} {read}, {price}"


def size(amount: float) -> str:
    """Bytes for a person, in the units of a bill: 10 MB are 10 x 1024 x 1024."""
    if abs(amount) >= GIGABYTE:
        return f"{amount / GIGABYTE:,.2f} GB"
    if abs(amount) >= MEGABYTE / 10:
        return f"{amount / MEGABYTE:,.1f} MB"
    return f"{amount / 1024:,.1f} kB" if amount else "0"


def money(amount: float) -> str:
    """US dollars for a person, with as many digits as a small sum needs."""
    return f"${amount:,.2f}" if abs(amount) >= 1 else f"${amount:.6f}".rstrip("0").rstrip(".")


def _signed(shown: Any, amount: float) -> str:
    if not amount:
        return "="
    return f"{'+' if amount > 0 else '-'}{shown(abs(amount))}"
