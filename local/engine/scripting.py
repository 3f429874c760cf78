"""Scripts: variables, transactions, procedures and table functions as BigQuery has them."""

from __future__ import annotations

import functools
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import duckdb
import sqlglot
from local_bigquery.catalog import names, routines
from local_bigquery.engine import database
from local_bigquery.jobs import merge
from local_bigquery.sql import script
from local_bigquery.sql.dialect import BigQueryDialect
from local_bigquery.sql.translate import parse, translate
from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Callable

VALUE = script.VALUE


class Variable:
    """A script variable: a constant that stands where the package expects the name of a one-row table.

    Tables would be rolled back with the transaction around them, and not be readable after an error in it.
    """

    def __init__(self, type_name: str, text: str | None) -> None:
        self.type_name = "INTEGER" if type_name == '"NULL"' else type_name
        self.text = text

    def __str__(self) -> str:
        constant = "NULL" if self.text is None else exp.Literal.string(self.text).sql("duckdb")
        return f"(SELECT CAST({constant} AS {self.type_name}) AS {VALUE})"


def install() -> None:
    """Replace the interpreter's handling of variables, and wrap its parser and transactions."""
    interpreter = script.Interpreter
    interpreter.store = store
    interpreter.assign = assign
    interpreter.evaluate = evaluate
    interpreter.into = into
    interpreter.for_each = for_each
    interpreter.call = deliver_outputs(interpreter.call)
    interpreter.set = set_from_struct(interpreter.set)
    interpreter.sql = keep_what_was_written(roll_back_twice(interpreter.sql))
    interpreter.procedure = keep_procedure_options(interpreter.procedure)
    interpreter.__init__ = row_count_from_the_start(interpreter.__init__)
    script.Parser.procedure = keep_whole_body(script.Parser.procedure)
    script.Parser.statement = table_function_clauses(script.Parser.statement)
    merge.run = join_open_transaction(merge.run)


