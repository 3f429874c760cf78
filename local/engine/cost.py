"""Bytes read: a model of what BigQuery would bill, from DuckDB's plan of the statement.

A statement of a script is measured only where maximumBytesBilled asks for it.
Each scan of the plan names its columns and filters: the columns count, in the partitions that the filters leave.
"""

from __future__ import annotations

import functools
import json
import logging
from typing import TYPE_CHECKING, Any

import duckdb
import sqlglot
import sqlglot.errors
from local_bigquery import errors
from local_bigquery.api import jobs
from local_bigquery.catalog import metadata
from local_bigquery.engine.database import quote
from local_bigquery.jobs import query, runner
from local_bigquery.models import Table
from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOG = logging.getLogger(__name__)
MEGABYTE = 1024 * 1024
SMALLEST_BILL = 10 * MEGABYTE  # BigQuery bills at least this much for each table that a query reads
MEASURED = (exp.Query, exp.Insert, exp.Update, exp.Delete)
BYTES = {"BOOLEAN": 1, "DECIMAL": 16}  # of a value; others of a fixed size have 8


def install() -> None:
    """Measure each statement before it runs, and report the sum where jobs are reported."""
    errors.STATUSES["bytesBilledLimitExceeded"] = (400, "INVALID_ARGUMENT")
    query._run = measured(query._run)  # noqa: SLF001 - the place where one statement runs
    query._execute = summed(query._execute)  # noqa: SLF001 - where a job's statements are put together
    runner._done = reported(runner._done)  # noqa: SLF001 - where a job's statistics are put together
    jobs.results = answered(jobs.results)


