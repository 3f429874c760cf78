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
    Partitioning,
    Routine,
    RoutineKind,
    ScheduledQuery,
    SqlObject,
    SqlType,
    Table,
    View,
)
from catalog.options import options
from catalog.zetasql import has, kind_of, member, span, unwrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.source import SourceFile

MODES = (None, "IN", "OUT", "INOUT")
#: The types that columns, arguments and variables have, besides ARRAY and STRUCT.
TYPES = {
    *("BIGNUMERIC", "BOOL", "BYTES", "DATE", "DATETIME", "FLOAT64", "GEOGRAPHY", "INT64", "INTERVAL", "JSON"),
    *("NUMERIC", "STRING", "TIME", "TIMESTAMP"),
}
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
        description=options(file, node).get("description"),
    )


SCRIPTS = {"schedules": ScheduledQuery}
EXPECTED = {
    "functions": ("ASTCreateFunctionStatement",),
    "table_functions": ("ASTCreateTableFunctionStatement",),
    "monitoring": ("ASTCreateTableFunctionStatement",),
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


def type_of(file: SourceFile, node: Any) -> SqlType:
    """The type that a type node, or a column's schema node, spells.

    Raises:
        CatalogError: there is no such type, or this repository does not read it.
    """
    node = unwrap(node)
    match kind_of(node):
        case "ASTArrayType":
            return SqlType("ARRAY", element=type_of(file, node.element_type))
        case "ASTArrayColumnSchema":
            return SqlType("ARRAY", element=type_of(file, member(node, "element_schema")))
        case "ASTStructType":
            fields = [(field.name.id_string, type_of(file, field.type)) for field in node.struct_fields]
            return SqlType("STRUCT", fields=tuple(fields))
        case "ASTStructColumnSchema":
            fields = [(field.name.id_string, type_of(file, field.schema)) for field in node.struct_fields]
            return SqlType("STRUCT", fields=tuple(fields))
        case "ASTSimpleType" | "ASTSimpleColumnSchema":
            spelled = ".".join(part.id_string for part in node.type_name.names)
            name = zetasql.TYPE_ALIASES.get(spelled.upper(), spelled.upper())
            if name not in TYPES:
                raise CatalogError([file.finding(node, "semantic", f"Type not found: {spelled}")])
            return SqlType(name)
        case _:
            message = f"this repository reads {', '.join(sorted(TYPES))}, ARRAY and STRUCT, not {file.of(node)}"
            raise CatalogError([file.finding(node, "declaration", message)])


def _table(file: SourceFile, node: Any) -> Table:
    settings = options(file, node)
    clustering = member(node, "cluster_by")
    if not has(node, "table_element_list") or has(node, "query"):
        raise CatalogError([file.finding(node, "declaration", "a table names its columns, and has no query")])
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
    if kind_of(node) != "ASTColumnDefinition":
        message = f"this repository deploys columns, not {file.of(node)}"
        raise CatalogError([file.finding(node, "declaration", message)])
    schema = unwrap(node.schema)
    attributes = member(schema, "attributes")
    required = attributes is not None and any(
        kind_of(unwrap(value)) == "ASTNotNullColumnAttribute" for value in attributes.values
    )
    default = file.of(unwrap(member(schema, "default_expression"))) if has(schema, "default_expression") else None
    return Column(
        node.name.id_string, type_of(file, schema), required, options(file, schema).get("description"), default
    )


def _partitioning(file: SourceFile, node: Any, settings: dict[str, Any]) -> Partitioning | None:
    """DATE(timestamp), a DATE column, or DATE_TRUNC / TIMESTAMP_TRUNC of a column to a part."""
    if not has(node, "partition_by"):
        return None
    clause = member(node, "partition_by")
    expression, *others = [unwrap(each) for each in clause.partitioning_expressions]
    expiration = settings.get("partition_expiration_days")
    match kind_of(expression), others:
        case "ASTPathExpression", []:
            return Partitioning(file.of(expression), "DAY", expiration)
        case "ASTFunctionCall", []:
            match file.of(expression.function).upper(), [file.of(unwrap(each)) for each in expression.arguments]:
                case "DATE", [column]:
                    return Partitioning(column, "DAY", expiration)
                case "DATE_TRUNC" | "TIMESTAMP_TRUNC", [column, part]:
                    return Partitioning(column, part.upper(), expiration)
    message = f"this repository reads DATE(…), a DATE column, DATE_TRUNC and TIMESTAMP_TRUNC, not {file.of(clause)}"
    raise CatalogError([file.finding(clause, "declaration", message)])


def _view(file: SourceFile, node: Any) -> View:
    described = member(node, "column_with_options_list")
    columns = [] if described is None else described.column_with_options
    return View(
        name=file.path.stem,
        path=file.path,
        ddl="",
        query=file.of(member(node, "query")),
        columns=tuple(
            Column(c.name.id_string, SqlType("UNKNOWN"), description=options(file, c).get("description"))
            for c in columns
        ),
        labels=dict(options(file, node).get("labels", [])),
    )


def _arguments(file: SourceFile, parameters: Any, procedure: bool) -> tuple[Argument, ...]:
    if untyped := [entry for entry in parameters.parameter_entries if not entry.HasField("type")]:
        raise CatalogError([file.finding(untyped[0], "declaration", f"{file.of(untyped[0])}: an argument has a type")])
    return tuple(
        Argument(
            entry.name.id_string,
            type_of(file, entry.type),
            (MODES[entry.procedure_parameter_mode] or "IN") if procedure else None,
        )
        for entry in parameters.parameter_entries
    )


def _function(file: SourceFile, node: Any) -> Routine:
    if not has(node, "return_type"):
        raise CatalogError([file.finding(node, "declaration", "a function needs RETURNS")])
    if not has(node, "sql_function_body") or node.is_aggregate:
        message = "this repository deploys functions AS (expression), not aggregate ones, nor other languages"
        raise CatalogError([file.finding(node, "declaration", message)])
    return Routine(
        name=file.path.stem,
        path=file.path,
        ddl="",
        kind=RoutineKind.FUNCTION,
        arguments=_arguments(file, member(node, "function_declaration").parameters, procedure=False),
        returns=type_of(file, node.return_type),
        body=file.of(unwrap(node.sql_function_body.expression)),
    )


def _table_function(file: SourceFile, node: Any) -> Routine:
    if not has(node, "return_tvf_schema"):
        raise CatalogError([file.finding(node, "declaration", "a table function needs RETURNS TABLE<…>")])
    if not has(node, "query"):
        raise CatalogError([file.finding(node, "declaration", "a table function needs AS and a query")])
    return Routine(
        name=file.path.stem,
        path=file.path,
        ddl="",
        kind=RoutineKind.TABLE_FUNCTION,
        arguments=_arguments(file, member(node, "function_declaration").parameters, procedure=False),
        returns_table=_returned_columns(file, node.return_tvf_schema.columns),
        body=file.of(node.query),
    )


def _returned_columns(file: SourceFile, columns: Sequence[Any]) -> tuple[Column, ...]:
    names: set[str] = set()
    for column in columns:
        name = column.name.id_string
        if name.lower() in names:
            raise CatalogError([file.finding(column, "semantic", f"Duplicate column name {name} in RETURNS TABLE")])
        names.add(name.lower())
    return tuple(Column(column.name.id_string, type_of(file, column.type)) for column in columns)


def _procedure(file: SourceFile, node: Any) -> Routine:
    return Routine(
        name=file.path.stem,
        path=file.path,
        ddl="",
        kind=RoutineKind.PROCEDURE,
        arguments=_arguments(file, member(node, "parameters"), procedure=True),
        body=file.of(node.body),
    )
