"""select_captions_for_creator: candidates, score, weekly budgets, and how many come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import BadRequest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sql.rows import (
    NOW,
    Caption,
    Lock,
    Message,
    Restriction,
    add_captions,
    add_locks,
    add_messages,
    literal,
    restrict,
)

if TYPE_CHECKING:
    from tests.sql.conftest import Sandbox

SELECT = "select_captions_for_creator"
TIERS = ("budget", "mid", "premium", "bump")


def select(embedded: Sandbox, *wanted: int, segment: str = "any") -> list[tuple[Any, ...]]:
    """The rows of a selection at NOW: so many of each tier, 0 of those not named."""
    counts = ", ".join(str(number) for number in (*wanted, 0, 0, 0, 0)[:4])
    return embedded.call(SELECT, f"'page', '{segment}', {counts}", now=NOW)


def chosen(embedded: Sandbox, *wanted: int) -> list[int]:
    return sorted(row[0] for row in select(embedded, *wanted))


def scored(embedded: Sandbox, segment: str = "any") -> dict[int, dict[str, Any]]:
    """The score of each candidate and its parts, by caption, for one key of the draw."""
    embedded.set_clock(NOW)
    rows = embedded.query(
        "SELECT caption_id, final_score, is_eligible, category_uses, urgent_uses, debug_info "
        f"FROM `{{d}}.scored_captions`('page', {literal(segment)}, 'key')"
    )
    return {
        row[0]: {"final": row[1], "eligible": row[2], "category_uses": row[3], "urgent_uses": row[4], **row[5]}
        for row in rows
    }


def test_rows_are_the_contracts_and_best_come_first(embedded: Sandbox) -> None:
    add_captions(embedded, *(Caption(i, tier=TIERS[i % 4], text=f"New today {i}") for i in range(40)))
    embedded.set_clock(NOW)
    dataset = embedded.dataset
    rows = embedded.client.query_and_wait(f"CALL `{dataset}.{SELECT}`('page', 'any', 3, 2, 1, 4)")
    names = ["caption_id", "caption_text", "price_tier", "content_category", "has_urgency", "final_score", "debug_info"]
    assert [field.name for field in rows.schema] == names
    assert [field.name for field in rows.schema[-1].fields] == [
        "thompson_score",
        "diversity_bonus",
        "segment_multiplier",
        "successes",
        "failures",
        "confidence_lower",
        "confidence_upper",
        "budget_penalty",
    ]
    found = [tuple(row.values()) for row in rows]
    assert [row[5] for row in found] == sorted((row[5] for row in found), reverse=True)
    assert {tier: sum(row[2] == tier for row in found) for tier in TIERS} == dict(zip(TIERS, (3, 2, 1, 4), strict=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("' ', 'any', 1, 1, 1, 1", "normalized_page_name is blank"),
        ("NULL, 'any', 1, 1, 1, 1", "normalized_page_name is blank"),
        ("'page', 'any', NULL, 1, 1, 1", "budget NULL"),
        ("'page', 'any', 1, 1, -2, 1", "premium -2"),
    ],
)
def test_bad_arguments_are_clear_errors(embedded: Sandbox, arguments: str, message: str) -> None:
    with pytest.raises(BadRequest, match=f"{SELECT}: .*{message}"):
        embedded.call(SELECT, arguments)


def test_nothing_wanted_and_an_unknown_creator(embedded: Sandbox) -> None:
    """A creator without a message may use what is for every page."""
    add_captions(embedded, Caption(1), Caption(2, page="another"))
    assert select(embedded, 0) == []
    assert chosen(embedded, 5) == [1]


def test_candidates(embedded: Sandbox) -> None:
    add_captions(
        embedded,
        Caption(1),
        Caption(1),
        Caption(2, page="page"),
        Caption(3, page="another"),
        Caption(4, score=0.0),
        Caption(5, status="retired"),
        Caption(6, text=" "),
        Caption(7, tier="mid"),
    )
    assert chosen(embedded, 9) == [1, 2]


@pytest.mark.parametrize(
    ("use", "is_free"),
    [
        (Message(caption=1, days_ago=6.9), False),
        (Message(caption=1, days_ago=7.1), True),
        (Message(caption=1, days_ago=1, page="another"), True),
        (Message(caption=None, days_ago=1, text="NEW today!"), False),
        (Lock(1, send_in_days=0), False),
        (Lock(1, send_in_days=30), False),
        (Lock(1, send_in_days=None), False),
        (Lock(1, send_in_days=None, assigned_days_ago=20), False),
        (Lock(1, send_in_days=3, active=False), True),
        (Lock(1, send_in_days=-2, active=False, assigned_days_ago=3), False),
        (Lock(1, send_in_days=-8, active=False, assigned_days_ago=12), True),
        (Lock(1, send_in_days=1, page="another"), True),
    ],
    ids=str,
)
def test_used_in_the_last_7_days_or_locked_for_days_to_come(
    embedded: Sandbox, use: Message | Lock, is_free: bool
) -> None:
    add_captions(embedded, Caption(1, text="New today"))
    if isinstance(use, Message):
        add_messages(embedded, use)
    else:
        add_locks(embedded, use)
    assert bool(chosen(embedded, 1)) is is_free


def test_all_restriction_rows_hold_together(embedded: Sandbox) -> None:
    add_captions(
        embedded,
        Caption(1, text="Last chance: 20 % off"),
        Caption(2, category="archive"),
        Caption(3, tier="premium"),
        Caption(4, category=None),
        Caption(5, text="Nouveauté: dernière chance"),
    )
    restrict(
        embedded,
        Restriction(hard=["(?i)last CHANCE"], categories=["archive"]),
        Restriction(hard=["derni.re"], tiers=["premium"]),
        Restriction(page="another", hard=["."]),
    )
    assert chosen(embedded, 9, 9, 9, 9) == [4]


def test_an_invalid_pattern_names_creator_and_pattern_and_stops_nobody_else(embedded: Sandbox) -> None:
    add_captions(embedded, Caption(1))
    restrict(embedded, Restriction(page="another", hard=["(a"]), Restriction(hard=["fine"]))
    assert chosen(embedded, 1) == [1]
    for kind in ("hard", "soft"):
        restrict(embedded, Restriction(**{kind: ["fine", "[z"]}))  # type: ignore[arg-type]
        with pytest.raises(BadRequest, match=rf"creator page has a {kind} pattern .*\[z"):
            select(embedded, 1)


def test_score_is_the_sum_of_its_parts(embedded: Sandbox) -> None:
    add_captions(embedded, *(Caption(i, text=f"New today {i}", revenue=10.0 * i) for i in range(12)))
    embedded.query(
        "INSERT INTO `{d}.caption_bandit_stats` (caption_id, page_name, successes, failures, avg_emv, last_updated) "
        f"VALUES (1, 'page', 9, 2, 77.0, TIMESTAMP '{NOW}'), (2, 'page', 1, 8, -5.0, TIMESTAMP '{NOW}'), "
        f"(2, 'page', 50, 1, 500.0, TIMESTAMP '2026-06-01 00:00:00+00'), (3, 'another', 9, 2, 9.0, TIMESTAMP '{NOW}'), "
        f"(11, 'page', 2, 2, 900.0, TIMESTAMP '{NOW}')"
    )
    found = scored(embedded)
    emv = {i: 10.0 * i for i in range(12)} | {1: 77.0, 2: 0.0, 11: 100.0}
    for caption, parts in found.items():
        final = 0.7 * parts["thompson_score"] + 0.15 * parts["diversity_bonus"] + 0.15 * emv[caption] / 100
        assert parts["final"] == pytest.approx(final, abs=1e-12)
        assert parts["confidence_lower"] <= parts["thompson_score"] <= parts["confidence_upper"]
    assert (found[1]["successes"], found[1]["failures"]) == (9, 2)
    assert (found[2]["successes"], found[2]["failures"]) == (1, 8)
    assert (found[3]["successes"], found[3]["failures"]) == (1, 1)


def test_draws_are_fresh_for_each_call_and_the_same_for_the_same_key(embedded: Sandbox) -> None:
    add_captions(embedded, *(Caption(i, text=f"New today {i}") for i in range(5)))
    first, second = ({row[0]: row[6]["thompson_score"] for row in select(embedded, 5)} for _ in range(2))
    assert all(first[caption] != second[caption] for caption in first)
    assert len(set(first.values())) == 5
    assert scored(embedded) == scored(embedded)


@pytest.mark.parametrize(
    ("segment", "multipliers"),
    [
        ("High-Value/Price-Insensitive", (1.0, 1.0, 1.25, 1.0)),
        ("Budget-Conscious", (1.15, 1.15, 1.0, 1.0)),
        ("Night owls", (1.0, 1.0, 1.0, 1.0)),
        (None, (1.0, 1.0, 1.0, 1.0)),
    ],
)
def test_segments(embedded: Sandbox, segment: str | None, multipliers: tuple[float, ...]) -> None:
    add_captions(embedded, *(Caption(i, tier=tier) for i, tier in enumerate(TIERS)))
    found = scored(embedded, segment)  # type: ignore[arg-type]
    assert tuple(found[i]["segment_multiplier"] for i in range(4)) == multipliers
    assert [found[i]["final"] for i in range(4)] == [
        pytest.approx((0.7 * found[i]["thompson_score"] + 0.15 * found[i]["diversity_bonus"]) * multipliers[i])
        for i in range(4)
    ]


def test_soft_pattern_costs_once(embedded: Sandbox) -> None:
    add_captions(embedded, Caption(1, text="Last chance tonight"), Caption(2, text="Thank you"))
    free = scored(embedded)
    restrict(embedded, Restriction(soft=["chance", "tonight"]))
    found = scored(embedded)
    assert found[1]["final"] == pytest.approx(free[1]["final"] - 0.15)
    assert found[2]["final"] == free[2]["final"]


def test_diversity_looks_at_the_newest_uses(embedded: Sandbox) -> None:
    """Category among 5, tier among 7, urgency among 3; a lock's use is when it was made."""
    add_captions(
        embedded,
        *(Caption(i, category="archive" if i == 6 else f"kind {i}", tier="mid" if i == 8 else "budget", urgent=i == 4)
          for i in range(1, 9)),
        Caption(20, category="archive", tier="premium"),
        Caption(21, category="kind 5", tier="premium"),
        Caption(22, category="kind 1", tier="budget", urgent=True),
        Caption(23, category="none yet", tier="mid", urgent=True),
    )  # fmt: skip
    add_messages(embedded, *(Message(caption=i, days_ago=i) for i in range(2, 9)))
    add_locks(embedded, Lock(1, send_in_days=5, assigned_days_ago=1))
    bonus = {caption: round(parts["diversity_bonus"], 9) for caption, parts in scored(embedded).items()}
    # newest first: 1, 2, 3, 4 … 8; caption 4, the urgent one, is the 4th, category 'archive' the 6th, tier mid the 8th
    assert bonus[20] == 0.1 + 0.1 + 0.05
    assert bonus[21] == round(-0.2 + 0.1 + 0.05, 9)
    assert bonus[22] == round(-0.2 - 0.2 + 0.05, 9)
    assert bonus[23] == 0.25
    add_locks(embedded, Lock(4, send_in_days=6, assigned_days_ago=0.5))
    bonus = {caption: round(parts["diversity_bonus"], 9) for caption, parts in scored(embedded).items()}
    assert (bonus[22], bonus[23]) == (round(-0.2 - 0.2 - 0.1, 9), 0.1)


