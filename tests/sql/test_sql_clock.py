"""The embedded engine's clock: stopped at an instant, for queries and for what is stored, and released again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.sql.rows import NOW, Message, add_messages

if TYPE_CHECKING:
    from tests.sql.conftest import Sandbox


def test_stopped_clock(embedded: Sandbox) -> None:
    embedded.set_clock("2026-03-08T12:00:00-07:00")
    (row,) = embedded.query(
        "SELECT CURRENT_TIMESTAMP(), CAST(CURRENT_DATE('America/Los_Angeles') AS STRING), "
        "CAST(CURRENT_DATE('Asia/Tokyo') AS STRING)"
    )
    assert row == (datetime(2026, 3, 8, 19, tzinfo=UTC), "2026-03-08", "2026-03-09")
    embedded.set_clock(None)
    assert abs(embedded.value("SELECT CURRENT_TIMESTAMP()") - datetime.now(UTC)) < timedelta(minutes=1)


def test_stored_functions_see_it(embedded: Sandbox) -> None:
    add_messages(embedded, Message())
    windows = "SELECT COUNT(*) FROM `{d}.analyze_time_windows`('page', 90)"
    embedded.set_clock(NOW)
    assert embedded.value(windows) == 1
    embedded.set_clock("2027-01-01T00:00:00+00:00")
    assert embedded.value(windows) == 0


@pytest.mark.parametrize("body", [b"", b"{}", b'{"now": "soon"}', b'{"now": "2026-01-01T00:00:00"}', b'{"now": 5}'])
def test_what_is_not_an_instant_is_refused(embedded: Sandbox, body: bytes) -> None:
    answer = httpx.put(f"{embedded.endpoint}/clock", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert "an instant with its zone" in answer.text
