"""SQL sees the tables, views and routines of the project, and nothing else: not DuckDB, not the disk, not settings.

Two walls, each sufficient alone for files outside the data folder: statements are checked before they are translated
(here, and by GoogleSQL's grammar), and DuckDB itself may open files of the data folder only (:func:`fence`).
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

import duckdb
from local_bigquery import errors
from local_bigquery.catalog import names, routines
from local_bigquery.engine import database
from local_bigquery.errors import BigQueryError
from local_bigquery.jobs import extract, query
from local_bigquery.settings import settings
from local_bigquery.sql import params, rules, script
from local_bigquery.sql.dialect import MACROS, BigQueryDialect
from local_bigquery.sql.rules import information_schema, tables
from sqlglot import TokenType, exp

from local.engine import grammar
from local.engine.naming import check_name, check_project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CALL = "call"  # the key in a node's notes: the parts of its name as written, and the place
#: Statements that reach DuckDB; a script's own statements are interpreted.
STATEMENTS = (
    *(exp.Query, exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.TruncateTable, exp.Export),
    *(exp.Create, exp.Drop, exp.Alter, exp.Transaction, exp.Commit, exp.Rollback),
)
MACRO = ("bq", "main")  # where the package keeps BigQuery's functions; the text of a view may name it
TABLE_FUNCTIONS = {"external_query", "range_sessionize"}  # that the package translates
WORDS = re.compile(r"[\w .:+/-]*")
CODECS = {"NONE", "GZIP", "SNAPPY", "DEFLATE", "ZSTD"}
PARAMETER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
FULL_NAME = ("project", "dataset", "routine")
JOBS = {"JOBS", "JOBS_BY_PROJECT", "JOBS_BY_USER"}
NO_NAMES = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.STRING}  # before a dot: a value, not a part of a name
#: What the parser puts around a call, or takes away again.
AROUND = (exp.Window, exp.WithinGroup, exp.Filter, exp.IgnoreNulls, exp.RespectNulls)


def install() -> None:
    """Note calls when they are parsed, and check statements when they are translated."""
    parser: Any = BigQueryDialect.Parser
    parser._parse_function_call = noting_calls(parser._parse_function_call)
    schema = rules.STATEMENT_RULES.index(information_schema.information_schema)
    rules.STATEMENT_RULES.insert(schema, only_what_the_project_has)
    rules.STATEMENT_RULES.append(temporary_tables_only)
    query._ddl = checked_options(checked_target(query._ddl))
    extract.write = checked_codec(extract.write)
    params.bind = checked_parameters(params.bind)
    script.Interpreter.reference = checked_reference(script.Interpreter.reference)
    script.Interpreter.sql = noting_functions(script.Interpreter.sql)
    errors.from_duckdb = without_paths(errors.from_duckdb)
    query.from_duckdb = errors.from_duckdb


def fence(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Let a DuckDB process open files of a folder only, from now on; this cannot be undone."""
    connection.execute("SET GLOBAL autoload_known_extensions = false")
    paths = [exp.Literal.string(f"{path}/").sql("duckdb") for path in (folder, folder.absolute())]
    connection.execute(f"SET GLOBAL allowed_directories = [{', '.join(paths)}]")
    connection.execute("SET GLOBAL enable_external_access = false")


def without_paths(original: Callable[..., BigQueryError]) -> Callable[..., BigQueryError]:
    """DuckDB's refusal to open a file, without the file's name."""

    @functools.wraps(original)
    def from_duckdb(error: Exception, *rest: Any) -> BigQueryError:
        if isinstance(error, duckdb.PermissionException):
            return BigQueryError("accessDenied", "Access Denied: the statement would leave the project's tables.")
        if isinstance(error, duckdb.IOException) and str(settings.data_dir) in str(error):
            return BigQueryError("invalidQuery", "The statement's files cannot be read or written.")
        return original(error, *rest)

    return from_duckdb


