"""Bytes read: a model of what BigQuery would bill, from DuckDB's plan of the statement.

A statement of a script is measured only where maximumBytesBilled asks for it.
Each scan of the plan names its columns and filters. A column counts once per statement, even if it is read several
times, in the partitions that the filters leave. If a statement changes a table's rows, all of its columns count too.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

import duckdb
import sqlglot
import sqlglot.errors
from local_bigquery import errors
from local_bigquery.api import jobs
from local_bigquery.catalog import metadata, names
from local_bigquery.engine import database
from local_bigquery.engine.database import quote
from local_bigquery.jobs import query, runner
from local_bigquery.models import Table
from sqlglot import exp

from declared.sizes import MEGABYTE
from local.engine.connections import versions
from local.engine.remembered import Remembered
from local.engine.translations import derived, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

LOG = logging.getLogger(__name__)
SMALLEST_BILL = 10 * MEGABYTE  # BigQuery bills at least this much for each table that a query reads
ONE_PLAN = Lock()
IN_HAND = "translation_in_hand"  # the key, in its context, of a statement that is about to run
MEASURED = (exp.Query, exp.Insert)
CLOCK = (exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentDatetime, exp.CurrentTime)
COLUMNS = """
SELECT database_name, schema_name, column_name, data_type FROM duckdb_columns() WHERE table_name = ?
AND database_name NOT IN ('emulator', '_results', 'system', 'temp') AND NOT starts_with(database_name, '__ducklake')
ORDER BY schema_name = ? DESC, database_name = ? DESC
"""
Columns = tuple[tuple[str, str, str], dict[str, str]]  # a table and the types of its columns
BYTES = {"BOOLEAN": 1, "DECIMAL": 16}  # of a value; other types of a fixed size have 8


@dataclass(frozen=True)
class Scan:
    """A read of a table (project, dataset, name): columns, a condition on the rows of its partitions ('': all of them).

    ``rewritten``: what a statement also reads because it changes rows. ``types`` are those of all columns.
    """

    table: tuple[str, str, str]
    columns: frozenset[str]
    partitions: str
    types: Mapping[str, str]
    rewritten: bool = False


_moving: Remembered[bool] = Remembered()
_scans: Remembered[list[Scan]] = Remembered()
_sizes: Remembered[int] = Remembered()


def install() -> None:
    """Measure each statement before it runs, and report the sum where jobs are reported."""
    errors.STATUSES["bytesBilledLimitExceeded"] = (400, "INVALID_ARGUMENT")
    query.translate = translated_before(query.translate)
    query._run = measured(merge_without_running(query._run))
    query._execute = summed(query._execute)
    runner._done = reported(runner._done)
    jobs.results = answered(jobs.results)


def measured(original: Callable[..., Any]) -> Callable[..., Any]:
    """Statistics with the bytes that a statement reads; more than maximumBytesBilled is refused."""

    @functools.wraps(original)
    def run(cursor: Any, tree: exp.Expression, context: Any, destination: Any, config: Any, *rest: Any) -> Any:
        scripted = context.system["script.job_id"] is not None
        if (
            scripted and not config.maximumBytesBilled
        ):  # planning each statement of a script twice would double its time
            return original(cursor, tree, context, destination, config, *rest)
        try:
            scans = _scans_of(cursor, tree, context)
            by_table = _bytes_read(cursor, scans)
        except duckdb.Error:  # a failure of the model must not fail the query
            LOG.warning("The bytes of a statement could not be measured", exc_info=True)
            scans, by_table = [], {}
        tables = {scan.table for scan in scans}
        read = sum(by_table.values())
        least = sum(max(by_table.get(table, 0), SMALLEST_BILL) for table in tables)
        billed = -(-least // MEGABYTE) * MEGABYTE if read else 0
        if config.maximumBytesBilled and billed > int(config.maximumBytesBilled):
            limit = f"Query exceeded limit for bytes billed: {config.maximumBytesBilled}."
            raise errors.BigQueryError("bytesBilledLimitExceeded", f"{limit} {billed} or higher required.")
        statistics = original(cursor, tree, context, destination, config, *rest)
        # the package names what the text names: views, and the target of an INSERT; BigQuery the tables that are read
        context.referenced.clear()
        context.referenced.update(tables)
        return statistics.replace(totalBytesProcessed=str(read), totalBytesBilled=str(billed))

    return run


def translated_before(original: Callable[..., Any]) -> Callable[..., Any]:
    """A statement that was translated to be measured is not translated again to be run: that is most of a dry run."""

    @functools.wraps(original)
    def translate(tree: exp.Expression, context: Any) -> Any:
        in_hand: tuple[exp.Expression, Any, int] | None = context.__dict__.pop(IN_HAND, None)
        if in_hand is None or in_hand[0] is not tree:
            return original(tree, context)
        _, translation, context.position = in_hand
        return translation

    return translate


def merge_without_running(original: Callable[..., Any]) -> Callable[..., Any]:
    """A dry run of MERGE plans what it reads: DuckDB's own MERGE takes one action only."""

    @functools.wraps(original)
    def run(cursor: Any, tree: exp.Expression, context: Any, destination: Any, config: Any, *rest: Any) -> Any:
        dry_run, *_ = rest
        if not (dry_run and isinstance(tree, exp.Merge)):
            return original(cursor, tree, context, destination, config, *rest)
        statistics = original(cursor, _joined(tree), context, destination, config, *rest)
        return statistics.replace(statementType="MERGE", schema=None)

    return run


