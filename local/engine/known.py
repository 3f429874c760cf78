"""The catalog in memory, so that statements need not ask DuckDB: resources, names and columns.

One process writes the data folder. Resources are kept as they were written; names and columns are read again after a
statement has changed definitions.
"""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local_bigquery.catalog import datasets, metadata, row_access, tables
from local_bigquery.engine import database
from local_bigquery.models import Routine, RowAccessPolicy, Table
from local_bigquery.sql.rules import partitions

from local.engine.connections import changed, lake, versions

if TYPE_CHECKING:
    from collections.abc import Callable

Keys = tuple[str, ...]

OBJECTS = """
SELECT d.schema_name, t.table_name, 'TABLE' FROM {metadata}.ducklake_table AS t
JOIN {metadata}.ducklake_schema AS d USING (schema_id) WHERE t.end_snapshot IS NULL AND d.end_snapshot IS NULL
UNION ALL SELECT d.schema_name, v.view_name, 'VIEW' FROM {metadata}.ducklake_view AS v
JOIN {metadata}.ducklake_schema AS d USING (schema_id) WHERE v.end_snapshot IS NULL AND d.end_snapshot IS NULL
UNION ALL SELECT schema_name, NULL, NULL FROM {metadata}.ducklake_schema WHERE end_snapshot IS NULL
ORDER BY ALL
"""


@dataclass
class Names:
    """The names at one version of the definitions."""

    definitions: int
    objects: dict[str, dict[tuple[str, str], str]] = field(default_factory=dict)  # by project: (dataset, name) → kind
    datasets: dict[str, set[str]] = field(default_factory=dict)
    columns: dict[Keys, list[Any]] = field(default_factory=dict)
    ingestion_time: dict[Keys, bool] = field(default_factory=dict)
    readers: dict[str, frozenset[str]] = field(default_factory=dict)


_lock = threading.RLock()  # held briefly
_writing = threading.RLock()  # held while a description is written: DuckDB waits for the disk and the maintenance
_resources: dict[type[Any], dict[Keys, Any]] = {}
_names = Names(-1)


def install() -> None:
    """Answer from memory where the package asks DuckDB."""
    metadata.list_ = list_resources
    metadata.load = load_resource
    metadata.save = also_in_memory(metadata.save)
    metadata.delete = also_from_memory(metadata.delete)
    row_access.secured = secured
    database.objects = objects(database.objects)
    datasets.exists = dataset_exists
    tables._lookup = with_rows(tables._lookup)
    tables.exists = exists
    tables.columns = columns_once(tables.columns)
    partitions._hidden = has_ingestion_time(partitions._hidden)


def read_resources() -> None:
    """Read all resources, once the data folder is open."""
    with _lock:
        _resources.clear()
        for model, kind in metadata.KINDS.items():
            keys = database.RESOURCES[kind]
            rows = database.fetch(f"SELECT {', '.join(keys)}, resource FROM emulator.{kind}")
            _resources[model] = {tuple(row): model.model_validate_json(resource) for *row, resource in rows}


def list_resources(model: type[Any], *keys: str) -> list[Any]:
    """The resources of a kind in a project, a dataset and so on."""
    with _lock:
        return [found for own, found in _resources[model].items() if own[: len(keys)] == keys]


def load_resource(model: type[Any], *keys: str) -> Any:
    """A resource, or None; given only some of its keys, the first match."""
    with _lock:
        if found := _resources[model].get(keys):
            return found
    return next(iter(list_resources(model, *keys)), None)


def also_in_memory(original: Callable[..., Any]) -> Callable[..., Any]:
    """Remember a resource that was written."""

    @functools.wraps(original)
    def save(resource: Any, *keys: str) -> Any:
        with _writing:
            saved = original(resource, *keys)
            with _lock:
                _resources[type(resource)][keys] = saved
            changed(definitions=True)
            return saved

    return save


def also_from_memory(original: Callable[..., None]) -> Callable[..., None]:
    """Forget a resource that was deleted."""

    @functools.wraps(original)
    def delete(model: type[Any], *keys: str) -> None:
        with _writing:
            original(model, *keys)
            with _lock:
                for own in [own for own in _resources[model] if own[: len(keys)] == keys]:
                    del _resources[model][own]
            changed(definitions=True)

    return delete