def noting_calls(original: Callable[..., Any]) -> Callable[..., Any]:
    """Note on a call what it is called, unless GoogleSQL has a function of this name."""

    @functools.wraps(original)
    def parse(parser: Any, *arguments: Any, **options: Any) -> Any:
        token, following = parser._curr, parser._next
        if token is None or following is None or following.token_type != TokenType.L_PAREN:
            return original(parser, *arguments, **options)
        tokens, index = parser._tokens, parser._index
        first = index
        while _continues_a_name(tokens, first):
            first -= 2
        path = tuple(part for number in range(first, index + 1, 2) for part in tokens[number].text.split("."))
        if _is_builtin(path):
            return original(parser, *arguments, **options)
        place = f"{tokens[first].line}:{tokens[first].col - (tokens[first].end - tokens[first].start)}"
        if path[-1].lower() not in TABLE_FUNCTIONS:  # a routine's name may be another dialect's function
            options["anonymous"] = True
        outer = node = original(parser, *arguments, **options)
        while isinstance(node, exp.Expression):
            node.meta[CALL] = path, place
            node = node.this if isinstance(node, AROUND) else None
        return outer

    return parse


def _continues_a_name(tokens: list[Any], index: int) -> bool:
    """Whether the token before is a dot after a name: ``a.f(1)``, and not ``('a').f(1)``."""
    return index > 1 and tokens[index - 1].token_type == TokenType.DOT and tokens[index - 2].token_type not in NO_NAMES


def noting_functions(original: Callable[..., None]) -> Callable[..., None]:
    """Know a temporary function once it exists."""

    @functools.wraps(original)
    def sql(interpreter: Any, statement: Any) -> None:
        original(interpreter, statement)
        if statement.kind == "TEMP_FUNCTION":
            (tree,) = script.parse(statement.text)
            interpreter.context.temporary.add(f"{tree.find(exp.Table).name.casefold()}()")

    return sql


def _is_builtin(path: tuple[str, ...]) -> bool:
    lowered = [part.lower() for part in path]
    if lowered[0] == "safe":
        del lowered[0]
    if tuple(lowered[:2]) == MACRO:
        return lowered[2:] in [[name.lower()] for name in MACROS]
    return ".".join(lowered) in grammar.functions()


def only_what_the_project_has(tree: exp.Expression, context: Any) -> exp.Expression:
    """Refuse statements, functions and tables that BigQuery does not have, and projects that do not exist here."""
    if _begins(tree):
        return exp.Transaction()
    if not isinstance(tree, STATEMENTS) or tree.find(exp.ExternalProperty):
        raise BigQueryError("invalidQuery", f"Statement not supported: {_statement(tree)} at [1:1]")
    for node in list(tree.walk()):
        if called := node.meta.get(CALL):
            path, place = called
            _check_call(node, path, place, context)
        if isinstance(node, exp.Table) and not isinstance(node.this, exp.Func):
            _check_table(node, context)
        if isinstance(node, exp.Parameter) and isinstance(node.this, exp.Parameter):
            _check_system_variable(node, context)
        if isinstance(node, exp.Var) and not WORDS.fullmatch(node.name):  # written to DuckDB without quotes
            raise BigQueryError("invalidQuery", f"Syntax error: Unexpected identifier `{node.name}`")
        node.comments = None  # DuckDB nests comments, GoogleSQL does not
    return tree


def _begins(tree: exp.Expression) -> bool:
    """BEGIN by itself, or with comments, which the package's parser takes for a command."""
    if not isinstance(tree, exp.Command) or tree.name.upper() != "BEGIN":
        return False
    rest = [token.text.upper() for token in script.Tokenizer().tokenize(tree.text("expression"))]
    return rest in ([], ["TRANSACTION"])


def _statement(tree: exp.Expression) -> str:
    if isinstance(tree, exp.Create):
        return "CreateExternalTableStatement"
    return f"{tree.name.title() if isinstance(tree, exp.Command) else type(tree).__name__}Statement"


def _check_system_variable(node: exp.Parameter, context: Any) -> None:
    name, outer = tables._system_name(node), node.parent
    while isinstance(outer, exp.Dot):
        name, outer = tables._system_name(outer), outer.parent
    if name not in {*context.system, "project_id", "dataset_id"}:
        raise BigQueryError("invalidQuery", f"Unrecognized name: @@{name}")


