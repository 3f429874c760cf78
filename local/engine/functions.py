"""Functions in SQL: how they are compiled for DuckDB.

A function is a DuckDB macro: its text replaces each call. BigQuery evaluates an argument once per call and a body
once per row, so a body of single-row SELECTs is compiled into bindings: ``list_transform([struct], row -> …)[1]``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from local_bigquery.sql import rules
from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAIN_SELECT = {"expressions", "with_", "from_"}  # the parts of a SELECT of one row
ROWS = (exp.Query, exp.AggFunc, exp.Window, exp.Unnest, exp.Star, exp.Exists, exp.Lambda)  # what needs many rows


class NotOneRowError(Exception):
    """A query that is more than a chain of single-row SELECTs; it stays a subquery."""


@dataclass(frozen=True)
class Row:
    """A row in scope: its name in the query, the lambda's parameter that holds it, and its columns."""

    alias: str
    variable: str
    columns: frozenset[str]


@dataclass
class Scope:
    """The meaning of names in an expression: the rows of its columns, innermost first, and the CTEs."""

    numbers: Iterator[int]
    rows: list[Row]
    tables: dict[str, Row]

    def inner(self) -> Scope:
        """A scope whose changes stay inside."""
        return Scope(self.numbers, list(self.rows), dict(self.tables))


def install() -> None:
    """Compile function bodies before the package's own rules see them."""
    rules.STATEMENT_RULES.insert(0, bind_arguments_once)


def bind_arguments_once(tree: exp.Expression, _context: Any) -> exp.Expression:
    """Evaluate an argument once per call and a body once per row: f(RAND()) draws once, and again for each row."""
    if not isinstance(tree, exp.Create) or tree.args.get("kind") != "FUNCTION" or tree.find(exp.LanguageProperty):
        return tree
    parameters = [parameter for parameter in tree.this.expressions if isinstance(parameter, exp.ColumnDef)]
    if tree.meta.get("table_function") or not parameters or tree.expression is None:
        return tree
    row = Row("", "__row", frozenset(parameter.name.lower() for parameter in parameters))
    try:
        body = _value(tree.expression.copy(), Scope(count(), [row], {}))
    except NotOneRowError:
        return tree
    arguments = [(parameter.name, _argument(parameter)) for parameter in parameters]
    tree.set("expression", exp.Paren(this=_bound(row.variable, _struct(arguments), body)))
    return tree


def _argument(parameter: exp.ColumnDef) -> exp.Expression:
    value = exp.column(parameter.name)
    if parameter.kind is None or parameter.kind.is_type("variant", *exp.DataType.NESTED_TYPES):
        return value
    return exp.cast(value, parameter.kind.copy())


def _bound(variable: str, row: exp.Expression, value: exp.Expression) -> exp.Expression:
    """LET variable = row IN value: a lambda over a list of one struct."""
    binding = exp.Lambda(this=value, expressions=[exp.to_identifier(variable)])
    results = exp.Anonymous(this="list_transform", expressions=[exp.Array(expressions=[row]), binding])
    return exp.Anonymous(this="list_extract", expressions=[results, exp.Literal.number(1)])


def _struct(fields: list[tuple[str, exp.Expression]]) -> exp.Expression:
    if not all(name for name, _ in fields):
        raise NotOneRowError
    return exp.Struct(expressions=[exp.PropertyEQ(this=exp.to_identifier(n), expression=value) for n, value in fields])


def _value(node: exp.Expression, scope: Scope) -> exp.Expression:
    """The expression with its columns read from the rows in scope, and its subqueries as bindings."""
    if isinstance(node, exp.Subquery) and not node.alias:
        fields, bindings = _select(node.unnest(), scope)
        if len(fields) != 1:
            raise NotOneRowError
        return _nested(fields[0][1], bindings)
    if isinstance(node, ROWS):
        raise NotOneRowError
    if isinstance(node, exp.Column):
        return _column(node, scope.rows)
    for key, child in list(node.args.items()):
        if isinstance(child, exp.Expression):
            node.set(key, _value(child, scope))
        elif isinstance(child, list):
            node.set(key, [_value(item, scope) if isinstance(item, exp.Expression) else item for item in child])
    return node


def _column(column: exp.Column, rows: list[Row]) -> exp.Expression:
    name, qualifier = column.name.lower(), column.table.lower()
    for row in rows:
        if qualifier in {"", row.alias} and name in row.columns:
            return exp.column(column.name, table=row.variable)
        if qualifier in row.columns:
            struct = exp.column(column.table, table=row.variable)
            return exp.Anonymous(this="struct_extract", expressions=[struct, exp.Literal.string(column.name)])
    raise NotOneRowError


Fields = list[tuple[str, exp.Expression]]
Bindings = list[tuple[str, exp.Expression]]


def _select(query: Any, outer: Scope) -> tuple[Fields, Bindings]:
    """The columns of a SELECT of one row, and the bindings around them: its CTEs and what its FROM computes."""
    if not isinstance(query, exp.Select) or any(v for k, v in query.args.items() if k not in PLAIN_SELECT):
        raise NotOneRowError
    scope = outer.inner()
    bindings: Bindings = []
    for cte in query.ctes:
        scope.tables[cte.alias.lower()] = _bind_query(cte.alias, cte.this, scope, bindings)
    if source := query.args.get("from_"):
        table = source.this
        if isinstance(table, exp.Subquery):
            row = _bind_query(table.alias, table.this, scope, bindings)
        elif isinstance(table, exp.Table) and not table.db and table.name.lower() in scope.tables:
            row = replace(scope.tables[table.name.lower()], alias=table.alias_or_name.lower())
        else:
            raise NotOneRowError
        scope.rows.insert(0, row)
    return [(item.alias_or_name, _value(item.unalias(), scope)) for item in query.expressions], bindings


def _bind_query(alias: str, query: exp.Expression, scope: Scope, bindings: Bindings) -> Row:
    fields, inner = _select(query, scope)
    row = Row(alias.lower(), f"__row{next(scope.numbers)}", frozenset(name.lower() for name, _ in fields))
    bindings.append((row.variable, _nested(_struct(fields), inner)))
    return row


def _nested(value: exp.Expression, bindings: Bindings) -> exp.Expression:
    for variable, row in reversed(bindings):
        value = _bound(variable, row, value)
    return value
