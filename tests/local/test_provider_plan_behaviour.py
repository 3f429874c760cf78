"""Changes recorded from the real provider: the stand-in plans and writes the same, and then plans the same."""

from __future__ import annotations

import contextlib
import copy
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from local.provider.rest import Refused
from tests.data.recording import PLANS, recorded
from tests.harness.provider_workspace import Managed, changed, line_of, session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INT64, FLOAT64, STRING = ({"typeKind": kind} for kind in ("INT64", "FLOAT64", "STRING"))


def argument(name: str, data_type: dict[str, str], **more: str) -> dict[str, str]:
    return {"name": name, "argument_kind": "FIXED_TYPE", "data_type": json.dumps(data_type), **more}


def struct(*fields: tuple[str, dict[str, str]]) -> str:
    return json.dumps(
        {"typeKind": "STRUCT", "structType": {"fields": [{"name": name, "type": kind} for name, kind in fields]}}
    )


def table_type(*columns: tuple[str, dict[str, str]]) -> str:
    return json.dumps({"columns": [{"name": name, "type": kind} for name, kind in columns]})


def columns(*specs: str) -> str:
    """Write a schema: "id INT64 REQUIRED"."""
    out = []
    for spec in specs:
        name, kind, *mode = spec.split(" ")
        out.append({"name": name, "type": kind, **({"mode": mode[0]} if mode else {})})
    return json.dumps(out)


DAY_COLUMNS = ("id INT64 REQUIRED", "page STRING NULLABLE", "score FLOAT64", "ts TIMESTAMP")
ROUTINE: dict[str, Any] = {"dataset_id": "brain", "language": "SQL", "project": "eros-local"}
BASE: dict[str, tuple[str, dict[str, Any]]] = {
    "routine_struct": (
        "google_bigquery_routine",
        ROUTINE
        | {
            "routine_id": "wilson",
            "routine_type": "SCALAR_FUNCTION",
            "definition_body": "STRUCT(a / b AS lo, a * 1.0 AS hi)",
            "arguments": [argument("a", FLOAT64), argument("b", FLOAT64)],
            "return_type": struct(("lo", FLOAT64), ("hi", FLOAT64)),
        },
    ),
    "routine_proc": (
        "google_bigquery_routine",
        ROUTINE
        | {
            "routine_id": "bump",
            "routine_type": "PROCEDURE",
            "definition_body": "BEGIN\n  SET total = n + 1;\nEND",
            "arguments": [argument("n", INT64, mode="IN"), argument("total", INT64, mode="OUT")],
        },
    ),
    "routine_tvf": (
        "google_bigquery_routine",
        ROUTINE
        | {
            "routine_id": "by_page",
            "routine_type": "TABLE_VALUED_FUNCTION",
            "definition_body": "SELECT id, page FROM `eros-local.brain.t` WHERE page = p",
            "arguments": [argument("p", STRING)],
            "return_table_type": table_type(("id", INT64), ("page", STRING)),
        },
    ),
    "table_day": (
        "google_bigquery_table",
        {
            "dataset_id": "brain",
            "table_id": "events",
            "deletion_protection": False,
            "clustering": ["page", "id"],
            "labels": {"app": "eros"},
            "require_partition_filter": True,
            "schema": columns(*DAY_COLUMNS),
            "table_constraints": [{"primary_key": [{"columns": ["id"]}]}],
            "time_partitioning": [{"type": "DAY", "field": "ts", "expiration_ms": 7776000000}],
        },
    ),
    "table_view": (
        "google_bigquery_table",
        {
            "dataset_id": "brain",
            "table_id": "vw",
            "deletion_protection": False,
            "view": [{"query": "SELECT id, page FROM `eros-local.brain.t`", "use_legacy_sql": False}],
        },
    ),
    "dts": (
        "google_bigquery_data_transfer_config",
        {
            "data_source_id": "scheduled_query",
            "display_name": "hourly",
            "location": "us",
            "schedule": "every 1 hours",
            "params": {"query": "SELECT 1"},
            "service_account_name": "runner-sa@eros-local.iam.gserviceaccount.com",
            "email_preferences": [{"enable_failure_email": True}],
            "notification_pubsub_topic": "projects/eros-local/topics/runs",
            "schedule_options": [{"start_time": "2025-01-01T00:00:00Z"}],
        },
    ),
    "job_merge": (
        "google_bigquery_job",
        {
            "job_id": "merge-1",
            "labels": {"app": "eros"},
            "query": [
                {"query": "SELECT 1", "use_legacy_sql": False, "create_disposition": "", "write_disposition": ""}
            ],
        },
    ),
    "sa": ("google_service_account", {"account_id": "scheduler", "display_name": "Scheduler"}),
    "dataset": (
        "google_bigquery_dataset",
        {
            "dataset_id": "movable",
            "location": "US",
            "description": "d",
            "labels": {"app": "eros"},
            "default_table_expiration_ms": 7776000000,
            "access": [{"role": "OWNER", "special_group": "projectOwners"}],
        },
    ),
}