@pytest.mark.parametrize(("uses", "penalty"), [(11, 0.0), (12, -0.15), (15, -0.15), (16, -0.3), (19, -0.3)])
def test_penalty_by_uses_of_the_category(embedded: Sandbox, uses: int, penalty: float) -> None:
    add_captions(embedded, *(Caption(i) for i in range(1, 30)), Caption(99), Caption(98, category="archive"))
    add_messages(embedded, *(Message(caption=i, days_ago=6.5) for i in range(1, uses + 1)))
    add_messages(embedded, *(Message(caption=i, days_ago=7.5) for i in range(20, 30)))
    found = scored(embedded)
    assert (found[99]["budget_penalty"], found[98]["budget_penalty"]) == (penalty, 0.0)
    assert found[99]["category_uses"] == uses


@pytest.mark.parametrize(("uses", "penalty"), [(3, 0.0), (4, -0.5), (5, -0.5)])
def test_penalty_by_urgent_uses(embedded: Sandbox, uses: int, penalty: float) -> None:
    add_captions(
        embedded,
        *(Caption(i, urgent=True, category=f"kind {i}") for i in range(1, 7)),
        Caption(90, urgent=True, category="archive"),
        Caption(91, category="archive"),
    )
    add_locks(embedded, *(Lock(i, send_in_days=4) for i in range(1, uses + 1)))
    found = scored(embedded)
    assert (found[90]["budget_penalty"], found[91]["budget_penalty"]) == (penalty, 0.0)


