"""The analyzer's statistics against scipy's, on random messages, to 1e-9."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sql.rows import NOW, Caption, Message, add_captions, add_messages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.sql.conftest import Sandbox

CAPTIONS = (
    Caption(1, tier="budget", category="archive"),
    Caption(2, tier="mid", category="archive"),
    Caption(3, tier="premium", category="tutorial"),
    Caption(4, tier="bump", category="preview"),
    Caption(5, tier="mid", category="tutorial", urgent=True),
)
TRIGGERS = {1: "VALUE", 2: "VALUE", 3: "EXCLUSIVITY", 4: "CURIOSITY", 5: "URGENCY"}
CATEGORY = {caption.caption: caption.category for caption in CAPTIONS}

messages = st.lists(
    st.builds(
        Message,
        caption=st.sampled_from([1, 2, 3, 4, 5, None, 77]),
        days_ago=st.floats(0.01, 100),
        sent=st.sampled_from([None, 0, 1, 50, 200, 1000]),
        viewed=st.sampled_from([None, 0, 1, 20, 40]),
        purchased=st.sampled_from([None, 0.0, 1.0, 7.0, 20.0]),
        earnings=st.one_of(st.none(), st.floats(0, 500).map(lambda value: round(value, 2))),
        price=st.sampled_from([None, 0.0, 6.0, 14.0, 32.5]),
        text=st.just(None),
    ),
    min_size=0,
    max_size=150,
)
random_messages = settings(max_examples=10)


def load(embedded: Sandbox, drawn: Sequence[Message]) -> list[Message]:
    """Put the messages in; those of the window that were sent to anybody."""
    embedded.reset()
    add_captions(embedded, *CAPTIONS)
    add_messages(embedded, *drawn)
    embedded.set_clock(NOW)
    return [message for message in drawn if (message.sent or 0) > 0 and message.days_ago <= 90]


def rows(embedded: Sandbox, function: str) -> list[dict[str, Any]]:
    text = f"SELECT * FROM `{embedded.dataset}.{function}`('page', 90)"
    return [dict(row) for row in embedded.client.query_and_wait(text)]


def rpr(message: Message) -> float:
    return (message.earnings or 0.0) / (message.sent or math.nan)


def conv(message: Message) -> float | None:
    return (message.purchased or 0.0) / message.viewed if message.viewed else None


def convs(group: Sequence[Message]) -> list[float]:
    return [value for message in group if (value := conv(message)) is not None]


def near(expected: float | None) -> Any:
    return None if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-9)


def mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def slope(xs: Sequence[float], ys: Sequence[float]) -> float | None:
    return float(scipy.stats.linregress(xs, ys).slope) if len(set(xs)) > 1 else None


def correlation(xs: Sequence[float], ys: Sequence[float]) -> float | None:
    return float(scipy.stats.pearsonr(xs, ys).statistic) if len(set(xs)) > 1 and len(set(ys)) > 1 else None


def welch(group: Sequence[float], others: Sequence[float]) -> float | None:
    """Welch's t; None where a side has one value, or neither varies."""
    if min(len(group), len(others)) < 2 or (len(set(group)) == 1 and len(set(others)) == 1):
        return None
    return float(scipy.stats.ttest_ind(group, others, equal_var=False).statistic)


def proportion_z(group: Sequence[Message], others: Sequence[Message]) -> float | None:
    """The pooled z of two proportions: the signed root of the chi-square of their table, without a correction."""
    table = []
    for side in (group, others):
        viewed = sum(message.viewed or 0 for message in side)
        bought = sum(min(message.purchased or 0, message.viewed) for message in side if message.viewed)
        table.append((bought, viewed - bought))
    if min(map(sum, table)) == 0 or min(map(sum, zip(*table, strict=True))) == 0:
        return None
    return math.sqrt(scipy.stats.chi2_contingency(table, correction=False).statistic)


def significant(statistic: float | None, *sides: Sequence[Any]) -> bool:
    return statistic is not None and abs(statistic) >= 1.96 and min(map(len, sides)) >= 30


