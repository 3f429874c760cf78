"""Rows of the tables that others own, for tests: messages, captions, locks, restrictions."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    columns = {
        "row_id": "LAX_INT64(r.number)",
        "sending_time": (
            "COALESCE(TIMESTAMP(LAX_STRING(r.at)), "
            f"TIMESTAMP_SUB(TIMESTAMP '{NOW}', INTERVAL LAX_INT64(r.seconds_ago) SECOND))"
        ),
        "page_name": "LAX_STRING(r.page)",
        "message": "LAX_STRING(r.text)",
        "price": "LAX_FLOAT64(r.price)",
        "sent_count": "LAX_INT64(r.sent)",
        "viewed_count": "LAX_INT64(r.viewed)",
        "purchased_count": "LAX_FLOAT64(r.purchased)",
        "earnings": "LAX_FLOAT64(r.earnings)",
        "caption_id": "LAX_INT64(r.caption)",
    }
    rows = [
        {**asdict(message), "number": number, "seconds_ago": round(message.days_ago * 86_400)}
        for number, message in enumerate(messages)
    ]
    _insert(embedded, "mass_messages", columns, rows)


def add_captions(embedded: Sandbox, *captions: Caption) -> None:
    """Insert captions with the key of their text."""
    columns = {
        "caption_id": "LAX_INT64(r.caption)",
        "price_tier": "LAX_STRING(r.tier)",
        "content_category": "LAX_STRING(r.category)",
        "has_urgency": "LAX_BOOL(r.urgent)",
        "caption_text": "LAX_STRING(r.text)",
        "overall_performance_score": "LAX_FLOAT64(r.score)",
        "avg_revenue": "LAX_FLOAT64(r.revenue)",
        "usage_status": "LAX_STRING(r.status)",
        "page_name": "LAX_STRING(r.page)",
        "caption_key": "`{d}.caption_key`(LAX_STRING(r.text))",
    }
    _insert(embedded, "caption_bank", columns, [asdict(caption) for caption in captions])


def add_locks(embedded: Sandbox, *locks: Lock) -> None:
    """Insert locks."""
    assigned = f"TIMESTAMP_SUB(TIMESTAMP '{NOW}', INTERVAL LAX_INT64(r.seconds_ago) SECOND)"
    columns = {
        "page_name": "LAX_STRING(r.page)",
        "caption_id": "LAX_INT64(r.caption)",
        "scheduled_send_date": "DATE_ADD(DATE '2026-06-15', INTERVAL LAX_INT64(r.send_in_days) DAY)",
        "assigned_at": assigned,
        "assigned_date": f"DATE({assigned}, 'America/Los_Angeles')",
        "is_active": "LAX_BOOL(r.active)",
        "schedule_id": "LAX_STRING(r.schedule)",
    }
    rows = [{**asdict(lock), "seconds_ago": round(lock.assigned_days_ago * 86_400)} for lock in locks]
    _insert(embedded, "active_caption_assignments", columns, rows)


def _insert(embedded: Sandbox, table: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows by a text that is the same for all rows: the engine translates it once.

    Args:
        embedded: the server.
        table: the table.
        columns: the expression of each column, over a row ``r`` of type JSON.
        rows: the values that the expressions name.
    """
    if rows:
        embedded.query(
            f"INSERT INTO `{{d}}.{table}` ({', '.join(columns)}) "
            f"SELECT {', '.join(columns.values())} FROM UNNEST(JSON_QUERY_ARRAY(PARSE_JSON(@rows))) AS r",
            rows=json.dumps(rows),
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
