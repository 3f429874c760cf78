"""MERGE: first it finds which clause takes which row, then each clause changes its rows.

DuckDB's MERGE takes only one action on these tables. The package's runs and translates a dozen statements for
every MERGE, even for a single clause.
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

SOURCE, PAIRS, INSERTS, ORPHANS = merge.SOURCE, merge.PAIRS, merge.INSERTS, merge.ORPHANS
INSERTED, UPDATED, DELETED = "insertedRowCount", "updatedRowCount", "deletedRowCount"
TOO_MANY = f"SELECT 1 FROM {PAIRS} GROUP BY __tid HAVING count(*) > 1 LIMIT 1"


@dataclass(frozen=True)
class Action:
    """The statement of a WHEN clause, and the count that its rows belong to."""

    statement: exp.Expression
    counts: str


@dataclass(frozen=True)
class Plan:
    """A MERGE: the queries of its temporary tables, and its clauses in order."""

    tables: dict[str, exp.Expression]
    updates_or_deletes: bool
    actions: list[Action]


def install() -> None:
    """Replace the package's function."""
    merge.run = run


def run(cursor: Connection, tree: exp.Merge, context: Any) -> JobStatistics2:
    """Execute a MERGE, in the transaction that is open or in a new one.

    Raises:
        BigQueryError: two source rows match a target row.
        duckdb.Error: a statement failed; nothing has changed.
    """
    plan: Plan = derived(tree, planned)
    own = not cursor.in_transaction
    if own:
        cursor.execute("BEGIN")
    try:
        context.temporary |= set(plan.tables)
        counts = _changed(cursor, plan, context)
    except BaseException:
        if own:
            with suppress(duckdb.Error):
                cursor.execute("ROLLBACK")
        raise
    finally:
        context.temporary -= set(plan.tables)
    if own:
        cursor.execute("COMMIT")
    return JobStatistics2(
        numDmlAffectedRows=str(sum(counts.values())), dmlStats={name: str(count) for name, count in counts.items()}
    )


def _changed(cursor: Connection, plan: Plan, context: Any) -> dict[str, int]:
    for name, query in plan.tables.items():
        sql, bound = merge.translate(query, context)
        # the connection need not note this table: it is dropped before any other statement
        cursor.native.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {sql}", bound)
    if plan.updates_or_deletes and cursor.execute(TOO_MANY).fetchone():
        message = "UPDATE/MERGE must match at most one source row for each target row"
        raise BigQueryError("invalidQuery", message)
    counts = {INSERTED: 0, UPDATED: 0, DELETED: 0}
    for action in plan.actions:  # also those without rows: they may be invalid
        sql, bound = merge.translate(action.statement, context)
        (count,) = cursor.execute(sql, bound).fetchone()
        counts[action.counts] += count
    for name in plan.tables:
        cursor.native.execute(f"DROP TABLE temp.{name}")
    return counts


def planned(tree: exp.Merge) -> Plan:
    """The queries and statements of a MERGE; a clause's condition sees the clause's rows."""
    target, source = tree.this, tree.args["using"]
    table, alias, rows = merge._unaliased(target), target.alias_or_name, source.alias_or_name or "__source"
    clauses: dict[str, list[tuple[int, exp.When]]] = {PAIRS: [], INSERTS: [], ORPHANS: []}
    whens = tree.args["whens"].expressions
    for number, when in enumerate(whens):
        clauses[_table(when)].append((number, when))
    queries = {
        SOURCE: f"SELECT ROW_NUMBER() OVER () AS __sid, {rows}.* FROM {merge._unaliased(source)} AS {rows}",
        PAIRS: f"SELECT {alias}.rowid AS __tid, {rows}.__sid AS __sid, {_clause(clauses[PAIRS])} AS __clause "
        f"FROM {table} AS {alias} JOIN {SOURCE} AS {rows} ON {merge._sql(tree.args['on'])}",
    }
    if clauses[INSERTS]:
        unmatched = f"__sid NOT IN (SELECT __sid FROM {PAIRS})"
        queries[INSERTS] = (
            f"SELECT __sid, {_clause(clauses[INSERTS])} AS __clause FROM {SOURCE} AS {rows} WHERE {unmatched}"
        )
    if clauses[ORPHANS]:
        unmatched = f"{alias}.rowid NOT IN (SELECT __tid FROM {PAIRS})"
        which = _clause(clauses[ORPHANS])
        queries[ORPHANS] = (
            f"SELECT {alias}.rowid AS __tid, {which} AS __clause FROM {table} AS {alias} WHERE {unmatched}"
        )
    actions = [_action(number, when, (table, alias, rows)) for number, when in enumerate(whens)]
    return Plan({name: _kept(query) for name, query in queries.items()}, bool(clauses[PAIRS]), actions)


def _table(when: exp.When) -> Any:
    """The table with the rows of a clause."""
    if when.args.get("matched"):
        return PAIRS
    return ORPHANS if when.args.get("source") else INSERTS


def _clause(whens: list[tuple[int, exp.When]]) -> str:
    cases = " ".join(f"WHEN {merge._sql(when.args.get('condition'))} THEN {number}" for number, when in whens)
    return f"CASE {cases} END" if cases else "NULL"


def _action(number: int, when: exp.When, names: tuple[str, str, str]) -> Action:
    table, alias, rows = names
    action, chosen = when.args["then"], _table(when)
    target = f"{alias}.rowid IN (SELECT __tid FROM {chosen} WHERE __clause = {number})"
    if isinstance(action, exp.Update):
        which = f"WHERE {target}"
        if chosen == PAIRS:
            which = (
                f"FROM {SOURCE} AS {rows}, {PAIRS} AS __p WHERE __p.__clause = {number} "
                f"AND {alias}.rowid = __p.__tid AND {rows}.__sid = __p.__sid"
            )
        assignments = ", ".join(merge._sql(each) for each in action.expressions)
        return Action(_kept(f"UPDATE {table} AS {alias} SET {assignments} {which}"), UPDATED)
    if not isinstance(action, exp.Insert):
        return Action(_kept(f"DELETE FROM {table} AS {alias} WHERE {target}"), DELETED)
    mine = f"FROM {SOURCE} AS {rows} WHERE __sid IN (SELECT __sid FROM {chosen} WHERE __clause = {number})"
    if isinstance(action.this, exp.Var):
        return Action(_kept(f"INSERT INTO {table} SELECT * EXCEPT (__sid) {mine}"), INSERTED)
    if action.expression:
        columns, given = merge._sql(action.this), action.expression.expressions
    else:  # INSERT VALUES (…) without columns, which sqlglot takes for a column list that calls a function
        columns, given = "", action.this.expressions[0].expressions
    values = ", ".join(merge._sql(value) for value in given)
    return Action(_kept(f"INSERT INTO {table} {columns} SELECT {values} {mine}"), INSERTED)


def _kept(sql: str) -> Any:
    return keep(sqlglot.parse_one(sql, dialect=BigQueryDialect), sql)
