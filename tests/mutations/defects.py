"""Test code: defects of a deployed system, each of which the verifier must catch and name; harmless differences too.

``make mutations`` applies them all, one by one, to an embedded system of its own, and prints the score. A mutation is a
context: it changes the system through the API or by SQL when it is entered, and puts it back when it is left.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from declared.alerts import ALERTS
from declared.roles import TOKEN_MINTER
from verification.results import NOT_WELL, Status
from verification.running import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.harness.deployed import Deployed
    from verification.results import Result

STRANGER = "user:stranger@example.com"
VIEW = "schedule_recommendations_messages"
SWEEP, DAILY, SEED, UPDATE = (
    "sweep_expired_caption_locks",
    "run_daily_automation",
    "seed_holiday_calendar",
    "update_caption_performance",
)


#: Suites that ask the APIs alone; the one that asks for the rows of a table, where it is not monitoring.
DEFINITIONS = ("existence", "schema", "procedures", "drift", "schedules", "access")
RECORDS = {"holiday_calendar": "integrity", "caption_bandit_stats": "integrity", "caption_bank": "caption_keys"}
PREFLIGHT = ("preflight",)
#: What only the tests that concern whoever deploys look at; a whole run does not make them.
BEFORE_A_PLAN = {"an API is disabled", "a quota that is too small"}


@dataclass(frozen=True)
class Mutation:
    """A change of a deployed system; ``named`` is the object that a result must name, '' where nothing may be said.

    ``suites`` are those that are there for it; none means that all of them are asked.
    """

    title: str
    named: str
    apply: Callable[[Deployed], AbstractContextManager[None]]
    suites: tuple[str, ...] = DEFINITIONS


def caught(system: Deployed, mutation: Mutation, everywhere: bool = False) -> list[Result]:
    """What the verifier says of the changed system that is about the named object, or anything where none is.

    Args:
        system: the deployed system.
        mutation: what is changed while the verifier looks.
        everywhere: make a whole run, as an operator does, where the mutation's own suites would do.
    """
    whole_run = everywhere and mutation.title not in BEFORE_A_PLAN
    with mutation.apply(system):
        results = verify(system.environment, () if whole_run else mutation.suites).results
    return [
        result
        for result in results
        if result.status in {*NOT_WELL, Status.DENIED}
        and (not mutation.named or result.object.split(".")[0] == mutation.named or result.object == mutation.named)
    ]


# What changes the system


@contextmanager
def table_patched(name: str, change: dict[str, Any], system: Deployed) -> Iterator[None]:
    """PATCH a table or view, and back."""
    before = system.rest("GET", f"/tables/{name}")
    system.rest("PATCH", f"/tables/{name}", change)
    try:
        yield
    finally:
        back = {key: before.get(key) for key in change}
        if "labels" in change:  # a label that is not named stays, one that is null goes
            back["labels"] = {**dict.fromkeys(change["labels"]), **before["labels"]}
        system.rest("PATCH", f"/tables/{name}", back)


@contextmanager
def table_changed(name: str, *statements: str, system: Deployed) -> Iterator[None]:
    """Change a table of ours by SQL; afterwards it is made anew with its rows."""
    kept = f"CREATE OR REPLACE TABLE `{{d}}.kept_rows` AS SELECT * FROM `{{d}}.{name}`"
    system.query(kept)
    try:
        for statement in statements:
            system.query(statement)
        yield
    finally:
        system.query(f"DROP TABLE IF EXISTS `{{d}}.{name}`")
        table = {**system.catalog.tables, **system.catalog.dependencies}[name]
        if name in system.catalog.tables:
            system.create_table(system.catalog.tables[name])
        else:
            system.query(table.ddl)
        columns = ", ".join(column.name for column in system.catalog_columns(name))
        system.query(f"INSERT INTO `{{d}}.{name}` ({columns}) SELECT {columns} FROM `{{d}}.kept_rows`")
        system.query("DROP TABLE `{d}.kept_rows`")


@contextmanager
def rows_changed(name: str, *statements: str, system: Deployed) -> Iterator[None]:
    """Change a table's rows by SQL, and back."""
    system.query(f"CREATE OR REPLACE TABLE `{{d}}.kept_{name}` AS SELECT * FROM `{{d}}.{name}`")
    try:
        for statement in statements:
            system.query(statement)
        yield
    finally:
        system.query(f"DELETE FROM `{{d}}.{name}` WHERE TRUE")
        system.query(f"INSERT INTO `{{d}}.{name}` SELECT * FROM `{{d}}.kept_{name}`")
        system.query(f"DROP TABLE `{{d}}.kept_{name}`")


