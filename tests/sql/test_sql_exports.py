"""record_schedule_export: one row per export, and clear errors for what is no export."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from google.api_core.exceptions import BadRequest

if TYPE_CHECKING:
    from tests.sql.conftest import Sandbox

RECORD = "record_schedule_export"
GOOD = {
    "schedule": "'S-1'",
    "page": "'page'",
    "messages": "40",
    "seconds": "90.5",
    "status": "'SUCCESS'",
    "problem": "NULL",
    "form": "'CSV'",
    "by": "'someone@example.com'",
}


def arguments(**other: str) -> str:
    return ", ".join({**GOOD, **other}.values())


def recorded(embedded: Sandbox) -> list[tuple[object, ...]]:
    return embedded.query(
        "SELECT schedule_id, page_name, export_timestamp, message_count, execution_time_seconds, status, "
        "error_message, export_format, exported_by FROM `{d}.schedule_export_log` ORDER BY export_timestamp"
    )


def test_an_export_is_recorded_with_the_time_at_which_it_began(embedded: Sandbox) -> None:
    embedded.call(RECORD, arguments(), "2026-06-15 12:00:00-07:00")
    began = datetime(2026, 6, 15, 18, 58, 29, 500_000, tzinfo=UTC)
    expected = ("S-1", "page", began, 40, 90.5, "SUCCESS", None, "CSV", "someone@example.com")
    assert recorded(embedded) == [expected]


def test_a_failed_export_needs_no_figures_and_each_call_is_a_row(embedded: Sandbox) -> None:
    failed = arguments(messages="NULL", seconds="NULL", status="'FAILED'", problem="'no space'", by="NULL")
    embedded.call(RECORD, failed, "2026-06-15 12:00:00-07:00")
    partial = arguments(messages="0", seconds="0", status="'PARTIAL'", form="'SHEETS'")
    embedded.call(RECORD, partial, "2026-06-15 12:00:01-07:00")
    now = datetime(2026, 6, 15, 19, tzinfo=UTC)
    assert recorded(embedded) == [
        ("S-1", "page", now, None, None, "FAILED", "no space", "CSV", None),
        ("S-1", "page", now + timedelta(seconds=1), 0, 0.0, "PARTIAL", None, "SHEETS", "someone@example.com"),
    ]


@pytest.mark.parametrize(
    ("argument", "value", "said"),
    [
        ("schedule", "NULL", "p_schedule_id is blank"),
        ("schedule", "' '", "p_schedule_id is blank"),
        ("page", "NULL", "p_page_name is blank"),
        ("page", "''", "p_page_name is blank"),
        ("messages", "-1", "p_message_count is -1"),
        ("seconds", "-0.1", "p_execution_time_seconds is -0.1"),
        ("seconds", "CAST('NaN' AS FLOAT64)", "p_execution_time_seconds is (NaN|nan)"),
        ("seconds", "CAST('inf' AS FLOAT64)", "p_execution_time_seconds is inf"),
        ("status", "NULL", "p_status is NULL"),
        ("status", "'success'", "p_status is success"),
        ("form", "NULL", "p_export_format is NULL"),
        ("form", "'XLSX'", "p_export_format is XLSX"),
    ],
)
def test_what_is_no_export_is_a_clear_error_and_no_row(embedded: Sandbox, argument: str, value: str, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        embedded.call(RECORD, arguments(**{argument: value}))
    assert recorded(embedded) == []
