"""update_caption_performance: what counts, how it is judged, what is written, and what overlap and cuts do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import BadRequest

from tests.sql.rows import NOW, Caption, Message, add_captions, add_messages

if TYPE_CHECKING:
    from tests.sql.conftest import Sandbox

UPDATE = "update_caption_performance"
LATER = "2026-06-15 18:00:00-07:00"


def computed(embedded: Sandbox, columns: str = "successes, failures") -> dict[tuple[str, int], Any]:
    """The columns that caption_performance gives at NOW, by page and caption."""
    rows = embedded.query(
        f"SELECT page_name, caption_id, {columns} FROM `{{d}}.caption_performance`(TIMESTAMP '{NOW}')"
    )
    return {(page, caption): tuple(values) for page, caption, *values in rows}


def stats(embedded: Sandbox) -> list[tuple[Any, ...]]:
    return embedded.query("SELECT * FROM `{d}.caption_bandit_stats` ORDER BY page_name, caption_id, last_updated")


def statuses(embedded: Sandbox) -> list[str]:
    query = f"SELECT job_status FROM `{{d}}.etl_job_runs` WHERE job_name = '{UPDATE}' ORDER BY job_status"
    return [status for (status,) in embedded.query(query)]


def test_above_the_median_is_a_success_and_at_the_median_a_failure(embedded: Sandbox) -> None:
    """EMVs 1, 5 and 9: the median is 5, exactly the EMV of caption 2."""
    add_messages(embedded, *(Message(caption=i, earnings=e) for i, e in ((1, 10.0), (2, 50.0), (3, 90.0))))
    assert computed(embedded, "successes, failures, avg_emv") == {
        ("page", 1): (1, 2, 1.0),
        ("page", 2): (1, 2, 5.0),
        ("page", 3): (2, 1, 9.0),
    }


def test_median_of_an_even_number_lies_between_the_middle_two(embedded: Sandbox) -> None:
    add_messages(embedded, *(Message(caption=i, earnings=e) for i, e in ((1, 10.0), (2, 40.0), (3, 60.0), (4, 90.0))))
    assert {key[1]: value for key, value in computed(embedded).items()} == {
        1: (1, 2), 2: (1, 2), 3: (2, 1), 4: (2, 1)
    }  # fmt: skip


def test_each_page_has_its_own_median(embedded: Sandbox) -> None:
    add_messages(
        embedded,
        *(Message(page="small", caption=i, earnings=e) for i, e in ((1, 1.0), (2, 2.0), (3, 3.0))),
        *(Message(page="large", caption=i, earnings=e) for i, e in ((1, 100.0), (2, 200.0), (3, 300.0))),
    )
    found = computed(embedded)
    assert found["small", 3] == found["large", 3] == (2, 1)
    assert found["small", 1] == found["large", 1] == (1, 2)


def test_page_with_one_message(embedded: Sandbox) -> None:
    add_messages(embedded, Message())
    assert computed(embedded, "successes, failures, total_observations, performance_percentile") == {
        ("page", 1): (1, 2, 1, 0)
    }


def test_the_median_is_that_of_30_days_the_counts_of_90(embedded: Sandbox) -> None:
    """The old, rich messages do not raise the bar; what is older than 90 days does not count."""
    add_messages(
        embedded,
        *(Message(caption=1, days_ago=40 + i, earnings=900.0) for i in range(3)),
        *(Message(caption=2, days_ago=i, earnings=10.0) for i in (1, 2)),
        Message(caption=3, days_ago=3, earnings=20.0),
        Message(caption=4, days_ago=90.001, earnings=900.0),
        Message(caption=5, days_ago=-0.001, earnings=900.0),
    )
    assert computed(embedded) == {("page", 1): (4, 1), ("page", 2): (1, 3), ("page", 3): (2, 1)}


def test_page_without_a_message_in_30_days_has_failures_only(embedded: Sandbox) -> None:
    add_messages(embedded, Message(days_ago=31), Message(days_ago=32, earnings=900.0))
    assert computed(embedded) == {("page", 1): (1, 3)}


def test_null_and_zero_views_do_not_count_and_unknown_purchases_are_none(embedded: Sandbox) -> None:
    add_messages(
        embedded,
        Message(caption=1, viewed=None),
        Message(caption=2, viewed=0),
        Message(caption=3, purchased=None),
        Message(caption=4, earnings=None),
        Message(caption=5),
    )
    assert computed(embedded, "avg_emv, total_revenue, avg_conversion_rate") == {
        ("page", 3): (0.0, 50.0, 0.0),
        ("page", 4): (0.0, 0.0, 0.05),
        ("page", 5): (5.0, 50.0, 0.05),
    }


def test_figures_of_a_caption(embedded: Sandbox) -> None:
    add_messages(
        embedded,
        Message(days_ago=3, sent=200, viewed=100, purchased=10.0, earnings=100.0),
        Message(days_ago=1, sent=100, viewed=50, purchased=10.0, earnings=40.0),
        Message(days_ago=2, sent=100, viewed=10, purchased=1.0, earnings=9.0),
    )
    columns = "total_observations, total_revenue, avg_conversion_rate, last_emv_observed, ROUND(avg_emv, 6), last_used"
    ((found),) = computed(embedded, columns).values()
    assert found[:4] == (3, 149.0, 21 / 400, 8.0)
    assert found[4] == pytest.approx((10 + 8 + 0.9) / 3, abs=1e-6)
    assert found[5].isoformat() == "2026-06-14T19:00:00+00:00"


def test_interval_and_bonus_are_those_of_wilson(embedded: Sandbox) -> None:
    add_messages(embedded, *(Message(caption=i, earnings=e) for i, e in ((1, 1.0), (2, 2.0), (2, 3.0))))
    assert embedded.value(
        f"""SELECT LOGICAL_AND(
          confidence_lower_bound = `{{d}}.wilson_score_bounds`(successes, failures).lower_bound
          AND confidence_upper_bound = `{{d}}.wilson_score_bounds`(successes, failures).upper_bound
          AND exploration_score = `{{d}}.wilson_score_bounds`(successes, failures).exploration_bonus)
        FROM `{{d}}.caption_performance`(TIMESTAMP '{NOW}')"""
    )


def test_percentile_is_the_percent_rank_and_ties_share_it(embedded: Sandbox) -> None:
    earnings = (10.0, 20.0, 20.0, 40.0)
    add_messages(embedded, *(Message(caption=i, earnings=e) for i, e in enumerate(earnings)))
    found = computed(embedded, "performance_percentile")
    assert [found["page", i] for i in range(4)] == [(0,), (33,), (33,), (100,)]


def test_messages_without_a_caption_are_matched_by_the_key_of_their_text(embedded: Sandbox) -> None:
    """Ignoring punctuation and case; not when two captions have the key, or when none has."""
    add_captions(
        embedded,
        Caption(7, text="Last chance: 20 % off tonight!"),
        Caption(8, text="New today"),
        Caption(9, text="NEW today"),
        Caption(10, text="Thank you"),
        Caption(10, text="thank you!"),
    )
    add_messages(
        embedded,
        Message(caption=None, text="last chance 20  off tonight"),
        Message(caption=None, text="New today"),
        Message(caption=None, text="Thank You"),
        Message(caption=None, text="Something else"),
        Message(caption=None, text=None),
        Message(caption=3, text="Last chance: 20 % off tonight!"),
    )
    assert {key[1] for key in computed(embedded)} == {3, 7, 10}


def test_message_at_29_february_and_on_both_dst_days_count_once(embedded: Sandbox) -> None:
    at = ("2028-02-29 23:59:59-08:00", "2028-03-12 03:00:00-07:00", "2028-03-12 01:59:59-08:00")
    add_messages(embedded, *(Message(at=instant) for instant in at))
    rows = embedded.query(
        "SELECT total_observations FROM `{d}.caption_performance`(TIMESTAMP '2028-03-13 00:00:00-07:00')"
    )
    assert rows == [(3,)]
    add_messages(embedded, *(Message(at=f"2026-11-01 01:30:00-0{offset}:00") for offset in (7, 8)))
    rows = embedded.query(
        "SELECT total_observations FROM `{d}.caption_performance`(TIMESTAMP '2026-11-01 12:00:00-08:00')"
    )
    assert rows == [(2,)]


def test_twice_is_once(embedded: Sandbox) -> None:
    add_messages(embedded, *(Message(caption=i, earnings=i / 3) for i in range(30)))
    embedded.call(UPDATE, now=NOW)
    after_one = stats(embedded)
    embedded.call(UPDATE, now=LATER)
    assert stats(embedded) == after_one
    assert len(after_one) == 30
    assert statuses(embedded) == ["SUCCESS", "SUCCESS"]


def test_late_purchases_change_the_outcome_and_only_the_rows_that_they_touch(embedded: Sandbox) -> None:
    add_messages(embedded, *(Message(caption=i, earnings=e) for i, e in ((1, 10.0), (2, 50.0), (3, 90.0))))
    embedded.call(UPDATE, now=NOW)
    embedded.query("UPDATE `{d}.mass_messages` SET purchased_count = 50, earnings = 500 WHERE caption_id = 1")
    embedded.call(UPDATE, now=LATER)
    query = "SELECT caption_id, successes, failures, performance_percentile, last_updated > TIMESTAMP '{now}' "
    found = embedded.query(query.format(now=NOW) + "FROM `{d}.caption_bandit_stats` ORDER BY 1")
    # caption 3 is at the new median of 9; its counts change as well, and all ranks move
    assert found == [(1, 2, 1, 100, True), (2, 1, 2, 0, True), (3, 1, 2, 50, True)]
    embedded.query("UPDATE `{d}.mass_messages` SET sent_count = 200 WHERE caption_id = 2")
    embedded.call(UPDATE, now="2026-06-15 23:00:00-07:00")
    touched = f"SELECT caption_id FROM `{{d}}.caption_bandit_stats` WHERE last_updated > TIMESTAMP '{LATER}'"
    assert embedded.query(touched) == [(2,)]


def test_rows_near_the_end_of_their_partition_are_written_again(embedded: Sandbox) -> None:
    """Unchanged, 60 days old: written, so that it does not expire; 59 days old: not changed."""
    add_messages(embedded, Message(caption=1), Message(caption=2))
    embedded.call(UPDATE, now=NOW)
    old = "UPDATE `{d}.caption_bandit_stats` SET last_updated = TIMESTAMP_SUB(last_updated, INTERVAL {days} DAY) "
    for caption, days in ((1, 61), (2, 59)):
        embedded.query(old.replace("{days}", str(days)) + f"WHERE caption_id = {caption}")
    embedded.call(UPDATE, now=NOW)
    fresh = f"SELECT caption_id FROM `{{d}}.caption_bandit_stats` WHERE last_updated = TIMESTAMP '{NOW}'"
    assert embedded.query(fresh) == [(1,)]


def test_rows_without_a_message_are_left_and_older_doubles_go(embedded: Sandbox) -> None:
    add_messages(embedded, Message(caption=1))
    embedded.query(
        """INSERT INTO `{d}.caption_bandit_stats` (caption_id, page_name, successes, last_updated) VALUES
        (1, 'page', 5, TIMESTAMP '2026-06-01 00:00:00+00'), (1, 'page', 6, TIMESTAMP '2026-06-02 00:00:00+00'),
        (9, 'page', 7, TIMESTAMP '2026-06-01 00:00:00+00')"""
    )
    embedded.call(UPDATE, now=NOW)
    found = embedded.query("SELECT caption_id, successes FROM `{d}.caption_bandit_stats` ORDER BY caption_id")
    assert found == [(1, 1), (9, 7)]


def test_no_messages_is_not_an_error(embedded: Sandbox) -> None:
    embedded.call(UPDATE, now=NOW)
    assert statuses(embedded) == ["COMPLETED_NO_WORK"]
    assert embedded.query("SELECT alert_level FROM `{d}.automation_alerts`") == []


def test_a_young_run_is_in_the_way_and_an_old_one_is_closed(embedded: Sandbox) -> None:
    add_messages(embedded, Message())
    row = "INSERT INTO `{d}.etl_job_runs` (job_id, job_name, job_start_time, job_status, execution_date) VALUES "
    embedded.query(row + f"('a', '{UPDATE}', TIMESTAMP '2026-06-15 11:51:00-07:00', 'RUNNING', DATE '2026-06-15')")
    embedded.call(UPDATE, now=NOW)
    assert (statuses(embedded), stats(embedded)) == (["RUNNING", "SKIPPED"], [])
    embedded.call(UPDATE, now="2026-06-15 12:01:01-07:00")
    assert statuses(embedded) == ["FAILED", "SKIPPED", "SUCCESS"]
    assert len(stats(embedded)) == 1


def test_overlapping_runs_write_each_row_once(embedded: Sandbox) -> None:
    add_messages(embedded, *(Message(caption=i) for i in range(50)))
    embedded.set_clock(NOW)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: embedded.call(UPDATE), range(3)))
    assert embedded.query("SELECT COUNT(*), COUNT(DISTINCT caption_id) FROM `{d}.caption_bandit_stats`") == [(50, 50)]
    assert "SUCCESS" in statuses(embedded)
    assert set(statuses(embedded)) <= {"SUCCESS", "SKIPPED"}


def test_error_is_recorded_and_raised_again(embedded: Sandbox) -> None:
    add_messages(embedded, Message())
    embedded.query("ALTER TABLE `{d}.caption_bank` RENAME COLUMN caption_key TO away")
    try:
        with pytest.raises(BadRequest, match=f"(?s){UPDATE}: .*caption_key"):
            embedded.call(UPDATE, now=NOW)
    finally:
        embedded.query("ALTER TABLE `{d}.caption_bank` RENAME COLUMN away TO caption_key")
    assert statuses(embedded) == ["FAILED"]
    assert embedded.query("SELECT alert_level, alert_source FROM `{d}.automation_alerts`") == [("CRITICAL", UPDATE)]
    embedded.call(UPDATE, now=NOW)
    assert len(stats(embedded)) == 1


def test_cut_off_after_any_change(embedded: Sandbox) -> None:
    """After any cut, a run after the lease has expired leaves the same statistics as one that was never cut."""
    changes, cut_off = 0, True
    while cut_off:
        changes += 1
        embedded.reset()
        add_messages(embedded, Message(caption=1), Message(caption=2, earnings=90.0))
        embedded.set_clock(NOW)
        cut_off = embedded.call_cut_off(UPDATE, "", changes)
        embedded.call(UPDATE, now=LATER)
        found = embedded.query(
            "SELECT caption_id, successes, failures, "
            "(SELECT COUNTIF(job_status = 'RUNNING') FROM `{d}.etl_job_runs`) "
            "FROM `{d}.caption_bandit_stats` ORDER BY caption_id"
        )
        assert found == [(1, 1, 2, 0), (2, 2, 1, 0)], f"cut off after change {changes}"
        assert statuses(embedded).count("SUCCESS") >= 1
    assert changes > 8
