"""sweep_expired_caption_locks: what expires, what is logged and alerted, and what overlap and errors do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from google.api_core.exceptions import BadRequest

if TYPE_CHECKING:
    from tests.sql.conftest import Sandbox

SWEEP = "sweep_expired_caption_locks"
NOON = "2026-06-15 12:00:00-07:00"
LOCKS = "`{d}.active_caption_assignments` (page_name, caption_id, scheduled_send_date, assigned_at, is_active)"


def add_locks(embedded: Sandbox, *rows: str) -> None:
    """Rows are SQL: caption_id, scheduled_send_date, assigned_at, is_active."""
    embedded.query(f"INSERT INTO {LOCKS} VALUES " + ", ".join(f"('page', {row})" for row in rows))


def add_many(embedded: Sandbox, count: int, date: str) -> None:
    embedded.query(
        f"INSERT INTO {LOCKS} SELECT 'page', number, DATE '{date}', TIMESTAMP '2026-06-01 00:00:00+00', TRUE "
        f"FROM UNNEST(GENERATE_ARRAY(1, {count})) AS number"
    )


def active(embedded: Sandbox) -> list[int]:
    rows = embedded.query("SELECT caption_id FROM `{d}.active_caption_assignments` WHERE is_active ORDER BY caption_id")
    return [caption for (caption,) in rows]


def logged(embedded: Sandbox) -> list[tuple[int, int, int]]:
    """Stale, past date and total of each sweep, oldest first."""
    return embedded.query(
        "SELECT locks_expired_stale, locks_expired_past_date, total_locks_cleaned "
        "FROM `{d}.lock_sweep_log` ORDER BY sweep_time"
    )


def alerts(embedded: Sandbox) -> list[tuple[str, str]]:
    return embedded.query("SELECT alert_level, alert_message FROM `{d}.automation_alerts` ORDER BY alert_level")


def statuses(embedded: Sandbox) -> list[str]:
    return [status for (status,) in embedded.query("SELECT job_status FROM `{d}.etl_job_runs` ORDER BY job_status")]


def hold_lease(embedded: Sandbox, expires: str) -> None:
    embedded.query(
        f"INSERT INTO `{{d}}.leases` VALUES ('{SWEEP}', 'another run', TIMESTAMP '{NOON}', TIMESTAMP '{expires}')"
    )


def test_locks_by_their_scheduled_day(embedded: Sandbox) -> None:
    """Past date from 1 to 7 days ago, stale from 8; today and later stay."""
    long_ago = "TIMESTAMP '2026-01-01 00:00:00+00'"
    days = ["2026-06-16", "2026-06-15", "2026-06-14", "2026-06-08", "2026-06-07", "2025-06-15"]
    add_locks(embedded, *(f"{number}, DATE '{day}', {long_ago}, TRUE" for number, day in enumerate(days)))
    embedded.call(SWEEP, now=NOON)
    assert active(embedded) == [0, 1]
    assert logged(embedded) == [(2, 2, 4)]


def test_locks_without_a_scheduled_day(embedded: Sandbox) -> None:
    """Stale 7 days after their assignment, to the second; without that either, nothing says that they expired."""
    add_locks(
        embedded,
        "1, NULL, TIMESTAMP '2026-06-08 12:00:00-07:00', TRUE",
        "2, NULL, TIMESTAMP '2026-06-08 12:00:01-07:00', TRUE",
        "3, NULL, NULL, TRUE",
    )
    embedded.call(SWEEP, now=NOON)
    assert active(embedded) == [2, 3]
    assert logged(embedded) == [(1, 0, 1)]


def test_inactive_locks_are_left_alone(embedded: Sandbox) -> None:
    add_locks(embedded, "1, DATE '2026-01-01', NULL, FALSE", "2, DATE '2026-01-01', NULL, NULL")
    embedded.call(SWEEP, now=NOON)
    assert logged(embedded) == [(0, 0, 0)]
    assert embedded.query("SELECT caption_id FROM `{d}.active_caption_assignments` WHERE is_active IS NULL") == [(2,)]


def test_no_lock_at_all(embedded: Sandbox) -> None:
    embedded.call(SWEEP)
    assert logged(embedded) == [(0, 0, 0)]
    assert alerts(embedded) == []
    assert statuses(embedded) == ["SUCCESS"]


@pytest.mark.parametrize(
    ("before_midnight", "after_midnight", "day"),
    [
        ("2026-06-15 06:59:59+00", "2026-06-15 07:00:00+00", "2026-06-14"),
        ("2026-12-15 07:59:59+00", "2026-12-15 08:00:00+00", "2026-12-14"),
        ("2026-03-08 07:59:59+00", "2026-03-08 08:00:00+00", "2026-03-07"),
        ("2026-03-09 06:59:59+00", "2026-03-09 07:00:00+00", "2026-03-08"),
        ("2026-11-01 06:59:59+00", "2026-11-01 07:00:00+00", "2026-10-31"),
        ("2026-11-02 07:59:59+00", "2026-11-02 08:00:00+00", "2026-11-01"),
    ],
    ids=["summer", "winter", "into the 23-hour day", "out of it", "into the 25-hour day", "out of it again"],
)
def test_a_day_ends_at_midnight_in_los_angeles(
    embedded: Sandbox, before_midnight: str, after_midnight: str, day: str
) -> None:
    add_locks(embedded, f"1, DATE '{day}', NULL, TRUE")
    embedded.call(SWEEP, now=before_midnight)
    assert active(embedded) == [1]
    embedded.call(SWEEP, now=after_midnight)
    assert active(embedded) == []


def test_run_twice(embedded: Sandbox) -> None:
    add_locks(embedded, "1, DATE '2026-06-14', NULL, TRUE", "2, DATE '2026-06-20', NULL, TRUE")
    embedded.call(SWEEP, now=NOON)
    after_one = embedded.query("SELECT * FROM `{d}.active_caption_assignments` ORDER BY caption_id")
    embedded.call(SWEEP, now="2026-06-15 12:05:00-07:00")
    assert embedded.query("SELECT * FROM `{d}.active_caption_assignments` ORDER BY caption_id") == after_one
    assert logged(embedded) == [(0, 1, 1), (0, 0, 0)]
    assert statuses(embedded) == ["SUCCESS", "SUCCESS"]


def test_only_is_active_changes(embedded: Sandbox) -> None:
    kept = "* EXCEPT (is_active)"
    add_locks(embedded, "1, DATE '2026-06-14', TIMESTAMP '2026-06-01 00:00:00+00', TRUE")
    before = embedded.query(f"SELECT {kept} FROM `{{d}}.active_caption_assignments`")
    embedded.call(SWEEP, now=NOON)
    assert embedded.query(f"SELECT {kept} FROM `{{d}}.active_caption_assignments`") == before


def test_the_run_is_recorded(embedded: Sandbox) -> None:
    embedded.call(SWEEP, now="2026-06-15 23:30:00-07:00")
    ((name, status, date, error, duration, ended),) = embedded.query(
        "SELECT job_name, job_status, execution_date, error_message, job_duration_seconds, job_end_time IS NOT NULL "
        "FROM `{d}.etl_job_runs`"
    )
    assert (name, status, str(date), error, ended) == (SWEEP, "SUCCESS", "2026-06-15", None, True)
    assert duration >= 0
    assert embedded.value("SELECT COUNT(*) FROM `{d}.lock_sweep_log` JOIN `{d}.etl_job_runs` ON sweep_id = job_id") == 1


@pytest.mark.parametrize(
    ("due", "levels"), [(1000, []), (1001, ["WARNING"])], ids=["1,000 cleaned", "more than 1,000 cleaned"]
)
def test_alert_on_many_cleaned(embedded: Sandbox, due: int, levels: list[str]) -> None:
    add_many(embedded, due, "2026-06-14")
    embedded.call(SWEEP, now=NOON)
    assert [level for level, _ in alerts(embedded)] == levels
    assert all("1001 locks" in message for _, message in alerts(embedded))
    assert logged(embedded) == [(0, due, due)]


@pytest.mark.parametrize(
    ("staying", "levels"),
    [(5000, []), (5001, ["WARNING"]), (10000, ["WARNING"]), (10001, ["CRITICAL"])],
)
def test_alert_on_many_that_stay(embedded: Sandbox, staying: int, levels: list[str]) -> None:
    """Only what stays counts, not what this sweep released."""
    add_many(embedded, staying, "2026-06-15")
    add_many(embedded, 1000, "2026-06-14")
    embedded.call(SWEEP, now=NOON)
    assert [level for level, _ in alerts(embedded)] == levels
    assert all(f"{staying} locks stay active" in message for _, message in alerts(embedded))
    acknowledged = embedded.query("SELECT acknowledged, alert_source FROM `{d}.automation_alerts`")
    assert acknowledged == [(False, SWEEP)] * len(levels)


def test_both_alerts_together(embedded: Sandbox) -> None:
    add_many(embedded, 10001, "2026-06-15")
    add_many(embedded, 1001, "2026-06-14")
    embedded.call(SWEEP, now=NOON)
    assert [level for level, _ in alerts(embedded)] == ["CRITICAL", "WARNING"]


def test_held_lease(embedded: Sandbox) -> None:
    """While another run holds it nothing is swept, and the lease stays with its holder."""
    add_locks(embedded, "1, DATE '2026-06-14', NULL, TRUE")
    hold_lease(embedded, "2026-06-15 12:00:01-07:00")
    embedded.call(SWEEP, now=NOON)
    assert active(embedded) == [1]
    assert logged(embedded) == []
    assert alerts(embedded) == []
    assert statuses(embedded) == ["SKIPPED"]
    assert embedded.value("SELECT holder FROM `{d}.leases`") == "another run"


def test_expired_lease(embedded: Sandbox) -> None:
    add_locks(embedded, "1, DATE '2026-06-14', NULL, TRUE")
    hold_lease(embedded, NOON)
    embedded.call(SWEEP, now=NOON)
    assert active(embedded) == []
    assert embedded.query("SELECT holder, expires_at FROM `{d}.leases`") == [(None, None)]


def test_lease_with_two_rows(embedded: Sandbox) -> None:
    """Two concurrent first runs may both insert the row: the lease is held when one of the rows is."""
    embedded.query(f"INSERT INTO `{{d}}.leases` (lease_name) VALUES ('{SWEEP}')")
    hold_lease(embedded, "2026-06-15 12:00:01-07:00")
    embedded.call(SWEEP, now=NOON)
    assert statuses(embedded) == ["SKIPPED"]


def test_the_lease_of_a_run_that_was_cut_off_after_its_row_ended_is_taken(embedded: Sandbox) -> None:
    hold_lease(embedded, "2026-06-15 12:00:01-07:00")
    embedded.query(
        "INSERT INTO `{d}.etl_job_runs` (job_id, job_name, job_start_time, job_status) "
        f"VALUES ('another run', '{SWEEP}', TIMESTAMP '{NOON}', 'SUCCESS')"
    )
    embedded.call(SWEEP, now=NOON)
    assert statuses(embedded) == ["SUCCESS", "SUCCESS"]
    assert embedded.query("SELECT holder FROM `{d}.leases`") == [(None,)]


def test_leases_of_others_are_left_alone(embedded: Sandbox) -> None:
    embedded.query(f"INSERT INTO `{{d}}.leases` VALUES ('another', 'x', TIMESTAMP '{NOON}', TIMESTAMP '2099-01-01')")
    embedded.call(SWEEP, now=NOON)
    assert statuses(embedded) == ["SUCCESS"]
    assert embedded.query("SELECT lease_name, holder FROM `{d}.leases` ORDER BY 1") == [("another", "x"), (SWEEP, None)]


def test_many_at_the_same_time(embedded: Sandbox) -> None:
    """Any number of concurrent runs: each lock is counted once, and no run fails or stays open."""
    add_many(embedded, 500, "2020-01-01")
    embedded.query(f"INSERT INTO `{{d}}.leases` (lease_name) VALUES ('{SWEEP}')")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: embedded.call(SWEEP), range(4)))
    assert active(embedded) == []
    assert embedded.value("SELECT SUM(total_locks_cleaned) FROM `{d}.lock_sweep_log`") == 500
    assert "SUCCESS" in statuses(embedded)
    assert set(statuses(embedded)) <= {"SUCCESS", "SKIPPED"}


@pytest.mark.parametrize(
    ("broken", "fixed", "named"),
    [
        (
            "ALTER TABLE `{d}.lock_sweep_log` RENAME COLUMN total_locks_cleaned TO renamed",
            "ALTER TABLE `{d}.lock_sweep_log` RENAME COLUMN renamed TO total_locks_cleaned",
            "total_locks_cleaned",
        ),
        (
            "ALTER TABLE `{d}.leases` RENAME TO leases_away",
            "ALTER TABLE `{d}.leases_away` RENAME TO leases",
            "leases",
        ),
    ],
    ids=["in the middle of the sweep", "before it"],
)
def test_error_is_recorded_and_raised_again(embedded: Sandbox, broken: str, fixed: str, named: str) -> None:
    """Nothing stays half done, and the next run works again."""
    add_locks(embedded, "1, DATE '2026-06-14', NULL, TRUE")
    embedded.query(broken)
    try:
        with pytest.raises(BadRequest, match=f"(?s){SWEEP}: .*{named}"):
            embedded.call(SWEEP, now=NOON)
    finally:
        embedded.query(fixed)
    assert active(embedded) == [1]
    assert logged(embedded) == []
    ((status, error, ended),) = embedded.query(
        "SELECT job_status, error_message, job_end_time IS NOT NULL FROM `{d}.etl_job_runs`"
    )
    assert (status, ended) == ("FAILED", True)
    assert named in error
    ((level, message),) = alerts(embedded)
    assert level == "CRITICAL"
    assert f"{SWEEP} failed" in message
    assert embedded.value("SELECT COUNT(*) FROM `{d}.automation_alerts` JOIN `{d}.etl_job_runs` USING (job_id)") == 1
    assert embedded.query("SELECT holder FROM `{d}.leases` WHERE holder IS NOT NULL") == []
    embedded.call(SWEEP, now=NOON)
    assert active(embedded) == []


def test_rows_of_runs_that_were_cut_off_are_closed(embedded: Sandbox) -> None:
    """A run that may still be active is not changed."""
    embedded.query(
        f"""INSERT INTO `{{d}}.etl_job_runs` (job_id, job_name, job_start_time, job_status) VALUES
          ('lost', '{SWEEP}', TIMESTAMP '2026-06-15 11:54:59-07:00', 'RUNNING'),
          ('active', '{SWEEP}', TIMESTAMP '2026-06-15 11:55:00-07:00', 'RUNNING'),
          ('another', 'another_job', TIMESTAMP '2026-06-15 11:00:00-07:00', 'RUNNING')"""
    )
    embedded.call(SWEEP, now=NOON)
    found = embedded.query("SELECT job_id, job_status FROM `{d}.etl_job_runs` WHERE LENGTH(job_id) < 10")
    assert dict(found) == {"lost": "FAILED", "active": "RUNNING", "another": "RUNNING"}


def test_cut_off_after_any_change(embedded: Sandbox) -> None:
    """The next run, after the lease has expired, fixes it: nothing is lost or counted twice."""
    changes = 0
    cut_off = True
    while cut_off:
        changes += 1
        embedded.reset()
        add_locks(embedded, "1, DATE '2020-01-01', NULL, TRUE", "2, DATE '2099-01-01', NULL, TRUE")
        cut_off = embedded.call_cut_off(SWEEP, "", changes)
        embedded.call(SWEEP, now="2099-01-01 12:00:00-08:00")
        (found,) = embedded.query(
            """SELECT
              (SELECT STRING_AGG(CAST(caption_id AS STRING)) FROM `{d}.active_caption_assignments` WHERE is_active),
              (SELECT SUM(total_locks_cleaned) FROM `{d}.lock_sweep_log`),
              (SELECT COUNTIF(job_status = 'RUNNING') FROM `{d}.etl_job_runs`),
              (SELECT COUNTIF(job_status = 'SUCCESS') > 0 FROM `{d}.etl_job_runs`),
              (SELECT COUNT(holder) FROM `{d}.leases`)"""
        )
        assert found == ("2", 1, 0, True, 0), f"cut off after change {changes}"
    assert changes > 9
