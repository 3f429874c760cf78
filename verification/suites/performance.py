"""Functions and views answer within their time and read within their budget."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from declared.budgets import SCALAR_FUNCTION, VIEW
from declared.sizes import MEGABYTE
from verification.results import Check, Outcome, Subject, failed, passed, skipped

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLS = 2_000
FUNCTION_MILLISECONDS = 1.0
#: A view answers a person: the time of a caption selection, plus the way to BigQuery.
VIEW_SECONDS = 2.0
#: A busy moment is not a slow function.
ATTEMPTS = 3
#: An argument per type that differs in each row; n is the row's number.
ARGUMENTS = {
    "STRING": "CONCAT('Last chance: 20 % off tonight ', CAST(n AS STRING))",
    "INT64": "n",
    "FLOAT64": "0.5",
    "DATE": "DATE_FROM_UNIX_DATE(n)",
    "TIMESTAMP": "TIMESTAMP_SECONDS(n)",
}


def functions(subject: Subject) -> Iterator[Outcome]:
    """Every scalar function, with two thousand different arguments."""
    for name, function in subject.catalog.functions.items():
        kinds = [argument.type.sql for argument in function.arguments]
        if name not in subject.live.routines:
            yield skipped(name, "an answer within its time", "the function does not exist: see 1.1")
            continue
        if untried := [kind for kind in kinds if kind not in ARGUMENTS]:
            yield skipped(name, "an answer within its time", f"no arguments of type {untried[0]} are declared here")
            continue
        call = f"{subject.path(name)}({', '.join(ARGUMENTS[kind] for kind in kinds)})"
        sql = f"SELECT COUNT({call}) AS answers FROM UNNEST(GENERATE_ARRAY(1, {CALLS})) AS n"
        seconds, read = _best(subject, name, sql, FUNCTION_MILLISECONDS * CALLS / 1000)
        milliseconds = seconds * 1000 / CALLS
        yield _within(subject, name, "ms a call", FUNCTION_MILLISECONDS, milliseconds)
        yield _within(subject, name, "MB read", SCALAR_FUNCTION.bytes_read / MEGABYTE, read / MEGABYTE)


def views(subject: Subject) -> Iterator[Outcome]:
    """One schedule of each view."""
    for name, view in subject.catalog.views.items():
        if name not in subject.live.tables:
            yield skipped(name, "an answer within its time", "the view does not exist: see 1.3")
            continue
        columns = ", ".join(f"`{column.name}`" for column in view.columns)
        sql = f"SELECT {columns} FROM {subject.path(name)} WHERE schedule_id = ''"
        seconds, read = _best(subject, name, sql, VIEW_SECONDS)
        yield _within(subject, name, "seconds", VIEW_SECONDS, seconds)
        yield _within(subject, name, "MB read", VIEW.bytes_read / MEGABYTE, read / MEGABYTE)


def _best(subject: Subject, name: str, sql: str, budget: float) -> tuple[float, int]:
    """Seconds and bytes of the fastest attempt; it stops at the first within the budget."""
    best, read = float("inf"), 0
    for _ in range(ATTEMPTS):
        started = time.monotonic()
        read = subject.api.read_by(name, sql)
        best = min(best, time.monotonic() - started)
        if best <= budget:
            break
    return best, read


def _within(subject: Subject, name: str, unit: str, budget: float, found: float) -> Outcome:
    expected = f"at most {budget:g} {unit}"
    if found <= budget:
        return passed(name, expected)
    action = f"Check the query's plan; compare the text with the repository's (`{subject.deploy}` restores it)."
    return failed(name, expected, f"{found:.3g} {unit}", action)


def performance(subject: Subject) -> Iterator[Outcome]:
    """Functions, then views."""
    yield from functions(subject)
    yield from views(subject)


CHECKS = (Check("8.1", "functions and view within their budgets", performance),)
