"""From a file's parse tree to the object that it declares."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from catalog import zetasql
from catalog.findings import CatalogError
from catalog.guards import guarded_hours
from catalog.model import (
    DATASET,
    PROJECT,
    Argument,
    Column,
    MonitoringQuery,
    Partitioning,
    Routine,
    RoutineKind,
    ScheduledQuery,
    SqlObject,
    SqlType,
    Table,
    View,
)
from catalog.zetasql import has, kind_of, member, span, unwrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.source import SourceFile

MODES = (None, "IN", "OUT", "INOUT")
TEST_MARK = re.compile(r"^-- Tests\b.*$", re.MULTILINE)


def declare(file: SourceFile, folder: str, target: tuple[str, str] = (PROJECT, DATASET)) -> SqlObject:
    """The object that a file declares, without lineage; a view still without columns.

    Args:
        file: the file.
        folder: the name of its folder under sql/, which decides what the file must declare.
        target: project and dataset that the object must be named in.

    Raises:
        CatalogError: a syntax error, or a statement that the folder does not expect.
    """
    if script := SCRIPTS.get(folder):
        item = script(name=file.path.stem, path=file.path, ddl="", query=_script(file), description=_headline(file))
        return replace(item, hours_la=guarded_hours(file)) if isinstance(item, ScheduledQuery) else item
    statements = file.statements
    if not statements:
        raise CatalogError([file.finding(None, "declaration", "the file declares nothing")])
    node = statements[0]
    readers = {
        "ASTCreateTableStatement": _table,
        "ASTCreateViewStatement": _view,
        "ASTCreateFunctionStatement": _function,
        "ASTCreateTableFunctionStatement": _table_function,
        "ASTCreateProcedureStatement": _procedure,
    }
    expected = EXPECTED[folder]
    if kind_of(node) not in expected:
        wanted = " or ".join(STATEMENTS[kind] for kind in expected)
        raise CatalogError([file.finding(node, "declaration", f"a file of {folder}/ begins with {wanted}")])
    findings = [
        file.finding(other, "declaration", "one object per file: only ASSERTs and blocks follow, after '-- Tests'")
        for other in statements[1:]
        if "Create" in kind_of(other)
    ]
    start, end = span(node)
    rest = file.data[end:].decode().lstrip().removeprefix(";")
    if len(statements) > 1 and not TEST_MARK.search(rest):
        findings.append(file.finding(statements[1], "declaration", "tests follow a line '-- Tests'"))
    path, prefix = _path(node), ".".join(target) + "."
    if not path.startswith(prefix):
        message = f"the object must be named `{prefix}{file.path.stem}`, is named `{path}`"
        findings.append(file.finding(_name_node(node), "qualified", message))
    elif path.removeprefix(prefix) != file.path.stem:
        message = f"the file declares {path.removeprefix(prefix)!r}: file name and object name must be the same"
        findings.append(file.finding(_name_node(node), "file-name", message))
    if findings:
        raise CatalogError(findings)
    declared: SqlObject = readers[kind_of(node)](file, node)
    return replace(
        declared,
        ddl=file.data[start:end].decode() + ";",
        tests=rest[match.end() :].strip() if (match := TEST_MARK.search(rest)) else "",
        description=options(node).get("description"),
    )


SCRIPTS = {"schedules": ScheduledQuery, "monitoring": MonitoringQuery}
EXPECTED = {
    "functions": ("ASTCreateFunctionStatement",),
    "table_functions": ("ASTCreateTableFunctionStatement",),
    "procedures": ("ASTCreateProcedureStatement",),
    "views": ("ASTCreateViewStatement",),
    "tables": ("ASTCreateTableStatement",),
    "dependencies": ("ASTCreateTableStatement", "ASTCreateViewStatement"),
}
STATEMENTS = {
    "ASTCreateFunctionStatement": "CREATE OR REPLACE FUNCTION",
    "ASTCreateTableFunctionStatement": "CREATE OR REPLACE TABLE FUNCTION",
    "ASTCreateProcedureStatement": "CREATE OR REPLACE PROCEDURE",
    "ASTCreateViewStatement": "CREATE OR REPLACE VIEW",
    "ASTCreateTableStatement": "CREATE TABLE IF NOT EXISTS",
}


def _script(file: SourceFile) -> str:
    """A scheduled query is its whole file, comments included."""
    if not file.statements:
        raise CatalogError([file.finding(None, "declaration", "the scheduled query does nothing")])
    return file.text.strip() + "\n"


def _headline(file: SourceFile) -> str:
    """The first line of the top comment."""
    return file.text.splitlines()[0].removeprefix("--").strip()


def _name_node(node: Any) -> Any:
    declaration = member(node, "function_declaration")
    return member(node, "name") if declaration is None else declaration.name


def _path(node: Any) -> str:
    return ".".join(part.id_string for part in _name_node(node).names)


def options(node: Any) -> dict[str, Any]:
    """The literal values of an OPTIONS list, by name."""
    entries = member(node, "options_list")
    return {} if entries is None else {e.name.id_string: literal(unwrap(e.value)) for e in entries.options_entries}


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
            return int(member(node, "image"))
        case "ASTFloatLiteral":
            return float(member(node, "image"))
        case "ASTArrayConstructor":
            return [literal(unwrap(element)) for element in node.elements]
        case "ASTStructConstructorWithParens":
            return tuple(literal(unwrap(element)) for element in node.field_expressions)
        case "ASTNullLiteral":
            return None
        case kind:
            raise ValueError(f"{kind} is not a literal")


def type_of(node: Any) -> SqlType:
    """The type that a type node, or a column's schema node, spells."""
    node = unwrap(node)
    match kind_of(node):
        case "ASTArrayType":
            return SqlType("ARRAY", element=type_of(node.element_type))
        case "ASTArrayColumnSchema":
            return SqlType("ARRAY", element=type_of(member(node, "element_schema")))
        case "ASTStructType":
            return SqlType("STRUCT", fields=tuple((f.name.id_string, type_of(f.type)) for f in node.struct_fields))
        case "ASTStructColumnSchema":
            return SqlType("STRUCT", fields=tuple((f.name.id_string, type_of(f.schema)) for f in node.struct_fields))
        case _:
            name = node.type_name.names[0].id_string.upper()
            return SqlType(zetasql.TYPE_ALIASES.get(name, name))