def test_a_use_that_was_locked_and_sent_counts_once(embedded: Sandbox) -> None:
    add_captions(embedded, Caption(1, urgent=True), Caption(2, urgent=True))
    add_locks(embedded, Lock(1, send_in_days=-1, assigned_days_ago=2, active=False))
    add_messages(embedded, Message(caption=1, days_ago=1.1), Message(caption=2, days_ago=2), Message(caption=2))
    assert scored(embedded)[1]["urgent_uses"] == 3


@pytest.mark.parametrize(("used", "urgent_rows"), [(0, 5), (3, 2), (5, 0), (8, 0)])
def test_urgent_budget_holds_and_takes_no_place(embedded: Sandbox, used: int, urgent_rows: int) -> None:
    """Urgent captions score best, and still no tier comes back short."""
    add_captions(
        embedded,
        *(Caption(i, urgent=True, category=f"kind {i % 7}", revenue=100.0) for i in range(1, 20)),
        *(Caption(i, category=f"kind {i % 7}") for i in range(20, 40)),
    )
    if used:
        add_locks(embedded, *(Lock(i, send_in_days=4) for i in range(1, used + 1)))
    rows = select(embedded, 12)
    assert len(rows) == 12
    assert sum(row[4] for row in rows) <= urgent_rows


@pytest.mark.parametrize(("used", "places"), [(0, 20), (5, 15), (19, 1), (20, 0), (25, 0)])
def test_category_budget_holds_and_takes_no_place(embedded: Sandbox, used: int, places: int) -> None:
    add_captions(
        embedded,
        *(Caption(i, category="archive", revenue=100.0) for i in range(1, 60)),
        *(Caption(i, category=f"kind {i % 3}") for i in range(60, 90)),
    )
    if used:
        add_messages(embedded, *(Message(caption=i, days_ago=2) for i in range(1, used + 1)))
    rows = select(embedded, 30)
    assert len(rows) == 30
    assert sum(row[3] == "archive" for row in rows) <= places


