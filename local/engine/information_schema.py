"""INFORMATION_SCHEMA: the columns that the verification reads and the package lacks."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from local_bigquery.catalog import options, routines, tables
from local_bigquery.sql.rules import information_schema as package

from local.engine.job_history import COPY

if TYPE_CHECKING:
    from collections.abc import Callable

JOB_COLUMNS = """
    CAST(resource ->> '$.statistics.totalBytesProcessed' AS BIGINT) AS total_bytes_processed,
    CAST(resource ->> '$.statistics.query.totalBytesBilled' AS BIGINT) AS total_bytes_billed,
    list_transform(
        from_json(
            coalesce(json_extract(resource, '$.statistics.query.referencedTables'), '[]'),
            '[{{"projectId": "VARCHAR", "datasetId": "VARCHAR", "tableId": "VARCHAR"}}]'
        ),
        lambda one: {{'project_id': one.projectId, 'dataset_id': one.datasetId, 'table_id': one.tableId}}
    ) AS referenced_tables,
    make_timestamp(CAST(resource ->> '$.statistics.startTime' AS BIGINT) * 1000) AS start_time,
    make_timestamp(CAST(resource ->> '$.statistics.endTime' AS BIGINT) * 1000) AS end_time,
    {{'reason': resource ->> '$.status.errorResult.reason', 'message': resource ->> '$.status.errorResult.message'}}
        AS error_result"""


def install() -> None:
    """Replace the views' functions in the package's table of them."""
    package.VIEWS["ROUTINES"] = with_definitions(package.routines)
    package.VIEWS["COLUMNS"] = with_defaults(package.column_list)
    package.VIEWS["PARAMETERS"] = parameters
    package.rendered = options.rendered  # with the options that local.engine.tables adds
    package.JOBS = package.JOBS.replace(
        "AS error_reason\nFROM emulator.main.jobs", f"AS error_reason,{JOB_COLUMNS}\nFROM {COPY}"
    )


def with_definitions(original: Callable[..., Any]) -> Callable[..., Any]:
    """ROUTINES: the definition, and when it was created and altered."""

    @functools.wraps(original)
    def view(project: str, dataset: str | None) -> Any:
        columns, rows = original(project, dataset)
        added = ["specific_catalog", "specific_schema", "specific_name", "routine_definition"]
        times = ["created TIMESTAMP", "last_altered TIMESTAMP"]
        known = routines.list_(project, dataset) if dataset else routines.list_(project)
        for row, routine in zip(rows, known, strict=True):
            made = [package._timestamp(t) for t in (routine.creationTime, routine.lastModifiedTime)]
            row += [*row[:3], routine.definitionBody, *made]
        return [*columns, *added, *times], rows

    return view


def with_defaults(original: Callable[..., Any]) -> Callable[..., Any]:
    """COLUMNS: column_default; 'NULL' without a default, as in BigQuery."""

    @functools.wraps(original)
    def view(project: str, dataset: str | None) -> Any:
        columns, rows = original(project, dataset)
        fields = [field for table in package._tables(project, dataset) for field in tables.fields(table)]
        for row, field in zip(rows, fields, strict=True):
            row.append(field.defaultValueExpression or "NULL")
        return [*columns, "column_default"], rows

    return view


def parameters(project: str, dataset: str | None) -> Any:
    """PARAMETERS: full types; the package omits the element types of arrays and structs."""
    columns = [
        *("specific_catalog", "specific_schema", "specific_name", "ordinal_position INT64", "parameter_mode"),
        *("is_result", "parameter_name", "data_type", "parameter_default", "is_aggregate"),
    ]
    known = routines.list_(project, dataset) if dataset else routines.list_(project)
    rows = []
    for routine in known:
        reference = routine.routineReference
        identity = [reference.projectId, reference.datasetId, reference.routineId]
        results = [(0, None, "YES", None, routine.returnType)] if routine.returnType else []
        arguments = [
            (position, argument.mode, "NO", argument.name, argument.dataType)
            for position, argument in enumerate(routine.arguments or [], start=1)
        ]
        for position, mode, result, name, kind in [*results, *arguments]:
            rows.append([*identity, position, mode, result, name, kind and _type(kind), None, None])
    return columns, rows


def _type(kind: Any) -> str:
    return str(routines.sql_type(kind)).replace("`", "")
