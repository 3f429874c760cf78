"""check_health: what it keeps, and whom it tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.sql.health import alert, at, failure, findings, look, statuses

if TYPE_CHECKING:
    from tests.sql.conftest import Sandbox

AN_HOUR_LATER = "2026-06-15 13:00:00-07:00"
ALERT = "run_daily_automation 2026-06-15 03:10"
A_DAY_LATER = "2026-06-16 12:30:00-07:00"


def test_a_healthy_system_has_one_row_for_each_question(healthy: Sandbox) -> None:
    assert look(healthy) == ""
    rows = healthy.query(
        "SELECT check_name, subject, status, first_seen_at, notified_at FROM `{d}.health_checks` ORDER BY 1"
    )
    assert rows == [(name, None, "OK", None, None) for name in sorted(healthy.catalog.monitoring)]
    assert statuses(healthy) == [("SUCCESS",)]


def test_a_critical_finding_is_told_once_in_24_hours(healthy: Sandbox) -> None:
    healthy.query(failure("ann", "15 03:06"))
    assert "failed_creators (ann)" in look(healthy)
    assert look(healthy) == ""
    assert look(healthy, AN_HOUR_LATER) == ""
    healthy.query(failure("ben", "15 12:59"))
    message = look(healthy, "2026-06-15 14:00:00-07:00")
    assert "failed_creators (ben)" in message
    assert "failed_creators (ann)" in look(healthy, A_DAY_LATER)
    first, told = healthy.query(
        "SELECT first_seen_at, notified_at FROM `{d}.health_checks` WHERE subject = 'ann' "
        "ORDER BY checked_at DESC LIMIT 1"
    )[0]
    assert first < told


def test_an_acknowledged_alert_is_not_told_again(healthy: Sandbox) -> None:
    healthy.query(alert("CRITICAL", "run_daily_automation"))
    assert f"unacknowledged_alerts ({ALERT})" in look(healthy)
    healthy.query("UPDATE `{d}.automation_alerts` SET acknowledged = TRUE WHERE TRUE")
    assert "unacknowledged_alerts" not in look(healthy, A_DAY_LATER)
    assert "unacknowledged_alerts" not in {name for name, *_ in findings(healthy)}


def test_a_finding_is_as_old_as_the_looks_in_a_row_that_found_it(healthy: Sandbox) -> None:
    def first_seen() -> list[Any]:
        rows = healthy.query(
            "SELECT first_seen_at FROM `{d}.health_checks` "
            "WHERE check_name = 'unacknowledged_alerts' AND status != 'OK' "
            "ORDER BY checked_at"
        )
        return [moment for (moment,) in rows]

    healthy.query(alert("CRITICAL", "run_daily_automation"))
    look(healthy)
    look(healthy, AN_HOUR_LATER)
    assert len(set(first_seen())) == 1
    healthy.query("UPDATE `{d}.automation_alerts` SET acknowledged = TRUE WHERE TRUE")
    look(healthy, "2026-06-15 14:00:00-07:00")
    healthy.query("UPDATE `{d}.automation_alerts` SET acknowledged = FALSE WHERE TRUE")
    look(healthy, "2026-06-15 15:00:00-07:00")
    assert len(set(first_seen())) == 2


def test_a_check_that_cannot_be_asked_does_not_hide_the_others(healthy: Sandbox) -> None:
    healthy.query(failure("ann", "15 03:06"))
    try:
        healthy.query("DROP TABLE `{d}.schedule_export_log`; DROP TABLE `{d}.caption_bandit_stats`")
        assert "failed_creators (ann)" in look(healthy)
        broken = [name for name, _, status in findings(healthy) if status == "WARNING"]
        assert broken == ["failed_exports", "repeated_statistics", "statistics_out_of_bounds"]
    finally:
        for name in ("schedule_export_log", "caption_bandit_stats"):
            healthy.query(healthy.catalog.tables[name].ddl)
    assert statuses(healthy) == [("SUCCESS",)]


def test_the_50_worst_are_kept_and_the_rest_is_counted(healthy: Sandbox) -> None:
    healthy.query(
        "INSERT INTO `{d}.creator_processing_errors` (job_id, page_name, execution_date, error_message, error_time) "
        f"SELECT 'a job', FORMAT('page %03d', n), DATE '2026-06-15', 'no figures', {at('15 03:06')} "
        "FROM UNNEST(GENERATE_ARRAY(1, 70)) AS n"
    )
    message = look(healthy)
    assert "more, page 001, page 002" in message
    assert "page 050)" in message
    rows = healthy.query(
        "SELECT subject, status, details FROM `{d}.health_checks` WHERE check_name = 'failed_creators' ORDER BY subject"
    )
    assert len(rows) == 51
    assert rows[0] == ("more", "CRITICAL", "20 more")
    assert look(healthy, AN_HOUR_LATER) == ""


def test_a_look_that_cannot_write_fails_and_writes_no_alert(healthy: Sandbox) -> None:
    try:
        healthy.query("DROP TABLE `{d}.health_checks`")
        assert "check_health" in look(healthy)
    finally:
        healthy.query(healthy.catalog.tables["health_checks"].ddl)
    assert statuses(healthy) == [("FAILED",)]
    assert healthy.query("SELECT alert_id FROM `{d}.automation_alerts`") == []
    assert look(healthy) == ""


def test_a_look_that_cannot_end_still_tells_what_it_found(healthy: Sandbox) -> None:
    healthy.query(failure("ann", "15 03:06"))
    end = healthy.catalog.procedures["end_job_run"].ddl
    try:
        healthy.query(
            end.replace("BEGIN\n", "BEGIN\n  IF p_status = 'SUCCESS' THEN RAISE USING MESSAGE = 'no'; END IF;\n", 1)
        )
        assert look(healthy).endswith("check_health: no; CRITICAL findings: failed_creators (ann)")
    finally:
        healthy.query(end)


def test_critical_findings_write_no_alert(healthy: Sandbox) -> None:
    healthy.query(failure("ann", "15 03:06"))
    assert look(healthy)
    assert healthy.query("SELECT alert_id FROM `{d}.automation_alerts`") == []