def summed(original: Callable[..., Any]) -> Callable[..., Any]:
    """A script has read what its statements have read."""

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
    """Make the job's total that of its query."""

    @functools.wraps(original)
    def done(job: Any, statistics: Any, error: Any = None) -> Any:
        if statistics.query and statistics.query.totalBytesProcessed:
            statistics = statistics.replace(totalBytesProcessed=statistics.query.totalBytesProcessed)
        return original(job, statistics, error)

    return done


def answered(original: Callable[..., Any]) -> Callable[..., Any]:
    """The answer to a query contains the bytes that its job read."""

    @functools.wraps(original)
    def results(job: Any, *rest: Any) -> Any:
        payload, rows = original(job, *rest)
        if payload["jobComplete"]:
            payload["totalBytesProcessed"] = job.statistics.totalBytesProcessed
        return payload, rows

    return results


def _scans_of(cursor: Any, tree: exp.Expression, context: Any) -> list[Scan]:
    """The tables that a statement reads; empty if it cannot be planned."""
    part = derived(tree, AS_QUERY[type(tree)]) if type(tree) in AS_QUERY else tree
    if not isinstance(part, MEASURED):
        return []
    position = context.position
    try:
        sql, bound = query.translate(part, context)
        context.__dict__[IN_HAND] = (part, (sql, bound), context.position)
        place = (context.project_id, context.dataset_id)
        moving = _moving.get(sql, (place, versions.definitions), lambda: _asks_the_clock(part, *place))
        if moving or cursor.sees_its_own:
            return list(_planned(cursor, tree, context, sql, bound))
        # a value of a parameter decides which partitions are read
        values = hashlib.sha256(repr(sorted(bound.items())).encode()).digest()
        rest = (_rewritten(tree), values, cursor.place, versions.definitions)
        return _scans.get(sql, rest, lambda: list(_planned(cursor, tree, context, sql, bound)))
    except (duckdb.Error, errors.BigQueryError):
        return []  # running the statement reports the error
    finally:
        context.position = position


def _asks_the_clock(tree: Any, project: str, dataset: str | None) -> bool:
    """Whether the current time may affect what a statement reads, itself or through a view or function."""
    if tree.find(*CLOCK, exp.Anonymous):
        return True
    for table in tree.find_all(exp.Table):
        reference = names.reference(table, project, dataset)
        stored = metadata.load(Table, *reference)
        if stored is not None and stored.view:
            (view,) = parse(stored.view.query)
            if _asks_the_clock(view, *reference[:2]):
                return True
        elif stored is None and table.db:
            return True  # a name that is not a table's
    return False


def _planned(cursor: Any, tree: exp.Expression, context: Any, sql: str, bound: dict[str, Any]) -> Iterator[Scan]:
    with _what_the_text_says():
        (_, plan) = cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", bound).fetchone()
    target = _rewritten(tree)
    known: dict[str, Columns] = {}
    for node in _nodes(json.loads(plan)):
        if node["name"].strip() == "DUCKLAKE_SCAN":
            name = node["extra_info"]["Table"]
            if name not in known:
                known[name] = _columns(cursor, name, context)
            scan = _scan(node["extra_info"], *known[name])
            yield scan
            if scan.table[-1] == target:
                yield replace(scan, columns=frozenset(known[name][1]), rewritten=True)


@contextmanager
def _what_the_text_says() -> Iterator[None]:
    """Plan without skipping data because of its current values, as BigQuery's estimate does.

    The setting is global: statements planned at the same time are affected, with the same results.
    """
    with ONE_PLAN, database.cursor() as settings:
        settings.execute("SET disabled_optimizers = 'statistics_propagation'")
        try:
            yield
        finally:
            settings.execute("RESET disabled_optimizers")


def _joined(merge: exp.Merge) -> exp.Select:
    """What a MERGE reads, as a query: both sides, and the columns that its clauses look at."""
    whens = merge.args["whens"].expressions
    looked_at: list[exp.Expression] = [when.args["condition"] for when in whens if when.args.get("condition")]
    for action in (when.args["then"] for when in whens):
        if isinstance(action, exp.Update):
            looked_at += [assignment.expression for assignment in action.expressions]
        elif isinstance(action, exp.Insert) and action.expression:
            looked_at += action.expression.expressions
    whole_target = any(when.args.get("source") for when in whens)  # WHEN NOT MATCHED BY SOURCE
    return (
        exp.select("1")
        .select(*(exp.alias_(value.copy(), f"c{number}") for number, value in enumerate(looked_at)))
        .from_(merge.args["using"].copy())
        .join(merge.this.copy(), on=merge.args["on"].copy(), join_type="full" if whole_target else "left")
    )


