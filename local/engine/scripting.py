"""Scripts: variables, transactions and calls as in BigQuery."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import duckdb
import sqlglot
from local_bigquery.catalog import routines
from local_bigquery.engine import database
from local_bigquery.errors import BigQueryError
from local_bigquery.sql import script
from local_bigquery.sql.dialect import BigQueryDialect
from local_bigquery.sql.translate import parse
from sqlglot import exp

from local.engine.expressions import fields_as_columns
from local.engine.translations import keep, once_a_text

if TYPE_CHECKING:
    from collections.abc import Callable

VALUE = script.VALUE


class Variable:
    """A script variable: a constant where the package expects the name of a one-row table.

    Tables would be rolled back with the transaction around them, and not be readable after an error in it.
    """

    def __init__(self, type_name: str, text: str | None) -> None:
        self.type_name = "INTEGER" if type_name == '"NULL"' else type_name
        self.text = text

    def __str__(self) -> str:
        constant = "NULL" if self.text is None else exp.Literal.string(self.text).sql("duckdb")
        return f"(SELECT CAST({constant} AS {self.type_name}) AS {VALUE})"


def install() -> None:
    """Replace the interpreter's handling of variables, and wrap its transactions."""
    interpreter = script.Interpreter
    interpreter.store = store
    interpreter.declare = declare
    interpreter.evaluate = evaluate
    interpreter.into = into
    interpreter.execute = execute
    interpreter.for_each = for_each
    interpreter.call = call(interpreter.call)
    interpreter.set = set_variables(interpreter.set)
    interpreter.sql = roll_back_twice(interpreter.sql)
    interpreter.__init__ = row_count_from_the_start(interpreter.__init__)