def definitions_that_read(name: str) -> frozenset[str]:
    """Names, in upper case, of the views and functions whose text contains this, or the name of another such one.

    Their text replaces their name in a statement; procedures run as statements.
    """
    kept = _current().readers
    if name not in kept:
        with _lock:
            texts = [(keys[-1], table.view.query) for keys, table in _resources[Table].items() if table.view]
            routines = _resources[Routine].items()
            texts += [(keys[-1], one.definitionBody) for keys, one in routines if one.routineType != "PROCEDURE"]
        waiting = {own.upper(): (text or "").upper() for own, text in texts}
        readers, wanted = set[str](), {name}
        while wanted := {own for own, text in waiting.items() if any(each in text for each in wanted)} - readers:
            readers |= wanted
        kept[name] = frozenset(readers)
    return kept[name]


def secured() -> frozenset[Keys]:
    """The tables with row access policies."""
    with _lock:
        return frozenset(keys[:3] for keys in _resources[RowAccessPolicy])


def _current() -> Names:
    """The current names; a concurrent change makes them outdated immediately."""
    global _names  # noqa: PLW0603 - replaced as a whole
    with _lock:
        if _names.definitions != versions.definitions:
            _names = Names(versions.definitions)
        return _names


def _project(names: Names, project: str) -> dict[tuple[str, str], str]:
    with _lock:
        if project not in names.objects:
            known = project in database._attached
            found = database.fetch(OBJECTS.format(metadata=lake(project))) if known else []
            names.objects[project] = {(dataset, name): kind for dataset, name, kind in found if kind}
            names.datasets[project] = {dataset for dataset, *_ in found}
        return names.objects[project]


def objects(original: Callable[..., Any]) -> Callable[..., Any]:
    """The tables and views of a dataset, or the one of a name: (name, kind, 0), the rows are not counted here."""

    @functools.wraps(original)
    def found(project: str, dataset: str, table: str | None = None) -> list[tuple[str, str, int]]:
        if project not in database._attached:
            return original(project, dataset, table)  # type: ignore[no-any-return]
        known = _project(_current(), project)
        if table is not None:
            kind = known.get((dataset, table))
            return [(table, kind, 0)] if kind else []
        return [(name, kind, 0) for (own, name), kind in known.items() if own == dataset]

    return found


def dataset_exists(project: str, dataset: str) -> bool:
    """Whether a dataset exists."""
    names = _current()
    _project(names, project)
    return dataset in names.datasets[project]


def with_rows(original: Callable[..., Any]) -> Callable[..., Any]:
    """A table's kind and its number of rows; DuckLake's statistics would count deleted rows."""

    @functools.wraps(original)
    def look_up(project: str, dataset: str, table: str) -> tuple[str, int] | None:
        found: tuple[str, int] | None = original(project, dataset, table)
        if found is None or found[0] != "TABLE" or dataset == tables.RESULTS:
            return found
        ((rows,),) = database.fetch(f"SELECT count(*) FROM {tables.name(project, dataset, table)}")
        return found[0], rows

    return look_up


def exists(project: str, dataset: str, table: str) -> bool:
    """Whether a table or view exists and has not expired."""
    stored = load_resource(Table, project, dataset, table)
    if tables.expired(stored):
        return tables._lookup(project, dataset, table) is not None
    return bool(stored or database.objects(*tables.physical(project, dataset, table)))


def columns_once(original: Callable[..., Any]) -> Callable[..., Any]:
    """The columns of a table or view, read once for each version of the definitions."""

    @functools.wraps(original)
    def columns(project: str, dataset: str, table: str) -> list[Any]:
        if dataset == tables.RESULTS:
            return original(project, dataset, table)  # type: ignore[no-any-return]
        kept = _current().columns
        key = (project, dataset, table)
        if key not in kept:
            kept[key] = original(project, dataset, table)
        return list(kept[key])

    return columns


def has_ingestion_time(original: Callable[..., bool]) -> Callable[..., bool]:
    """Whether a table of a statement is partitioned by ingestion time."""

    @functools.wraps(original)
    def hidden(table: Any) -> bool:
        kept = _current().ingestion_time
        key = (table.catalog, table.db, table.name)
        if key not in kept:
            kept[key] = original(table)
        return kept[key]

    return hidden