@contextmanager
def routine_changed(name: str, change: Callable[[dict[str, Any]], dict[str, Any]], system: Deployed) -> Iterator[None]:
    """PUT a routine, and back."""
    declared = system.routine(system.catalog.routines[name])
    changed = change(declared)
    system.rest("PUT", f"/routines/{name}", changed)
    try:
        yield
    finally:
        system.rest("PUT", f"/routines/{name}", declared)


def replaced(old: str, new: str, routine: dict[str, Any]) -> dict[str, Any]:
    """The routine with a part of its body replaced."""
    body = routine["definitionBody"]
    assert old in body, f"{old!r} is not in the body"
    return {**routine, "definitionBody": body.replace(old, new)}


def with_argument(number: int, change: dict[str, Any], routine: dict[str, Any]) -> dict[str, Any]:
    """The routine with another argument."""
    arguments = [dict(argument) for argument in routine["arguments"]]
    arguments[number] |= change
    return {**routine, "arguments": arguments}


@contextmanager
def routine_dropped(name: str, system: Deployed) -> Iterator[None]:
    """DELETE a routine, and make it anew."""
    system.rest("DELETE", f"/routines/{name}")
    try:
        yield
    finally:
        system.rest("POST", "/routines", system.routine(system.catalog.routines[name]))


@contextmanager
def view_replaced(system: Deployed, statement: str) -> Iterator[None]:
    """Drop the view, put something in its place, and back."""
    kind = "TABLE" if "CREATE TABLE" in statement else "VIEW"
    system.query(f"DROP VIEW `{{d}}.{VIEW}`")
    if statement:
        system.query(statement)
    try:
        yield
    finally:
        system.query(f"DROP {kind} IF EXISTS `{{d}}.{VIEW}`")
        system.create_table(system.catalog.views[VIEW])


def view_query(change: Callable[[str], str], system: Deployed) -> AbstractContextManager[None]:
    """The view with another query."""
    query = change(system.catalog.views[VIEW].query)
    return table_patched(VIEW, {"view": {"query": query, "useLegacySql": False}}, system)


@contextmanager
def dataset_patched(change: dict[str, Any], system: Deployed) -> Iterator[None]:
    """PATCH the dataset, and back."""
    before = system.rest("GET", "")
    system.rest("PATCH", "", change)
    try:
        yield
    finally:
        system.rest("PATCH", "", {key: before.get(key) for key in change})


def dataset_access(change: Callable[[list[Any]], list[Any]], system: Deployed) -> AbstractContextManager[None]:
    """The dataset with another access list."""
    return dataset_patched({"access": change(system.rest("GET", "")["access"])}, system)


@contextmanager
def schedule_patched(name: str, change: dict[str, Any], system: Deployed, account: str = "") -> Iterator[None]:
    """PATCH a transfer config, and back."""
    config = {"disabled": False, **system.config(name)}
    fields = ",".join([*change, *(["serviceAccountName"] if account else [])])
    path = f"{config['name']}?updateMask={fields}"
    system.api.data_transfer("PATCH", f"{path}&serviceAccountName={account}" if account else path, change)
    try:
        yield
    finally:
        owner = system.environment.service_account
        path = f"{path}&serviceAccountName={owner}" if account else path
        system.api.data_transfer("PATCH", path, {key: config[key] for key in change})


@contextmanager
def schedule_deleted(name: str, system: Deployed) -> Iterator[None]:
    """DELETE a transfer config, and make it anew."""
    system.api.data_transfer("DELETE", system.config(name)["name"])
    try:
        yield
    finally:
        system.create_schedule(system.catalog.schedules[name])


@contextmanager
def schedule_added(name: str, query: str, system: Deployed) -> Iterator[None]:
    """One transfer config more."""
    made = system.create_transfer_config(name, "every 24 hours", query.replace("{d}", system.dataset))
    try:
        yield
    finally:
        system.api.data_transfer("DELETE", made["name"])


