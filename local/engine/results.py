"""Results of queries: Arrow data instead of tables, in memory if it is small, else in a temporary file.

A result is kept for a day, as in BigQuery. Here it is also dropped when newer ones need the room, and when the server
ends. A statement that names it as a table gets a table, created at that moment.
"""

from __future__ import annotations

import functools
import shutil
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
from local_bigquery.catalog import names, tabledata, tables
from local_bigquery.engine import database, types
from local_bigquery.engine.results import DEFAULT_PAGE_SIZE, Page, _without_null_elements, unique
from local_bigquery.errors import BigQueryError, not_found
from local_bigquery.jobs import query, runner
from local_bigquery.settings import settings

from declared.sizes import MEGABYTE
from local.engine import clock
from local.engine.connections import versions
from local.engine.remembered import Remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from local.engine.connections import Connection

KEPT = timedelta(hours=24)
IN_MEMORY = MEGABYTE  # bytes; a larger result is written to a file
MEMORY = 64 * MEGABYTE  # bytes of all results in memory
FILES = 4096 * MEGABYTE  # bytes of all results in files
OVERHEAD = 4096  # bytes of a result in addition to its rows
ROWS_A_BATCH = 10_000
#: The folder of large results, and the database for results as tables; no project can have this name.
DATABASE = "_results"

Columns = list[tuple[str, Any]]  # names and DuckDB types


class StreamError(Exception):
    """A query failed while its rows were being read."""


@dataclass(frozen=True)
class Result:
    """The rows of a query, with columns named by position, and their time on the engine's clock."""

    columns: Columns
    rows: pa.Table
    size: int
    made: datetime
    file: Path | None = None


@dataclass
class Kept:
    """All results by project and job, the oldest first."""

    results: dict[tuple[str, str], Result] = field(default_factory=dict)
    tables: set[tuple[str, str]] = field(default_factory=set)  # the results that have become tables
    memory: int = 0
    files: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)


_kept = Kept()
_selects: Remembered[tuple[str, Columns]] = Remembered()


def install() -> None:
    """Make the package store and read results here."""
    query._write = kept_here(query._write)
    tables.physical = as_a_table(tables.physical)
    tables.delete = forgotten_here(tables.delete)
    tabledata.list_rows = read_here(tabledata.list_rows)


def open_folder() -> None:
    """Begin without results: those of an earlier process are lost."""
    shutil.rmtree(_folder(), ignore_errors=True)
    _folder().mkdir()
    database.execute(f"ATTACH '{_folder() / 'named.duckdb'}' AS {database.quote(DATABASE)}")


def _folder() -> Path:
    return settings.data_dir / DATABASE  # type: ignore[no-any-return]


def kept_here(original: Callable[..., None]) -> Callable[..., None]:
    """Keep the result of a query without a destination table."""

    @functools.wraps(original)
    def write(cursor: Connection, sql: str, bound: dict[str, Any], destination: Any, config: Any, *rest: Any) -> None:
        if destination.datasetId != tables.RESULTS:
            original(cursor, sql, bound, destination, config, *rest)
            return
        select, columns = _selected(cursor, sql, bound)
        tables.layout([name for name, _ in columns], config, config.writeDisposition or "WRITE_EMPTY")
        if config.createDisposition == "CREATE_NEVER":
            raise not_found("Table", names.label(destination.projectId, tables.RESULTS, destination.tableId))
        key = destination.projectId, destination.tableId
        try:
            keep(*key, columns, cursor.execute(select, bound).to_arrow_reader(ROWS_A_BATCH))
        except StreamError as error:
            running = runner._running.get(key)
            if not (running and running.cancelled):
                with suppress(duckdb.TransactionException):  # the transaction has failed
                    # which thread's error is seen is chance: this raises the query's own
                    cursor.native.sql(select, params=bound or None).execute()
            raise duckdb.Error(str(error)) from error

    return write


def _selected(cursor: Connection, sql: str, bound: dict[str, Any]) -> tuple[str, Columns]:
    """A query whose columns have BigQuery's types, and their names and types."""

    def found() -> tuple[str, Columns]:
        try:
            probe = cursor.execute(f"SELECT * FROM ({sql}) LIMIT 0", bound).description
        except duckdb.Error:
            cursor.execute(sql, bound)  # raises the error of the query itself
            raise
        return _select(sql, [(name, kind) for name, kind, *_ in probe])

    return found() if cursor.sees_its_own else _selects.get(sql, (cursor.place, versions.definitions), found)


