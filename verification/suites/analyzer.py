"""The performance analyzer answers for a creator, with the declared columns and valid values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.cloud import bigquery

from verification.results import Check, Outcome, Subject, failed, passed_unless, skipped

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Each public function with its arguments after the page, and the rules that every row keeps.
RULES: dict[str, tuple[str, dict[str, str]]] = {
    "classify_account_size": (
        "90",
        {
            "a known tier": "account_size_classification.size_tier IN ('MICRO', 'SMALL', 'MEDIUM', 'LARGE', 'MEGA')",
            "daily_ppv_target_min <= daily_ppv_target_max": (
                "account_size_classification.daily_ppv_target_min <= account_size_classification.daily_ppv_target_max"
            ),
        },
    ),
    "analyze_behavioral_segments": (
        "90",
        {
            "a known segment": "segment_label IN ('EXPLORATORY', 'BUDGET', 'STANDARD', 'PREMIUM', 'LUXURY')",
            "a correlation within -1 and 1": "IFNULL(ABS(rpr_price_corr), 0) <= 1.000001",
            "category_entropy not negative": "IFNULL(category_entropy, 0) >= 0",
        },
    ),
    "analyze_trigger_performance": ("90", {"lower <= upper": "IFNULL(conv_ci.lower <= conv_ci.upper, TRUE)"}),
    "analyze_content_categories": (
        "90",
        {"a known trend": "trend_direction IN ('RISING', 'STABLE', 'DECLINING')"},
    ),
    "analyze_day_patterns": ("90", {"day_of_week_la within 1 and 7": "day_of_week_la BETWEEN 1 AND 7"}),
    "analyze_time_windows": (
        "90",
        {
            "hour_la within 0 and 23": "hour_la BETWEEN 0 AND 23",
            "confidence follows n": (
                "confidence = CASE WHEN n >= 10 THEN 'HIGH_CONF' WHEN n >= 5 THEN 'MED_CONF' ELSE 'LOW_CONF' END"
            ),
        },
    ),
    "calculate_saturation_score": (
        "'MEDIUM'",
        {
            "a score within 0 and 1": "IFNULL(saturation_score, 0) BETWEEN 0 AND 1",
            "a known risk level": "risk_level IN ('LOW', 'MEDIUM', 'HIGH')",
            "no change of volume where there is a reason to exclude": (
                "exclusion_reason IS NULL OR volume_adjustment_factor = 1.0"
            ),
        },
    ),
}
#: The page of the newest message: the analyzer must return rows for it.
NEWEST_PAGE = "(SELECT sent.page_name FROM {messages} AS sent ORDER BY sent.sending_time DESC, sent.page_name LIMIT 1)"


def answers(subject: Subject) -> Iterator[Outcome]:
    """Every public function, for the creator of the newest message."""
    needed = {"mass_messages", "caption_bank_enriched"}
    page = None
    if needed <= subject.live.tables.keys():
        newest = NEWEST_PAGE.format(messages=subject.path("mass_messages"))
        (row,) = subject.api.query("mass_messages", f"SELECT {newest} AS page_name")
        page = row["page_name"]
    for name, (arguments, rules) in RULES.items():
        if name not in subject.live.routines:
            yield skipped(name, "an answer", "the function does not exist: see 1.1")
        elif page is None:
            yield skipped(name, "an answer", "there are no messages to analyse")
        else:
            yield from _answer(subject, name, page, arguments, rules)


def _answer(subject: Subject, name: str, page: str, arguments: str, rules: dict[str, str]) -> Iterator[Outcome]:
    function = subject.catalog.table_functions[name]
    counts = ", ".join(f"COUNTIF(NOT ({rule})) AS rule_{n}" for n, rule in enumerate(rules.values()))
    columns = ", ".join(column.name for column in function.returns_table)
    (row,) = subject.api.query(
        name,
        f"SELECT COUNT(*) AS answers, {counts} FROM (SELECT {columns} FROM {subject.path(name)}(@page, {arguments}))",
        [bigquery.ScalarQueryParameter("page", "STRING", page)],
    )
    action = f"Run `python -m verification drift --env {subject.environment.name}`; check the messages of {page}."
    problems = [
        failed(name, rule, f"{row[f'rule_{n}']} of {row['answers']} rows break it", action)
        for n, rule in enumerate(rules)
        if row[f"rule_{n}"]
    ]
    if name != "analyze_trigger_performance" and not row["answers"]:  # a creator may use no trigger at all
        problems.append(failed(name, f"an answer for {page}", "no rows", action))
    yield from passed_unless(name, f"{len(rules)} rules", problems)


CHECKS = (Check("analyzer.1", "answers for a creator", answers),)
