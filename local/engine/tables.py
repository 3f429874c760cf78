"""The tables API: what a change does to the table, and which changes BigQuery refuses."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

import sqlglot
from local_bigquery.catalog import ddl, tables
from local_bigquery.catalog import options as catalog_options
from local_bigquery.engine import database, types
from local_bigquery.errors import BigQueryError
from local_bigquery.jobs import query
from local_bigquery.sql.dialect import BigQueryDialect, DuckDBDialect
from local_bigquery.sql.translate import Context
from sqlglot import exp

from catalog.options import LONGEST_DAYS
from declared.sizes import DAY_MILLISECONDS
from local.engine import definitions, grammar, walls

if TYPE_CHECKING:
    from collections.abc import Callable


def install() -> None:
    """Wrap the functions behind insert, patch and update, and those behind the DDL statements."""
    tables.update = checked_update(tables.update)
    tables._alter = nested_fields(tables._alter)
    types.column = default_values(types.column)
    ddl.apply = tables_only(ddl.apply)
    ddl._table = partition_expiry(column_defaults(ddl._table))
    ddl._alteration = expiry_changes(ddl._alteration)
    query._evaluator = null_values
    catalog_options.rendered = expiry_option(catalog_options.rendered)


def checked_update(original: Callable[..., Any]) -> Callable[..., Any]:
    """PUT and PATCH: refuse what BigQuery refuses, and set a view's query to the one sent."""

    @functools.wraps(original)
    def update(*arguments: Any) -> Any:
        project, dataset, table, body, etag, replace = arguments
        current = tables.load(project, dataset, table)
        _refuse_other_partitions(current, body, replace)
        _refuse_other_types(tables.fields(current), tables.fields(body), f"{project}:{dataset}.{table}")
        for field in tables.fields(body):
            types.column(field)  # checks default values
        if not (body.view and current.type == "VIEW"):
            return original(project, dataset, table, body, etag, replace)
        tables.metadata.check_etag(current, etag)
        translated = query.translate_view(project, dataset, body.view.query)
        database.execute(f"CREATE OR REPLACE VIEW {tables.name(project, dataset, table)} AS {translated}")
        given = {field.name: field for field in tables.fields(body)}
        columns = tables.columns(project, dataset, table)
        kept = [field.replace(description=given[field.name].description) for field in columns if field.name in given]
        body = body.replace(schema={"fields": kept}) if kept and len(kept) == len(columns) else body.without("schema")
        return original(project, dataset, table, body, None, replace)

    return update


def _refuse_other_partitions(current: Any, body: Any, replace: bool) -> None:
    def layout(table: Any) -> tuple[str | None, str | None] | None:
        partitions = table.timePartitioning
        return (partitions.type or "DAY", partitions.field) if partitions else None

    if (body.timePartitioning or replace) and layout(current) != layout(body):
        state = "partitioned" if current.timePartitioning else "non-partitioned"
        raise BigQueryError("invalid", f"Cannot change partitioning spec for a {state} table.")


def _refuse_other_types(current: list[Any], given: list[Any], label: str, prefix: str = "") -> None:
    before = {field.name.casefold(): field for field in current}
    for field in given:
        name = f"{prefix}{field.name}"
        if (old := before.get(field.name.casefold())) is None:
            if field.mode == "REQUIRED":
                message = (
                    f"Provided Schema does not match Table {label}. Cannot add required fields to an existing schema."
                )
                raise BigQueryError("invalid", f"{message} (field: {name})")
            continue
        if _type(old) != _type(field):
            message = f"Field {name} has changed type from {_type(old)} to {_type(field)}"
            raise BigQueryError("invalid", f"Provided Schema does not match Table {label}. {message}")
        if (old.mode or "NULLABLE") != (field.mode or "NULLABLE") and old.mode != "REQUIRED":
            message = f"Field {name} has changed mode from {old.mode or 'NULLABLE'} to {field.mode}"
            raise BigQueryError("invalid", f"Provided Schema does not match Table {label}. {message}")
        _refuse_other_types(old.fields or [], field.fields or [], label, f"{name}.")


def _type(field: Any) -> str:
    kind = types.STANDARD.get(field.type.upper(), field.type.upper())
    return str({"STRUCT": "RECORD", "BIGDECIMAL": "BIGNUMERIC"}.get(kind, kind))


def nested_fields(original: Callable[..., None]) -> Callable[..., None]:
    """Add a new field within a RECORD: the package adds it to the description only."""

    @functools.wraps(original)
    def alter(project: str, dataset: str, table: str, fields: list[Any]) -> None:
        original(project, dataset, table, fields)
        current = {field.name.casefold(): field for field in tables.columns(project, dataset, table)}
        for field in fields:
            for path, added in _added(current[field.name.casefold()], field, database.quote(field.name)):
                name = tables.name(project, dataset, table)
                database.execute(f"ALTER TABLE {name} ADD COLUMN {path}.{types.column(added, nested=True)}")

    return alter


