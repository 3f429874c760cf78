"""Changes that a deployment would make to live tables: their class, the refusal where data is guarded, the safe way."""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Self

import pytest

import declared.environment
from catalog.zone import LOS_ANGELES
from declared.environment import AllowedChange, Guards
from google.client import GoogleApi
from tests.mutations.change import service_disabled, table_changed, table_patched
from tests.mutations.statements import columns_of, recreated
from verification.results import Status
from verification.running import read_subject, verify
from verification.table_changes import ChangeClass, TableChange, table_changes

if TYPE_CHECKING:
    from tests.harness.deployed import Deployed
    from verification.results import Result

LOG = "lock_sweep_log"
COLUMNS = columns_of(LOG)
LAST = list(COLUMNS)[-1]
LAYOUT = "PARTITION BY DATE(sweep_time) OPTIONS (partition_expiration_days = 30)"


def with_columns(columns: dict[str, str]) -> tuple[str, str]:
    """Statements that recreate the log with other columns."""
    text = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    return f"DROP TABLE `{{d}}.{LOG}`", f"CREATE TABLE `{{d}}.{LOG}` ({text}) {LAYOUT}"


def changes(system: Deployed) -> list[TableChange]:
    return list(table_changes(read_subject(system.environment)))


#: How the live table was created, and what a deployment would do: the change, its class, a part of the safe way.
CASES: list[tuple[str, tuple[str, str], tuple[str, ChangeClass, str]]] = [
    (
        "a column is dropped",
        with_columns({**COLUMNS, "remark": "STRING"}),
        ("drop of column remark", ChangeClass.LOSES_DATA, "CREATE SNAPSHOT TABLE"),
    ),
    (
        "a column is renamed",
        with_columns({("swept" if n == "total_locks_cleaned" else n): kind for n, kind in COLUMNS.items()}),
        ("rename of column swept", ChangeClass.LOSES_DATA, "RENAME COLUMN swept TO total_locks_cleaned"),
    ),
    (
        "a nullable column is added",
        with_columns({n: kind for n, kind in COLUMNS.items() if n != LAST}),
        (f"new column {LAST}", ChangeClass.IN_PLACE, f"ADD COLUMN {LAST} {COLUMNS[LAST]}"),
    ),
    (
        "a required column is added",
        with_columns({n: kind for n, kind in COLUMNS.items() if n != "sweep_id"}),
        ("new required column sweep_id", ChangeClass.REPLACES_TABLE, "WHERE sweep_id IS NULL"),
    ),
    (
        "a type is widened",
        with_columns({**COLUMNS, "sweep_duration_seconds": "INT64"}),
        ("type of column sweep_duration_seconds", ChangeClass.REPLACES_TABLE, "SET DATA TYPE FLOAT64"),
    ),
    (
        "a type is another",
        with_columns({**COLUMNS, "total_locks_cleaned": "STRING"}),
        ("type of column total_locks_cleaned", ChangeClass.REPLACES_TABLE, "CAST(total_locks_cleaned AS INT64)"),
    ),
    (
        "a column becomes required",
        with_columns({**COLUMNS, "sweep_id": "STRING"}),
        ("column sweep_id becomes required", ChangeClass.REPLACES_TABLE, "WHERE sweep_id IS NULL"),
    ),
    (
        "a column becomes nullable",
        with_columns({**COLUMNS, "total_locks_cleaned": "INT64 NOT NULL"}),
        ("column total_locks_cleaned becomes nullable", ChangeClass.IN_PLACE, "DROP NOT NULL"),
    ),
    (
        "columns are reordered",
        with_columns(dict(reversed(COLUMNS.items()))),
        ("order of columns", ChangeClass.NEEDS_COPY, "in the live order"),
    ),
    (
        "partitions are others",
        recreated("PARTITION BY TIMESTAMP_TRUNC(sweep_time, MONTH)"),
        ("partitioning", ChangeClass.REPLACES_TABLE, f"RENAME TO {LOG}_old"),
    ),
    (
        "the expiry is shorter",
        recreated("PARTITION BY DATE(sweep_time) OPTIONS (partition_expiration_days = 60)"),
        ("partition expiry", ChangeClass.LOSES_DATA, "CREATE SNAPSHOT TABLE"),
    ),
    (
        "the expiry is longer",
        recreated("PARTITION BY DATE(sweep_time) OPTIONS (partition_expiration_days = 10)"),
        ("partition expiry", ChangeClass.IN_PLACE, "partition_expiration_days = 30"),
    ),
    (
        "clustering is another",
        recreated("PARTITION BY DATE(sweep_time) CLUSTER BY sweep_id OPTIONS (partition_expiration_days = 30)"),
        ("clustering", ChangeClass.NEEDS_COPY, "bq update --clustering_fields="),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_a_change_has_a_class_and_a_safe_way(
    deployed: Deployed, case: tuple[str, tuple[str, str], tuple[str, ChangeClass, str]]
) -> None:
    _, statements, (what, kind, statement) = case
    with table_changed(LOG, *statements).apply(deployed):
        (change,) = changes(deployed)
    assert (change.table, change.what, change.kind) == (LOG, what, kind)
    assert statement in change.statement


def test_tables_as_declared_need_no_change(deployed: Deployed) -> None:
    assert changes(deployed) == []


def test_a_table_of_this_system_that_is_not_declared_would_be_dropped(deployed: Deployed) -> None:
    deployed.query("CREATE TABLE `{d}.retired` (a INT64) OPTIONS (labels = [('system', 'eros')])")
    try:
        (change,) = changes(deployed)
    finally:
        deployed.query("DROP TABLE `{d}.retired`")
    assert (change.table, change.kind) == ("retired", ChangeClass.LOSES_DATA)
    assert "DROP TABLE" in change.statement


def preflight(system: Deployed, guarded: bool) -> list[Result]:
    guards = system.environment.guards.model_copy(
        update={"protect_data": guarded, "delete_dataset_contents": not guarded}
    )
    results = verify(system.environment.model_copy(update={"guards": guards}), ["preflight"]).results
    return [result for result in results if result.status is not Status.PASS]


def test_it_is_refused_where_data_is_guarded_and_a_warning_elsewhere(deployed: Deployed) -> None:
    with table_patched(LOG, {"clustering": {"fields": ["sweep_id"]}}).apply(deployed):
        (refused,) = preflight(deployed, guarded=True)
        (warning,) = preflight(deployed, guarded=False)
    assert (refused.id, refused.status, refused.object) == ("0.6", Status.FAIL, LOG)
    assert "bq update --clustering_fields" in refused.action
    assert warning.status is Status.WARN


@pytest.mark.parametrize(
    ("days", "status", "action"),
    [(1, Status.WARN, "Allowed until"), (7, Status.WARN, "new analysts"), (-1, Status.FAIL, "ended on")],
)
def test_a_named_and_dated_entry_allows_one_change(deployed: Deployed, days: int, status: Status, action: str) -> None:
    until = datetime.now(LOS_ANGELES).date() + timedelta(days=days)
    entry = AllowedChange(change=f"{LOG}: clustering", until=until, why="new analysts")
    other = AllowedChange(change=f"{LOG}: partitioning", until=until, why="not this one")
    guards = Guards(protect_data=True)
    there = deployed.environment.model_copy(update={"guards": guards, "allowed_changes": (other, entry)})
    with table_patched(LOG, {"clustering": {"fields": ["sweep_id"]}}).apply(deployed):
        (result,) = (r for r in verify(there, tests=["0.6"]).results if r.status is not Status.PASS)
    assert result.status is status
    assert action in result.action


@pytest.mark.parametrize(("now", "ended"), [("2026-07-01 23:59:59", False), ("2026-07-02 00:00:00", True)])
def test_an_entry_ends_with_its_day_in_los_angeles(monkeypatch: pytest.MonkeyPatch, now: str, ended: bool) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromisoformat(now).replace(tzinfo=LOS_ANGELES).astimezone(tz)

    monkeypatch.setattr(declared.environment, "datetime", Clock)
    assert AllowedChange(change="a: b", until=date(2026, 7, 1), why="c").has_ended is ended


def test_the_rename_that_is_printed_keeps_the_values(deployed: Deployed) -> None:
    case = next(case for case in CASES if case[0] == "a column is renamed")
    values = f"INSERT INTO `{{d}}.{LOG}` (sweep_id, sweep_time, swept) VALUES ('a', CURRENT_TIMESTAMP(), 7)"
    with table_changed(LOG, *case[1], values).apply(deployed):
        (change,) = changes(deployed)
        deployed.query(change.statement)
        assert deployed.query(f"SELECT total_locks_cleaned FROM `{{d}}.{LOG}`")[0][0] == 7
        assert changes(deployed) == []


def test_missing_permissions_are_reported_together(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded environment permits everything, so the test changes its answer."""
    missing = {"bigquery.tables.create", "iam.serviceAccounts.actAs"}
    asked = GoogleApi.granted_permissions
    monkeypatch.setattr(GoogleApi, "granted_permissions", lambda api, wanted: asked(api, wanted) - missing)
    found = preflight(deployed, guarded=False)
    assert {result.found for result in found} == {f"{permission} not granted" for permission in missing}
    assert all("roles/" in result.action for result in found)


def test_a_whole_run_checks_no_permissions_of_the_caller(deployed: Deployed) -> None:
    """A viewer who verifies needs none of what a deployment needs."""
    assert {"0.1", "0.2"} == {
        result.id for result in verify(deployed.environment).results if result.suite == "preflight"
    }


def test_a_disabled_api_is_reported_with_the_command(deployed: Deployed) -> None:
    with service_disabled("iam.googleapis.com").apply(deployed):
        (found,) = preflight(deployed, guarded=False)
    assert found.object == "iam.googleapis.com"
    assert "gcloud services enable iam.googleapis.com --project eros-local" in found.action