@contextmanager
def schedule_ran(name: str, query: str, system: Deployed) -> Iterator[None]:
    """A run of a scheduled query, of another text, for the last time it was due; then the config is made anew."""
    config = system.config(name)
    system.api.data_transfer("PATCH", f"{config['name']}?updateMask=params", {"params": {"query": query}})
    system.run_schedule(name)
    system.api.data_transfer("PATCH", f"{config['name']}?updateMask=params", {"params": config["params"]})
    try:
        yield
    finally:
        system.api.data_transfer("DELETE", config["name"])
        system.create_schedule(system.catalog.schedules[name])


@contextmanager
def project_policy(change: Callable[[dict[str, Any]], None], system: Deployed) -> Iterator[None]:
    """Another policy of the project, and back."""
    policy = system.api.project_policy()
    change(policy)
    system.set_project_policy(policy)
    try:
        yield
    finally:
        system.grant_project()


def granted(role: str, member: str, policy: dict[str, Any]) -> None:
    """One grant more."""
    policy["bindings"].append({"role": role, "members": [member]})


def revoked(role: str, policy: dict[str, Any]) -> None:
    """A role's whole binding less."""
    policy["bindings"] = [binding for binding in policy["bindings"] if binding["role"] != role]


def conditional(role: str, policy: dict[str, Any]) -> None:
    """A role's grants hold under a condition only."""
    for binding in policy["bindings"]:
        if binding["role"] == role:
            binding["condition"] = {"title": "weekdays only", "expression": "request.time.getDayOfWeek() > 0"}


def not_audited(kind: str, policy: dict[str, Any]) -> None:
    """A kind of access that is not logged any more."""
    (config,) = policy["auditConfigs"]
    config["auditLogConfigs"] = [log for log in config["auditLogConfigs"] if log["logType"] != kind]


def exempted(policy: dict[str, Any]) -> None:
    """Somebody whose access is not logged."""
    policy["auditConfigs"][0]["auditLogConfigs"][0]["exemptedMembers"] = [STRANGER]


@contextmanager
def account_policy(bindings: list[dict[str, Any]], system: Deployed) -> Iterator[None]:
    """Another policy of the service account, and back."""
    system.set_account_policy(bindings)
    try:
        yield
    finally:
        system.grant_account()


def minter(system: Deployed) -> dict[str, Any]:
    """The binding that the transfer service needs."""
    return {"role": TOKEN_MINTER, "members": [f"serviceAccount:{system.environment.transfer_agent}"]}


@contextmanager
def account_called(verb: str, back: str, system: Deployed) -> Iterator[None]:
    """Disable the service account, and back."""
    path = f"projects/{system.environment.project}/serviceAccounts/{system.environment.service_account}"
    system.api.iam("POST", f"{path}:{verb}", {})
    try:
        yield
    finally:
        system.api.iam("POST", f"{path}:{back}", {})


@contextmanager
def monitoring_changed(kind: str, display_name: str, change: dict[str, Any], system: Deployed) -> Iterator[None]:
    """PATCH an alert policy or a notification channel, and back."""
    project = f"projects/{system.environment.project}"
    listed = system.api.monitoring("GET", f"{project}/{kind}")[kind]
    (before,) = (found for found in listed if found["displayName"] == display_name)
    system.api.monitoring("PATCH", f"{before['name']}?updateMask={','.join(change)}", {**before, **change})
    try:
        yield
    finally:
        system.api.monitoring("PATCH", f"{before['name']}?updateMask={','.join(change)}", before)


@contextmanager
def policy_deleted(display_name: str, system: Deployed) -> Iterator[None]:
    """DELETE an alert policy, and make it anew."""
    (policy,) = (found for found in system.api.alert_policies() if found["displayName"] == display_name)
    system.api.monitoring("DELETE", policy["name"])
    try:
        yield
    finally:
        made = {key: value for key, value in policy.items() if key not in {"name", "creationRecord", "mutationRecord"}}
        system.api.monitoring("POST", f"projects/{system.environment.project}/alertPolicies", made)