def _check_call(node: Any, path: tuple[str, ...], place: str, context: Any) -> None:
    """Refuse a call of what does not exist; a routine that is called by its name alone is called by all of its name.

    DuckDB would look for a name alone among its own functions, too.
    """
    table = node.parent if isinstance(node.parent, exp.Table) and node.arg_key == "this" else None
    if table is not None and table.db:  # a project with hyphens is several tokens
        path = tuple(part for one in (table.catalog, table.db) for part in one.split(".") if part) + path[-1:]
    name = ".".join(path)
    if table is not None and name.lower() in TABLE_FUNCTIONS:
        return
    if table is None and (f"{name.casefold()}()" in context.temporary or name.casefold() in context.functions):
        return
    reference = (*(context.project_id, context.dataset_id)[: max(0, 3 - len(path))], *path)
    routine = routines.load(*reference) if len(reference) == len(FULL_NAME) else None
    if routine is None or routine.routineType != ("SCALAR_FUNCTION" if table is None else "TABLE_VALUED_FUNCTION"):
        raise _not_found("Function" if table is None else "Table-valued function", path, place)
    if len(path) > 1:
        return
    project, dataset = (exp.to_identifier(part, quoted=True) for part in reference[:2])
    if table is not None:
        table.set("catalog", project)
        table.set("db", dataset)
    else:
        node.replace(exp.Dot.build([project, dataset, exp.Anonymous(this=node.this, expressions=node.expressions)]))


def _not_found(kind: str, path: tuple[str, ...], place: str) -> BigQueryError:
    return BigQueryError("invalidQuery", f"{kind} not found: {'.'.join(path)} at [{place}]")


def _check_table(table: exp.Table, context: Any) -> None:
    if not isinstance(table.this, exp.Identifier):
        return
    view = table.name.upper()
    if view.startswith("INFORMATION_SCHEMA.") or table.db.upper() == "INFORMATION_SCHEMA":
        if view.removeprefix("INFORMATION_SCHEMA.") not in {*information_schema.VIEWS, *JOBS}:
            written = ".".join(part.name for part in table.parts)
            raise BigQueryError("notFound", f"Not found: Table {context.project_id}:{written}")
        return
    if table.db.casefold() == "_session":
        if table.name.casefold() not in context.temporary:
            raise BigQueryError("notFound", f"Not found: Table _SESSION.{table.name} was not found in location US")
    elif table.catalog:
        _check_project_of(table)
    elif not table.db and not _has_no_dataset(table, context):
        if context.dataset_id is None:
            message = f'Table "{table.name}" must be qualified with a dataset (e.g. dataset.table).'
            raise BigQueryError("invalid", message)
        table.set("catalog", exp.to_identifier(context.project_id, quoted=True))
        table.set("db", exp.to_identifier(context.dataset_id, quoted=True))


def _has_no_dataset(table: exp.Table, context: Any) -> bool:
    new_name = isinstance(table.parent, exp.AlterRename)
    return new_name or _is_temporary(table, context) or _is_made_temporary(table) or is_cte(table)


def _check_project_of(table: exp.Table) -> None:
    if table.catalog not in database._attached:
        name = names.label(table.catalog, table.db, table.name)
        message = f"User does not have permission to query table {name}, or perhaps it does not exist."
        raise BigQueryError("accessDenied", f"Access Denied: Table {name}: {message}")


def _is_temporary(table: exp.Table, context: Any) -> bool:
    return table.name.casefold() in context.temporary


def _is_made_temporary(table: exp.Table) -> bool:
    statement = table.root()
    return isinstance(statement, exp.Create) and names.target(statement) is table and _makes_temporary(statement)


def _makes_temporary(statement: exp.Expression) -> bool:
    return statement.find(exp.TemporaryProperty) is not None


