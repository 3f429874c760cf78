"""The live functions return the known answers."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from google.cloud import bigquery

from verification.results import Check, Outcome, Subject, compared, failed, passed, skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: A caption and the normalised text whose SHA-256 is its key.
CAPTIONS = {
    "Test message 123": "test message 123",
    "Hello, World!": "hello world",
    "hello world": "hello world",
    "Hey babe \N{SMILING FACE WITH HORNS}": "hey babe ",
    "  two\t\n words  ": "two words",
    "Привет": "привет",
    "Пока": "пока",
    "caf\u00e9": "caf\u00e9",
    "cafe\u0301": "caf\u00e9",
    "caf": "caf",
    "\N{FIRE}": "\N{FIRE}",
    "\N{KISS MARK}": "\N{KISS MARK}",
    "1\ufe0f\u20e3 left": "1 left",
    "1 left": "1 left",
}
#: Interval and bonus, to six decimals, by successes and failures.
BOUNDS: dict[tuple[int | None, int | None], tuple[float, float, float]] = {
    (50, 50): (0.403830, 0.596170, 0.099504),
    (1, 0): (0.206543, 1.0, 0.707107),
    (0, 0): (0.0, 1.0, 1.0),
    (None, -3): (0.0, 1.0, 1.0),
}
SHARES = {0.0: 0.403830, 0.5: 0.5, 1.0: 0.596170, 7.0: 0.596170, -7.0: 0.403830}
DRAWS = 1000
FEWEST_DIFFERENT = 900
MICRO = 1e-6


def _of(name: str, ask: Callable[[Subject], Iterator[Outcome]]) -> Callable[[Subject], Iterator[Outcome]]:
    """The test of one function; it is skipped where the function does not exist."""

    def check(subject: Subject) -> Iterator[Outcome]:
        if name in subject.live.routines:
            yield from ask(subject)
        else:
            yield skipped(name, "known answers", "the function does not exist: see 1.1")

    return check


def _caption_keys(name: str) -> Callable[[Subject], Iterator[Outcome]]:
    def ask(subject: Subject) -> Iterator[Outcome]:
        texts = bigquery.ArrayQueryParameter("texts", "STRING", list(CAPTIONS))
        sql = f"SELECT {subject.path(name)}(text) AS key FROM UNNEST(@texts) AS text WITH OFFSET AS n ORDER BY n"
        keys = [row["key"] for row in subject.api.query(name, sql, [texts])]
        wrong = [
            failed(name, f"{text!r} → {expected}", f"{text!r} → {key}", f"Run `{subject.deploy}`; compare with drift.")
            for (text, normalised), key in zip(CAPTIONS.items(), keys, strict=True)
            if key != (expected := hashlib.sha256(normalised.encode()).hexdigest())
        ]
        yield from wrong or [passed(name, f"{len(CAPTIONS)} known keys")]
        no_key = [row["key"] for row in subject.api.query(name, f"SELECT {subject.path(name)}(NULL) AS key")]
        yield compared(name, "NULL → [None]", f"NULL → {no_key}", f"Run `{subject.deploy}`.")

    return _of(name, ask)


def _bounds(subject: Subject) -> Iterator[Outcome]:
    name = "wilson_score_bounds"
    counts = ", ".join(f"({_sql(successes)}, {_sql(failures)})" for successes, failures in BOUNDS)
    rows = subject.api.query(
        name,
        f"SELECT bounds.lower_bound, bounds.upper_bound, bounds.exploration_bonus FROM ("
        f"SELECT n, {subject.path(name)}(given.s, given.f) AS bounds "
        f"FROM UNNEST([STRUCT<s INT64, f INT64>{counts}]) AS given WITH OFFSET AS n) ORDER BY n",
    )
    for given, row in zip(BOUNDS, rows, strict=True):
        found = tuple(round(value, 6) for value in row.values())
        yield compared(name, f"{given} → {BOUNDS[given]}", f"{given} → {found}", f"Run `{subject.deploy}`.")


def _sql(count: int | None) -> str:
    return "NULL" if count is None else str(count)


def _sample(subject: Subject) -> Iterator[Outcome]:
    name = "wilson_sample"
    lower, upper, _ = BOUNDS[50, 50]
    (row,) = subject.api.query(
        name,
        "SELECT MIN(draw) AS least, MAX(draw) AS most, COUNT(DISTINCT draw) AS different "
        f"FROM (SELECT {subject.path(name)}(50, 50) AS draw FROM UNNEST(GENERATE_ARRAY(1, {DRAWS})))",
    )
    within = f"draws of (50, 50) within {lower} and {upper}"
    if row["least"] >= lower - MICRO and row["most"] <= upper + MICRO:
        yield passed(name, within)
    else:
        yield failed(name, within, f"from {row['least']} to {row['most']}", f"Run `{subject.deploy}`.")
    fresh = f"a fresh draw for each of {DRAWS} rows"
    if row["different"] >= FEWEST_DIFFERENT:
        yield passed(name, fresh)
    else:
        yield failed(name, fresh, f"{row['different']} different draws", f"Run `{subject.deploy}`.")


def _sample_at(subject: Subject) -> Iterator[Outcome]:
    name = "wilson_sample_at"
    points = ", ".join(f"{subject.path(name)}(50, 50, {share})" for share in SHARES)
    (row,) = subject.api.query(name, f"SELECT [{points}] AS points")
    for share, point in zip(SHARES, row["points"], strict=True):
        asked = f"(50, 50, {share})"
        found = f"{asked} → {round(point, 6)}"
        yield compared(name, f"{asked} → {SHARES[share]}", found, f"Run `{subject.deploy}`.")


def sample(subject: Subject) -> Iterator[Outcome]:
    """wilson_sample, and its deterministic part, wilson_sample_at."""
    yield from _of("wilson_sample", _sample)(subject)
    yield from _of("wilson_sample_at", _sample_at)(subject)


CHECKS = (
    Check("2.1", "caption_key_v2 on known texts", _caption_keys("caption_key_v2")),
    Check("2.2", "caption_key on known texts", _caption_keys("caption_key")),
    Check("2.3", "wilson_score_bounds on known counts", _of("wilson_score_bounds", _bounds)),
    Check("2.4", "wilson_sample within its bounds", sample),
)