@contextmanager
def policy_added(labels: dict[str, str], system: Deployed) -> Iterator[None]:
    """One alert policy more."""
    policy = {
        "displayName": "by hand",
        "combiner": "OR",
        "userLabels": labels,
        "conditions": [{"displayName": "x", "conditionAbsent": {"filter": 'metric.type="a"', "duration": "60s"}}],
    }
    made = system.api.monitoring("POST", f"projects/{system.environment.project}/alertPolicies", policy)
    try:
        yield
    finally:
        system.api.monitoring("DELETE", made["name"])


@contextmanager
def service_disabled(service: str, system: Deployed) -> Iterator[None]:
    """Disable an API of the project, and back."""
    path = f"projects/{system.environment.project_number}/services/{service}"
    system.api.service_usage("POST", f"{path}:disable", {})
    try:
        yield
    finally:
        system.api.service_usage("POST", f"{path}:enable", {})


@contextmanager
def quota_set(mebibytes: int, system: Deployed) -> Iterator[None]:
    """Limit what queries may read in a day, and back."""
    metric = quote("bigquery.googleapis.com/quota/query/usage", safe="")
    path = (
        f"projects/{system.environment.project_number}/services/bigquery.googleapis.com/consumerQuotaMetrics/{metric}"
    )
    system.api.service_usage("PATCH", path, {"overrideValue": str(mebibytes)}, version="v1beta1")
    try:
        yield
    finally:
        system.api.service_usage("PATCH", path, {"overrideValue": "-1"}, version="v1beta1")


@contextmanager
def made(create: str, drop: str, system: Deployed) -> Iterator[None]:
    """Something of others beside ours, made by SQL."""
    system.query(create)
    try:
        yield
    finally:
        system.query(drop)


# Short forms, which make a mutation of what changes the system


def body(title: str, name: str, old: str, new: str) -> Mutation:
    """A routine whose text is another."""
    return Mutation(title, name, partial(routine_changed, name, partial(replaced, old, new)))


