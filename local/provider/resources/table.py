"""google_bigquery_table: tables and views."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalog.model import FIELD_TYPES
from local.provider.resource import RestObject, type_of
from local.provider.rest import ApiError, Refused, Session
from local.provider.rules import REPLACES, VIRTUAL, Rule, compact_json, same_json
from local.provider.values import UNKNOWN, Value, same

if TYPE_CHECKING:
    from local.provider.planning import Change

_STANDARD_TYPE = {name: kind for kind, name in FIELD_TYPES.items()}


def canonical_columns(columns: Any) -> list[dict[str, Any]]:
    """A list of columns in one form: standard type names, explicit modes, by name, without empty values."""
    return sorted((_canonical(column) for column in columns or []), key=lambda column: str(column.get("name")).lower())


def _canonical(column: dict[str, Any]) -> dict[str, Any]:
    out = {key: value for key, value in column.items() if value not in (None, "", [], {})}
    kind = str(column.get("type", "")).upper()
    out["type"] = _STANDARD_TYPE.get(kind, kind)
    out["mode"] = str(column.get("mode") or "NULLABLE").upper()
    if column.get("fields"):
        out["fields"] = canonical_columns(column["fields"])
    return out


def same_columns(old: Value, new: Value) -> bool:
    """Compare two schemas, ignoring order, INT64 or INTEGER, and an implicit NULLABLE."""
    if same(old, new):
        return True
    try:
        return canonical_columns(json.loads(old or "[]")) == canonical_columns(json.loads(new or "[]"))
    except (ValueError, TypeError, AttributeError):
        return False


def changes_in_place(old: list[dict[str, Any]], new: list[dict[str, Any]], *, top: bool = True) -> bool:
    """Whether BigQuery can change one list of columns to the other without a new table.

    Columns may be added (not REQUIRED ones), relaxed to NULLABLE and described; columns of the top level may be
    dropped, but not together with an addition, which may be meant as a rename.
    """
    before, after = ({column["name"]: column for column in columns} for columns in (old, new))
    dropped, added = before.keys() - after.keys(), after.keys() - before.keys()
    if (dropped and (added or not top)) or any(after[name]["mode"] == "REQUIRED" for name in added):
        return False
    return all(_column_changes_in_place(before[name], after[name]) for name in before.keys() & after.keys())


def _column_changes_in_place(old: dict[str, Any], new: dict[str, Any]) -> bool:
    relaxed = (old["mode"], new["mode"]) == ("REQUIRED", "NULLABLE")
    return (
        old["type"] == new["type"]
        and (old["mode"] == new["mode"] or relaxed)
        and changes_in_place(old.get("fields", []), new.get("fields", []), top=False)
    )


def _columns(text: Value) -> list[dict[str, Any]]:
    return canonical_columns(json.loads(text)) if isinstance(text, str) and text else []


@dataclass
class Table(RestObject):
    """A table or a view; a protected one is not deleted."""

    def further_replacements(self, change: Change) -> list[tuple[str | int, ...]]:
        """A schema that BigQuery cannot change in place replaces the table."""
        old, new = change.prior.get("schema"), change.plan.get("schema")
        if not old or new is UNKNOWN or old == new:
            return []
        return [] if changes_in_place(_columns(old), _columns(new)) else [("schema",)]

    def create(self, session: Session, plan: Value) -> Value:
        """Create it; a view accepts the descriptions of its columns only afterwards."""
        if not (plan.get("view") and isinstance(plan.get("schema"), str) and plan["schema"]):
            return super().create(session, plan)
        created = super().create(session, {**plan, "schema": None})
        session.call(self.api, "PUT", self.fill(self.item, plan), self.body(plan, None))
        return {**created, "schema": plan["schema"]}

    def update(self, session: Session, prior: Value, plan: Value) -> None:
        """Drop removed columns by ALTER TABLE, then write the rest."""
        kept = {column["name"] for column in _columns(plan.get("schema"))}
        gone = [column["name"] for column in _columns(prior.get("schema")) if kept and column["name"] not in kept]
        if gone and not plan.get("view"):
            name = ".".join(plan[part] for part in ("project", "dataset_id", "table_id"))
            actions = ", ".join(f"DROP COLUMN `{column}`" for column in gone)
            query = {"query": f"ALTER TABLE `{name}` {actions}", "useLegacySql": False}
            try:
                session.call(self.api, "POST", f"projects/{plan['project']}/queries", query)
            except (ApiError, ConnectionError) as error:
                raise type_of(error)(f"Error dropping columns of {name}: {error}") from error
        super().update(session, prior, plan)

    def delete(self, session: Session, prior: Value) -> None:
        """Refuse while deletion_protection is on."""
        if prior.get("deletion_protection"):
            raise Refused(
                f"cannot destroy table {prior.get('id')} without setting deletion_protection=false "
                "and running `terraform apply`"
            )
        super().delete(session, prior)

    def update_error(self, _plan: Value, error: Exception) -> str:
        """The original adds no message here."""
        return str(error)


TABLE = Table(
    name="google_bigquery_table",
    title="Table",
    api="bigquery",
    collection="projects/{project}/datasets/{dataset_id}/tables",
    item="projects/{project}/datasets/{dataset_id}/tables/{table_id}",
    imports=(
        r"projects/(?P<project>[^/]+)/datasets/(?P<dataset_id>[^/]+)/tables/(?P<table_id>[^/]+)",
        r"(?P<project>[^/]+)/(?P<dataset_id>[^/]+)/(?P<table_id>[^/]+)",
        r"(?P<dataset_id>[^/]+)/(?P<table_id>[^/]+)",
    ),
    rules={
        "table_id": Rule(replaces=True, api="tableReference.tableId"),
        "dataset_id": Rule(replaces=True, api="tableReference.datasetId"),
        "project": Rule(replaces=True, api="tableReference.projectId"),
        "deletion_protection": Rule(default=True, api=VIRTUAL),
        "ignore_auto_generated_schema": Rule(default=False, api=VIRTUAL),
        "ignore_schema_changes": Rule(api=VIRTUAL),
        "table_metadata_view": Rule(api=VIRTUAL),
        "generated_schema_columns": Rule(api="generatedSchemaColumns", dump=compact_json),
        "schema": Rule(api="schema.fields", load=json.loads, dump=compact_json, same=same_columns),
        "clustering": Rule(api="clustering.fields"),
        "view.use_legacy_sql": Rule(default=True, send_zero=True),
        "expiration_time": Rule(load=str),
        "time_partitioning.field": REPLACES,
        "time_partitioning.expiration_ms": Rule(load=str),
        "range_partitioning": REPLACES,
        "range_partitioning.field": REPLACES,
        "range_partitioning.range.start": Rule(replaces=True, send_zero=True),
        "materialized_view.enable_refresh": Rule(default=True, send_zero=True),
        "materialized_view.refresh_interval_ms": Rule(default=1800000),
        "materialized_view.query": REPLACES,
        "materialized_view.allow_non_incremental_definition": Rule(replaces=True, default=False),
        "encryption_configuration": REPLACES,
        "encryption_configuration.kms_key_name": REPLACES,
        "external_data_configuration.schema": Rule(
            replaces=True, api="schema.fields", load=json.loads, dump=compact_json, same=same_json
        ),
        "table_replication_info": REPLACES,
        "schema_foreign_type_info": REPLACES,
        "schema_foreign_type_info.type_system": REPLACES,
    },
    also_computed=(
        "project",
        "expiration_time",
        "max_staleness",
        "schema",
        "external_data_configuration.schema",
        "time_partitioning.expiration_ms",
    ),
)