def test_wilson_interval(embedded: Sandbox) -> None:
    """Scipy's confidence level is the one whose quantile is 1.96."""
    random = np.random.default_rng(7)
    pairs = [(int(s), int(f)) for s, f in random.integers(0, 10 ** random.integers(1, 7, (300, 2))) if s + f > 0]
    values = ", ".join(f"STRUCT({s} AS s, {f} AS f)" for s, f in pairs)
    found = embedded.query(
        "SELECT s, f, b.lower_bound, b.upper_bound FROM (SELECT s, f, `{d}.wilson_score_bounds`(s, f) AS b "
        f"FROM UNNEST([{values}]))"
    )
    level = 1 - 2 * scipy.stats.norm.sf(1.96)
    assert len(found) == len(pairs) > 250
    for successes, failures, low, high in found:
        interval = scipy.stats.binomtest(successes, successes + failures).proportion_ci(level, method="wilson")
        assert (low, high) == (near(interval.low), near(interval.high))


@given(drawn=messages)
@random_messages
def test_segments(embedded: Sandbox, drawn: list[Message]) -> None:
    group = load(embedded, drawn)
    found = rows(embedded, "analyze_behavioral_segments")
    if not group:
        assert found == []
        return
    ((row),) = found
    priced = [message for message in group if message.price is not None]
    logs = [(math.log(m.price), math.log(c)) for m in group if m.price and (c := conv(m))]
    categories = Counter(CATEGORY[m.caption] for m in group if m.caption in CATEGORY)
    assert row["sample_size"] == len(group)
    assert row["avg_rpr"] == near(mean([rpr(m) for m in group]))
    assert row["avg_conv"] == near(mean(convs(group)))
    prices = [message.price or 0.0 for message in priced]
    assert row["rpr_price_slope"] == near(slope(prices, [rpr(m) for m in priced]))
    assert row["rpr_price_corr"] == near(correlation(prices, [rpr(m) for m in priced]))
    assert row["conv_price_elasticity_proxy"] == near(slope([x for x, _ in logs], [y for _, y in logs]))
    entropy = float(scipy.stats.entropy(list(categories.values()), base=2)) if categories else 0.0
    assert row["category_entropy"] == near(entropy)
    label = next(
        name
        for name, limit in (("BUDGET", 0.5), ("STANDARD", 2), ("PREMIUM", 5), ("LUXURY", math.inf))
        if row["avg_rpr"] < limit
    )
    assert row["segment_label"] == ("EXPLORATORY" if len(group) < 20 else label)


@given(drawn=messages)
@random_messages
def test_triggers(embedded: Sandbox, drawn: list[Message]) -> None:
    group = load(embedded, drawn)
    found = {row["psychological_trigger"]: row for row in rows(embedded, "analyze_trigger_performance")}
    assert set(found) == {TRIGGERS[m.caption] for m in group if m.caption in TRIGGERS}
    for trigger, row in found.items():
        own = [m for m in group if TRIGGERS.get(m.caption or 0) == trigger]
        others = [m for m in group if TRIGGERS.get(m.caption or 0) != trigger]
        assert row["msg_count"] == len(own)
        assert row["avg_rpr"] == near(mean([rpr(m) for m in own]))
        for name, values, rest in (
            ("rpr_lift_pct", [rpr(m) for m in own], [rpr(m) for m in others]),
            ("conv_lift_pct", convs(own), convs(others)),
        ):
            comparable = values and rest and np.mean(rest)
            assert row[name] == near(100 * (float(np.mean(values) / np.mean(rest)) - 1) if comparable else None)
        t = welch([rpr(m) for m in own], [rpr(m) for m in others])
        z = proportion_z(own, others)
        assert row["rpr_stat_sig"] is significant(t, own, others)
        assert row["conv_stat_sig"] is significant(z, convs(own), convs(others))
        viewed = sum(m.viewed or 0 for m in own)
        bought = round(sum(min(m.purchased or 0, m.viewed) for m in own if m.viewed))
        if viewed:
            level = 1 - 2 * scipy.stats.norm.sf(1.96)
            interval = scipy.stats.binomtest(bought, viewed).proportion_ci(level, method="wilson")
            assert (row["conv_ci"]["lower"], row["conv_ci"]["upper"]) == (near(interval.low), near(interval.high))


@given(drawn=messages)
@random_messages
def test_days(embedded: Sandbox, drawn: list[Message]) -> None:
    """The days are Los Angeles days. The database returns them one by one, so that the test covers the grouping."""
    group = load(embedded, drawn)
    found = {row["day_of_week_la"]: row for row in rows(embedded, "analyze_day_patterns")}
    days = dict(
        embedded.query(
            "SELECT row_id, EXTRACT(DAYOFWEEK FROM DATETIME(sending_time, 'America/Los_Angeles')) "
            "FROM `{d}.mass_messages`"
        )
    )
    numbered = {id(message): days[number] for number, message in enumerate(drawn)}
    assert set(found) == {numbered[id(m)] for m in group}
    for day, row in found.items():
        own = [rpr(m) for m in group if numbered[id(m)] == day]
        others = [rpr(m) for m in group if numbered[id(m)] != day]
        t = welch(own, others)
        assert row["n"] == len(own)
        assert row["t_rpr_approx"] == near(t)
        assert row["rpr_stat_sig"] is significant(t, own, others)