def test_pool_smaller_than_the_request(embedded: Sandbox) -> None:
    add_captions(embedded, Caption(1), Caption(2), Caption(3, tier="bump"))
    assert chosen(embedded, 9, 9, 9, 9) == [1, 2, 3]


def test_a_tier_that_cannot_do_without_a_budget_has_its_places_first(embedded: Sandbox) -> None:
    """Premium holds urgent captions only, and bump only archive; richer tiers have others to give instead."""
    add_captions(
        embedded,
        *(Caption(i, urgent=True, revenue=100.0, category=f"kind {i % 5}") for i in range(1, 9)),
        *(Caption(i, category=f"kind {i % 5}") for i in range(10, 19)),
        *(Caption(i, tier="premium", urgent=True, category=f"kind {i % 5}") for i in range(20, 29)),
        *(Caption(i, tier="mid", category="archive", revenue=100.0) for i in range(30, 60)),
        *(Caption(i, tier="mid", category=f"kind {i % 5}") for i in range(60, 90)),
        *(Caption(i, tier="bump", category="archive") for i in range(100, 110)),
    )
    rows = select(embedded, 8, 25, 5, 6)
    assert {tier: sum(row[2] == tier for row in rows) for tier in TIERS} == dict(zip(TIERS, (8, 25, 5, 6), strict=True))


@given(
    pool=st.lists(st.tuples(st.sampled_from(TIERS), st.sampled_from("abc"), st.booleans()), min_size=1, max_size=60),
    wanted=st.tuples(*[st.integers(0, 12)] * 4),
    used=st.tuples(st.integers(0, 5), st.integers(0, 19)),
)
@settings(max_examples=15)
def test_budgets_hold_for_any_pool(
    embedded: Sandbox, pool: list[tuple[str, str, bool]], wanted: tuple[int, ...], used: tuple[int, int]
) -> None:
    """Never more than asked for or than a budget allows; never fewer of a tier than if it were asked for alone."""
    embedded.reset()
    add_captions(
        embedded,
        *(Caption(i, tier=tier, category=category, urgent=urgent) for i, (tier, category, urgent) in enumerate(pool)),
        *(Caption(1000 + i, category="z", urgent=True, status="retired") for i in range(used[0])),
        *(Caption(2000 + i, category="a", status="retired") for i in range(used[1])),
    )
    if sum(used):
        spent = [*(1000 + i for i in range(used[0])), *(2000 + i for i in range(used[1]))]
        add_messages(embedded, *(Message(caption=caption, days_ago=2) for caption in spent))
    rows = select(embedded, *wanted)
    assert sum(row[4] for row in rows) <= 5 - used[0]
    for category in "abc":
        assert sum(row[3] == category for row in rows) <= 20 - (used[1] if category == "a" else 0)
    for tier, number in zip(TIERS, wanted, strict=True):
        calm = sum(kind == tier and not urgent for kind, _, urgent in pool)
        found = sum(row[2] == tier for row in rows)
        assert found <= number
        if used[1] == 0:  # then no category of so small a pool runs out
            assert found >= min(number, calm)