def setting(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda config: config.update(values)


def within(block: str, **values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda config: config[block][0].update(values)


def without(*names: str) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        for name in names:
            del config[name]

    return change


STRUCT_TYPE = json.loads(str(BASE["routine_struct"][1]["return_type"]))
CHANGES: dict[tuple[str, str], Callable[[dict[str, Any]], None]] = {
    ("routine_struct", "body: whitespace only"): setting(definition_body="STRUCT(a / b AS lo,  a * 1.0 AS hi)"),
    ("routine_struct", "body: other text"): setting(definition_body="STRUCT(a / b AS lo, a * 2.0 AS hi)"),
    ("routine_struct", "description added"): setting(description="bounds"),
    ("routine_struct", "argument data_type changed"): setting(arguments=[argument("a", INT64), argument("b", FLOAT64)]),
    ("routine_struct", "argument renamed"): setting(
        arguments=[argument("c", FLOAT64), argument("b", FLOAT64)], definition_body="STRUCT(c / b AS lo, c * 1.0 AS hi)"
    ),
    ("routine_struct", "argument added"): setting(
        arguments=[argument("a", FLOAT64), argument("b", FLOAT64), argument("c", FLOAT64)]
    ),
    ("routine_struct", "argument data_type same JSON with spaces"): setting(
        arguments=[argument("a", FLOAT64) | {"data_type": '{  "typeKind" :  "FLOAT64" }'}, argument("b", FLOAT64)]
    ),
    ("routine_struct", "return_type changed"): setting(
        return_type=struct(("low", FLOAT64), ("hi", FLOAT64)), definition_body="STRUCT(a / b AS low, a * 1.0 AS hi)"
    ),
    ("routine_struct", "return_type same JSON, other key order"): setting(
        return_type=json.dumps({key: STRUCT_TYPE[key] for key in ("structType", "typeKind")}, indent=2)
    ),
    ("routine_struct", "return_type removed"): without("return_type"),
    ("routine_struct", "routine_id changed"): setting(routine_id="wilson_2"),
    ("routine_struct", "language removed"): without("language"),
    ("routine_proc", "body: whitespace only"): setting(definition_body="BEGIN\n  SET total =  n + 1;\nEND"),
    ("routine_proc", "OUT -> INOUT"): setting(
        arguments=[argument("n", INT64, mode="IN"), argument("total", INT64, mode="INOUT")]
    ),
    ("routine_proc", "argument removed"): setting(
        arguments=[argument("n", INT64, mode="IN")], definition_body="BEGIN\n  SELECT n;\nEND"
    ),
    ("routine_proc", "security_mode INVOKER"): setting(security_mode="INVOKER"),
    ("routine_tvf", "return_table_type changed"): setting(
        return_table_type=table_type(("id", FLOAT64), ("page", STRING))
    ),
    ("table_day", "schema: description of a column"): setting(
        schema=columns(*DAY_COLUMNS).replace('"name": "page"', '"name": "page", "description": "who"')
    ),
    ("table_day", "schema: columns reordered"): setting(schema=columns(*reversed(DAY_COLUMNS))),
    ("table_day", "schema: INT64 written INTEGER"): setting(schema=columns(*DAY_COLUMNS).replace("INT64", "INTEGER")),
    ("table_day", "schema: nullable column added"): setting(schema=columns(*DAY_COLUMNS, "extra NUMERIC")),
    ("table_day", "schema: REQUIRED column added"): setting(schema=columns(*DAY_COLUMNS, "extra NUMERIC REQUIRED")),
    ("table_day", "schema: column dropped"): setting(schema=columns(*DAY_COLUMNS[:2], DAY_COLUMNS[3])),
    ("table_day", "schema: column renamed"): setting(schema=columns(*DAY_COLUMNS).replace("score", "points")),
    ("table_day", "schema: type changed"): setting(schema=columns(*DAY_COLUMNS).replace("FLOAT64", "STRING")),
    ("table_day", "schema: REQUIRED -> NULLABLE"): setting(
        schema=columns(*DAY_COLUMNS).replace("REQUIRED", "NULLABLE"),
        table_constraints=[{"primary_key": [{"columns": ["id"]}]}],
    ),
    ("table_day", "schema: NULLABLE -> REQUIRED"): setting(
        schema=columns(*DAY_COLUMNS).replace("NULLABLE", "REQUIRED")
    ),
    ("table_day", "partition expiration_ms changed"): within("time_partitioning", expiration_ms=15552000000),
    ("table_day", "partition expiration_ms removed"): within("time_partitioning", expiration_ms=None),
    ("table_day", "partition type DAY -> MONTH"): within("time_partitioning", type="MONTH"),
    ("table_day", "partition field changed"): lambda config: config.update(
        time_partitioning=[{"type": "DAY", "field": "day", "expiration_ms": 7776000000}],
        schema=columns(*DAY_COLUMNS, "day DATE"),
    ),
    ("table_day", "partitioning removed"): without("time_partitioning", "require_partition_filter"),
    ("table_day", "clustering changed"): setting(clustering=["page"]),
    ("table_day", "clustering removed"): without("clustering"),
    ("table_day", "primary key removed"): without("table_constraints"),
    ("table_day", "primary key changed"): setting(table_constraints=[{"primary_key": [{"columns": ["id", "page"]}]}]),
    ("table_day", "labels removed"): without("labels"),
    ("table_day", "deletion_protection -> true"): setting(deletion_protection=True),
    ("table_view", "view query: whitespace only"): within("view", query="SELECT id,  page FROM `eros-local.brain.t`"),
    ("table_view", "view query changed"): within("view", query="SELECT id, page, score FROM `eros-local.brain.t`"),
    ("dts", "params.query: whitespace only"): setting(params={"query": "SELECT  1"}),
    ("dts", "params.query changed"): setting(params={"query": "SELECT 2"}),
    ("dts", "schedule every 1 hours -> every 60 minutes"): setting(schedule="every 60 minutes"),
    ("dts", "start_time +00:00 form"): setting(schedule_options=[{"start_time": "2025-01-01T00:00:00+00:00"}]),
    ("dts", "schedule_options removed"): without("schedule_options"),
    ("dts", "email_preferences false"): setting(email_preferences=[{"enable_failure_email": False}]),
    ("dts", "email_preferences removed"): without("email_preferences"),
    ("dts", "disabled = true"): setting(disabled=True),
    ("dts", "service_account_name changed"): setting(
        service_account_name="other-sa@eros-local.iam.gserviceaccount.com"
    ),
    ("dts", "service_account_name removed"): without("service_account_name"),
    ("dts", "notification topic removed"): without("notification_pubsub_topic"),
    ("dts", "location us -> US"): setting(location="US"),
    ("dts", "display_name changed"): setting(display_name="every hour"),
    ("dts", "destination_dataset_id set"): setting(destination_dataset_id="brain"),
    ("dts", "params: extra key numeric"): setting(params={"query": "SELECT 1", "partitioning_field": "7"}),
    ("job_merge", "query text changed, same job_id"): within("query", query="SELECT 2"),
    ("job_merge", "labels changed"): setting(labels={"app": "other"}),
    ("sa", "disabled = true"): setting(disabled=True),
    ("dataset", "location US -> EU"): setting(location="EU"),
}
NOT_TRIED = {
    ("routine_proc", "strict_mode attribute"): "Terraform refuses it by the schema, which has its own test",
    ("routine_tvf", "routine_type -> (server-side edit of the body)"): "an edit on the server: the drift test has it",
}

# What the embedded control plane does not take: only the request is compared
REFUSED_HERE = {("dts", "destination_dataset_id set")}


@pytest.fixture(scope="module")
def record() -> dict[tuple[str, str], dict[str, Any]]:
    return {(entry["case"], entry["change"]): entry for entry in recorded(PLANS) if entry["case"] in BASE}


@pytest.fixture(scope="module", autouse=True)
def surroundings(endpoint: str) -> Iterator[None]:
    """What the configurations refer to: a dataset, a table and two service accounts."""
    table = {"dataset_id": "brain", "table_id": "t", "deletion_protection": False}
    surrounding: list[tuple[str, dict[str, Any]]] = [
        ("google_bigquery_dataset", {"dataset_id": "brain", "location": "US", "delete_contents_on_destroy": True}),
        ("google_bigquery_table", {**table, "schema": columns("id INT64", "page STRING", "score FLOAT64")}),
        ("google_service_account", {"account_id": "runner-sa"}),
        ("google_service_account", {"account_id": "other-sa"}),
    ]
    managed = [Managed(kind, session(endpoint)) for kind, _ in surrounding]
    for resource, (_, config) in zip(managed, surrounding, strict=True):
        resource.apply(config)
    yield
    for resource in reversed(managed):
        resource.destroy()


def test_every_recorded_change_is_tried(record: dict[tuple[str, str], dict[str, Any]]) -> None:
    left = record.keys() - CHANGES.keys() - NOT_TRIED.keys()
    assert not left


@pytest.mark.parametrize("case", CHANGES, ids=lambda case: f"{case[0]}, {case[1]}")
def test_plans_and_writes_like_the_original(
    endpoint: str, record: dict[tuple[str, str], dict[str, Any]], case: tuple[str, str]
) -> None:
    entry = record[case]
    kind, base = BASE[case[0]]
    if kind == "google_bigquery_job":  # a job cannot be deleted, so each case has its own
        base = {**base, "job_id": re.sub(r"\W+", "-", case[1])}
    managed = Managed(kind, session(endpoint))
    managed.apply(base)
    try:
        config = copy.deepcopy(base)
        CHANGES[case](config)
        check(managed, config, entry)
    finally:
        if managed.state is not None:
            managed.state["deletion_protection"] = False
            managed.destroy()


def check(managed: Managed, config: dict[str, Any], entry: dict[str, Any]) -> None:
    """Compare the plan, the writes and the plan after them with the record."""
    change = managed.plan(config)
    if entry["plan"] == "no diff":
        assert changed(change) == []
        return
    ((action, names, paths),) = entry["plan"]
    assert sorted({str(path[0]) for path in change.replace}) == sorted({path[0] for path in paths or []})
    assert (action == "delete/create") == bool(change.replace)
    assert changed(change) == names
    managed.session.writes.clear()
    if entry["apply"]:
        with pytest.raises(Refused) as refusal:
            managed.apply(config)
        recorded_error = entry["apply_error"].removeprefix("Error: ").partition(" with ")[0].rstrip(",")
        own = re.sub(r"eros-local:[\w-]+", "eros-local:merge-1", str(refusal.value))
        assert own == recorded_error
        return
    refused = (
        contextlib.suppress(Refused) if (entry["case"], entry["change"]) in REFUSED_HERE else contextlib.nullcontext()
    )
    with refused:
        managed.apply(config)
    expected = [line.rpartition(" -> ")[0] for line in entry["writes"]]
    assert [comparable(line_of(write)) for write in managed.session.writes] == [comparable(line) for line in expected]
    if isinstance(refused, contextlib.suppress):
        return
    again = changed(managed.plan(config))
    assert again == ([] if entry["again"] == "clean" else entry["again"][0][1])


def comparable(line: str) -> tuple[str, str, frozenset[str]]:
    """Split a request into its method, its path below the project and its query (the record shortens the query)."""
    method, _, rest = line.partition(" ")
    path, _, query = rest.partition("?")
    path = re.sub(r"(transferConfigs/).+", r"\1…", path)
    path, query = path.replace("movable", "brain"), query.replace("other-sa%40", "other%40")
    path = path.removeprefix("/").removeprefix("eros-local/").removeprefix("100000000001/")
    parts = (part for part in query.partition(" {")[0].split("&") if part and "accessPolicyVersion" not in part)
    return method, path.strip(), frozenset(filter(None, (part.strip() for part in parts)))
