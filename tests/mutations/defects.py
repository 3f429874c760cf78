"""Deliberate defects, each of which the verifier must catch and name."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from declared.alerts import ALERTS
from declared.names import SYSTEM, schedule_display_name
from declared.roles import TOKEN_MINTER
from tests.mutations.change import (
    VIEW,
    account_disabled,
    account_policy,
    channel_changed,
    dataset_access,
    dataset_patched,
    policy_added,
    policy_changed,
    policy_deleted,
    quota_set,
    replaced,
    schedule_added,
    schedule_deleted,
    schedule_patched,
    schedule_ran,
    service_disabled,
    view_query,
    view_replaced,
    with_argument,
)
from tests.mutations.kinds import (
    LABELS,
    LOCAL,
    PREFLIGHT,
    SEED,
    STRANGER,
    SWEEP,
    TRANSFER_SERVICE,
    UPDATE,
    account,
    altered,
    body,
    conditional,
    dataset,
    definition,
    dropped,
    exempted,
    granted,
    minter,
    not_audited,
    partitioned,
    patched,
    policy,
    revoked,
    routine,
    rows,
)
from tests.mutations.mutation import Mutation
from tests.mutations.statements import (
    DAILY,
    NO_HOLIDAYS,
    WITHOUT_ZONE,
    alert_row,
    holiday_row,
    recreated,
    run_row,
    stats_rows,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from declared.alerts import Alert


def of_alerts(alerts: Iterable[Alert]) -> tuple[Mutation, ...]:
    """Defects of the alerts, which are found by name wherever they are in the list."""
    by_name = {alert.name: alert for alert in alerts}
    failed, silent = by_name["scheduled_query_failed"], by_name["scheduled_queries_silent"]
    debug = {"conditions": [{"displayName": failed.display_name, "conditionMatchedLog": {"filter": "severity=DEBUG"}}]}
    return (
        definition("an alert policy is disabled", failed.name, policy_changed(failed.display_name, {"enabled": False})),
        definition("an alert policy looks for something else", failed.name, policy_changed(failed.display_name, debug)),
        definition(
            "an alert policy notifies nobody",
            silent.name,
            policy_changed(silent.display_name, {"notificationChannels": []}),
        ),
        definition("an alert policy is deleted", silent.name, policy_deleted(silent.display_name)),
        definition(
            "alerts go to another address", failed.name, channel_changed({"labels": {"email_address": "x@example.com"}})
        ),
        definition("an undeclared alert policy of this system", "by hand", policy_added("by hand", {"system": "eros"})),
    )


DEFECTS: tuple[Mutation, ...] = (
    # routines
    routine("a function is a constant", "wilson_sample", lambda r: {**r, "definitionBody": "0.5"}),
    routine(
        "a key that trims once more",
        "caption_key",
        lambda r: {**r, "definitionBody": "TO_HEX(SHA256(LOWER(TRIM(message))))"},
    ),
    routine("a key in capitals", "caption_key_v2", lambda r: {**r, "definitionBody": f"UPPER({r['definitionBody']})"}),
    body("another z", "wilson_score_bounds", "1.96", "1.64"),
    body("bounds in the wrong order", "conversion_interval", "bounds.lower_bound AS", "bounds.upper_bound AS"),
    routine(
        "a function with another argument name",
        "caption_key",
        lambda r: {**with_argument(0, {"name": "text"}, r), "definitionBody": "UPPER(text)"},
    ),
    routine("a function with another description", "wilson_sample_at", lambda r: {**r, "description": "Else."}),
    routine("a function without a description", "selection_problem", lambda r: {**r, "description": ""}),
    dropped("function", "caption_key"),
    dropped("table function", "us_holidays"),
    dropped("procedure", "lock_captions_for_creator"),
    body("a tier's bound", "account_size_tiers", "5000", "6000"),
    body("a saturation threshold", "saturation_scores", "0.6", "0.7"),
    body("a weight of the selection", "scored_captions", "0.7 *", "0.6 *"),
    body("another holiday's day", "us_holidays", "7, 4", "7, 5"),
    routine(
        "a table function with another argument",
        "analyze_day_patterns",
        lambda r: replaced("p_lookback_days", "p_days", with_argument(1, {"name": "p_days"}, r)),
    ),
    body("a sweep of another day", SWEEP, "days_past > 7", "days_past > 8"),
    body("a clock without its zone", SWEEP, *WITHOUT_ZONE),
    body("a breaker that never trips", "fifth_failure_in_a_row", "failures = 5", "failures = 5000"),
    body("a division by zero", SWEEP, "SAFE_DIVIDE", "IEEE_DIVIDE"),
    body("a lease that is not requested", "begin_job_run", "held.expires_at > v_started_at", "FALSE"),
    routine("a procedure with another argument name", SEED, partial(with_argument, 1, {"name": "p_until"})),
    routine("a procedure with another argument mode", SEED, partial(with_argument, 1, {"mode": "INOUT"})),
    routine(
        "a procedure with another argument type",
        SEED,
        partial(with_argument, 1, {"dataType": {"typeKind": "FLOAT64"}}),
    ),
    routine("a procedure with another description", UPDATE, lambda r: {**r, "description": "Something else."}),
    # the view
    definition("a view without rows", VIEW, view_query("SELECT * FROM ({}) WHERE FALSE".format)),
    definition("a view is dropped", VIEW, view_replaced("")),
    definition("a table has the view's name", VIEW, view_replaced(f"CREATE TABLE `{{d}}.{VIEW}` (schedule_id STRING)")),
    definition(
        "a view lacks a column", VIEW, view_replaced(f"CREATE VIEW `{{d}}.{VIEW}` AS SELECT 'a' AS schedule_id")
    ),
    patched("a view with another description", VIEW, {"description": "Something else."}),
    patched("a view with another label", VIEW, {"labels": {**LABELS, "component": "other"}}),
    # tables
    altered(
        "a column is dropped", "lock_sweep_log", "ALTER TABLE `{d}.lock_sweep_log` DROP COLUMN total_locks_cleaned"
    ),
    altered("an undeclared column", "leases", "ALTER TABLE `{d}.leases` ADD COLUMN remark STRING"),
    altered(
        "a column of another type",
        "etl_job_runs",
        "ALTER TABLE `{d}.etl_job_runs` DROP COLUMN creators_failed",
        "ALTER TABLE `{d}.etl_job_runs` ADD COLUMN creators_failed STRING",
    ),
    altered(
        "a column that may be NULL",
        "etl_job_runs",
        "ALTER TABLE `{d}.etl_job_runs` ALTER COLUMN job_name DROP NOT NULL",
    ),
    altered(
        "a column without its default",
        "automation_alerts",
        "DROP TABLE `{d}.automation_alerts`",
        "CREATE TABLE `{d}.automation_alerts` (alert_id STRING NOT NULL, alert_time TIMESTAMP NOT NULL, "
        "alert_level STRING NOT NULL, alert_source STRING NOT NULL, alert_message STRING, job_id STRING, "
        "acknowledged BOOL NOT NULL, acknowledged_at TIMESTAMP, acknowledged_by STRING)",
    ),
    altered(
        "a column is renamed",
        "schedule_export_log",
        "ALTER TABLE `{d}.schedule_export_log` RENAME COLUMN exported_by TO exporter",
    ),
    altered(
        "columns in another order",
        "leases",
        "DROP TABLE `{d}.leases`",
        "CREATE TABLE `{d}.leases` (holder STRING, lease_name STRING NOT NULL, acquired_at TIMESTAMP, "
        "expires_at TIMESTAMP) CLUSTER BY lease_name",
    ),
    altered(
        "a column with another description",
        "leases",
        "ALTER TABLE `{d}.leases` ALTER COLUMN holder SET OPTIONS (description = 'Something else.')",
    ),
    altered(
        "partitions of another length", "lock_sweep_log", *recreated("PARTITION BY TIMESTAMP_TRUNC(sweep_time, MONTH)")
    ),
    altered("no partitions", "lock_sweep_log", *recreated("")),
    altered("a table is dropped", "creator_processing_errors", "DROP TABLE `{d}.creator_processing_errors`"),
    patched("another expiry of partitions", "lock_sweep_log", partitioned("DAY", 86_400_000)),
    patched("another clustering", "schedule_export_log", {"clustering": {"fields": ["status"]}}),
    patched("another order of clustering", "etl_job_runs", {"clustering": {"fields": ["job_status", "job_name"]}}),
    patched("another label", "automation_alerts", {"labels": {**LABELS, "system": "other"}}),
    patched("one label more", "lock_sweep_log", {"labels": {**LABELS, "retention": "30d", "owner": "nobody"}}),
    patched("another description of a table", "leases", {"description": "Not what the file says."}),
    patched("a table that expires", "creator_performance_reports", {"expirationTime": "4102444800000"}),
    patched("a table that requires a filter", "schedule_generation_queue", {"requirePartitionFilter": True}),
    # the dataset
    dataset("another description of the dataset", dataset_patched({"description": "Something else."})),
    dataset("another label of the dataset", dataset_patched({"labels": {"system": "eros", "environment": "prod"}})),
    dataset("new tables of the dataset expire", dataset_patched({"defaultTableExpirationMs": "3600000"})),
    dataset(
        "the service account may not write",
        dataset_access(lambda entries: [e for e in entries if "userByEmail" not in e]),
    ),
    dataset(
        "a stranger reads the dataset",
        dataset_access(lambda entries: [*entries, {"role": "READER", "userByEmail": STRANGER[5:]}]),
    ),
    dataset(
        "anyone reads the dataset",
        dataset_access(lambda entries: [*entries, {"role": "READER", "specialGroup": "allAuthenticatedUsers"}]),
    ),
    dataset(
        "a viewer owns the dataset",
        dataset_access(lambda entries: [*entries, {"role": "OWNER", "groupByEmail": "viewers@example.com"}]),
    ),
    # scheduled queries
    definition("a schedule is disabled", SWEEP, schedule_patched(SWEEP, {"disabled": True})),
    definition("a schedule at another time", SEED, schedule_patched(SEED, {"schedule": "every 24 hours"})),
    definition("a schedule at another minute", DAILY, schedule_patched(DAILY, {"schedule": "every 1 hours"})),
    definition("a schedule of another query", UPDATE, schedule_patched(UPDATE, {"params": {"query": "SELECT 1"}})),
    definition(
        "a schedule runs as another account",
        DAILY,
        schedule_patched(DAILY, {}, account="other@elsewhere.iam.gserviceaccount.com"),
    ),
    definition("a schedule is deleted", UPDATE, schedule_deleted(UPDATE)),
    definition(
        "a schedule exists twice", SWEEP, schedule_added(SWEEP, schedule_display_name(SYSTEM, SWEEP), "SELECT 1")
    ),
    definition(
        "an undeclared schedule runs our procedure",
        "nightly cleaning",
        schedule_added("nightly cleaning", "nightly cleaning", f"CALL `{{d}}.{SWEEP}`()"),
    ),
    Mutation("the last run failed", SWEEP, schedule_ran(SWEEP, "SELECT ERROR('mutation')"), ("freshness",)),
    # grants
    account("the service account is disabled", account_disabled()),
    account("the transfer service may not act for the account", account_policy(lambda _system: [])),
    account(
        "a stranger may act for the account",
        account_policy(lambda system: [minter(system), {"role": TOKEN_MINTER, "members": [STRANGER]}]),
    ),
    policy("the account may not run jobs", partial(revoked, "roles/bigquery.jobUser")),
    policy("a stranger is BigQuery's admin", partial(granted, "roles/bigquery.admin", STRANGER)),
    policy("a stranger reads every dataset", partial(granted, "roles/bigquery.dataViewer", STRANGER)),
    policy("a stranger owns the project", partial(granted, "roles/owner", STRANGER)),
    policy("anyone browses the project", partial(granted, "roles/browser", "allUsers")),
    policy("a grant with a condition", partial(conditional, "roles/bigquery.jobUser")),
    policy("reads are not logged", partial(not_audited, "DATA_READ"), "auditConfigs"),
    policy("a member is not logged", exempted, "auditConfigs"),
    *of_alerts(ALERTS),
    # data
    rows(
        "a holiday twice",
        "holiday_calendar",
        holiday_row("Independence Day", "FEDERAL", major=True, factor=0.9),
    ),
    rows(
        "no holidays of the next year",
        "holiday_calendar",
        NO_HOLIDAYS,
    ),
    rows(
        "a holiday's factor above 1",
        "holiday_calendar",
        "UPDATE `{d}.holiday_calendar` SET saturation_impact_factor = 2.0 WHERE holiday_name = 'Christmas Day'",
    ),
    rows("statistics out of bounds", "caption_bandit_stats", stats_rows((0.2, 1.2))),
    rows("bounds in the wrong order", "caption_bandit_stats", stats_rows((0.9, 0.2))),
    rows("statistics twice", "caption_bandit_stats", stats_rows((0.2, 0.9), (0.2, 0.9))),
    rows("a run that is stuck", "etl_job_runs", run_row("RUNNING", 45, ended=False)),
    rows("a run that failed", "etl_job_runs", run_row("FAILED", 45, error="'division by zero: 1 / 0'")),
    rows("a run of an unknown status", "etl_job_runs", run_row("DONE", 45)),
    rows("a finished run without an end time", "etl_job_runs", run_row("SUCCESS", 45, ended=False)),
    rows("an unread alert", "automation_alerts", alert_row("CRITICAL", acknowledged=False)),
    rows(
        "an alert of an unknown level", "automation_alerts", alert_row("PANIC", acknowledged=True), named="etl_job_runs"
    ),
    rows(
        "a creator is queued twice",
        "schedule_generation_queue",
        "INSERT INTO `{d}.schedule_generation_queue` (page_name, execution_date, queued_at, status) SELECT page_name, "
        "execution_date, queued_at, status FROM `{d}.schedule_generation_queue` LIMIT 1",
    ),
    rows(
        "a lease without a running holder",
        "leases",
        "INSERT INTO `{d}.leases` (lease_name, holder, acquired_at, expires_at) VALUES ('mutation', 'gone', "
        "CURRENT_TIMESTAMP(), TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 9 MINUTE))",
    ),
    rows(
        "a stored key of another text",
        "caption_bank",
        "UPDATE `{d}.caption_bank` SET caption_key = TO_HEX(SHA256('mutation')) WHERE caption_id = "
        "(SELECT MIN(caption_id) FROM `{d}.caption_bank`)",
    ),
    rows(
        "a caption without its key",
        "caption_bank",
        "UPDATE `{d}.caption_bank` SET caption_key = NULL WHERE caption_id = "
        "(SELECT MAX(caption_id) FROM `{d}.caption_bank`)",
    ),
    # external objects, and what a deployment needs
    altered(
        "an external column is missing",
        "creator_content_inventory",
        "ALTER TABLE `{d}.creator_content_inventory` DROP COLUMN total_content_pieces",
        suites=PREFLIGHT,
    ),
    altered("an external table is missing", "captions", "DROP TABLE `{d}.captions`", suites=PREFLIGHT),
    altered(
        "an external column has another type",
        "captions",
        "ALTER TABLE `{d}.captions` DROP COLUMN has_urgency",
        "ALTER TABLE `{d}.captions` ADD COLUMN has_urgency STRING",
        suites=PREFLIGHT,
    ),
    Mutation(
        "an API is disabled",
        TRANSFER_SERVICE,
        service_disabled(TRANSFER_SERVICE),
        PREFLIGHT,
        before_a_plan=True,
    ),
    Mutation("a quota that is too small", LOCAL.project, quota_set(1024), PREFLIGHT, before_a_plan=True),
)