def measured(original: Callable[..., Any]) -> Callable[..., Any]:
    """Statistics with the bytes that a statement reads; refused where they exceed maximumBytesBilled."""

    @functools.wraps(original)
    def run(cursor: Any, tree: exp.Expression, context: Any, destination: Any, config: Any, *rest: Any) -> Any:
        scripted = context.system["script.job_id"] is not None
        if (
            scripted and not config.maximumBytesBilled
        ):  # planning each statement of a script twice would double its time
            return original(cursor, tree, context, destination, config, *rest)
        try:
            scans = list(_scans_of(cursor, tree, context))
        except duckdb.Error:  # the model's failure is not the query's
            LOG.warning("The bytes of a statement could not be measured", exc_info=True)
            scans = []
        read = sum(size for _, size in scans)
        billed = -(-max(read, SMALLEST_BILL * len({table for table, _ in scans})) // MEGABYTE) * MEGABYTE
        if config.maximumBytesBilled and billed > int(config.maximumBytesBilled):
            limit = f"Query exceeded limit for bytes billed: {config.maximumBytesBilled}."
            raise errors.BigQueryError("bytesBilledLimitExceeded", f"{limit} {billed} or higher required.")
        statistics = original(cursor, tree, context, destination, config, *rest)
        return statistics.replace(totalBytesProcessed=str(read), totalBytesBilled=str(billed))

    return run


def summed(original: Callable[..., Any]) -> Callable[..., Any]:
    """A script has read what its statements have."""

    @functools.wraps(original)
    def execute(*arguments: Any) -> Any:
        statistics, children, destination = original(*arguments)
        if children:
            names = ("totalBytesProcessed", "totalBytesBilled")
            totals = {name: str(sum(int(getattr(child, name) or 0) for child in children)) for name in names}
            statistics = statistics.replace(**totals)
        return statistics, children, destination

    return execute


def reported(original: Callable[..., Any]) -> Callable[..., Any]:
    """The job's own total is its query's."""

    @functools.wraps(original)
    def done(job: Any, statistics: Any, error: Any = None) -> Any:
        if statistics.query and statistics.query.totalBytesProcessed:
            statistics = statistics.replace(totalBytesProcessed=statistics.query.totalBytesProcessed)
        return original(job, statistics, error)

    return done


def answered(original: Callable[..., Any]) -> Callable[..., Any]:
    """The answer to a query names the bytes that its job read."""

    @functools.wraps(original)
    def results(job: Any, *rest: Any) -> Any:
        payload, rows = original(job, *rest)
        if payload["jobComplete"]:
            payload["totalBytesProcessed"] = job.statistics.totalBytesProcessed
        return payload, rows

    return results


def _scans_of(cursor: Any, tree: exp.Expression, context: Any) -> Iterator[tuple[str, int]]:
    """The tables that a statement reads, each with its bytes; none for a statement that cannot be planned."""
    if isinstance(tree, exp.Merge):
        trees: list[exp.Expression] = [exp.select("*").from_(tree.this.copy())]
        trees.append(exp.select("*").from_(tree.args["using"].copy()))
    else:
        trees = [tree] if isinstance(tree, MEASURED) else []
    position = context.position
    for part in trees:
        try:
            sql, bound = query.translate(part, context)
            (_, plan) = cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", bound).fetchone()
        except (duckdb.Error, errors.BigQueryError):
            return  # the statement itself will say what is wrong with it
        finally:
            context.position = position
        for node in _nodes(json.loads(plan)):
            if node["name"].strip() == "DUCKLAKE_SCAN":
                yield _scan(cursor, node["extra_info"], context)


def _nodes(nodes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for node in nodes:
        yield node
        yield from _nodes(node["children"])


def _scan(cursor: Any, scan: dict[str, Any], context: Any) -> tuple[str, int]:
    """A scanned table and the bytes of the columns that are read of it."""
    table = scan["Table"]
    known = cursor.execute(
        "SELECT database_name, schema_name, column_name, data_type FROM duckdb_columns() WHERE table_name = ? "
        "AND database_name NOT IN ('emulator', 'system', 'temp') AND NOT starts_with(database_name, '__ducklake') "
        "ORDER BY schema_name = ? DESC, database_name = ? DESC",
        [table, context.dataset_id, context.project_id],
    ).fetchall()
    places = {(project, dataset) for project, dataset, *_ in known}
    named = {(project, dataset) for project, dataset, name in context.referenced if name == table}
    place = next(iter((places & named) or ([known[0][:2]] if known else [])), None)
    if place is None:
        return table, 0
    types = {column: kind for project, dataset, column, kind in known if (project, dataset) == place}
    filters: list[Any] = [condition for text in _texts(scan.get("Filters")) for condition in _conditions(text)]
    read = {text for text in _texts(scan.get("Projections")) if text in types}
    read |= {column.name for condition in filters for column in condition.find_all(exp.Column)} & set(types)
    if not read:
        return table, 0
    sizes = " + ".join(f"coalesce(sum({_size(quote(column), types[column])}), 0)" for column in sorted(read))
    where = _partitions(metadata.load(Table, *place, table), filters, quote(*place, table))
    (size,) = cursor.execute(f"SELECT CAST({sizes} AS BIGINT) FROM {quote(*place, table)}{where}").fetchone()  # noqa: S608 - quoted names
    return table, size


def _conditions(text: str) -> list[Any]:
    """The parts of a filter; none of what is a note of DuckDB's rather than SQL ('optional: … Dynamic Filter …')."""
    try:
        condition = sqlglot.parse_one(text, dialect="duckdb").unnest()
    except sqlglot.errors.SqlglotError:
        return []
    return list(condition.flatten()) if isinstance(condition, exp.And) else [condition]


def _texts(value: str | list[str] | None) -> list[str]:
    return value if isinstance(value, list) else [value] if value else []


def _size(column: str, kind: str) -> str:
    if kind in {"VARCHAR", "JSON", "BLOB"} or (kind.endswith((")", "[]")) and not kind.startswith("DECIMAL")):
        return f"2 + strlen(CAST({column} AS VARCHAR))"
    return f"CASE WHEN {column} IS NULL THEN 0 ELSE {BYTES.get(kind.partition('(')[0], 8)} END"


def _partitions(table: Any, filters: list[Any], name: str) -> str:
    """The rows of the partitions that the filters on the partition column leave."""
    partitioning = table and table.timePartitioning
    if not partitioning or not partitioning.field:
        return ""
    column = partitioning.field
    pruning = [
        part.sql(dialect="duckdb")
        for part in filters
        if {found.name for found in part.find_all(exp.Column)} == {column}
    ]
    if not pruning:
        return ""
    unit = f"date_trunc('{partitioning.type or 'DAY'}', {quote(column)})"
    return f" WHERE {unit} IN (SELECT {unit} FROM {name} WHERE {' AND '.join(pruning)})"  # noqa: S608 - quoted names