def _added(current: Any, given: Any, path: str) -> list[tuple[str, Any]]:
    path += ".element" if given.mode == "REPEATED" else ""
    before = {field.name.casefold(): field for field in current.fields or []}
    added: list[tuple[str, Any]] = []
    for field in given.fields or []:
        if (old := before.get(field.name.casefold())) is None:
            added.append((path, field))
        else:
            added += _added(old, field, f"{path}.{database.quote(field.name)}")
    return added


def default_values(original: Callable[..., str]) -> Callable[..., str]:
    """Apply defaultValueExpression of a table created through the API: the package only stores it."""

    @functools.wraps(original)
    def column(field: Any, nested: bool = False) -> str:
        sql = original(field, nested)
        value = _default_value(field)
        return sql if nested or value is None else f"{sql} DEFAULT {value.sql(dialect='duckdb')}"

    return column


def _default_value(field: Any) -> Any:
    """The default value of a column, checked; None if it has none."""
    if not field.defaultValueExpression:
        return None
    grammar.check(f"SELECT {field.defaultValueExpression}")
    value: Any = sqlglot.parse_one(field.defaultValueExpression, dialect=BigQueryDialect)
    walls.only_what_the_project_has(exp.select(value), Context("", None))
    return value


def tables_only(original: Callable[..., None]) -> Callable[..., None]:
    """CREATE FUNCTION creates no table: the package lists one with the function's name."""

    @functools.wraps(original)
    def apply(tree: exp.Expression, *rest: Any) -> None:
        if tree.args.get("kind") != "FUNCTION":
            original(tree, *rest)

    return apply


def column_defaults(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Let the tables API answer a column's DEFAULT in CREATE TABLE as defaultValueExpression."""

    @functools.wraps(original)
    def table(tree: exp.Create, *rest: Any) -> dict[str, Any]:
        resource = original(tree, *rest)
        fields = resource.setdefault("schema", {}).setdefault("fields", [])
        for column in tree.this.expressions if isinstance(tree.this, exp.Schema) else []:
            for default in column.find_all(exp.DefaultColumnConstraint) if isinstance(column, exp.ColumnDef) else []:
                known = next((field for field in fields if field["name"] == column.name), None)
                if known is None:
                    fields.append(known := {"name": column.name})
                known["defaultValueExpression"] = default.this.sql(dialect=BigQueryDialect)
        return resource

    return table


def _expiry(node: exp.Expression | None, evaluate: Callable[[exp.Expression], Any]) -> str | None:
    for option in node.find_all(exp.Property) if node is not None else ():
        if option.name.lower() == "partition_expiration_days":
            days = evaluate(option.args["value"])
            if days is not None and not 0 < float(days) < LONGEST_DAYS:
                raise BigQueryError("invalidQuery", definitions.NOT_POSITIVE.format(name=option.name))
            return None if days is None else str(int(float(days) * DAY_MILLISECONDS))
    return None


def null_values(cursor: Any) -> Callable[[exp.Expression], Any]:
    """Evaluate an option; the package fails at one whose value is NULL."""

    def evaluate(node: exp.Expression) -> Any:
        text = exp.select(exp.func("to_json", node.copy())).sql(dialect=DuckDBDialect)
        (value,) = cursor.sql(text).fetchone()
        return None if value is None else json.loads(value)

    return evaluate


def partition_expiry(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """partition_expiration_days in CREATE TABLE."""

    @functools.wraps(original)
    def table(tree: exp.Create, reference: tuple[str, ...], evaluate: Any) -> dict[str, Any]:
        resource = original(tree, reference, evaluate)
        if "timePartitioning" in resource and (expiry := _expiry(tree.args.get("properties"), evaluate)):
            resource["timePartitioning"]["expirationMs"] = expiry
        return resource

    return table


def expiry_changes(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """partition_expiration_days in ALTER TABLE … SET OPTIONS."""

    @functools.wraps(original)
    def alteration(stored: Any, action: exp.Expression, reference: tuple[str, ...], evaluate: Any) -> dict[str, Any]:
        changes = original(stored, action, reference, evaluate)
        named = {option.name.lower() for option in action.find_all(exp.Property)}
        if isinstance(action, exp.AlterSet) and "partition_expiration_days" in named and stored.timePartitioning:
            changes["timePartitioning"] = {"expirationMs": _expiry(action, evaluate)}
        return changes

    return alteration


def expiry_option(original: Callable[..., list[tuple[str, str, str]]]) -> Callable[..., list[tuple[str, str, str]]]:
    """partition_expiration_days in INFORMATION_SCHEMA.TABLE_OPTIONS."""

    @functools.wraps(original)
    def rendered(resource: Any, mapping: dict[str, Any]) -> list[tuple[str, str, str]]:
        options = original(resource, mapping)
        partitions = getattr(resource, "timePartitioning", None)
        if partitions and partitions.expirationMs:
            days = str(int(partitions.expirationMs) / DAY_MILLISECONDS)
            options.append(("partition_expiration_days", "FLOAT64", days))
        return options

    return rendered