def _rows(interpreter: Any, select: str, bound: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Run a query; outside the script's transaction when an error in it has made it unusable."""
    try:
        return interpreter.cursor.sql(select, params=bound).fetchall()  # type: ignore[no-any-return]
    except duckdb.TransactionException:
        with database.cursor() as elsewhere:
            return elsewhere.sql(select, params=bound).fetchall()  # type: ignore[no-any-return]


def _translated(interpreter: Any, value: exp.Expression) -> tuple[str, dict[str, Any]]:
    return translate(script._select(value), interpreter.context)  # type: ignore[no-any-return]  # noqa: SLF001 - wrapped module


def store(interpreter: Any, value: exp.Expression) -> Variable:
    """A new variable with the value of an expression."""
    query, bound = _translated(interpreter, value)
    ((type_name, text),) = _rows(interpreter, f"SELECT typeof({VALUE}), CAST({VALUE} AS VARCHAR) FROM ({query})", bound)  # noqa: S608
    return Variable(type_name, text)


def assign(interpreter: Any, variable: Variable, value: exp.Expression) -> None:
    """SET: the value as the variable's type."""
    query, bound = _translated(interpreter, value)
    select = f"SELECT CAST(CAST({VALUE} AS {variable.type_name}) AS VARCHAR) FROM ({query})"  # noqa: S608
    ((variable.text,),) = _rows(interpreter, select, bound)


def evaluate(interpreter: Any, sql: str) -> Any:
    """The value of an expression, readable also after an error within a transaction."""
    query, bound = _translated(interpreter, interpreter.expression(sql))
    return _rows(interpreter, query, bound)[0][0]


def into(interpreter: Any, tree: exp.Expression, names: list[str]) -> None:
    """EXECUTE IMMEDIATE … INTO: the columns of the one row."""
    variables = [interpreter.variable(name) for name in names]
    query, bound = translate(tree, interpreter.context)
    columns = interpreter.cursor.sql(query, params=bound).columns
    casts = ", ".join(
        f"CAST(CAST({database.quote(column)} AS {variable.type_name}) AS VARCHAR)"
        for column, variable in zip(columns, variables, strict=False)
    )
    rows = interpreter.cursor.execute(f"SELECT {casts} FROM ({query}) LIMIT 1", bound).fetchall()  # noqa: S608
    for variable, text in zip(variables, rows[0] if rows else [None] * len(variables), strict=True):
        variable.text = text


def for_each(interpreter: Any, statement: Any) -> None:
    """FOR … IN: the loop variable is a struct of the row."""
    select = sqlglot.parse_one(f"SELECT * FROM {statement.text}", dialect=BigQueryDialect)  # noqa: S608
    query, bound = translate(select, interpreter.context)
    rows = interpreter.cursor.execute(f"SELECT typeof(q), CAST(q AS VARCHAR) FROM ({query}) AS q", bound).fetchall()  # noqa: S608
    for type_name, text in rows:
        if not interpreter.iterate(statement, {statement.names[0].lower(): Variable(type_name, text)}):
            break


def deliver_outputs(original: Callable[..., None]) -> Callable[..., None]:
    """CALL with OUT arguments: the package copies them by an UPDATE, which a constant does not take."""

    @functools.wraps(original)
    def call(interpreter: Any, statement: Any) -> None:
        routine = (
            None if statement.text.upper().startswith("BQ.") else routines.load(*interpreter.reference(statement.text))
        )
        arguments: list[Any] = (routine and routine.arguments) or []
        if not any(argument.mode in {"OUT", "INOUT"} for argument in arguments):
            original(interpreter, statement)
            return
        saved, inner = interpreter.context.variables, {}
        for argument, (expression, _) in zip(arguments, statement.items, strict=True):
            kind = exp.DataType.build(routines.sql_type(argument.dataType), dialect=BigQueryDialect)
            inner[argument.name.lower()] = interpreter.store(exp.cast(interpreter.expression(expression), kind))
        try:
            interpreter.context.variables = inner
            interpreter.run(script.parse_script(routine.definitionBody if routine else ""))
        finally:
            interpreter.context.variables = saved
        for argument, (expression, _) in zip(arguments, statement.items, strict=True):
            if argument.mode in {"OUT", "INOUT"}:
                interpreter.variable(expression.strip()).text = inner[argument.name.lower()].text

    return call


def set_from_struct(original: Callable[..., None]) -> Callable[..., None]:
    """SET (a, b) = (SELECT AS STRUCT …): one query, its fields in order."""

    @functools.wraps(original)
    def assign_fields(interpreter: Any, statement: Any) -> None:
        item = sqlglot.parse_one(statement.text, dialect=BigQueryDialect).expressions[0].this
        struct = item.expression
        if not isinstance(item.this, exp.Tuple) or not isinstance(struct, exp.Subquery):
            original(interpreter, statement)
            return
        query = struct.this.copy()
        query.set("kind", None)
        for number, value in enumerate(query.expressions):
            value.replace(exp.alias_(value.unalias(), f"field{number}"))
        into(interpreter, query, [target.name for target in item.this.expressions])

    return assign_fields


def row_count_from_the_start(original: Callable[..., None]) -> Callable[..., None]:
    """@@row_count is NULL before the first statement that changes rows."""

    @functools.wraps(original)
    def construct(interpreter: Any, cursor: Any, context: Any, *callbacks: Any) -> None:
        context.system.setdefault("row_count", None)
        original(interpreter, cursor, context, *callbacks)

    return construct


def roll_back_twice(original: Callable[..., None]) -> Callable[..., None]:
    """ROLLBACK in the handler of a COMMIT that met another transaction: DuckDB has rolled back by itself."""

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


class JoinedTransaction:
    """A cursor within a transaction that somebody else has begun and will end."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self.cursor = cursor

    def execute(self, sql: str, *parameters: Any) -> duckdb.DuckDBPyConnection:
        """Refuse a second BEGIN without asking DuckDB, which would abort the transaction."""
        if sql == "BEGIN":
            raise duckdb.TransactionException("a transaction is active")
        return self.cursor.execute(sql, *parameters)


def join_open_transaction(original: Callable[..., Any]) -> Callable[..., Any]:
    """MERGE within BEGIN TRANSACTION … COMMIT: the package begins one itself, and DuckDB 1.5 aborts on the second."""

    @functools.wraps(original)
    def run(cursor: duckdb.DuckDBPyConnection, tree: exp.Expression, context: Any) -> Any:
        return original(JoinedTransaction(cursor) if in_transaction(cursor) else cursor, tree, context)

    return run


def in_transaction(cursor: duckdb.DuckDBPyConnection) -> bool:
    """Whether a transaction is open: now() is the time when it began; without one each statement has its own."""
    first, second = (cursor.execute("SELECT epoch_us(now())").fetchone() for _ in range(2))
    return bool(first == second)


def keep_whole_body(original: Callable[..., Any]) -> Callable[..., Any]:
    """CREATE PROCEDURE: the body is BEGIN … END, its EXCEPTION handler included, and its OPTIONS count."""

    @functools.wraps(original)
    def procedure(parser: Any) -> Any:
        start = parser.i
        statement = original(parser)
        words = [parser.word(index - parser.i) for index in range(start, parser.i)]
        begin = start + words.index("BEGIN")
        statement.text = parser.text(begin, parser.i)
        options = start + words.index("OPTIONS") if "OPTIONS" in words[: begin - start] else begin
        statement.branches = [(parser.text(options, begin), [])]
        return statement

    return procedure


def keep_procedure_options(original: Callable[..., None]) -> Callable[..., None]:
    """CREATE PROCEDURE … OPTIONS (description = …): the package drops them."""

    @functools.wraps(original)
    def procedure(interpreter: Any, statement: Any) -> None:
        original(interpreter, statement)
        reference = interpreter.reference(statement.names[-1])
        if description := _description(statement.branches[0][0]):
            routines.save(*reference, routines.load(*reference).replace(description=description))

    return procedure


def _description(options: str) -> str | None:
    if not options:
        return None
    tree = sqlglot.parse_one(f"CREATE TABLE t (x INT64) {options}", dialect=BigQueryDialect)
    return next((o.text("value") for o in tree.find_all(exp.Property) if o.name.lower() == "description"), None)


def table_function_clauses(original: Callable[..., Any]) -> Callable[..., Any]:
    """CREATE TABLE FUNCTION … RETURNS TABLE<…> OPTIONS (…): the package's grammar knows neither clause."""

    @functools.wraps(original)
    def statement(parser: Any) -> Any:
        start = parser.i
        parsed = original(parser)
        if parsed.kind != "TABLE_FUNCTION" or parser.tokens[start].text.upper() != "CREATE":
            return parsed
        words = [parser.word(index - parser.i) for index in range(start, parser.i)]
        arguments_end = start + _closing(parser.tokens[start : parser.i])
        as_ = next(i for i in range(arguments_end, parser.i) if words[i - start] == "AS")
        clauses = [i for i in range(arguments_end, as_) if words[i - start] in {"RETURNS", "OPTIONS"}] + [as_]
        texts = {words[a - start]: parser.text(a, b) for a, b in pairwise(clauses)}
        header, body = parser.text(start, arguments_end), parser.text(as_ + 1, parser.i)
        columns = _columns(texts.get("RETURNS", ""))
        casts = ", ".join(f"CAST(`{name}` AS {kind}) AS `{name}`" for name, kind in columns)
        query = f"SELECT {casts} FROM ({body})" if columns else body  # noqa: S608 - the statement's own text
        parsed.text = script.TABLE_FUNCTION.sub(r"\1\2", f"{header} AS {query}", count=1)
        parsed.branches = [(body, []), (texts.get("RETURNS", ""), []), (texts.get("OPTIONS", ""), [])]
        return parsed

    return statement


def _closing(tokens: list[Any]) -> int:
    """The number of tokens up to the end of the first parenthesis."""
    depth = 0
    for number, token in enumerate(tokens):
        depth += (token.token_type in script.OPEN) - (token.token_type in script.CLOSE)
        if token.token_type in script.CLOSE and depth == 0:
            return number + 1
    return len(tokens)


def _columns(returns: str) -> list[tuple[str, str]]:
    """The columns of RETURNS TABLE<…>: a STRUCT by another name."""
    if not returns:
        return []
    struct = exp.DataType.build("STRUCT" + returns.partition("TABLE")[2].strip(), dialect=BigQueryDialect)
    return [(column.name, column.kind.sql(dialect=BigQueryDialect)) for column in struct.expressions]


def keep_what_was_written(original: Callable[..., None]) -> Callable[..., None]:
    """What CREATE FUNCTION says is what the routines API answers: the body as written, columns, description."""

    @functools.wraps(original)
    def sql(interpreter: Any, statement: Any) -> None:
        original(interpreter, statement)
        if statement.kind == "TABLE_FUNCTION" and statement.branches:
            (body, _), (returns, _), (options, _) = statement.branches
        else:
            body, returns, options = _scalar_body(statement.text), "", ""
        if not body:
            return
        (tree,) = parse(statement.text)
        context = interpreter.context
        reference = names.reference(tree.find(exp.Table), context.project_id, context.dataset_id)
        changes: dict[str, Any] = {"definitionBody": body}
        if columns := [(name, exp.DataType.build(kind, dialect=BigQueryDialect)) for name, kind in _columns(returns)]:
            types = [{"name": name, "type": routines.data_type(kind).dump()} for name, kind in columns]
            changes["returnTableType"] = {"columns": types}
        if description := _description(options):
            changes["description"] = description
        routines.save(*reference, routines.load(*reference).replace(**changes))

    return sql


def _scalar_body(text: str) -> str | None:
    """What stands between the parentheses of CREATE FUNCTION … AS ( … )."""
    parser = script.Parser(text)
    words = [parser.word(index) for index in range(len(parser.tokens))]
    if words[:1] != ["CREATE"] or "FUNCTION" not in words[1:4] or "TEMP" in words[1:4] or "LANGUAGE" in words:
        return None
    start = words.index("AS", _closing(parser.tokens)) + 2
    end = start - 1 + _closing(parser.tokens[start - 1 :])
    return text[parser.tokens[start - 1].end + 1 : parser.tokens[end - 1].start].strip()