@given(drawn=messages)
@random_messages
def test_categories(embedded: Sandbox, drawn: list[Message]) -> None:
    group = load(embedded, drawn)
    found = {(row["content_category"], row["price_tier"]): row for row in rows(embedded, "analyze_content_categories")}
    tiers = {caption.caption: (caption.category, caption.tier) for caption in CAPTIONS}
    assert set(found) == {tiers[m.caption] for m in group if m.caption in tiers}
    for (category, tier), row in found.items():
        own = [m for m in group if tiers.get(m.caption or 0) == (category, tier)]
        recent = [rpr(m) for m in own if m.days_ago <= 30]
        before = [rpr(m) for m in own if 30 < m.days_ago <= 60]
        trend = 100 * (float(np.mean(recent) / np.mean(before)) - 1) if recent and before and np.mean(before) else None
        assert row["msg_count"] == len(own)
        assert row["trend_pct"] == near(trend)
        direction = "STABLE" if trend is None or abs(trend) <= 10 else "RISING" if trend > 0 else "DECLINING"
        assert row["trend_direction"] == direction
        pairs = [(m.price, c) for m in group if CATEGORY.get(m.caption or 0) == category and m.price is not None
                 and (c := conv(m)) is not None]  # fmt: skip
        assert row["price_sensitivity_corr"] == near(correlation([x for x, _ in pairs], [y for _, y in pairs]))
        averages = {other: cell["avg_rpr"] for (kind, other), cell in found.items() if kind == category}
        assert averages[row["best_price_tier"]] == max(averages.values())


@pytest.mark.parametrize(
    ("revenue", "tier"),
    [(4999.99, "MICRO"), (5000, "SMALL"), (25000, "MEDIUM"), (100000, "LARGE"), (499999.99, "LARGE"), (500000, "MEGA")],
)
def test_account_size_at_its_edges(embedded: Sandbox, revenue: float, tier: str) -> None:
    load(
        embedded,
        [Message(earnings=float(revenue), sent=300), Message(earnings=None, sent=100), Message(sent=0, earnings=0.0)],
    )
    ((row),) = rows(embedded, "classify_account_size")
    size = row["account_size_classification"]
    assert (size["size_tier"], size["avg_audience"], size["total_revenue_period"]) == (tier, 200, near(revenue))


def test_time_windows_are_hours_of_los_angeles(embedded: Sandbox) -> None:
    """Ten, five and four messages; the hour before midnight on Friday is a weekday's, an hour later the weekend's."""
    at = {"2026-06-12 23:30:00-07:00": 10, "2026-06-13 00:30:00-07:00": 5, "2026-06-14 23:59:59-07:00": 4}
    load(embedded, [Message(at=instant) for instant, count in at.items() for _ in range(count)])
    found = {
        (row["day_type"], row["hour_la"]): (row["n"], row["confidence"])
        for row in rows(embedded, "analyze_time_windows")
    }
    assert found == {
        ("Weekday", 23): (10, "HIGH_CONF"), ("Weekend", 0): (5, "MED_CONF"), ("Weekend", 23): (4, "LOW_CONF")
    }  # fmt: skip


def days_of(values: dict[range, tuple[int, float]], page: str = "page") -> list[Message]:
    """A message at noon of each day before NOW's: views of 100 and earnings by how many days ago."""
    return [
        Message(page=page, days_ago=day, viewed=viewed, purchased=float(viewed), earnings=emv)
        for days, (viewed, emv) in values.items()
        for day in days
    ]


def saturation(embedded: Sandbox, tier: str = "MEDIUM", page: str = "page") -> dict[str, Any]:
    dataset = embedded.dataset
    text = f"SELECT * FROM `{dataset}.calculate_saturation_score`('{page}', '{tier}')"
    ((row),) = [dict(row) for row in embedded.client.query_and_wait(text)]
    return row