def _update(update: exp.Update) -> exp.Select:
    """What an UPDATE reads, as a query; DuckDB's own plan reads every column to rewrite the row."""
    values = [exp.alias_(each.expression.copy(), f"c{number}") for number, each in enumerate(update.expressions)]
    chosen = exp.select(*values).from_(update.this.copy())
    if others := update.args.get("from_"):
        chosen = chosen.join(others.this.copy(), join_type="cross")
    return chosen.where(*_condition(update))


def _delete(delete: exp.Delete) -> exp.Select:
    """What a DELETE reads, as a query."""
    return exp.select("1").from_(_target(delete).copy()).where(*_condition(delete))


def _condition(tree: exp.Expression) -> list[exp.Expression]:
    where = tree.args.get("where")
    return [where.this.copy()] if where else []


def _target(tree: exp.Expression) -> exp.Table:
    """The table that a statement writes: the first that it names."""
    return next(iter(tree.find_all(exp.Table)))


AS_QUERY: dict[type[Any], Callable[[Any], exp.Select]] = {exp.Merge: _joined, exp.Update: _update, exp.Delete: _delete}


def _rewritten(tree: exp.Expression) -> str:
    """The table whose rows a statement changes: BigQuery reads all of its columns, in the partitions that it scans."""
    actions = [when.args["then"] for when in tree.args["whens"].expressions] if isinstance(tree, exp.Merge) else [tree]
    changes = any(isinstance(action, exp.Update | exp.Delete | exp.Var) for action in actions)
    return _target(tree).name if changes else ""


def _nodes(nodes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for node in nodes:
        yield node
        yield from _nodes(node["children"])


def _columns(cursor: Any, table: str, context: Any) -> Columns:
    """The place of a table that a plan names by its last name alone, and the types of its columns."""
    known = cursor.execute(COLUMNS, [table, context.dataset_id, context.project_id]).fetchall()
    places = {(project, dataset) for project, dataset, *_ in known}
    named = {(project, dataset) for project, dataset, name in context.referenced if name == table}
    place = next(iter((places & named) or ([known[0][:2]] if known else [])), ("", ""))
    return (*place, table), {column: kind for project, dataset, column, kind in known if (project, dataset) == place}


def _scan(scan: dict[str, Any], table: tuple[str, str, str], types: dict[str, str]) -> Scan:
    """The columns that a scan reads or filters by, and the filters that leave out partitions."""
    filters: list[Any] = [condition for text in _texts(scan.get("Filters")) for condition in _conditions(text)]
    read = {text for text in _texts(scan.get("Projections")) if text in types}
    read |= {column.name for condition in filters for column in condition.find_all(exp.Column)} & set(types)
    where = _partitions(metadata.load(Table, *table), filters, quote(*table)) if read else ""
    return Scan(table, frozenset(read), where, types)


def _bytes_read(cursor: Any, scans: list[Scan]) -> dict[tuple[str, str, str], int]:
    """The bytes of each table; a column that several scans of it read counts once, in the partitions of any."""
    wanted: dict[tuple[tuple[str, str, str], bool], dict[str, set[str]]] = {}
    for scan in scans:
        columns = wanted.setdefault((scan.table, scan.rewritten), {})
        for column in scan.columns:
            columns.setdefault(column, set()).add(scan.partitions)
    types = {scan.table: scan.types for scan in scans}
    totals: dict[tuple[str, str, str], int] = {}
    for (table, _), columns in wanted.items():
        sizes = [
            f"coalesce(sum({_size(quote(column), types[table][column])}){_filter(partitions)}, 0)"
            for column, partitions in sorted(columns.items())
        ]
        if sizes:
            sql = f"SELECT CAST({' + '.join(sizes)} AS BIGINT) FROM {quote(*table)}"

            def size(sql: str = sql) -> int:
                return int(cursor.execute(sql).fetchone()[0])

            own = cursor.in_transaction or cursor.sees_its_own
            read = size() if own else _sizes.get(sql, versions.rows, size)
            totals[table] = totals.get(table, 0) + read
    return totals


def _filter(partitions: set[str]) -> str:
    return "" if "" in partitions else f" FILTER (WHERE {' OR '.join(sorted(partitions))})"


def _conditions(text: str) -> list[Any]:
    """The parts of a filter, without DuckDB's notes that are not SQL ('optional: … Dynamic Filter …')."""
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
    """A condition on rows: they lie in the partitions that the filters on the partition column leave; '' for all."""
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
    return f"{unit} IN (SELECT {unit} FROM {name} WHERE {' AND '.join(pruning)})"
