"""GoogleSQL's own grammar, which every text passes before the engine sees it.

The package reads SQL with a parser that knows many dialects, DuckDB's among them.
"""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

from local_bigquery.catalog import row_access
from local_bigquery.errors import BigQueryError
from local_bigquery.jobs import query
from local_bigquery.sql import script
from local_bigquery.sql.dialect import MACROS
from sqlglot import exp

from catalog import zetasql
from local.engine import definitions
from local.engine.failures import TOO_COMPLEX
from local.engine.translations import once_a_text

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_QUERY = 1024 * 1024  # characters, BigQuery's limit
TOO_LONG = (
    "The query is too large. The maximum standard SQL query length is 1024.00K characters, including comments and "
    "white space characters."
)
#: What the package parses like a function, though it belongs to the syntax.
SYNTAX = {
    *("array", "cast", "exists", "extract", "offset", "ordinal", "safe_cast", "safe_offset", "safe_ordinal", "struct"),
    *("unnest", "week", "any", "all", "some", "collate"),
}
#: BigQuery's functions that are not part of open-source GoogleSQL.
ALSO_IN_BIGQUERY = {
    *("bag_of_words", "contains_substr", "external_object_transform", "hamming_distance", "search", "text_analyze"),
    *("tf_idf", "current_user", "array_includes", "vector_search", "max_by", "min_by"),
}
_wasm = threading.Lock()  # the module has one memory


def install() -> None:
    """Check scripts, the bodies of procedures, dynamic SQL, views and row access policies."""
    script.parse_script = checked(script.parse_script)
    script.Interpreter.sql = checked_statement(script.Interpreter.sql)
    query.parse = one_query(query.parse)
    row_access.save = checked_predicate(row_access.save)


def warm_up() -> None:
    """Load the module, which takes half a second, before the first query needs it."""
    threading.Thread(target=functions, name="GoogleSQL's grammar", daemon=True).start()


@functools.cache
def functions() -> frozenset[str]:
    """The names in lower case that are called like functions and are no routines."""
    with _wasm:
        builtin = zetasql.builtin_functions()
    return builtin | SYNTAX | ALSO_IN_BIGQUERY | {name.lower() for name in MACROS if not name.startswith("_")}


@once_a_text
def check(text: str) -> None:
    """Refuse what GoogleSQL's grammar does not know.

    Raises:
        BigQueryError: a syntax error in BigQuery's words, with its place; or the text is too long or too deeply nested.
    """
    if len(text) > LONGEST_QUERY:
        raise BigQueryError("invalidQuery", TOO_LONG)
    try:
        with _wasm:
            zetasql.check_syntax(text)
            problem = definitions.problem_of(text)
    except zetasql.CrashedError:
        raise BigQueryError("resourcesExceeded", TOO_COMPLEX) from None
    except zetasql.ZetaSqlError as error:
        raise BigQueryError("invalidQuery", _with_place(error)) from None
    if problem:
        raise BigQueryError("invalidQuery", _with_place(problem))


def check_statement(text: str) -> None:
    """Refuse a script's statement whose declarations BigQuery refuses, when it runs: a handler may catch that.

    Raises:
        BigQueryError: with the place in the statement.
    """
    with _wasm:
        problem = definitions.problem_of(text)
    if problem:
        raise BigQueryError("invalidQuery", _with_place(problem))


def checked_statement(original: Callable[..., None]) -> Callable[..., None]:
    """Run a script's statement whose declarations BigQuery accepts."""

    @functools.wraps(original)
    def sql(interpreter: Any, statement: Any) -> None:
        check_statement(statement.text)
        original(interpreter, statement)

    return sql


def _with_place(error: zetasql.ZetaSqlError) -> str:
    """A message as BigQuery ends it."""
    return f"{error.message} at [{error.line}:{error.column}]" if error.line else error.message


def checked(original: Callable[[str], Any]) -> Callable[[str], Any]:
    """A function of a text, which is checked first."""

    @functools.wraps(original)
    def result(text: str) -> Any:
        check(text)
        return original(text)

    return result


def one_query(original: Callable[[str], list[exp.Expression]]) -> Callable[[str], list[exp.Expression]]:
    """The statement of a view: a query, and nothing after it."""

    @functools.wraps(original)
    def parse(text: str) -> list[exp.Expression]:
        check(text)
        trees = original(text)
        if len(trees) != 1 or not isinstance(trees[0], exp.Query):
            raise BigQueryError("invalidQuery", "The view's query must be a single SELECT statement.")
        return trees

    return parse


def checked_predicate(original: Callable[..., Any]) -> Callable[..., Any]:
    """A row access policy, whose predicate is an expression."""

    @functools.wraps(original)
    def save(project: str, dataset: str, table: str, body: Any, *rest: Any, **options: Any) -> Any:
        check(f"SELECT ({body.filterPredicate})")
        return original(project, dataset, table, body, *rest, **options)

    return save