def _rows(interpreter: Any, select: str, bound: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Run a query; outside the script's transaction if an error has made that unusable."""
    try:
        return interpreter.cursor.execute(select, bound).fetchall()  # type: ignore[no-any-return]
    except duckdb.TransactionException:
        with database.cursor() as elsewhere:
            return elsewhere.execute(select, bound).fetchall()  # type: ignore[no-any-return]


def _selected(value: exp.Expression, text: str) -> exp.Select:
    return keep(script._select(value), text)  # type: ignore[no-any-return]


@once_a_text
def _expression(text: str) -> exp.Select:
    """An expression as a query."""
    return _selected(script.Interpreter.expression(None, text), text)


@once_a_text
def _declared(text: str) -> list[tuple[list[str], exp.Select]]:
    """The names of a DECLARE, with the queries for their values."""
    declared = []
    for item in sqlglot.parse_one(text, dialect=BigQueryDialect).expressions:
        value = item.args.get("default") or exp.null()
        if kind := item.args.get("kind"):
            value = exp.cast(value, kind)
        declared.append(([name.name.lower() for name in item.this], _selected(value, text)))
    return declared


@once_a_text
def _assigned(text: str) -> list[tuple[list[str], list[exp.Query], bool]] | None:
    """The names of a SET with a query for each, or with one for all (True); None for system variables."""
    assigned: list[tuple[list[str], list[exp.Query], bool]] = []
    for item in sqlglot.parse_one(text, dialect=BigQueryDialect).expressions:
        target, value = item.this.this, item.this.expression
        if isinstance(target, exp.Parameter):
            return None
        several = isinstance(target, exp.Tuple)
        names = [part.name for part in target.expressions] if several else [target.name]
        if several and isinstance(value, exp.Subquery):
            assigned.append((names, [keep(_fields(value), text)], True))
            continue
        values = value.expressions if several and isinstance(value, exp.Tuple) else [value]
        columns = [exp.column(part.name) if isinstance(part, exp.Var) else part for part in values]
        assigned.append((names, [_selected(column, text) for column in columns], False))
    return assigned


def _fields(struct: exp.Subquery) -> exp.Query:
    """SELECT AS STRUCT as a query whose columns have their own names."""
    query = fields_as_columns(struct.this)
    for number, value in enumerate(query.expressions):
        value.replace(exp.alias_(value.unalias(), f"field{number}"))
    return query


def declare(interpreter: Any, statement: Any) -> None:
    """DECLARE: variables with their first values."""
    for variables, select in _declared(statement.text):
        for name in variables:
            interpreter.context.variables[name] = _variable(interpreter, select)


def _variable(interpreter: Any, select: exp.Select) -> Variable:
    query, bound = script.translate(select, interpreter.context)
    ((type_name, text),) = _rows(interpreter, f"SELECT typeof({VALUE}), CAST({VALUE} AS VARCHAR) FROM ({query})", bound)
    return Variable(type_name, text)


def store(interpreter: Any, value: exp.Expression) -> Variable:
    """A new variable with the value of an expression."""
    return _variable(interpreter, script._select(value))


def set_variables(original: Callable[..., None]) -> Callable[..., None]:
    """SET: each value as its variable's type; (a, b) = (SELECT AS STRUCT …) takes the fields in order."""

    @functools.wraps(original)
    def set_(interpreter: Any, statement: Any) -> None:
        assigned = _assigned(statement.text)
        if assigned is None:
            original(interpreter, statement)
            return
        for targets, values, together in assigned:
            if together:
                into(interpreter, values[0], targets)
                continue
            variables = [interpreter.variable(name) for name in targets]
            _check_numbers(len(values), targets)
            for variable, select in zip(variables, values, strict=True):
                query, bound = script.translate(select, interpreter.context)
                cast = f"SELECT CAST(CAST({VALUE} AS {variable.type_name}) AS VARCHAR) FROM ({query})"
                ((variable.text,),) = _rows(interpreter, cast, bound)

    return set_


def _check_numbers(values: int, names: list[str]) -> None:
    if values != len(names):
        message = f"{values} values cannot be assigned to {len(names)} variables: {', '.join(names)}"
        raise BigQueryError("invalidQuery", message)


def evaluate(interpreter: Any, sql: str) -> Any:
    """The value of an expression, readable even after an error within a transaction."""
    query, bound = script.translate(_expression(sql), interpreter.context)
    return _rows(interpreter, query, bound)[0][0]


def into(interpreter: Any, tree: exp.Expression, names: list[str]) -> None:
    """EXECUTE IMMEDIATE … INTO: the columns of the one row."""
    variables = [interpreter.variable(name) for name in names]
    query, bound = script.translate(tree, interpreter.context)
    columns = [name for name, *_ in interpreter.cursor.execute(f"SELECT * FROM ({query}) LIMIT 0", bound).description]
    _check_numbers(len(columns), names)
    casts = ", ".join(
        f"CAST(CAST({database.quote(column)} AS {variable.type_name}) AS VARCHAR)"
        for column, variable in zip(columns, variables, strict=True)
    )
    rows = interpreter.cursor.execute(f"SELECT {casts} FROM ({query}) LIMIT 1", bound).fetchall()
    for variable, text in zip(variables, rows[0] if rows else [None] * len(variables), strict=True):
        variable.text = text


def execute(interpreter: Any, statement: Any) -> None:
    """EXECUTE IMMEDIATE: any statement, CALL too, for which the package knows DuckDB's only."""
    text = interpreter.evaluate(statement.text)
    if text is None:
        raise BigQueryError("invalidQuery", "SQL provided to EXECUTE IMMEDIATE cannot be null")
    statements = script.parse_script(text)
    if len(statements) != 1:
        raise BigQueryError("invalidQuery", "EXECUTE IMMEDIATE takes a single statement")
    context = interpreter.context
    saved = context.parameters
    given = {
        alias or f"p{number}": str(interpreter.store(interpreter.expression(value)))
        for number, (value, alias) in enumerate(statement.items)
    }
    context.parameters = saved | given
    context.position = 0
    try:
        if statement.names:
            into(interpreter, parse(text)[-1], statement.names)
        else:
            interpreter.statements(statements)
    finally:
        context.parameters = saved


@once_a_text
def _loop_query(text: str) -> Any:
    return keep(sqlglot.parse_one(f"SELECT * FROM {text}", dialect=BigQueryDialect), text)


def for_each(interpreter: Any, statement: Any) -> None:
    """FOR … IN: the loop variable is a struct of the row."""
    query, bound = script.translate(_loop_query(statement.text), interpreter.context)
    rows = interpreter.cursor.execute(f"SELECT typeof(q), CAST(q AS VARCHAR) FROM ({query}) AS q", bound).fetchall()
    for type_name, text in rows:
        if not interpreter.iterate(statement, {statement.names[0].lower(): Variable(type_name, text)}):
            break


def call(original: Callable[..., None]) -> Callable[..., None]:
    """CALL: arguments are values; OUT arguments are assigned, for which the package updates a table."""

    @functools.wraps(original)
    def run(interpreter: Any, statement: Any) -> None:
        system = statement.text.upper().startswith("BQ.")
        routine = None if system else routines.load(*interpreter.reference(statement.text))
        if routine is None or routine.routineType != "PROCEDURE":
            original(interpreter, statement)  # which raises the error
            return
        arguments = list(zip(routine.arguments or [], [text for text, _ in statement.items], strict=False))
        inner = {
            argument.name.lower(): _variable(
                interpreter, _expression(f"CAST({text} AS {routines.sql_type(argument.dataType)})")
            )
            for argument, text in arguments
        }
        saved = interpreter.context.variables
        try:
            interpreter.context.variables = dict(inner)
            interpreter.run(script.parse_script(routine.definitionBody or ""))
        finally:
            interpreter.context.variables = saved
        for argument, text in arguments:
            if argument.mode in {"OUT", "INOUT"}:
                interpreter.variable(text.strip()).text = inner[argument.name.lower()].text

    return run


def row_count_from_the_start(original: Callable[..., None]) -> Callable[..., None]:
    """@@row_count is NULL before the first statement that changes rows."""

    @functools.wraps(original)
    def construct(interpreter: Any, cursor: Any, context: Any, *callbacks: Any) -> None:
        context.system.setdefault("row_count", None)
        original(interpreter, cursor, context, *callbacks)

    return construct


def roll_back_twice(original: Callable[..., None]) -> Callable[..., None]:
    """ROLLBACK in the handler of a COMMIT that conflicted: DuckDB has already rolled back."""

    @functools.wraps(original)
    def sql(interpreter: Any, statement: Any) -> None:
        verb = statement.text.upper().partition(" ")[0].rstrip(";")
        try:
            original(interpreter, statement)
        except Exception:
            cancelled = interpreter.context.system.pop("commit_failed", False)
            interpreter.context.system["commit_failed"] = verb == "COMMIT"
            if not (verb == "ROLLBACK" and cancelled):
                raise

    return sql
