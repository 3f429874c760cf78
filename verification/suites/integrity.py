"""The data of the owned tables keeps its own rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.results import Check, Outcome, Subject, failed, passed, skipped

if TYPE_CHECKING:
    from collections.abc import Iterator

FEWEST_HOLIDAYS = 20


def holidays(subject: Subject) -> Iterator[Outcome]:
    """Enough holidays for this and the next year, none twice."""
    name = "holiday_calendar"
    if name not in subject.live.tables:
        yield skipped(name, "holidays", "the table does not stand: see 1.2")
        return
    seed = f"Run `CALL {subject.path('seed_holiday_calendar')}(2025, {{year}});`"
    rows = subject.api.query(
        name,
        f"""
        SELECT year, COUNT(holiday_date) AS holidays
        FROM UNNEST([0, 1]) AS ahead
        CROSS JOIN UNNEST([EXTRACT(YEAR FROM CURRENT_DATE('America/Los_Angeles')) + ahead]) AS year
        LEFT JOIN {subject.path(name)} ON EXTRACT(YEAR FROM holiday_date) = year
        GROUP BY year ORDER BY year
        """,  # noqa: S608 - own names only
    )
    for row in rows:
        year, count = row["year"], row["holidays"]
        expected = f"{FEWEST_HOLIDAYS} or more in {year}"
        if count >= FEWEST_HOLIDAYS:
            yield passed(name, expected)
        else:
            yield failed(name, expected, f"{count} in {year}", seed.format(year=year + 1))
    twice = subject.api.query(
        name,
        f"""
        SELECT FORMAT_DATE('%F', holiday_date) AS day, holiday_name, COUNT(*) AS times
        FROM {subject.path(name)}
        GROUP BY holiday_date, holiday_name HAVING COUNT(*) > 1
        ORDER BY holiday_date, holiday_name LIMIT 5
        """,  # noqa: S608 - own names only
    )
    unique = "each (holiday_date, holiday_name) once"
    for row in twice:
        found = f"{row['holiday_name']!r} on {row['day']} {row['times']} times"
        yield failed(name, unique, found, "Delete the rows that are too many: keep the one whose factor is right.")
    if not twice:
        yield passed(name, unique)


#: What must hold for each row of the statistics.
STATISTICS_RULES = {
    "successes, failures and total_observations are not negative": (
        "IFNULL(successes, 0) >= 0 AND IFNULL(failures, 0) >= 0 AND IFNULL(total_observations, 0) >= 0"
    ),
    "0 <= confidence_lower_bound <= confidence_upper_bound <= 1": (
        "IFNULL(confidence_lower_bound, 0) BETWEEN 0 AND IFNULL(confidence_upper_bound, 1)"
        " AND IFNULL(confidence_upper_bound, 1) <= 1"
    ),
    "exploration_score within 0 and 1": "IFNULL(exploration_score, 0) BETWEEN 0 AND 1",
    "performance_percentile within 0 and 100": "IFNULL(performance_percentile, 0) BETWEEN 0 AND 100",
}


def statistics(subject: Subject) -> Iterator[Outcome]:
    """Statistics of captions lie within their bounds; one row for each caption of a page."""
    name = "caption_bandit_stats"
    if name not in subject.live.tables:
        yield skipped(name, "statistics", "the table does not stand: see 1.2")
        return
    counts = ", ".join(f"COUNTIF(NOT ({rule})) AS rule_{n}" for n, rule in enumerate(STATISTICS_RULES.values()))
    (row,) = subject.api.query(
        name,
        f"SELECT {counts}, COUNT(*) - COUNT(DISTINCT CONCAT(page_name, '/', CAST(caption_id AS STRING))) AS repeated "  # noqa: S608 - own names only
        f"FROM {subject.path(name)}",
    )
    action = "Find out who else writes there; the next performance update computes each row anew."
    for n, rule in enumerate(STATISTICS_RULES):
        broken = row[f"rule_{n}"]
        yield failed(name, rule, f"{broken} rows break it", action) if broken else passed(name, rule)
    unique = "one row for each (page_name, caption_id)"
    found = f"{row['repeated']} rows too many"
    yield failed(name, unique, found, action) if row["repeated"] else passed(name, unique)


CHECKS = (
    Check("6.1", "holidays of this and the next year", holidays),
    Check("6.2", "statistics within bounds and unique", statistics),
)