def _table(file: SourceFile, node: Any) -> Table:
    settings = options(node)
    clustering = member(node, "cluster_by")
    return Table(
        name=file.path.stem,
        path=file.path,
        ddl="",
        columns=tuple(_column(file, unwrap(element)) for element in member(node, "table_element_list").elements),
        partitioning=_partitioning(file, node, settings),
        clustering=() if clustering is None else tuple(file.of(unwrap(e)) for e in clustering.clustering_expressions),
        labels=dict(settings.get("labels", [])),
    )


def _column(file: SourceFile, node: Any) -> Column:
    schema = unwrap(node.schema)
    attributes = member(schema, "attributes")
    required = attributes is not None and any(
        kind_of(unwrap(value)) == "ASTNotNullColumnAttribute" for value in attributes.values
    )
    default = file.of(unwrap(member(schema, "default_expression"))) if has(schema, "default_expression") else None
    return Column(node.name.id_string, type_of(schema), required, options(schema).get("description"), default)


def _partitioning(file: SourceFile, node: Any, settings: dict[str, Any]) -> Partitioning | None:
    """DATE(timestamp), a DATE column, or DATE_TRUNC / TIMESTAMP_TRUNC of a column to a part."""
    if not has(node, "partition_by"):
        return None
    expression = unwrap(member(node, "partition_by").partitioning_expressions[0])
    expiration = settings.get("partition_expiration_days")
    if kind_of(expression) == "ASTPathExpression":
        return Partitioning(file.of(expression), "DAY", expiration)
    name = file.of(expression.function).upper()
    arguments = [file.of(unwrap(argument)) for argument in expression.arguments]
    if name == "DATE" and len(arguments) == 1:
        return Partitioning(arguments[0], "DAY", expiration)
    if name in {"DATE_TRUNC", "TIMESTAMP_TRUNC"}:
        return Partitioning(arguments[0], arguments[1].upper(), expiration)
    message = f"this repository reads DATE(…), a DATE column, DATE_TRUNC and TIMESTAMP_TRUNC, not {file.of(expression)}"
    raise CatalogError([file.finding(expression, "declaration", message)])


def _view(file: SourceFile, node: Any) -> View:
    described = member(node, "column_with_options_list")
    columns = [] if described is None else described.column_with_options
    return View(
        name=file.path.stem,
        path=file.path,
        ddl="",
        query=file.of(member(node, "query")),
        columns=tuple(
            Column(c.name.id_string, SqlType("UNKNOWN"), description=options(c).get("description")) for c in columns
        ),
        labels=dict(options(node).get("labels", [])),
    )


def _arguments(parameters: Any, procedure: bool) -> tuple[Argument, ...]:
    return tuple(
        Argument(
            entry.name.id_string,
            type_of(entry.type),
            (MODES[entry.procedure_parameter_mode] or "IN") if procedure else None,
        )
        for entry in parameters.parameter_entries
    )


def _function(file: SourceFile, node: Any) -> Routine:
    if not has(node, "return_type"):
        raise CatalogError([file.finding(node, "declaration", "a function needs RETURNS")])
    return Routine(
        name=file.path.stem,
        path=file.path,
        ddl="",
        kind=RoutineKind.FUNCTION,
        arguments=_arguments(member(node, "function_declaration").parameters, procedure=False),
        returns=type_of(node.return_type),
        body=file.of(unwrap(node.sql_function_body.expression)),
    )


def _table_function(file: SourceFile, node: Any) -> Routine:
    if not has(node, "return_tvf_schema"):
        raise CatalogError([file.finding(node, "declaration", "a table function needs RETURNS TABLE<…>")])
    return Routine(
        name=file.path.stem,
        path=file.path,
        ddl="",
        kind=RoutineKind.TABLE_FUNCTION,
        arguments=_arguments(member(node, "function_declaration").parameters, procedure=False),
        returns_table=_returned_columns(node.return_tvf_schema.columns),
        body=file.of(node.query),
    )


def _returned_columns(columns: Sequence[Any]) -> tuple[Column, ...]:
    return tuple(Column(column.name.id_string, type_of(column.type)) for column in columns)


def _procedure(file: SourceFile, node: Any) -> Routine:
    return Routine(
        name=file.path.stem,
        path=file.path,
        ddl="",
        kind=RoutineKind.PROCEDURE,
        arguments=_arguments(member(node, "parameters"), procedure=True),
        body=file.of(node.body),
    )
