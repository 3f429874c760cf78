"""The OPTIONS of a DDL statement: the names and types that are deployed, and their values."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from zetasql.wasi._pb2.zetasql.parser import ast_enums_pb2

from catalog.findings import CatalogError
from catalog.model import SqlType
from catalog.zetasql import kind_of, member, type_proto, unwrap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.source import SourceFile

LONGEST_DAYS = 100_000_000  # what fits into Google's milliseconds
MINUS, NUMBERS = ast_enums_pb2.ASTUnaryExpressionEnums.MINUS, {"ASTIntLiteral", "ASTFloatLiteral"}
#: The options that are deployed, with their types.
STRING = SqlType("STRING")
OPTIONS = {
    "description": STRING,
    "labels": SqlType("ARRAY", SqlType("STRUCT", fields=(("", STRING), ("", STRING)))),
    "partition_expiration_days": SqlType("FLOAT64"),
}


def allow_only(analyzer_options: Any, known: Mapping[str, SqlType]) -> None:
    """Let the analyzer report options of another name or type, and those that are given twice."""
    allowed = analyzer_options.allowed_hints_and_options
    allowed.disallow_unknown_options = allowed.disallow_duplicate_option_names = True
    for name, kind in known.items():
        allowed.option.add(name=name).type.CopyFrom(type_proto(kind))


def options(file: SourceFile, node: Any) -> dict[str, Any]:
    """The literal values of an OPTIONS list, by name; the analysis reports those of another name or type.

    Raises:
        CatalogError: a value that is not a literal, or that BigQuery refuses.
    """
    entries = member(node, "options_list")
    found: dict[str, Any] = {}
    for entry in [] if entries is None else entries.options_entries:
        name, value = entry.name.id_string.lower(), unwrap(entry.value)
        try:
            given = literal(value)
        except ValueError:
            message = f"{name} is a literal, not {file.of(value)}"
            raise CatalogError([file.finding(entry, "declaration", message)]) from None
        if name not in OPTIONS or not is_of(given, OPTIONS[name]):
            continue
        if problem := _problem(name, given):
            raise CatalogError([file.finding(entry, "declaration", problem)])
        found[name] = given
    return found


def is_of(value: Any, kind: SqlType) -> bool:
    """Whether a literal's value is of a type."""
    match kind.kind:
        case "STRING":
            return value is None or isinstance(value, str)
        case "FLOAT64":
            return value is None or type(value) in {int, float}
        case "ARRAY" if kind.element is not None:
            return isinstance(value, list) and all(is_of(each, kind.element) for each in value)
        case _:
            kinds = [kind for _, kind in kind.fields]
            return isinstance(value, tuple) and len(value) == len(kinds) and all(map(is_of, value, kinds))


def _problem(name: str, value: Any) -> str | None:
    """Why BigQuery refuses an option's value, which is of the right type; None if it does not."""
    if name == "partition_expiration_days" and value is not None and not 0 < value < LONGEST_DAYS:
        return f"{name} is a number greater than 0 and less than {LONGEST_DAYS}, not {value}"
    if name == "labels":
        keys = [key for key, _ in value]
        if None in keys or any(text is None for _, text in value):
            return "a label has a key and a value, not NULL"
        if twice := [key for key, count in Counter(keys).items() if count > 1]:
            return f"the label {twice[0]!r} is given twice"
    return None


def literal(node: Any) -> Any:
    """The Python value of a literal; arrays are lists, structs are tuples.

    Raises:
        ValueError: the node is not a literal.
    """
    match kind_of(node):
        case "ASTStringLiteral":
            return node.string_value
        case "ASTBooleanLiteral":
            return node.value
        case "ASTIntLiteral":
            return int(member(node, "image"), 0)
        case "ASTFloatLiteral":
            return float(member(node, "image"))
        case "ASTUnaryExpression" if node.op == MINUS and kind_of(unwrap(node.operand)) in NUMBERS:
            return -literal(unwrap(node.operand))
        case "ASTArrayConstructor":
            return [literal(unwrap(element)) for element in node.elements]
        case "ASTStructConstructorWithParens":
            return tuple(literal(unwrap(element)) for element in node.field_expressions)
        case "ASTNullLiteral":
            return None
        case kind:
            raise ValueError(f"{kind} is not a literal")
