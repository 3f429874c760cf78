"""Expressions that DuckDB computes differently from BigQuery."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from local_bigquery.jobs import query
from local_bigquery.sql import rules
from local_bigquery.sql.rules import datetime, safe, strings
from sqlglot import exp

from local.engine.translations import derived

if TYPE_CHECKING:
    from collections.abc import Callable

# Unicode's White_Space, which BigQuery's TRIM removes; DuckDB's removes only spaces
WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)


def install() -> None:
    """Add rules to the package's own and wrap the one for SAFE."""
    rules.STATEMENT_RULES.insert(0, struct_field_names)
    rules.NODE_RULES.insert(0, native_nfc)
    rules.NODE_RULES.extend([trim_white_space, division_operands, counts_are_integers])
    position = rules.NODE_RULES.index(safe.safe_function)
    rules.NODE_RULES[position] = safe_of_constants(safe.safe_function)
    position = rules.NODE_RULES.index(strings.format_)
    rules.NODE_RULES[position] = format_of_nulls(strings.format_)
    datetime._extract = parenthesised(datetime._extract)
    query._statement = flat_struct(query._statement)


def trim_white_space(node: exp.Expression, _context: Any) -> exp.Expression:
    """TRIM, LTRIM and RTRIM without characters remove all white space."""
    if isinstance(node, exp.Trim) and node.expression is None:
        node.set("expression", exp.Literal.string(WHITE_SPACE))
    return node


def division_operands(node: exp.Expression, _context: Any) -> exp.Expression:
    """DIV(a - b, c) is written as an operator, so its operands need parentheses."""
    if not isinstance(node, exp.IntDiv):
        return node
    return exp.Paren(this=exp.IntDiv(this=exp.paren(node.this), expression=exp.paren(node.expression)))


def counts_are_integers(node: exp.Expression, _context: Any) -> exp.Expression:
    """COUNTIF is an INT64, also over a window; DuckDB's has 128 bits, which typed arguments refuse."""
    counted = node.this if isinstance(node, exp.Window) else node
    if not isinstance(counted, exp.CountIf) or (node is counted and isinstance(node.parent, exp.Window)):
        return node
    return exp.cast(node, "BIGINT", dialect="duckdb")


def parenthesised(original: Callable[..., exp.Expression | None]) -> Callable[..., exp.Expression | None]:
    """EXTRACT that becomes a sum needs parentheses: 2 - EXTRACT(DAYOFWEEK FROM d) is not 2 - dayofweek(d) + 1."""

    @functools.wraps(original)
    def extract(node: exp.Extract) -> exp.Expression | None:
        rewritten = original(node)
        return exp.paren(rewritten, copy=False) if isinstance(rewritten, exp.Add) else rewritten

    return extract


def format_of_nulls(original: Callable[..., exp.Expression]) -> Callable[..., exp.Expression]:
    """FORMAT writes NULL for a %t that is NULL, for which printf returns NULL; its flag ' groups digits by commas."""

    @functools.wraps(original)
    def rule(node: exp.Expression, context: Any) -> exp.Expression:
        rewritten = original(node, context)
        if isinstance(node, exp.Format) and isinstance(rewritten, exp.Anonymous):
            template, *values = rewritten.expressions
            if template.is_string:  # the flag that groups digits by commas: printf's own would group by apostrophes
                template = exp.Literal.string(template.name.replace("%'", "%,"))
            texts = [
                exp.func("COALESCE", value, exp.Literal.string("NULL")) if isinstance(value, exp.Cast) else value
                for value in values
            ]
            rewritten.set("expressions", [template, *texts])
        return rewritten

    return rule


def native_nfc(node: exp.Expression, _context: Any) -> exp.Expression:
    """NORMALIZE(text, NFC) is a function of DuckDB too: ten times as fast as the package's Python function."""
    if not isinstance(node, exp.Normalize) or node.args.get("is_casefold"):
        return node
    form = node.args.get("form")
    if isinstance(form, exp.Expression) and form.name != "NFC":
        return node
    return exp.Anonymous(this="nfc_normalize", expressions=[node.this])


def struct_field_names(tree: exp.Expression, _context: Any) -> exp.Expression:
    """STRUCT(a, t.b, 1 AS c): a column gives its name to its field."""
    for struct in tree.find_all(exp.Struct):
        fields = [_named(field) for field in struct.expressions]
        if any(isinstance(field, exp.PropertyEQ) for field in fields):
            struct.set("expressions", fields)
    return tree


def _named(field: exp.Expression) -> exp.Expression:
    if isinstance(field, exp.Column | exp.Dot) and not isinstance(field.this, exp.Star):
        return exp.PropertyEQ(this=exp.to_identifier(field.name), expression=field.copy())
    return field


def safe_of_constants(original: Callable[..., exp.Expression]) -> Callable[..., exp.Expression]:
    """SAFE.f(constants) returns NULL on an error: DuckDB would compute it before TRY can catch the error."""

    @functools.wraps(original)
    def rule(node: exp.Expression, context: Any) -> exp.Expression:
        if isinstance(node, exp.SafeFunc):
            for literal in list(node.this.iter_expressions()):
                if isinstance(literal, exp.Literal) and literal.is_string:
                    literal.replace(exp.cast(literal.copy(), "VARCHAR"))
        return original(node, context)

    return rule


def flat_struct(original: Callable[..., Any]) -> Callable[..., Any]:
    """SELECT AS STRUCT at the top level returns the fields as columns."""

    @functools.wraps(original)
    def statement(cursor: Any, tree: exp.Expression, *rest: Any) -> Any:
        if isinstance(tree, exp.Select) and tree.args.get("kind") == "STRUCT":
            tree = derived(tree, fields_as_columns)
        return original(cursor, tree, *rest)

    return statement


def fields_as_columns(tree: exp.Select) -> exp.Select:
    """SELECT AS STRUCT as a query with a column for each field."""
    flat: exp.Select = tree.copy()
    flat.set("kind", None)
    return flat