def _positions(count: int) -> list[str]:
    """Unique names that need no quotes."""
    return [f"c{number}" for number in range(count)]


def _select(sql: str, columns: Columns) -> tuple[str, Columns]:
    """The query with its columns cast, as the package does for a table, and their names and types."""
    positions = _positions(len(columns))
    cells = [
        _without_null_elements(types.cast(position, kind), name, kind)
        for position, (name, kind) in zip(positions, columns, strict=True)
    ]
    normal = [types.DuckDBPyType(types.normalised(kind)) for _, kind in columns]
    named = list(zip(unique([name for name, _ in columns]), normal, strict=True))
    cells = [
        f"CAST({cell} AS {_in_arrow(kind)})" if "INTERVAL" in str(kind) else cell
        for cell, kind in zip(cells, normal, strict=True)
    ]
    if cells == positions:
        return sql, named
    selected = ", ".join(f"{cell} AS {position}" for cell, position in zip(cells, positions, strict=True))
    return f"SELECT {selected} FROM ({sql}) AS q({', '.join(positions)})", named


def _in_arrow(kind: Any) -> str:
    """The type of a column in Arrow. Intervals are text, since Arrow's reach only 292 years."""
    if kind.id == "interval":
        return "VARCHAR"
    if kind.id == "list":
        return f"{_in_arrow(kind.children[0][1])}[]"
    if kind.id == "struct":
        return f"STRUCT({', '.join(f'{database.quote(name)} {_in_arrow(child)}' for name, child in kind.children)})"
    return str(kind)


def _from_arrow(position: str, kind: Any) -> str:
    return f"CAST({position} AS {kind})" if "INTERVAL" in str(kind) else position


