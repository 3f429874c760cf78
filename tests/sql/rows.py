"""Rows of the tables that others own, for tests: messages, captions, locks, restrictions."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.sql.conftest import Sandbox

#: The time of the tests of procedures, a Monday.
NOW = "2026-06-15 12:00:00-07:00"


@dataclass(frozen=True)
class Message:
    """A row of mass_messages; ``days_ago`` counts from NOW."""

    page: str = "page"
    caption: int | None = 1
    days_ago: float = 1.0
    sent: int | None = 100
    viewed: int | None = 50
    purchased: float | None = 5.0
    earnings: float | None = 50.0
    price: float | None = 10.0
    text: str | None = "Early access for subscribers"
    at: str | None = None


@dataclass(frozen=True)
class Caption:
    """A row of caption_bank."""

    caption: int
    tier: str = "budget"
    category: str | None = "tutorial"
    urgent: bool = False
    text: str = "Early access for subscribers"
    score: float = 0.5
    revenue: float | None = 0.0
    status: str = "available"
    page: str | None = None


@dataclass(frozen=True)
class Lock:
    """A row of active_caption_assignments; days count from NOW's Los Angeles day."""

    caption: int
    send_in_days: int | None = 1
    assigned_days_ago: float = 1.0
    active: bool = True
    page: str = "page"
    schedule: str = "earlier"


def literal(value: object) -> str:
    """A Python value as GoogleSQL."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
    return repr(value)


def add_messages(embedded: Sandbox, *messages: Message) -> None:
    """Insert messages, numbered in their order."""
    rows = []
    for number, message in enumerate(messages):
        instant = (
            f"TIMESTAMP '{message.at}'"
            if message.at
            else f"TIMESTAMP_SUB(TIMESTAMP '{NOW}', INTERVAL {round(message.days_ago * 86_400)} SECOND)"
        )
        values = [
            message.page, message.text, message.price, message.sent, message.viewed, message.purchased,
            message.earnings, message.caption,
        ]  # fmt: skip
        rows.append(f"({number}, {instant}, {', '.join(map(literal, values))})")
    if rows:
        embedded.query(
            "INSERT INTO `{d}.mass_messages` (row_id, sending_time, page_name, message, price, sent_count, "
            f"viewed_count, purchased_count, earnings, caption_id) VALUES {', '.join(rows)}"
        )


def add_captions(embedded: Sandbox, *captions: Caption) -> None:
    """Insert captions with the key of their text."""
    rows = [
        f"({', '.join(literal(getattr(caption, field.name)) for field in fields(caption))}, "
        f"`{{d}}.caption_key`({literal(caption.text)}))"
        for caption in captions
    ]
    embedded.query(
        "INSERT INTO `{d}.caption_bank` (caption_id, price_tier, content_category, has_urgency, caption_text, "
        "overall_performance_score, avg_revenue, usage_status, page_name, caption_key) VALUES " + ", ".join(rows)
    )


def add_locks(embedded: Sandbox, *locks: Lock) -> None:
    """Insert locks."""
    rows = []
    for lock in locks:
        day = "NULL" if lock.send_in_days is None else f"DATE_ADD(DATE '2026-06-15', INTERVAL {lock.send_in_days} DAY)"
        assigned = f"TIMESTAMP_SUB(TIMESTAMP '{NOW}', INTERVAL {round(lock.assigned_days_ago * 86_400)} SECOND)"
        rows.append(
            f"({literal(lock.page)}, {lock.caption}, {day}, {assigned}, DATE({assigned}, 'America/Los_Angeles'), "
            f"{literal(lock.active)}, {literal(lock.schedule)})"
        )
    embedded.query(
        "INSERT INTO `{d}.active_caption_assignments` (page_name, caption_id, scheduled_send_date, assigned_at, "
        f"assigned_date, is_active, schedule_id) VALUES {', '.join(rows)}"
    )


@dataclass(frozen=True)
class Restriction:
    """A row of active_creator_caption_restrictions_v."""

    page: str = "page"
    hard: Sequence[str] = ()
    soft: Sequence[str] = ()
    categories: Sequence[str] = ()
    tiers: Sequence[str] = ()


def restrict(embedded: Sandbox, *restrictions: Restriction) -> None:
    """Replace the view of restrictions with one of these rows; the fixture restores the original."""
    rows = [
        "SELECT "
        f"{literal(row.page)} AS page_name, 'all' AS applies_to_scope, 0 AS min_ppv_pool, 0 AS min_bump_pool, "
        f"{_array(row.hard)} AS hard_patterns, {_array(row.soft)} AS soft_patterns, "
        f"{_array(row.categories)} AS restricted_categories, {_array(row.tiers)} AS restricted_price_tiers"
        for row in restrictions
    ]
    embedded.replace_view("active_creator_caption_restrictions_v", " UNION ALL ".join(rows))


def _array(texts: Sequence[str]) -> str:
    return f"CAST([{', '.join(map(literal, texts))}] AS ARRAY<STRING>)"
