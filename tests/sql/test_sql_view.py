"""schedule_recommendations_messages: one row for each active slot, for any content of its sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.sql.conftest import Sandbox

COLUMNS = [
    "schedule_id",
    "page_name",
    "day_of_week",
    "scheduled_send_time",
    "message_type",
    "caption_id",
    "caption_text",
    "price_tier",
    "content_category",
    "has_urgency",
    "performance_score",
    "confidence_lower_bound",
    "confidence_upper_bound",
    "total_observations",
    "caption_last_updated",
    "schedule_created_at",
    "schedule_is_active",
    "time_slot_rank",
]
SLOT_COLUMNS = "schedule_id, page_name, caption_id, is_active, time_slot_rank"


def add_slots(embedded: Sandbox, *rows: str) -> None:
    embedded.query(f"INSERT INTO `{{d}}.schedule_recommendations` ({SLOT_COLUMNS}) VALUES {', '.join(rows)}")


def add_caption(embedded: Sandbox, table: str, *rows: str) -> None:
    embedded.query(f"INSERT INTO `{{d}}.{table}` (caption_id, caption_text, price_tier) VALUES {', '.join(rows)}")


def add_stats(embedded: Sandbox, *rows: str) -> None:
    embedded.query(
        "INSERT INTO `{d}.caption_bandit_stats` (caption_id, page_name, avg_conversion_rate, total_observations, "
        f"last_updated) VALUES {', '.join(rows)}"
    )


def shown(embedded: Sandbox, columns: str, where: str = "TRUE") -> list[tuple[Any, ...]]:
    return embedded.query(
        f"SELECT {columns} FROM `{{d}}.schedule_recommendations_messages` WHERE {where} ORDER BY time_slot_rank"
    )


def test_columns_in_their_order(embedded: Sandbox) -> None:
    table = embedded.client.get_table(f"{embedded.dataset}.schedule_recommendations_messages")
    assert [field.name for field in table.schema] == COLUMNS


def test_only_active_slots(embedded: Sandbox) -> None:
    add_slots(embedded, "('s', 'p', 1, TRUE, 1)", "('s', 'p', 1, FALSE, 2)", "('s', 'p', 1, NULL, 3)")
    assert shown(embedded, "time_slot_rank, schedule_is_active") == [(1, True)]


def test_empty_sources(embedded: Sandbox) -> None:
    assert shown(embedded, "schedule_id") == []
    add_slots(embedded, "('s', 'p', 1, TRUE, 1)", "('s', 'p', NULL, TRUE, 2)", "(NULL, NULL, NULL, TRUE, 3)")
    assert shown(embedded, "caption_text, performance_score, total_observations") == [(None, None, None)] * 3


def test_bank_before_captions_before_nothing(embedded: Sandbox) -> None:
    add_slots(embedded, *(f"('s', 'p', {caption}, TRUE, {caption})" for caption in (1, 2, 3)))
    add_caption(embedded, "caption_bank", "(1, 'z of the bank', 'mid')")
    add_caption(embedded, "captions", "(1, 'a of the older', 'budget')", "(2, 'only older', 'bump')")
    found = [("z of the bank", "mid"), ("only older", "bump"), (None, None)]
    assert shown(embedded, "caption_text, price_tier") == found


def test_duplicates_in_every_source(embedded: Sandbox) -> None:
    add_slots(embedded, "('s', 'p', 1, TRUE, 1)", "('s', 'p', 2, TRUE, 2)")
    add_caption(embedded, "caption_bank", "(1, 'one', 'mid')", "(1, 'one', 'mid')", "(1, NULL, NULL)")
    add_caption(embedded, "captions", "(2, 'two', 'mid')", "(2, 'two b', 'mid')")
    add_caption(embedded, "caption_bank", "(NULL, 'no id', 'mid')", "(NULL, 'no id', 'mid')")
    add_stats(embedded, *(["(1, 'p', 0.5, 10, TIMESTAMP '2026-01-01 00:00:00+00')"] * 3))
    assert shown(embedded, "caption_id, caption_text") == [(1, "one"), (2, "two")]


def test_slots_that_are_the_same_are_all_shown(embedded: Sandbox) -> None:
    add_slots(embedded, "('s', 'p', 1, TRUE, 1)", "('s', 'p', 1, TRUE, 1)")
    assert len(shown(embedded, "schedule_id")) == 2


def test_newest_stats_of_page_and_caption(embedded: Sandbox) -> None:
    add_slots(embedded, "('s', 'p', 1, TRUE, 1)", "('s', 'other', 1, TRUE, 2)")
    add_stats(
        embedded,
        "(1, 'p', 0.9, 5, TIMESTAMP '2026-01-01 00:00:00+00')",
        "(1, 'p', 0.1, 7, TIMESTAMP '2026-01-03 00:00:00+00')",
        "(1, 'p', 0.8, 6, TIMESTAMP '2026-01-02 00:00:00+00')",
        "(2, 'p', 0.7, 8, TIMESTAMP '2026-01-09 00:00:00+00')",
    )
    assert shown(embedded, "performance_score, total_observations") == [(0.1, 7), (None, None)]


@pytest.mark.parametrize("schedule", ["s1", "s2", "unknown"])
def test_filter_by_schedule(embedded: Sandbox, schedule: str) -> None:
    add_slots(embedded, "('s1', 'p', 1, TRUE, 1)", "('s2', 'p', 1, TRUE, 2)", "('s2', 'p', 2, TRUE, 3)")
    expected = {"s1": [(1,)], "s2": [(2,), (3,)], "unknown": []}[schedule]
    assert shown(embedded, "time_slot_rank", f"schedule_id = '{schedule}'") == expected


def test_filter_by_schedule_reaches_the_base_table(embedded: Sandbox) -> None:
    """An error in a row of another schedule is never met, because that row is never read beyond the filter."""
    add_slots(embedded, "('s1', 'p', 1, TRUE, 1)", "('s2', 'p', 1, TRUE, 0)")
    failing = "MOD(10, IF(schedule_id = 's1', 1, time_slot_rank)) = 0"
    assert shown(embedded, "schedule_id", f"schedule_id = 's1' AND {failing}") == [("s1",)]
