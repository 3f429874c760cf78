"""Loads the catalog from the SQL files, for the production names or for another project and dataset."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, cast

from catalog import cache as kept
from catalog.check import results_of
from catalog.files import SQL, read_files
from catalog.findings import CatalogError, Finding
from catalog.model import (
    DATASET,
    LOCATION,
    PROJECT,
    Catalog,
    Routine,
    ScheduledQuery,
    Script,
    SqlObject,
    Table,
    View,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


def load_catalog(sql: Path = SQL) -> Catalog:
    """Every object that the SQL files declare, under its production name.

    Args:
        sql: the folder of SQL files.

    Raises:
        CatalogError: files that cannot be read, parsed or compiled; every finding of every file.
    """
    return _load(sql, None)


def retarget(catalog: Catalog, project: str, dataset: str, location: str = LOCATION) -> Catalog:
    """The same objects for another project and dataset: each qualified name is rewritten on the parse tree.

    Args:
        catalog: what :func:`load_catalog` gave.
        project: the project id.
        dataset: the dataset id.
        location: the dataset's location, whose job history is read.
    """
    if (project, dataset, location) == (PROJECT, DATASET, LOCATION):
        return load_catalog(catalog.folder)
    return _load(catalog.folder, (project, dataset, location))


@cache
def _load(sql: Path, target: tuple[str, str, str] | None) -> Catalog:
    files = read_files(sql)
    if target is None:
        results = results_of(files)
        if findings := [finding for result in results for finding in result.errors]:
            raise CatalogError(findings)
        return _collect(sql, (PROJECT, DATASET, LOCATION), {result.path: result.item for result in results})
    originals = {item.path: item for item in load_catalog(sql)}
    return _collect(sql, target, {path: _retargeted(originals[path], text, target) for path, text in files})


def _collect(sql: Path, target: tuple[str, str, str], objects: Mapping[Path, SqlObject]) -> Catalog:
    def of(folder: str) -> dict[str, SqlObject]:
        return {item.name: item for path, item in objects.items() if path.parent.name == folder}

    project, dataset, _ = target
    monitoring = cast("dict[str, Routine]", of("monitoring"))
    return Catalog(
        project=project,
        dataset=dataset,
        folder=sql,
        tables=cast("dict[str, Table]", of("tables")),
        dependencies=cast("dict[str, Table | View]", of("dependencies")),
        views=cast("dict[str, View]", of("views")),
        functions=cast("dict[str, Routine]", of("functions")),
        table_functions={**cast("dict[str, Routine]", of("table_functions")), **monitoring},
        procedures=cast("dict[str, Routine]", of("procedures")),
        schedules=cast("dict[str, ScheduledQuery]", of("schedules")),
        monitoring=monitoring,
    )


def _retargeted(original: SqlObject, text: str, target: tuple[str, str, str]) -> SqlObject:
    """An object as its file declares it for another project and dataset, with the lineage of the original."""
    key = kept.key("retargeted", original.path, text, target)
    found = kept.read(key, type(original))
    if found is None:
        found = _declare_for(target, original.path, text)
        kept.write(key, found)
    moved = replace(found, reads=original.reads, writes=original.writes, calls=original.calls)
    if isinstance(moved, View) and isinstance(original, View):
        return replace(moved, columns=original.columns)
    return moved


def _declare_for(target: tuple[str, str, str], path: Path, text: str) -> SqlObject:
    from catalog.declarations import declare  # noqa: PLC0415 - ZetaSQL is loaded only where the cache has no answer
    from catalog.retargeting import retarget_text  # noqa: PLC0415
    from catalog.source import SourceFile  # noqa: PLC0415

    return declare(SourceFile(path, retarget_text(SourceFile(path, text), *target)), path.parent.name, target[:2])


def deployment_order(catalog: Catalog) -> list[SqlObject]:
    """Every object that is created, each after the objects that it reads, writes or calls.

    Raises:
        CatalogError: objects that need each other.
    """
    pending = {item.name: item for item in catalog if not isinstance(item, Script)}
    ordered: list[SqlObject] = []
    while pending:
        ready = [
            item
            for item in pending.values()
            if not ((item.reads | item.writes | item.calls) - {item.name}) & set(pending)
        ]
        if not ready:
            names = ", ".join(sorted(pending))
            first = next(iter(pending.values()))
            raise CatalogError([Finding(first.path, 1, 1, "cycle", f"objects need each other: {names}")])
        ordered += ready
        for item in ready:
            del pending[item.name]
    return ordered


def dependents(catalog: Catalog, names: Iterable[str], by_writing: bool = False) -> set[str]:
    """Names of the objects that read or call the named ones, directly or not.

    A scheduled query has the name of the procedure that it calls.

    Args:
        catalog: where to look.
        names: names of objects.
        by_writing: whether an object that writes a table depends on it too.
    """
    named, found = set(names), set[str]()
    uses = [(item.name, item.reads | item.calls | (item.writes if by_writing else frozenset())) for item in catalog]
    while more := {name for name, used in uses if name not in found and used & (found | named)}:
        found |= more
    return found
