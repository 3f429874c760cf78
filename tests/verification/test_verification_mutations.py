"""A deployed system passes; after any one change made by hand the verification fails and names what was changed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from verification.live import GoogleApi
from verification.results import Status
from verification.running import verify
from verification.suites import SUITES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.verification.deployed import Deployed
    from verification.results import Report


@pytest.fixture(scope="module")
def untouched(deployed: Deployed) -> Report:
    """The whole verification of a system that nobody has changed."""
    return verify(deployed.environment)


@pytest.mark.parametrize("suite", SUITES)
def test_each_suite_passes_on_a_deployed_system(untouched: Report, suite: str) -> None:
    results = [result for result in untouched.results if result.suite == suite]
    assert results
    assert [result for result in results if result.status is not Status.PASS] == []


def test_the_whole_verification_is_quick_and_holds_the_numbered_tests(untouched: Report) -> None:
    numbered = {result.id for result in untouched.results if result.id[0] in "1234567"}
    assert len(numbered) == 20, "4 + 4 + 4 + 1 + 4 + 2 + 1: the one of suite 8 comes with the budgets"
    assert untouched.duration < 10


def test_every_declared_object_is_looked_at(deployed: Deployed, untouched: Report) -> None:
    """No object that the repository declares is left out of the report."""
    seen = {result.object for result in untouched.results}
    assert {item.name for item in deployed.catalog} - seen == set()


@contextmanager
def patched_table(system: Deployed, name: str, change: dict[str, Any]) -> Iterator[None]:
    before = system.rest("GET", f"/tables/{name}")
    system.rest("PATCH", f"/tables/{name}", change)
    try:
        yield
    finally:
        system.rest("PATCH", f"/tables/{name}", {key: before.get(key) for key in change})


@contextmanager
def recreated_table(system: Deployed, name: str) -> Iterator[None]:
    """The test may do to the table whatever it likes; afterwards it is made anew."""
    try:
        yield
    finally:
        system.client.delete_table(f"{system.dataset}.{name}", not_found_ok=True)
        system.create_table(system.catalog.tables[name])


@contextmanager
def changed_routine(system: Deployed, name: str, change: dict[str, Any]) -> Iterator[None]:
    declared = system.routine(system.catalog.routines[name])
    system.rest("PUT", f"/routines/{name}", {**declared, **change})
    try:
        yield
    finally:
        system.rest("PUT", f"/routines/{name}", declared)


@contextmanager
def changed_schedule(system: Deployed, name: str, mask: str, change: dict[str, Any]) -> Iterator[None]:
    config = system.config(name)
    system.api.data_transfer("PATCH", f"{config['name']}?updateMask={mask}", change)
    try:
        yield
    finally:
        before = {"disabled": False, **config}
        system.api.data_transfer("PATCH", f"{config['name']}?updateMask={mask}", {key: before[key] for key in change})


def found_by(system: Deployed, suite: str, name: str) -> None:
    """The suite fails, names the object, and says what was expected, what was found and what to do."""
    failures = [result for result in verify(system.environment, [suite]).results if result.status is Status.FAIL]
    assert {result.object for result in failures} >= {name}
    for result in failures:
        assert result.expected != result.found
        assert result.action


def test_a_dropped_column(deployed: Deployed) -> None:
    with recreated_table(deployed, "lock_sweep_log"):
        deployed.query("ALTER TABLE `{d}.lock_sweep_log` DROP COLUMN total_locks_cleaned")
        found_by(deployed, "schema", "lock_sweep_log.total_locks_cleaned")


def test_a_check_that_is_refused_names_its_object(deployed: Deployed) -> None:
    with recreated_table(deployed, "caption_bandit_stats"):
        deployed.query("ALTER TABLE `{d}.caption_bandit_stats` DROP COLUMN exploration_score")
        report = verify(deployed.environment, ["integrity"])
        (refused,) = (result for result in report.results if result.status is not Status.PASS)
        assert (refused.status, refused.object) == (Status.ERROR, "caption_bandit_stats")
        assert not report.well


def test_a_column_of_another_type(deployed: Deployed) -> None:
    with recreated_table(deployed, "etl_job_runs"):
        deployed.query("ALTER TABLE `{d}.etl_job_runs` DROP COLUMN creators_failed")
        deployed.query("ALTER TABLE `{d}.etl_job_runs` ADD COLUMN creators_failed STRING")
        found_by(deployed, "schema", "etl_job_runs.creators_failed")


def test_a_column_that_may_be_null(deployed: Deployed) -> None:
    with recreated_table(deployed, "etl_job_runs"):
        deployed.query("ALTER TABLE `{d}.etl_job_runs` ALTER COLUMN job_name DROP NOT NULL")
        found_by(deployed, "schema", "etl_job_runs.job_name")


def test_a_column_that_nobody_declared(deployed: Deployed) -> None:
    with recreated_table(deployed, "leases"):
        deployed.query("ALTER TABLE `{d}.leases` ADD COLUMN remark STRING")
        found_by(deployed, "schema", "leases.remark")


def test_another_partition_expiry(deployed: Deployed) -> None:
    partitioning = {"type": "DAY", "field": "sweep_time", "expirationMs": "86400000"}
    with patched_table(deployed, "lock_sweep_log", {"timePartitioning": partitioning}):
        found_by(deployed, "schema", "lock_sweep_log")


def test_another_clustering(deployed: Deployed) -> None:
    with patched_table(deployed, "schedule_export_log", {"clustering": {"fields": ["status"]}}):
        found_by(deployed, "schema", "schedule_export_log")


def test_another_label(deployed: Deployed) -> None:
    labels = {"system": "other", "component": "automation", "retention": "90d"}
    with patched_table(deployed, "automation_alerts", {"labels": labels}):
        found_by(deployed, "schema", "automation_alerts")


def test_another_description(deployed: Deployed) -> None:
    with patched_table(deployed, "leases", {"description": "Not what the file says."}):
        found_by(deployed, "schema", "leases")


def test_a_deleted_table(deployed: Deployed) -> None:
    with recreated_table(deployed, "creator_processing_errors"):
        deployed.client.delete_table(f"{deployed.dataset}.creator_processing_errors")
        found_by(deployed, "existence", "creator_processing_errors")


@pytest.mark.parametrize("name", ["caption_key", "us_holidays", "seed_holiday_calendar"])
def test_a_deleted_routine(deployed: Deployed, name: str) -> None:
    deployed.rest("DELETE", f"/routines/{name}")
    try:
        found_by(deployed, "existence", name)
    finally:
        deployed.rest("POST", "/routines", deployed.routine(deployed.catalog.routines[name]))


def test_a_deleted_view(deployed: Deployed) -> None:
    name = "schedule_recommendations_messages"
    deployed.client.delete_table(f"{deployed.dataset}.{name}")
    try:
        found_by(deployed, "existence", name)
    finally:
        deployed.create_table(deployed.catalog.views[name])


def test_a_function_with_another_body(deployed: Deployed) -> None:
    with changed_routine(deployed, "wilson_sample", {"definitionBody": "0.5"}):
        found_by(deployed, "drift", "wilson_sample")
        found_by(deployed, "functions", "wilson_sample")


def test_a_caption_key_that_trims_once_more(deployed: Deployed) -> None:
    with changed_routine(deployed, "caption_key", {"definitionBody": "TO_HEX(SHA256(LOWER(TRIM(message))))"}):
        found_by(deployed, "functions", "caption_key")


def test_a_function_with_another_signature(deployed: Deployed) -> None:
    arguments = [{"name": "text", "dataType": {"typeKind": "STRING"}}]
    with changed_routine(deployed, "caption_key", {"arguments": arguments, "definitionBody": "UPPER(text)"}):
        found_by(deployed, "drift", "caption_key")


def test_a_routine_with_another_description(deployed: Deployed) -> None:
    with changed_routine(deployed, "wilson_sample_at", {"description": "Something else."}):
        found_by(deployed, "drift", "wilson_sample_at")


def test_a_procedure_with_another_body(deployed: Deployed) -> None:
    name = "sweep_expired_caption_locks"
    body = deployed.catalog.procedures[name].body.replace("days_past > 7", "days_past > 8")
    with changed_routine(deployed, name, {"definitionBody": body}):
        found_by(deployed, "procedures", name)


def test_a_procedure_with_another_argument(deployed: Deployed) -> None:
    name = "seed_holiday_calendar"
    declared = deployed.routine(deployed.catalog.procedures[name])["arguments"]
    with changed_routine(deployed, name, {"arguments": [*declared[:1], {**declared[1], "name": "p_until"}]}):
        found_by(deployed, "procedures", name)
    with changed_routine(deployed, name, {"arguments": [*declared[:1], {**declared[1], "mode": "INOUT"}]}):
        found_by(deployed, "procedures", name)


def test_a_procedure_that_reads_the_clock_without_a_zone(deployed: Deployed) -> None:
    name = "sweep_expired_caption_locks"
    body = deployed.catalog.procedures[name].body.replace("CURRENT_DATE('America/Los_Angeles')", "CURRENT_DATE()")
    with changed_routine(deployed, name, {"definitionBody": body}):
        found_by(deployed, "time_zone", name)


def test_a_view_with_another_query(deployed: Deployed) -> None:
    name = "schedule_recommendations_messages"
    declared = deployed.catalog.views[name].query
    deployed.client.delete_table(f"{deployed.dataset}.{name}")
    view = {"query": f"SELECT q.schedule_id, q.page_name FROM ({declared}) AS q", "useLegacySql": False}
    reference = {"projectId": deployed.environment.project, "datasetId": deployed.environment.dataset, "tableId": name}
    deployed.rest("POST", "/tables", {"tableReference": reference, "view": view})
    try:
        found_by(deployed, "view", f"{name}.time_slot_rank")
        found_by(deployed, "drift", name)
    finally:
        deployed.client.delete_table(f"{deployed.dataset}.{name}")
        deployed.create_table(deployed.catalog.views[name])


def test_a_holiday_twice(deployed: Deployed) -> None:
    row = "DATE '2026-07-04', 'Independence Day', 'FEDERAL', TRUE, 0.9"
    insert = "INSERT INTO `{d}.holiday_calendar` (holiday_date, holiday_name, holiday_type, is_major_holiday, "
    insert += f"saturation_impact_factor) VALUES ({row})"
    before = deployed.query("SELECT * FROM `{d}.holiday_calendar` WHERE holiday_date = DATE '2026-07-04'")
    assert before
    deployed.query(insert)
    try:
        found_by(deployed, "integrity", "holiday_calendar")
    finally:
        deployed.query("DELETE FROM `{d}.holiday_calendar` WHERE holiday_date = DATE '2026-07-04'")
        deployed.query("CALL `{d}.seed_holiday_calendar`(2026, 2026)")


def test_an_empty_calendar(deployed: Deployed) -> None:
    year = "EXTRACT(YEAR FROM CURRENT_DATE('America/Los_Angeles'))"
    deployed.query(f"DELETE FROM `{{d}}.holiday_calendar` WHERE EXTRACT(YEAR FROM holiday_date) = {year} + 1")
    try:
        found_by(deployed, "integrity", "holiday_calendar")
    finally:
        deployed.query(f"CALL `{{d}}.seed_holiday_calendar`({year} + 1, {year} + 1)")


@pytest.mark.parametrize("rows", ["(1, 'page', 3, 1, 1.2)", "(1, 'page', 3, 1, 0.9), (1, 'page', 3, 1, 0.9)"])
def test_statistics_out_of_bounds_or_repeated(deployed: Deployed, rows: str) -> None:
    columns = "caption_id, page_name, successes, failures, confidence_upper_bound, last_updated"
    values = rows.replace(")", ", CURRENT_TIMESTAMP())")
    deployed.query(f"INSERT INTO `{{d}}.caption_bandit_stats` ({columns}) VALUES {values}")
    try:
        found_by(deployed, "integrity", "caption_bandit_stats")
    finally:
        deployed.query("DELETE FROM `{d}.caption_bandit_stats` WHERE TRUE")


def test_a_disabled_schedule(deployed: Deployed) -> None:
    with changed_schedule(deployed, "sweep_expired_caption_locks", "disabled", {"disabled": True}):
        found_by(deployed, "schedules", "sweep_expired_caption_locks")


def test_a_schedule_at_another_time(deployed: Deployed) -> None:
    with changed_schedule(deployed, "seed_holiday_calendar", "schedule", {"schedule": "every 24 hours"}):
        found_by(deployed, "schedules", "seed_holiday_calendar")


def test_a_schedule_with_another_query(deployed: Deployed) -> None:
    with changed_schedule(deployed, "seed_holiday_calendar", "params", {"params": {"query": "SELECT 1"}}):
        found_by(deployed, "schedules", "seed_holiday_calendar")


def test_a_schedule_with_a_destination(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded transfer service takes no destination, so the answer is changed on its way."""
    asked = GoogleApi.data_transfer

    def with_destination(api: GoogleApi, method: str, path: str, body: Any = None) -> dict[str, Any]:
        return {**asked(api, method, path, body), "destinationDatasetId": "eros_scheduling_brain"}

    monkeypatch.setattr(GoogleApi, "data_transfer", with_destination)
    found_by(deployed, "schedules", "seed_holiday_calendar")