def is_cte(table: exp.Table) -> bool:
    """Whether a table without a dataset is a WITH expression that it can see: an earlier one, or its own."""
    name = table.name.casefold()
    below: Any = table
    node: Any = table.parent
    while node is not None:
        scope = node if isinstance(node, exp.With) else node.args.get("with_")
        for cte in scope.expressions if scope is not None else ():
            inside = cte is below
            if (not inside or scope.args.get("recursive")) and cte.alias_or_name.casefold() == name:
                return True
            if inside:
                break
        if isinstance(node, exp.With):  # its query was looked at with it
            node = node.parent
        below, node = node, node.parent if node is not None else None
    return False


def temporary_tables_only(tree: exp.Expression, context: Any) -> exp.Expression:
    """A temporary table is looked for among the temporary ones, not in DuckDB's catalogs: it may have been dropped."""
    for table in list(tree.find_all(exp.Table)):
        without = isinstance(table.this, exp.Identifier) and not table.db and not is_cte(table)
        if without and _is_temporary(table, context) and not _is_made_temporary(table):
            table.set("db", exp.to_identifier("main"))
            table.set("catalog", exp.to_identifier("temp"))
    return tree


def checked_target(original: Callable[..., Any]) -> Callable[..., Any]:
    """DDL: the name of what is created, and the new name of what is renamed, are names that BigQuery accepts."""

    @functools.wraps(original)
    def ddl(tree: exp.Expression, context: Any) -> Any:
        kind, target = (tree.args.get("kind") or "").upper(), tree.find(exp.Table)
        if target is not None and kind == "SCHEMA":
            _check_reference("dataset", target.catalog, target.db or target.name, None, context)
        elif target is not None and not _makes_temporary(tree):
            named = "routine" if kind == "FUNCTION" else "table"
            new = target.name if isinstance(tree, exp.Create) else None
            _check_reference(named, target.catalog, target.db, new, context)
        for renamed in tree.find_all(exp.AlterRename):
            check_name("table", renamed.this.name)
        return original(tree, context)

    return ddl


def checked_options(original: Callable[..., Any]) -> Callable[..., Any]:
    """DDL: the values of options are evaluated by themselves, so they are checked by themselves."""

    @functools.wraps(original)
    def ddl(tree: exp.Expression, context: Any) -> Any:
        for option in tree.find_all(exp.Property):
            if isinstance(value := option.args.get("value"), exp.Expression):
                only_what_the_project_has(exp.select(value.copy()), context)
        return original(tree, context)

    return ddl


def checked_codec(original: Callable[..., int]) -> Callable[..., int]:
    """The compression of an export, which becomes a part of DuckDB's text."""

    @functools.wraps(original)
    def write(cursor: Any, sql: str, bound: dict[str, Any], config: Any) -> int:
        if config.compression and config.compression.upper() not in CODECS:
            known = ", ".join(sorted(CODECS))
            raise BigQueryError("invalid", f"Unsupported compression {config.compression!r}: write one of {known}.")
        return original(cursor, sql, bound, config)

    return write


def checked_parameters(original: Callable[..., Any]) -> Callable[..., Any]:
    """The names of query parameters, which become parts of DuckDB's text."""

    @functools.wraps(original)
    def bind(parameters: list[Any]) -> Any:
        for parameter in parameters:
            if parameter.name and not PARAMETER.fullmatch(parameter.name):
                raise BigQueryError("invalid", f"Invalid query parameter name: {parameter.name!r}")
        return original(parameters)

    return bind


def _check_reference(kind: str, project: str, dataset: str, name: str | None, context: Any) -> None:
    check_project(project or context.project_id)
    if dataset or context.dataset_id:
        check_name("dataset", dataset or context.dataset_id)
    if name is not None:
        check_name(kind, name)


def checked_reference(original: Callable[..., Any]) -> Callable[..., Any]:
    """The name of a procedure."""

    @functools.wraps(original)
    def reference(interpreter: Any, name: str) -> Any:
        project, dataset, routine = original(interpreter, name)
        if dataset is None:
            raise BigQueryError("invalidQuery", f"Procedure not found: {routine}")
        _check_reference("routine", project, dataset, routine, interpreter.context)
        return project, dataset, routine

    return reference