def routine(title: str, name: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Mutation:
    """A routine that is otherwise another."""
    return Mutation(title, name, partial(routine_changed, name, change))


def dropped(kind: str, name: str) -> Mutation:
    """A routine that is gone."""
    return Mutation(f"a {kind} is dropped", name, partial(routine_dropped, name))


def patched(title: str, name: str, change: dict[str, Any]) -> Mutation:
    """A table that is another through the API."""
    return Mutation(title, name, partial(table_patched, name, change))


def altered(title: str, name: str, *statements: str, suites: tuple[str, ...] = DEFINITIONS) -> Mutation:
    """A table that is another by SQL."""
    return Mutation(title, name, lambda system: table_changed(name, *statements, system=system), suites)


def rows(title: str, name: str, *statements: str, named: str = "") -> Mutation:
    """A table whose rows are others."""
    return Mutation(
        title,
        named or name,
        lambda system: rows_changed(name, *statements, system=system),
        (RECORDS.get(name, "monitoring"),),
    )


def policy(title: str, change: Callable[[dict[str, Any]], None], named: str = "eros-local") -> Mutation:
    """Another policy of the project."""
    return Mutation(title, named, partial(project_policy, change))


def access(title: str, change: Callable[[list[Any]], list[Any]]) -> Mutation:
    """Another access list of the dataset."""
    return Mutation(title, "eros_scheduling_brain", partial(dataset_access, change))


def run_row(status: str, minutes_ago: int, job: str = DAILY, error: str = "NULL", ended: bool = True) -> str:
    """INSERT of a run's record."""
    began = f"TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL {minutes_ago} MINUTE)"
    return (
        "INSERT INTO `{d}.etl_job_runs` (job_id, job_name, job_start_time, job_end_time, job_status, execution_date, "
        f"error_message) VALUES ('mutation {status} {minutes_ago}', '{job}', {began}, {began if ended else 'NULL'}, "
        f"'{status}', DATE '2026-01-05', {error})"
    )


def alert_row(level: str, acknowledged: bool) -> str:
    """INSERT of an alert."""
    return (
        "INSERT INTO `{d}.automation_alerts` (alert_id, alert_time, alert_level, alert_source, alert_message, "
        f"acknowledged) VALUES ('mutation', CURRENT_TIMESTAMP(), '{level}', '{DAILY}', 'mutation', {acknowledged})"
    )


def stats_rows(*bounds: tuple[float, float]) -> str:
    """INSERT of statistics of one caption."""
    values = ", ".join(f"(1, 'mutation', 3, 1, {lower}, {upper}, CURRENT_TIMESTAMP())" for lower, upper in bounds)
    columns = "caption_id, page_name, successes, failures, confidence_lower_bound, confidence_upper_bound, last_updated"
    return f"INSERT INTO `{{d}}.caption_bandit_stats` ({columns}) VALUES {values}"


def partitioned(kind: str, milliseconds: int | None) -> dict[str, Any]:
    """The partitioning of lock_sweep_log, changed."""
    expiry = {"expirationMs": str(milliseconds)} if milliseconds else {}
    return {"timePartitioning": {"type": kind, "field": "sweep_time", **expiry}}


def recreated(layout: str) -> tuple[str, str]:
    """Statements that make lock_sweep_log anew with another layout."""
    columns = (
        "sweep_id STRING NOT NULL, sweep_time TIMESTAMP NOT NULL, locks_expired_stale INT64, "
        "locks_expired_past_date INT64, total_locks_cleaned INT64, sweep_duration_seconds FLOAT64"
    )
    return "DROP TABLE `{d}.lock_sweep_log`", f"CREATE TABLE `{{d}}.lock_sweep_log` ({columns}) {layout}"


FAILED, SILENT = ALERTS
LABELS = {"system": "eros", "component": "automation", "retention": "90d"}
YEAR = "EXTRACT(YEAR FROM CURRENT_DATE('America/Los_Angeles'))"
FOURTH = "(holiday_date, holiday_name, holiday_type, is_major_holiday, saturation_impact_factor) VALUES (DATE"

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
    body("bounds the wrong way round", "conversion_interval", "bounds.lower_bound AS", "bounds.upper_bound AS"),
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
    body("a clock without its zone", SWEEP, "CURRENT_DATE('America/Los_Angeles')", "CURRENT_DATE()"),
    body("a breaker that never goes", DAILY, "v_failed_in_a_row >= 5", "v_failed_in_a_row >= 5000"),
    body("a division by zero", SWEEP, "SAFE_DIVIDE", "IEEE_DIVIDE"),
    body("a lease that is not asked for", "begin_job_run", "held.expires_at > v_started_at", "FALSE"),
    routine("a procedure with another argument name", SEED, partial(with_argument, 1, {"name": "p_until"})),
    routine("a procedure with another argument mode", SEED, partial(with_argument, 1, {"mode": "INOUT"})),
    routine(
        "a procedure with another argument type",
        SEED,
        partial(with_argument, 1, {"dataType": {"typeKind": "FLOAT64"}}),
    ),
    routine("a procedure with another description", UPDATE, lambda r: {**r, "description": "Something else."}),
    # the view
    Mutation("a view without rows", VIEW, partial(view_query, "SELECT * FROM ({}) WHERE FALSE".format)),
    Mutation("a view is dropped", VIEW, partial(view_replaced, statement="")),
    Mutation(
        "a table stands in the view's place",
        VIEW,
        partial(view_replaced, statement=f"CREATE TABLE `{{d}}.{VIEW}` (schedule_id STRING)"),
    ),
    Mutation(
        "a view lacks a column",
        VIEW,
        partial(view_replaced, statement=f"CREATE VIEW `{{d}}.{VIEW}` AS SELECT 'a' AS schedule_id"),
    ),
    patched("a view with another description", VIEW, {"description": "Something else."}),
    patched("a view with another label", VIEW, {"labels": {**LABELS, "component": "other"}}),
    # tables
    altered(
        "a column is dropped", "lock_sweep_log", "ALTER TABLE `{d}.lock_sweep_log` DROP COLUMN total_locks_cleaned"
    ),
    altered("a column that nobody declared", "leases", "ALTER TABLE `{d}.leases` ADD COLUMN remark STRING"),
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
    patched("a table that will vanish", "creator_performance_reports", {"expirationTime": "4102444800000"}),
    patched("a table that asks for a filter", "schedule_generation_queue", {"requirePartitionFilter": True}),
    # the dataset
    Mutation(
        "another description of the dataset",
        "eros_scheduling_brain",
        partial(dataset_patched, {"description": "Something else."}),
    ),
    Mutation(
        "another label of the dataset",
        "eros_scheduling_brain",
        partial(dataset_patched, {"labels": {"system": "eros", "environment": "prod"}}),
    ),
    Mutation(
        "new tables of the dataset expire",
        "eros_scheduling_brain",
        partial(dataset_patched, {"defaultTableExpirationMs": "3600000"}),
    ),
    access("the service account may not write", lambda entries: [e for e in entries if "userByEmail" not in e]),
    access("a stranger reads the dataset", lambda entries: [*entries, {"role": "READER", "userByEmail": STRANGER[5:]}]),
    access(
        "everybody reads the dataset",
        lambda entries: [*entries, {"role": "READER", "specialGroup": "allAuthenticatedUsers"}],
    ),
    access(
        "a viewer owns the dataset",
        lambda entries: [*entries, {"role": "OWNER", "groupByEmail": "viewers@example.com"}],
    ),
    # scheduled queries
    Mutation("a schedule is disabled", SWEEP, partial(schedule_patched, SWEEP, {"disabled": True})),
    Mutation("a schedule at another time", SEED, partial(schedule_patched, SEED, {"schedule": "every 24 hours"})),
    Mutation("a schedule at another minute", DAILY, partial(schedule_patched, DAILY, {"schedule": "every 1 hours"})),
    Mutation(
        "a schedule of another query", UPDATE, partial(schedule_patched, UPDATE, {"params": {"query": "SELECT 1"}})
    ),
    Mutation(
        "a schedule runs as somebody else",
        DAILY,
        partial(schedule_patched, DAILY, {}, account="other@elsewhere.iam.gserviceaccount.com"),
    ),
    Mutation("a schedule is deleted", UPDATE, partial(schedule_deleted, UPDATE)),
    Mutation("a schedule stands twice", SWEEP, partial(schedule_added, f"eros {SWEEP}", "SELECT 1")),
    Mutation(
        "somebody else runs our procedure",
        "nightly cleaning",
        partial(schedule_added, "nightly cleaning", f"CALL `{{d}}.{SWEEP}`()"),
    ),
    Mutation("the last run failed", SWEEP, partial(schedule_ran, SWEEP, "SELECT ERROR('mutation')"), ("freshness",)),
    # who may do what
    Mutation(
        "the service account is disabled",
        "eros-etl@eros-local.iam.gserviceaccount.com",
        partial(account_called, "disable", "enable"),
    ),
    Mutation(
        "the transfer service may not act for the account",
        "eros-etl@eros-local.iam.gserviceaccount.com",
        partial(account_policy, []),
    ),
    Mutation(
        "a stranger may act for the account",
        "eros-etl@eros-local.iam.gserviceaccount.com",
        lambda system: account_policy([minter(system), {"role": TOKEN_MINTER, "members": [STRANGER]}], system),
    ),
    policy("the account may not run jobs", partial(revoked, "roles/bigquery.jobUser")),
    policy("a stranger is BigQuery's admin", partial(granted, "roles/bigquery.admin", STRANGER)),
    policy("a stranger reads every dataset", partial(granted, "roles/bigquery.dataViewer", STRANGER)),
    policy("a stranger owns the project", partial(granted, "roles/owner", STRANGER)),
    policy("everybody browses the project", partial(granted, "roles/browser", "allUsers")),
    policy("a grant that holds at times only", partial(conditional, "roles/bigquery.jobUser")),
    policy("reads are not logged", partial(not_audited, "DATA_READ")),
    policy("somebody is not logged", exempted),
    # alerts
    Mutation(
        "an alert policy is disabled",
        FAILED.name,
        partial(monitoring_changed, "alertPolicies", FAILED.display_name, {"enabled": False}),
    ),
    Mutation(
        "an alert policy looks for something else",
        FAILED.name,
        partial(
            monitoring_changed,
            "alertPolicies",
            FAILED.display_name,
            {"conditions": [{"displayName": FAILED.display_name, "conditionMatchedLog": {"filter": "severity=DEBUG"}}]},
        ),
    ),
    Mutation(
        "an alert policy tells nobody",
        SILENT.name,
        partial(monitoring_changed, "alertPolicies", SILENT.display_name, {"notificationChannels": []}),
    ),
    Mutation("an alert policy is deleted", SILENT.name, partial(policy_deleted, SILENT.display_name)),
    Mutation(
        "alerts go to somebody else",
        FAILED.name,
        partial(
            monitoring_changed, "notificationChannels", "eros operators", {"labels": {"email_address": "x@example.com"}}
        ),
    ),
    Mutation("an alert policy of ours that nobody declared", "by hand", partial(policy_added, {"system": "eros"})),
    # data
    rows(
        "a holiday twice",
        "holiday_calendar",
        f"INSERT INTO `{{d}}.holiday_calendar` {FOURTH} '2026-07-04', 'Independence Day', 'FEDERAL', TRUE, 0.9)",
    ),
    rows(
        "no holidays of the next year",
        "holiday_calendar",
        f"DELETE FROM `{{d}}.holiday_calendar` WHERE EXTRACT(YEAR FROM holiday_date) = {YEAR} + 1",
    ),
    rows(
        "a holiday's factor above 1",
        "holiday_calendar",
        "UPDATE `{d}.holiday_calendar` SET saturation_impact_factor = 2.0 WHERE holiday_name = 'Christmas Day'",
    ),
    rows("statistics out of bounds", "caption_bandit_stats", stats_rows((0.2, 1.2))),
    rows("bounds the wrong way round", "caption_bandit_stats", stats_rows((0.9, 0.2))),
    rows("statistics twice", "caption_bandit_stats", stats_rows((0.2, 0.9), (0.2, 0.9))),
    rows("a run that is stuck", "etl_job_runs", run_row("RUNNING", 45, ended=False)),
    rows("a run that failed", "etl_job_runs", run_row("FAILED", 45, error="'division by zero: 1 / 0'")),
    rows("a run of an unknown status", "etl_job_runs", run_row("DONE", 45)),
    rows("a run that ended without an end", "etl_job_runs", run_row("SUCCESS", 45, ended=False)),
    rows("an alert that nobody has read", "automation_alerts", alert_row("CRITICAL", acknowledged=False)),
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
        "a lease that nobody holds",
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
    # what others own, and what a deployment needs
    altered(
        "a column of others is gone",
        "creator_content_inventory",
        "ALTER TABLE `{d}.creator_content_inventory` DROP COLUMN total_content_pieces",
        suites=PREFLIGHT,
    ),
    altered("a table of others is gone", "captions", "DROP TABLE `{d}.captions`", suites=PREFLIGHT),
    altered(
        "a column of others has another type",
        "captions",
        "ALTER TABLE `{d}.captions` DROP COLUMN has_urgency",
        "ALTER TABLE `{d}.captions` ADD COLUMN has_urgency STRING",
        suites=PREFLIGHT,
    ),
    Mutation(
        "an API is disabled",
        "bigquerydatatransfer.googleapis.com",
        partial(service_disabled, "bigquerydatatransfer.googleapis.com"),
        PREFLIGHT,
    ),
    Mutation("a quota that is too small", "eros-local", partial(quota_set, 1024), PREFLIGHT),
)


