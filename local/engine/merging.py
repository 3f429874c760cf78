"""MERGE: which clause takes which row is found first, then each clause that has rows changes them.

DuckDB's own MERGE takes one action only on these tables. The package's takes a dozen statements whatever is to be done,
and translates each of them every time.
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

ROWS = "__merge_rows"  # what is to be done with which row: __tid is the target's, __row says that there is a source's
INSERTED, UPDATED, DELETED = "insertedRowCount", "updatedRowCount", "deletedRowCount"
TOO_MANY = f"SELECT 1 FROM {ROWS} WHERE __row AND __tid IS NOT NULL GROUP BY __tid HAVING count(*) > 1 LIMIT 1"
COUNTS = f"SELECT __clause, count(*) FROM {ROWS} GROUP BY ALL"


@dataclass(frozen=True)
class Action:
    """What a WHEN clause does with its rows, as a statement, and which number it adds to."""

    statement: exp.Expression
    counts: str


@dataclass(frozen=True)
class Plan:
    """A MERGE: a query for its rows with the number of the clause that takes each, and what the clauses do."""

    rows: exp.Expression
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
    if own:
        cursor.execute("BEGIN")
    try:
        context.temporary.add(ROWS)
        counts = _changed(cursor, plan, context)
    except BaseException:
        if own:
            with suppress(duckdb.Error):
                cursor.execute("ROLLBACK")
        raise
    finally:
        context.temporary.discard(ROWS)
    if own:
        cursor.execute("COMMIT")
    return JobStatistics2(
        numDmlAffectedRows=str(sum(counts.values())), dmlStats={name: str(count) for name, count in counts.items()}
    )


def _changed(cursor: Connection, plan: Plan, context: Any) -> dict[str, int]:
    sql, bound = merge.translate(plan.rows, context)
    # a table beside the connection's notes: it is gone before anybody could meet it
    cursor.native.execute(f"CREATE OR REPLACE TEMP TABLE {ROWS} AS {sql}", bound)
    if plan.updates_or_deletes and cursor.execute(TOO_MANY).fetchone():
        message = "UPDATE/MERGE must match at most one source row for each target row"
        raise BigQueryError("invalidQuery", message)
    rows = dict(cursor.execute(COUNTS).fetchall())
    counts = {INSERTED: 0, UPDATED: 0, DELETED: 0}
    for number, action in enumerate(plan.actions):
        if rows.get(number):
            sql, bound = merge.translate(action.statement, context)
            (count,) = cursor.execute(sql, bound).fetchone()
            counts[action.counts] += count
    cursor.native.execute(f"DROP TABLE temp.{ROWS}")
    return counts


def planned(tree: exp.Merge) -> Plan:
    """The query and the statements of a MERGE."""
    target, source = tree.this, tree.args["using"]
    table, alias, rows = merge._unaliased(target), target.alias_or_name, source.alias_or_name or "__source"
    clauses: dict[str, list[tuple[int, exp.When]]] = {"matched": [], "by target": [], "by source": []}
    whens = tree.args["whens"].expressions
    for number, when in enumerate(whens):
        kind = "matched" if when.args.get("matched") else "by source" if when.args.get("source") else "by target"
        clauses[kind].append((number, when))
    join = {(True, True): "FULL", (True, False): "RIGHT", (False, True): "LEFT", (False, False): "INNER"}
    kind = join[bool(clauses["by target"]), bool(clauses["by source"])]
    found = (
        f"SELECT {alias}.rowid AS __tid, CASE "
        f"WHEN {alias}.rowid IS NOT NULL AND {rows}.__row THEN {_clause(clauses['matched'])} "
        f"WHEN {rows}.__row THEN {_clause(clauses['by target'])} "
        f"ELSE {_clause(clauses['by source'])} END AS __clause, {rows}.* FROM {table} AS {alias} {kind} JOIN "
        f"(SELECT TRUE AS __row, {rows}.* FROM {merge._unaliased(source)} AS {rows}) AS {rows} "
        f"ON {merge._sql(tree.args['on'])}"
    )
    actions = [_action(number, when, (table, alias, rows)) for number, when in enumerate(whens)]
    return Plan(_kept(found), bool(clauses["matched"]), actions)


def _clause(whens: list[tuple[int, exp.When]]) -> str:
    cases = " ".join(f"WHEN {merge._sql(when.args.get('condition'))} THEN {number}" for number, when in whens)
    return f"CASE {cases} END" if cases else "NULL"


def _action(number: int, when: exp.When, names: tuple[str, str, str]) -> Action:
    table, alias, rows = names
    action = when.args["then"]
    mine = f"FROM {ROWS} AS {rows} WHERE {rows}.__clause = {number}"
    if isinstance(action, exp.Update):
        assignments = ", ".join(merge._sql(each) for each in action.expressions)
        update = f"UPDATE {table} AS {alias} SET {assignments} {mine} AND {alias}.rowid = {rows}.__tid"
        return Action(_kept(update), UPDATED)
    if not isinstance(action, exp.Insert):
        return Action(_kept(f"DELETE FROM {table} AS {alias} WHERE {alias}.rowid IN (SELECT __tid {mine})"), DELETED)
    if isinstance(action.this, exp.Var):
        return Action(_kept(f"INSERT INTO {table} SELECT * EXCEPT (__tid, __clause, __row) {mine}"), INSERTED)
    values = ", ".join(merge._sql(value) for value in action.expression.expressions)
    columns = merge._sql(action.this) if action.this else ""
    return Action(_kept(f"INSERT INTO {table} {columns} SELECT {values} {mine}"), INSERTED)


def _kept(sql: str) -> Any:
    return keep(sqlglot.parse_one(sql, dialect=BigQueryDialect), sql)