def test_a_schedule_that_is_gone_or_there_twice(deployed: Deployed) -> None:
    name = "seed_holiday_calendar"
    again = deployed.create_schedule(deployed.catalog.schedules[name])
    found_by(deployed, "schedules", name)
    deployed.api.data_transfer("DELETE", again["name"])
    deployed.api.data_transfer("DELETE", deployed.config(name)["name"])
    found_by(deployed, "schedules", name)
    deployed.create_schedule(deployed.catalog.schedules[name])


def test_a_disabled_service_account(deployed: Deployed) -> None:
    account = deployed.environment.service_account
    path = f"projects/{deployed.environment.project}/serviceAccounts/{account}"
    deployed.api.iam("POST", f"{path}:disable", {})
    try:
        found_by(deployed, "access", account)
    finally:
        deployed.api.iam("POST", f"{path}:enable", {})


def test_a_revoked_role_of_the_project(deployed: Deployed) -> None:
    try:
        deployed.api.resource_manager(
            "POST",
            f"projects/{deployed.environment.project}:setIamPolicy",
            {"policy": {"bindings": [], "auditConfigs": []}, "updateMask": "bindings,etag,auditConfigs"},
        )
        failures = [r for r in verify(deployed.environment, ["access"]).results if r.status is Status.FAIL]
        assert {result.id for result in failures} == {"access.3", "access.5"}
        assert any(deployed.environment.service_account in result.expected for result in failures)
    finally:
        deployed.grant_project()


def test_a_revoked_role_of_the_dataset(deployed: Deployed) -> None:
    access = deployed.rest("GET", "")["access"]
    kept = [entry for entry in access if entry.get("userByEmail") != deployed.environment.service_account]
    deployed.rest("PATCH", "", {"access": kept})
    try:
        found_by(deployed, "access", deployed.environment.dataset)
    finally:
        deployed.rest("PATCH", "", {"access": access})