def trailing_blanks(resource: dict[str, Any]) -> dict[str, Any]:
    """The same text with blanks at the ends of its lines."""
    return {**resource, "definitionBody": resource["definitionBody"].replace("\n", "  \n") + "\n"}


def other_key_order(resource: dict[str, Any]) -> dict[str, Any]:
    """The same resource with its JSON written the other way round."""
    return {
        key: [dict(reversed(part.items())) for part in value] if key == "arguments" else value
        for key, value in reversed(resource.items())
    }


def in_google_sql_types(system: Deployed) -> AbstractContextManager[None]:
    """The columns of a table sent with the other names of their types."""
    names = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}
    fields = system.rest("GET", "/tables/lock_sweep_log")["schema"]["fields"]
    changed = [{**field, "type": names.get(field["type"], field["type"])} for field in fields]
    return table_patched("lock_sweep_log", {"schema": {"fields": changed}}, system)


def harmless(title: str, apply: Callable[[Deployed], AbstractContextManager[None]]) -> Mutation:
    """A difference that nobody may be woken for."""
    return Mutation(title, "", apply, ())


def other_bindings_order(policy: dict[str, Any]) -> None:
    """The same policy the other way round."""
    policy["bindings"] = [{**b, "members": b["members"][::-1]} for b in reversed(policy["bindings"])]


