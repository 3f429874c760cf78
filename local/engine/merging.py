"""MERGE: which source row goes with which target row is found first, then each clause changes its rows.

DuckDB's own MERGE takes one action only on these tables. The package's takes a dozen statements whatever is to be done,
and translates each of them anew.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import sqlglot
from local_bigquery.errors import BigQueryError
from local_bigquery.jobs import merge
from local_bigquery.models import JobStatistics2
from local_bigquery.sql.dialect import BigQueryDialect
from sqlglot import exp

from local.engine.translations import derived, keep

if TYPE_CHECKING:
    from local.engine.connections import Connection

SOURCE, PAIRS = merge.SOURCE, merge.PAIRS
INSERTED, UPDATED, DELETED = "insertedRowCount", "updatedRowCount", "deletedRowCount"
TOO_MANY = f"SELECT 1 FROM {PAIRS} WHERE __tid IS NOT NULL AND __sid IS NOT NULL GROUP BY __tid HAVING count(*) > 1"
ROWS = f"SELECT __clause, count(*) FROM {PAIRS} GROUP BY ALL"


@dataclass(frozen=True)
class Action:
    """What a WHEN clause does with its rows, as a statement, and which number it adds to."""

    statement: exp.Expression
    counts: str


@dataclass(frozen=True)
class Plan:
    """A MERGE as queries: the source's rows, the pairs with the number of their clause, and what the clauses do."""

    source: exp.Expression
    pairs: exp.Expression
    updates_or_deletes: bool
    actions: list[Action]


def install() -> None:
    """Replace the package's function."""
    merge.run = run


def run(cursor: Connection, tree: exp.Merge, context: Any) -> JobStatistics2:
    """Execute a MERGE, in the transaction that is open or in one of its own.

    Raises:
        BigQueryError: two source rows match a target row.
        duckdb.Error: a statement failed; nothing is changed.
    """
    plan: Plan = derived(tree, planned)
    own = not cursor.in_transaction
    temporary = set(context.temporary)
    if own:
        cursor.execute("BEGIN")
    try:
        context.temporary |= {SOURCE, PAIRS}
        counts = _changed(cursor, plan, context)
    except BaseException:
        if own:
            with suppress(duckdb.Error):
                cursor.execute("ROLLBACK")
        raise
    finally:
        context.temporary -= {SOURCE, PAIRS} - temporary
    if own:
        cursor.execute("COMMIT")
    return JobStatistics2(
        numDmlAffectedRows=str(sum(counts.values())), dmlStats={name: str(count) for name, count in counts.items()}
    )


def _changed(cursor: Connection, plan: Plan, context: Any) -> dict[str, int]:
    _keep_rows(cursor, SOURCE, plan.source, context)
    _keep_rows(cursor, PAIRS, plan.pairs, context)
    if plan.updates_or_deletes and cursor.execute(f"{TOO_MANY} LIMIT 1").fetchone():
        message = "UPDATE/MERGE must match at most one source row for each target row"
        raise BigQueryError("invalidQuery", message)
    rows = dict(cursor.execute(ROWS).fetchall())
    counts = {INSERTED: 0, UPDATED: 0, DELETED: 0}
    for number, action in enumerate(plan.actions):
        if rows.get(number):
            sql, bound = merge.translate(action.statement, context)
            (count,) = cursor.execute(sql, bound).fetchone()
            counts[action.counts] += count
    for name in (SOURCE, PAIRS):
        cursor.native.execute(f"DROP TABLE temp.{name}")
    return counts


def _keep_rows(cursor: Connection, name: str, query: exp.Expression, context: Any) -> None:
    """A temporary table, made beside the connection's notes: it is gone before anybody could meet it."""
    sql, bound = merge.translate(query, context)
    cursor.native.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {sql}", bound)


def planned(tree: exp.Merge) -> Plan:
    """The queries and statements of a MERGE."""
    target, source = tree.this, tree.args["using"]
    table, alias, rows = merge._unaliased(target), target.alias_or_name, source.alias_or_name
    whens = tree.args["whens"].expressions
    clauses: list[list[tuple[int, exp.When]]] = [[], [], []]
    for number, when in enumerate(whens):
        matched, by_source = when.args.get("matched"), when.args.get("source")
        clauses[0 if matched else 2 if by_source else 1].append((number, when))
    matched, by_target, by_source = clauses
    on = merge._sql(tree.args["on"])
    kind = "FULL" if by_target and by_source else "RIGHT" if by_target else "LEFT" if by_source else "INNER"
    pairs = (
        f"SELECT {alias}.rowid AS __tid, {rows}.__sid AS __sid, CASE "
        f"WHEN {alias}.rowid IS NOT NULL AND {rows}.__sid IS NOT NULL THEN {_clause(matched)} "
        f"WHEN {rows}.__sid IS NOT NULL THEN {_clause(by_target)} ELSE {_clause(by_source)} END AS __clause "
        f"FROM {table} AS {alias} {kind} JOIN {SOURCE} AS {rows} ON {on}"
    )
    numbered = f"SELECT ROW_NUMBER() OVER () AS __sid, {rows}.* FROM {merge._unaliased(source)} AS {rows}"
    actions = [_action(number, when, (table, alias, rows)) for number, when in enumerate(whens)]
    return Plan(_kept(numbered), _kept(pairs), bool(matched), actions)


def _clause(whens: list[tuple[int, exp.When]]) -> str:
    cases = " ".join(f"WHEN {merge._sql(when.args.get('condition'))} THEN {number}" for number, when in whens)
    return f"CASE {cases} END" if cases else "NULL"


def _action(number: int, when: exp.When, names: tuple[str, str, str]) -> Action:
    table, alias, rows = names
    action = when.args["then"]
    mine = f"SELECT __tid FROM {PAIRS} WHERE __clause = {number}"
    if isinstance(action, exp.Update):
        assignments = ", ".join(merge._sql(each) for each in action.expressions)
        pair = f"FROM {SOURCE} AS {rows}, {PAIRS} AS __p WHERE __p.__clause = {number} AND {alias}.rowid = __p.__tid "
        which = (
            f"{pair}AND {rows}.__sid = __p.__sid" if when.args.get("matched") else f"WHERE {alias}.rowid IN ({mine})"
        )
        return Action(_kept(f"UPDATE {table} AS {alias} SET {assignments} {which}"), UPDATED)
    if not isinstance(action, exp.Insert):
        return Action(_kept(f"DELETE FROM {table} AS {alias} WHERE {alias}.rowid IN ({mine})"), DELETED)
    chosen = f"FROM {SOURCE} AS {rows} WHERE __sid IN (SELECT __sid FROM {PAIRS} WHERE __clause = {number})"
    if isinstance(action.this, exp.Var):
        return Action(_kept(f"INSERT INTO {table} SELECT * EXCEPT (__sid) {chosen}"), INSERTED)
    values = ", ".join(merge._sql(value) for value in action.expression.expressions)
    columns = merge._sql(action.this) if action.this else ""
    return Action(_kept(f"INSERT INTO {table} {columns} SELECT {values} {chosen}"), INSERTED)


def _kept(sql: str) -> Any:
    return keep(sqlglot.parse_one(sql, dialect=BigQueryDialect), sql)