BASE = range(8, 91)
WEEK = range(1, 8)
#: A second page, ten times as large and steady, so that the platform as a whole is not in decline.
STEADY = [message for _ in range(10) for message in days_of({range(1, 91): (50, 100.0)}, "steady")]


@pytest.mark.parametrize(
    ("viewed", "emv", "score", "risk"),
    [
        (50, 100.0, 0.0, "LOW"),
        (47, 100.0, 0.15, "LOW"),
        (42, 100.0, 0.25, "LOW"),
        (34, 100.0, 0.4, "MEDIUM"),
        (50, 89.0, 0.15, "LOW"),
        (50, 79.0, 0.45, "MEDIUM"),
        (50, 59.0, 0.6, "HIGH"),
        (34, 59.0, 1.0, "HIGH"),
    ],
)
def test_saturation_by_deviation(embedded: Sandbox, viewed: int, emv: float, score: float, risk: str) -> None:
    """A week under 80 % of its EMV is a run of 7 days, which adds 0.20."""
    load(embedded, [*STEADY, *days_of({BASE: (50, 100.0), WEEK: (viewed, emv)})])
    row = saturation(embedded)
    assert row["saturation_score"] == near(score)
    assert row["risk_level"] == risk
    assert row["unlock_rate_deviation"] == near(viewed / 50 - 1)
    assert row["emv_deviation"] == near(emv / 100 - 1)
    actions = {"LOW": ("NO CHANGE", 1.0), "MEDIUM": ("CUT VOLUME 15%", 0.85), "HIGH": ("CUT VOLUME 30%", 0.7)}
    assert (row["recommended_action"], row["volume_adjustment_factor"]) == actions[risk]
    assert (row["confidence_score"], row["exclusion_reason"]) == (1.0, None)


@pytest.mark.parametrize(
    ("tier", "score"), [("MICRO", 0.54), ("SMALL", 0.54), ("MEDIUM", 0.6), ("LARGE", 0.66), ("MEGA", 0.72)]
)
def test_saturation_takes_the_tolerance_of_the_tier(embedded: Sandbox, tier: str, score: float) -> None:
    load(embedded, [*STEADY, *days_of({BASE: (50, 100.0), WEEK: (50, 59.0)})])
    assert saturation(embedded, tier)["saturation_score"] == near(score)


@pytest.mark.parametrize(("weak", "run"), [((1, 2, 4, 5, 6), 3), ((1, 3, 5), 1), ((2, 3, 6), 2), ((), 0)])
def test_longest_run_of_weak_days(embedded: Sandbox, weak: tuple[int, ...], run: int) -> None:
    days = {range(day, day + 1): (50, 70.0 if day in weak else 100.0) for day in WEEK}
    load(embedded, [*STEADY, *days_of({BASE: (50, 100.0)} | days)])
    assert saturation(embedded)["consecutive_underperform_days"] == run


def test_weekdays_are_compared_with_their_own(embedded: Sandbox) -> None:
    """A page that sells ten times as much on one weekday is not tired on the others."""
    days = {range(day, day + 1): (50, 1000.0 if day % 7 == 3 else 100.0) for day in range(1, 91)}
    load(embedded, [*STEADY, *days_of(days)])
    assert saturation(embedded)["emv_deviation"] == near(0.0)


def test_exclusions(embedded: Sandbox) -> None:
    """Headwind of the platform, three holidays in the week, too short a history: no change, for any score."""
    load(embedded, [*days_of({BASE: (50, 100.0), WEEK: (34, 59.0)})])
    row = saturation(embedded)
    assert (row["exclusion_reason"], row["risk_level"]) == ("PLATFORM_HEADWIND", "LOW")
    assert row["volume_adjustment_factor"] == 1.0
    load(embedded, [*STEADY, *days_of({WEEK: (34, 59.0), range(8, 14): (50, 100.0)})])
    assert saturation(embedded)["exclusion_reason"] == "INSUFFICIENT_DATA"
    load(embedded, [*STEADY, *days_of({BASE: (50, 100.0), WEEK: (34, 59.0)})])
    holidays = ", ".join(f"(DATE '2026-06-{day:02}', 'h{day}', 'CULTURAL', FALSE, 0.5)" for day in (10, 11, 12))
    embedded.query(f"INSERT INTO `{{d}}.holiday_calendar` VALUES {holidays}")
    row = saturation(embedded)
    assert (row["exclusion_reason"], row["recommended_action"]) == ("HOLIDAY", "NO CHANGE")
    assert row["consecutive_underperform_days"] == 4
