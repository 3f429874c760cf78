"""What a DDL statement declares: types, options and argument names, checked as BigQuery does, in its words.

The package ignores an unknown option, reads values of other types, and knows DuckDB's types besides GoogleSQL's.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog import zetasql
from catalog.analysis import BLANKS
from catalog.declarations import TYPES
from catalog.model import SqlType
from catalog.options import LONGEST_DAYS, allow_only, is_of, literal
from catalog.source import SourceFile
from catalog.zetasql import has, kind_of, span, unwrap, walk

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Texts that may declare something; others are not parsed again.
DECLARING = re.compile(r"\b(?:CREATE|ALTER|DECLARE|ARRAY\s*<|STRUCT\s*<)", re.IGNORECASE)
#: In others only a cast names a type: those with another word after AS than a type of GoogleSQL are parsed again.
CASTING = re.compile(r"CAST\b", re.IGNORECASE)
AS_ANOTHER = re.compile(rf"\bAS\b(?!\s+(?:{'|'.join(sorted(TYPES))})\s*[()])", re.IGNORECASE)
STRING, BOOL, FLOAT64, INT64 = SqlType("STRING"), SqlType("BOOL"), SqlType("FLOAT64"), SqlType("INT64")
TIMESTAMP, INTERVAL = SqlType("TIMESTAMP"), SqlType("INTERVAL")
STRINGS = SqlType("ARRAY", STRING)
PAIRS = SqlType("ARRAY", SqlType("STRUCT", fields=(("", STRING), ("", STRING))))
DESCRIBED = {"description": STRING, "friendly_name": STRING, "labels": PAIRS, "tags": PAIRS}
TABLE = {
    **DESCRIBED,
    **dict.fromkeys(("kms_key_name", "default_rounding_mode", "storage_uri", "file_format", "table_format"), STRING),
    **dict.fromkeys(
        ("require_partition_filter", "enable_change_history", "enable_fine_grained_mutations"),
        BOOL,
    ),
    "expiration_timestamp": TIMESTAMP,
    "partition_expiration_days": FLOAT64,
    "max_staleness": INTERVAL,
}
VIEW = {**DESCRIBED, "expiration_timestamp": TIMESTAMP, "privacy_policy": STRING}
MATERIALIZED = {
    **TABLE,
    **dict.fromkeys(("enable_refresh", "allow_non_incremental_definition"), BOOL),
    "refresh_interval_minutes": FLOAT64,
}
SCHEMA = {
    **DESCRIBED,
    **dict.fromkeys(("default_table_expiration_days", "default_partition_expiration_days"), FLOAT64),
    **dict.fromkeys(("location", "default_kms_key_name", "default_rounding_mode", "storage_billing_model"), STRING),
    **dict.fromkeys(("primary_replica", "failover_reservation"), STRING),
    **dict.fromkeys(("is_case_insensitive", "is_primary"), BOOL),
    "max_time_travel_hours": INT64,
}
ROUTINE = {
    **dict.fromkeys(("description", "endpoint", "data_governance_type", "entry_point", "runtime_version"), STRING),
    **dict.fromkeys(("engine", "container_image", "main_file_uri", "main_class", "container_memory"), STRING),
    **dict.fromkeys(("library", "packages", "py_file_uris", "jar_uris", "file_uris", "archive_uris"), STRINGS),
    **dict.fromkeys(("user_defined_context", "properties"), PAIRS),
    **dict.fromkeys(("max_batching_rows", "container_cpu"), FLOAT64),
    "strict_mode": BOOL,
}
#: Statements that hold others.
BLOCKS = {"ASTBeginEndBlock", "ASTIfStatement", "ASTWhileStatement", "ASTRepeatStatement", "ASTForInStatement"}
#: The options of a statement, or of a column, by what the options belong to.
OPTIONS = {
    "ASTCreateTableStatement": TABLE,
    "ASTAlterTableStatement": TABLE,
    "ASTCreateViewStatement": VIEW,
    "ASTAlterViewStatement": VIEW,
    "ASTCreateMaterializedViewStatement": MATERIALIZED,
    "ASTAlterMaterializedViewStatement": MATERIALIZED,
    "ASTCreateSchemaStatement": SCHEMA,
    "ASTAlterSchemaStatement": SCHEMA,
    "ASTCreateFunctionStatement": ROUTINE,
    "ASTCreateTableFunctionStatement": ROUTINE,
    "ASTCreateProcedureStatement": ROUTINE,
}
COLUMN = {"description": STRING, "rounding_mode": STRING, "data_policies": STRINGS}
#: Options that are a number of days.
NOT_POSITIVE = f"Invalid value for option {{name}}: it must be greater than 0 and less than {LONGEST_DAYS}"
DAYS = re.compile(r"\w+_days")


@functools.lru_cache(1024)
def problem_of(text: str) -> zetasql.ZetaSqlError | None:
    """What BigQuery refuses in the declarations of a text, with its place; None if there is nothing.

    Args:
        text: a statement or a script whose syntax is right; of a script only the types of its variables are checked,
            because its statements are checked when they run.
    """
    if not (DECLARING.search(text) or (CASTING.search(text) and AS_ANOTHER.search(text))):
        return None
    try:
        trees = zetasql.parse(text)
    except zetasql.ZetaSqlError:  # nested too deeply for a tree, or rewritten by the package
        return None
    source = SourceFile(Path(), text)
    try:
        for tree in trees:
            if kind_of(tree) in BLOCKS or (len(trees) > 1 and kind_of(tree) != "ASTVariableDeclaration"):
                continue
            for place in walk(tree):
                _check(source, place)
    except zetasql.ZetaSqlError as error:
        return error
    return None


def _check(source: SourceFile, place: zetasql.Place) -> None:
    node = place.node
    match kind_of(node):
        case "ASTSimpleType" | "ASTSimpleColumnSchema" if has(node, "type_name"):
            spelled = ".".join(part.id_string for part in node.type_name.names)
            if zetasql.TYPE_ALIASES.get(spelled.upper(), spelled.upper()) not in TYPES:
                raise _error(source, node, f"Type not found: {spelled}")
        case "ASTFunctionParameters":
            _refuse_repeated(source, [entry.name for entry in node.parameter_entries], "Duplicate argument name {}")
        case "ASTTableElementList":
            columns = [unwrap(each) for each in node.elements]
            names = [column.name for column in columns if kind_of(column) == "ASTColumnDefinition"]
            _refuse_repeated(source, names, "Duplicate column name {} in CREATE TABLE")
        case "ASTOptionsList":
            if (known := _known(place)) is not None:
                _check_options(source, node, known)


def _refuse_repeated(source: SourceFile, names: list[Any], message: str) -> None:
    known: set[str] = set()
    for name in names:
        if name.id_string.lower() in known:
            raise _error(source, name, message.format(name.id_string))
        known.add(name.id_string.lower())


def _known(place: zetasql.Place) -> dict[str, SqlType] | None:
    """The options that a list may have; None where any may be in it."""
    for parent in place.parents():
        kind = kind_of(parent)
        if kind in {"ASTColumnDefinition", "ASTColumnWithOptions", "ASTAlterColumnOptionsAction"}:
            return COLUMN
        if kind in OPTIONS:
            return OPTIONS[kind]
        if kind.endswith("Statement"):
            return None
    return None


def _check_options(source: SourceFile, node: Any, known: Mapping[str, SqlType]) -> None:
    _refuse_repeated(source, [entry.name for entry in node.options_entries], "Duplicate option specified for '{}'")
    for entry in node.options_entries:
        name = entry.name.id_string
        try:
            given = literal(unwrap(entry.value))
        except ValueError:
            if name.lower() in known:
                continue  # an expression: the engine evaluates it
            given = None
        if name.lower() not in known or not is_of(given, known[name.lower()]):
            _check_option(source, entry, known)
        if DAYS.fullmatch(name.lower()) and given is not None and not 0 < given < LONGEST_DAYS:
            raise _error(source, entry, NOT_POSITIVE.format(name=name))
        if name.lower() == "labels":
            keys = [key for key, _ in given or []]
            if repeated := [key for number, key in enumerate(keys) if key in keys[:number]]:
                raise _error(source, entry, f"Duplicate label key {repeated[0]!r}")


def _check_option(source: SourceFile, entry: Any, known: Mapping[str, SqlType]) -> None:
    """Let the analyzer look at one option, as that of a view one line above the statement."""
    start, end = span(entry)
    before = source.data[:start].translate(BLANKS).decode()
    options = zetasql.analyzer_options()
    allow_only(options, known)
    try:
        zetasql.analyze(
            f"CREATE VIEW v OPTIONS(\n{before}{source.data[start:end].decode()}) AS SELECT 1 AS a", _empty(), options
        )
    except zetasql.ZetaSqlError as error:
        error.line -= 1
        raise


@functools.cache
def _empty() -> bytes:
    return bytes(zetasql.empty_catalog().SerializeToString(deterministic=True))


def _error(source: SourceFile, node: Any, message: str) -> zetasql.ZetaSqlError:
    line, column = source.position(span(node)[0])
    return zetasql.ZetaSqlError(f"{message} [at {line}:{column}]")
