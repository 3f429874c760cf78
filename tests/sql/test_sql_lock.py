"""lock_captions_for_creator: what it locks, that it can be called again, and that no two callers get one caption."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import BadRequest

from tests.sql.rows import NOW, Caption, Lock, Message, Restriction, add_captions, add_locks, add_messages, restrict

if TYPE_CHECKING:
    from tests.sql.conftest import Sandbox

LOCK = "lock_captions_for_creator"
DAY = "DATE '2026-06-16'"


def lock(embedded: Sandbox, schedule: str, *, budget: int = 3, page: str = "page") -> list[tuple[Any, ...]]:
    return embedded.call(LOCK, f"'{schedule}', {DAY}, '{page}', 'any', {budget}, 1, 0, 0", now=NOW)


def locks(embedded: Sandbox) -> list[tuple[str, int]]:
    """Schedule and caption of every active lock."""
    return embedded.query(
        "SELECT schedule_id, caption_id FROM `{d}.active_caption_assignments` WHERE is_active ORDER BY 1, 2"
    )


def add_pool(embedded: Sandbox, captions: int = 30) -> None:
    add_captions(
        embedded, *(Caption(i, text=f"New today {i}", category=f"kind {i % 4}") for i in range(captions)),
        Caption(90, tier="mid"),
    )  # fmt: skip


def test_what_it_returns_is_locked(embedded: Sandbox) -> None:
    add_pool(embedded)
    rows = lock(embedded, "monday")
    assert locks(embedded) == [("monday", caption) for caption in sorted(row[0] for row in rows)]
    assert [row[2] for row in rows].count("budget") == 3
    assert [row[5] for row in rows] == sorted((row[5] for row in rows), reverse=True)
    columns = "page_name, CAST(assigned_date AS STRING), CAST(scheduled_send_date AS STRING), price_tier, caption_text"
    found = embedded.query(f"SELECT {columns} FROM `{{d}}.active_caption_assignments` WHERE caption_id = 90")
    assert found == [("page", "2026-06-15", "2026-06-16", "mid", "Early access for subscribers")]
    assert embedded.value("SELECT COUNT(DISTINCT assignment_key) FROM `{d}.active_caption_assignments`") == 4


def test_the_same_schedule_gets_the_same_rows(embedded: Sandbox) -> None:
    add_pool(embedded)
    first = lock(embedded, "monday")
    assert lock(embedded, "monday") == first
    assert lock(embedded, "monday", budget=9) == first
    assert len(locks(embedded)) == 4


def test_another_schedule_gets_other_captions_until_there_are_none(embedded: Sandbox) -> None:
    add_pool(embedded, 5)
    counts = [len(lock(embedded, schedule)) for schedule in ("monday", "tuesday", "wednesday")]
    assert counts == [4, 2, 0]
    assert len({caption for _, caption in locks(embedded)}) == 6


def alerts(embedded: Sandbox) -> list[tuple[str, str, str]]:
    return embedded.query("SELECT alert_level, job_id, alert_message FROM `{d}.automation_alerts` ORDER BY job_id")


def test_a_schedule_that_comes_back_short_is_an_alert_with_the_reasons(embedded: Sandbox) -> None:
    """Each caption that is kept out counts once: restriction, lock, cooldown, budget, in this order."""
    add_captions(
        embedded,
        *(Caption(i, category=f"kind {i}", text=f"New today {i}") for i in range(2)),
        *(Caption(i, category="forbidden", text=f"Forbidden {i}") for i in range(10, 13)),
        *(Caption(i, category=f"kind {i}", text=f"Locked {i}") for i in range(20, 22)),
        Caption(30, category="kind 30", text="Sent yesterday"),
        *(Caption(i, urgent=True, category=f"kind {i}", text=f"Urgent {i}") for i in range(40, 47)),
    )
    restrict(embedded, Restriction(categories=["forbidden"]))
    add_messages(embedded, Message(caption=30, text="Sent yesterday"))
    add_locks(embedded, Lock(20), Lock(21))
    rows = lock(embedded, "monday", budget=20)
    assert len(rows) == 7
    ((level, schedule, message),) = alerts(embedded)
    assert (level, schedule) == ("WARNING", "monday page")
    assert message == (
        "creator page, schedule monday: "
        "7 of 20 budget captions; kept out: 3 by restrictions, 2 by locks, 1 by cooldown, 2 by weekly budgets | "
        "0 of 1 mid captions; kept out: 0 by restrictions, 0 by locks, 0 by cooldown, 0 by weekly budgets"
    )
    lock(embedded, "monday", budget=99)
    assert len(alerts(embedded)) == 1
    lock(embedded, "monday", budget=20, page="another")
    assert [job for _, job, _ in alerts(embedded)] == ["monday another", "monday page"]


def test_a_schedule_that_gets_what_it_asks_for_is_no_alert(embedded: Sandbox) -> None:
    add_pool(embedded)
    lock(embedded, "monday")
    lock(embedded, "monday", budget=9)
    assert alerts(embedded) == []


def test_creators_do_not_share_locks(embedded: Sandbox) -> None:
    add_pool(embedded, 3)
    assert len(lock(embedded, "monday")) == len(lock(embedded, "monday", page="another")) == 4


def test_draws_can_be_replayed_from_the_schedule(embedded: Sandbox) -> None:
    """wilson_sample_at with the 53 lowest bits of the fingerprint of schedule, page and caption."""
    add_pool(embedded)
    drawn = {row[0]: row[6]["thompson_score"] for row in lock(embedded, "monday")}
    for caption, score in drawn.items():
        share = f"(FARM_FINGERPRINT('monday|page|{caption}') & 9007199254740991) / 9007199254740992"
        assert embedded.value(f"SELECT `{{d}}.wilson_sample_at`(1, 1, {share})") == pytest.approx(score, abs=1e-12)


def test_locks_count_in_the_weekly_budgets_of_the_next_schedule(embedded: Sandbox) -> None:
    add_captions(embedded, *(Caption(i, urgent=True, category=f"kind {i}") for i in range(12)))
    assert [len(lock(embedded, schedule)) for schedule in ("monday", "tuesday", "wednesday")] == [3, 2, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (f"' ', {DAY}, 'page', 'any', 1, 1, 1, 1", "p_schedule_id is blank"),
        ("'s', NULL, 'page', 'any', 1, 1, 1, 1", "must be today .* got NULL"),
        ("'s', DATE '2026-06-14', 'page', 'any', 1, 1, 1, 1", "must be today .* got 2026-06-14"),
        (f"'s', {DAY}, NULL, 'any', 1, 1, 1, 1", "normalized_page_name is blank"),
        (f"'s', {DAY}, 'page', 'any', 1, -1, 1, 1", "mid -1"),
    ],
)
def test_bad_arguments_lock_nothing(embedded: Sandbox, arguments: str, message: str) -> None:
    add_pool(embedded)
    with pytest.raises(BadRequest, match=f"{LOCK}: .*{message}"):
        embedded.call(LOCK, arguments, now=NOW)
    assert locks(embedded) == []


def test_an_invalid_pattern_locks_nothing(embedded: Sandbox) -> None:
    add_pool(embedded)
    restrict(embedded, Restriction(hard=["(a"]))
    with pytest.raises(BadRequest, match=r"no caption was locked .* creator page .*hard pattern .*\(a"):
        lock(embedded, "monday")
    assert locks(embedded) == []


@pytest.mark.parametrize("callers", [2, 8])
def test_concurrent_callers_never_get_the_same_caption(embedded: Sandbox, callers: int) -> None:
    """A caller that loses every race ends with a clear error, and has locked nothing."""
    add_pool(embedded, 40)
    embedded.set_clock(NOW)
    embedded.named |= embedded.written_by(LOCK)

    def attempt(number: int) -> list[int]:
        try:
            rows = embedded.query(f"CALL `{{d}}.{LOCK}`('schedule {number}', {DAY}, 'page', 'any', 3, 0, 0, 0)")
        except BadRequest as error:
            if "no caption was locked" not in error.message:
                raise
            return []
        return [row[0] for row in rows]

    with ThreadPoolExecutor(callers) as pool:
        results = list(pool.map(attempt, range(callers)))
    taken = [caption for result in results for caption in result]
    assert len(taken) == len(set(taken))
    assert sorted(taken) == sorted(caption for _, caption in locks(embedded))
    assert sum(len(result) == 3 for result in results) >= min(callers, 5)


def test_cut_off_after_any_change(embedded: Sandbox) -> None:
    """The next call for the schedule locks what the cut one did not, once."""
    changes, cut_off = 0, True
    while cut_off:
        changes += 1
        embedded.reset()
        add_pool(embedded, 8)
        embedded.set_clock(NOW)
        arguments = f"'monday', {DAY}, 'page', 'any', 3, 1, 0, 0"
        cut_off = embedded.call_cut_off(LOCK, arguments, changes)
        rows = embedded.call(LOCK, arguments)
        assert len(rows) == 4, f"cut off after change {changes}"
        assert locks(embedded) == [("monday", caption) for caption in sorted(row[0] for row in rows)]
    assert changes > 3


def test_a_caption_that_was_sent_since_is_still_the_schedules(embedded: Sandbox) -> None:
    add_pool(embedded)
    first = [row[0] for row in lock(embedded, "monday")]
    add_messages(embedded, *(Message(caption=caption, days_ago=0.1) for caption in first))
    assert sorted(row[0] for row in lock(embedded, "monday")) == sorted(first)