def other_audit(policy: dict[str, Any]) -> None:
    """Another service is logged as well."""
    policy["auditConfigs"].append(
        {
            "service": "storage.googleapis.com",
            "auditLogConfigs": [{"logType": "DATA_READ", "exemptedMembers": [STRANGER]}],
        }
    )


GOOG = {"goog-terraform-provisioned": "true"}
HARMLESS: tuple[Mutation, ...] = (
    harmless("members of the dataset in another order", partial(dataset_access, lambda entries: entries[::-1])),
    harmless("members of the project in another order", partial(project_policy, other_bindings_order)),
    harmless(
        "a role that reaches no data", partial(project_policy, partial(granted, "roles/monitoring.viewer", STRANGER))
    ),
    harmless("another service is audited", partial(project_policy, other_audit)),
    harmless("blanks at line ends of a function", partial(routine_changed, "wilson_score_bounds", trailing_blanks)),
    harmless("blanks at line ends of a procedure", partial(routine_changed, SWEEP, trailing_blanks)),
    harmless("a routine's JSON in another order", partial(routine_changed, SEED, other_key_order)),
    harmless("a view's query ends in a blank line", partial(view_query, "{}\n\n".format)),
    harmless("types by their other names", in_google_sql_types),
    harmless(
        "Terraform's own label on a table",
        partial(table_patched, "leases", {"labels": {**LABELS, "retention": "none", **GOOG}}),
    ),
    harmless("a table of others", partial(made, "CREATE TABLE `{d}.theirs` (a INT64)", "DROP TABLE `{d}.theirs`")),
    harmless("a view of others", partial(made, "CREATE VIEW `{d}.theirs` AS SELECT 1 AS a", "DROP VIEW `{d}.theirs`")),
    harmless(
        "a function of others",
        partial(made, "CREATE FUNCTION `{d}.theirs`(a INT64) AS (a + 1)", "DROP FUNCTION `{d}.theirs`"),
    ),
    harmless(
        "a column more in a table of others",
        lambda system: table_changed("captions", "ALTER TABLE `{d}.captions` ADD COLUMN remark STRING", system=system),
    ),
    harmless("a scheduled query of others", partial(schedule_added, "their report", "SELECT 1")),
    harmless("an alert policy of others", partial(policy_added, {"team": "web"})),
    harmless("a run that succeeded", partial(schedule_ran, SWEEP, "SELECT 1")),
    harmless(
        "a hand-edited factor of a holiday",
        lambda system: rows_changed(
            "holiday_calendar",
            "UPDATE `{d}.holiday_calendar` SET saturation_impact_factor = 0.33 WHERE holiday_name = 'Halloween'",
            system=system,
        ),
    ),
    harmless(
        "a holiday of the operators' own",
        lambda system: rows_changed(
            "holiday_calendar",
            f"INSERT INTO `{{d}}.holiday_calendar` {FOURTH} '2026-07-04', 'Summer sale', 'COMMERCIAL', FALSE, 0.5)",
            system=system,
        ),
    ),
    harmless(
        "an alert that was acknowledged",
        lambda system: rows_changed("automation_alerts", alert_row("CRITICAL", acknowledged=True), system=system),
    ),
    harmless(
        "a warning that nobody has read",
        lambda system: rows_changed("automation_alerts", alert_row("WARNING", acknowledged=False), system=system),
    ),
    harmless(
        "a failed run that was made good",
        lambda system: rows_changed("etl_job_runs", run_row("FAILED", 50), run_row("SUCCESS", 45), system=system),
    ),
    harmless(
        "a run that is at work",
        lambda system: rows_changed("etl_job_runs", run_row("RUNNING", 1, ended=False), system=system),
    ),
    harmless(
        "a lease that has ended",
        lambda system: rows_changed(
            "leases",
            "INSERT INTO `{d}.leases` (lease_name, holder, acquired_at, expires_at) VALUES ('mutation', 'gone', "
            "TIMESTAMP '2026-01-05 11:05:00+00', TIMESTAMP '2026-01-05 11:35:00+00')",
            system=system,
        ),
    ),
    harmless(
        "statistics without figures",
        lambda system: rows_changed(
            "caption_bandit_stats",
            "INSERT INTO `{d}.caption_bandit_stats` (caption_id, page_name, last_updated) "
            "VALUES (1, 'mutation', CURRENT_TIMESTAMP())",
            system=system,
        ),
    ),
)