def _read(batches: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """The batches of a query that runs while they are read. Arrow raises its errors as an OSError without a number."""
    try:
        yield from batches
    except (OSError, pa.ArrowException) as error:
        if getattr(error, "errno", None):
            raise
        raise StreamError(str(error)) from error


def keep(project: str, job: str, columns: Columns, batches: pa.RecordBatchReader) -> None:
    """Keep the rows of a job; drop results that are too old or too many.

    Args:
        project: the job's project.
        job: its id; an earlier result is dropped.
        columns: names and DuckDB types.
        batches: the rows; read to their end.
    """
    read, size = [], 0
    rest = _read(batches)
    for batch in rest:
        read.append(batch)
        size += batch.nbytes
        if size > IN_MEMORY:
            break
    file = None
    if size > IN_MEMORY:
        file = _folder() / f"{uuid.uuid4().hex}.arrow"
        rows = _written(file, batches.schema, read, rest)
        size = file.stat().st_size
    else:
        # copied: DuckDB's own buffers have room for 2,048 rows in each column
        buffer = pa.BufferOutputStream()
        with pa.ipc.new_file(buffer, batches.schema) as writer:
            for batch in read:
                writer.write_batch(batch)
        copied = buffer.getvalue()
        rows = pa.ipc.open_file(copied).read_all()
        size = copied.size
    result = Result(columns, rows.rename_columns(_positions(len(columns))), size, clock.now(), file)
    with _kept.lock:
        forget(project, job)
        _kept.results[project, job] = result
        _count(result, 1)
        make_room()


def _count(result: Result, sign: int) -> None:
    if result.file:
        _kept.files += sign * result.size
    else:
        _kept.memory += sign * (result.size + OVERHEAD)


def _written(file: Path, schema: pa.Schema, read: list[pa.RecordBatch], rest: Iterator[pa.RecordBatch]) -> pa.Table:
    """The rows, written to a file and mapped into memory."""
    try:
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            while read:
                writer.write_batch(read.pop(0))
            for batch in rest:
                writer.write_batch(batch)
        return pa.ipc.open_file(pa.memory_map(str(file))).read_all()
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def make_room() -> None:
    """Drop results that are a day old, then the oldest until the rest fits; the newest always stays."""
    with _kept.lock:
        while _kept.results:
            key, oldest = next(iter(_kept.results.items()))
            too_many = len(_kept.results) > 1 and (_kept.memory > MEMORY or _kept.files > FILES)
            if not _is_old(oldest) and not too_many:
                return
            forget(*key)


def _is_old(result: Result) -> bool:
    return result.made + KEPT < clock.now()


def forget(project: str, job: str) -> None:
    """Drop a result and the table created from it."""
    key = project, job
    with _kept.lock:
        if result := _kept.results.pop(key, None):
            _count(result, -1)
            if result.file:
                result.file.unlink(missing_ok=True)
        if key in _kept.tables:
            _kept.tables.remove(key)
            database.execute(f"DROP TABLE IF EXISTS {_table(project, job)}")


def _table(project: str, job: str) -> str:
    return str(database.quote(DATABASE, "main", f"{project}:{job}"))


def find(project: str, job: str) -> Result:
    """A result.

    Raises:
        BigQueryError: notFound.
    """
    with _kept.lock:
        result = _kept.results.get((project, job))
        if result is None or _is_old(result):
            forget(project, job)
            raise not_found("Table", names.label(project, tables.RESULTS, job))
        return result


def read_here(original: Callable[..., Any]) -> Callable[..., Any]:
    """Read a page of a result, in BigQuery's form."""

    @functools.wraps(original)
    def list_rows(  # noqa: PLR0917 - the package's signature
        project: str, dataset: str, table: str, most: int | None, start: int, selected: str | None, *rest: Any
    ) -> Any:
        if dataset != tables.RESULTS:
            return original(project, dataset, table, most, start, selected, *rest)
        if start < 0 or (most or 0) < 0:
            raise BigQueryError("invalid", "startIndex and maxResults cannot be negative")
        result = find(project, table)
        wanted = {name.strip().casefold() for name in selected.split(",")} if selected else None
        columns = [
            (position, name, kind)
            for position, (name, kind) in zip(result.rows.column_names, result.columns, strict=True)
            if wanted is None or name.casefold() in wanted
        ]
        rows = result.rows.slice(start, DEFAULT_PAGE_SIZE if most is None else most)
        end = start + rows.num_rows
        page = Page(
            _encoded(rows, columns, *rest), result.rows.num_rows, str(end) if end < result.rows.num_rows else None
        )
        return page, [types.field(name, kind) for _, name, kind in columns]

    return list_rows


def _encoded(rows: pa.Table, columns: list[tuple[str, str, Any]], int64_timestamps: bool) -> list[str]:
    if not rows.num_rows:
        return []
    cells = types.row([(position, kind) for position, _, kind in columns], int64_timestamps)
    typed = ", ".join(f"{_from_arrow(position, kind)} AS {position}" for position, _, kind in columns) or "NULL"
    with database.cursor() as cursor:
        cursor.register("page", rows)
        return [row for (row,) in cursor.execute(f"SELECT {cells} FROM (SELECT {typed} FROM page)").fetchall()]


def as_a_table(original: Callable[..., tuple[str, str, str]]) -> Callable[..., tuple[str, str, str]]:
    """Let a statement or job that names a result read a table of it."""

    @functools.wraps(original)
    def physical(project: str, dataset: str, table: str) -> tuple[str, str, str]:
        if dataset != tables.RESULTS:
            return original(project, dataset, table)
        with _kept.lock:
            if (project, table) not in _kept.tables:
                _create(_table(project, table), find(project, table))
                _kept.tables.add((project, table))
        return DATABASE, "main", f"{project}:{table}"

    return physical


def _create(table: str, result: Result) -> None:
    cells = ", ".join(
        f"CAST({position} AS {kind}) AS {database.quote(name)}"
        for position, (name, kind) in zip(result.rows.column_names, result.columns, strict=True)
    )
    with database.cursor() as cursor:
        cursor.register("rows", result.rows)
        cursor.execute(f"CREATE TABLE {table} AS SELECT {cells} FROM rows")


def forgotten_here(original: Callable[..., None]) -> Callable[..., None]:
    """Drop a job's result when the job is deleted."""

    @functools.wraps(original)
    def delete(project: str, dataset: str, table: str) -> None:
        if dataset == tables.RESULTS:
            forget(project, table)
        else:
            original(project, dataset, table)

    return delete
