"""What routines are defined by: bodies, descriptions and columns stay as they were written."""

from __future__ import annotations

import functools
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import sqlglot
from local_bigquery.catalog import names, routines
from local_bigquery.sql import script
from local_bigquery.sql.dialect import BigQueryDialect
from local_bigquery.sql.translate import parse
from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Callable

FUNCTION = re.compile(r"\bFUNCTION\b", re.IGNORECASE)


def install() -> None:
    """Wrap the parser and the statements that define routines."""
    interpreter = script.Interpreter
    interpreter.sql = keep_what_was_written(interpreter.sql)
    interpreter.procedure = keep_procedure_options(interpreter.procedure)
    routines.statement = ended_body(routines.statement)
    script.Parser.procedure = keep_whole_body(script.Parser.procedure)
    script.Parser.statement = table_function_clauses(script.Parser.statement)


def ended_body(original: Callable[..., str]) -> Callable[..., str]:
    """CREATE PROCEDURE for the body that the API received, whose last statement may end without a semicolon."""

    @functools.wraps(original)
    def statement(resource: Any, replace: bool) -> str:
        body = resource.definitionBody or ""
        tokens = script.Tokenizer().tokenize(body)
        if resource.routineType == "PROCEDURE" and tokens and tokens[-1].text != ";":
            resource = resource.replace(definitionBody=f"{body}\n;")
        return original(resource, replace)

    return statement


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
    """CREATE TABLE FUNCTION … RETURNS TABLE<…> OPTIONS (…): the package's grammar has neither clause."""

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
        query = f"SELECT {casts} FROM ({body})" if columns else body
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
    """Let the routines API answer what CREATE FUNCTION declared: the body as written, columns, description."""

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
    """The text between the parentheses of CREATE FUNCTION … AS ( … )."""
    if not FUNCTION.search(text):  # most statements create none, and tokens take time
        return None
    parser = script.Parser(text)
    words = [parser.word(index) for index in range(len(parser.tokens))]
    if words[:1] != ["CREATE"] or "FUNCTION" not in words[1:4] or "TEMP" in words[1:4] or "LANGUAGE" in words:
        return None
    start = words.index("AS", _closing(parser.tokens)) + 2
    end = start - 1 + _closing(parser.tokens[start - 1 :])
    return text[parser.tokens[start - 1].end + 1 : parser.tokens[end - 1].start].strip()
