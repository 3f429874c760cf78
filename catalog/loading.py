"""Loads the catalog from the SQL files, for the production names or for another project and dataset; cached on disk."""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

from catalog.findings import CatalogError, Finding
from catalog.model import Catalog, MonitoringQuery, Routine, ScheduledQuery, Script, SqlObject, Table, View

if TYPE_CHECKING:
    from collections.abc import Collection

    from catalog.analysis import AnalyzedFile
    from catalog.source import SourceFile

REPOSITORY = Path(__file__).resolve().parent.parent
SQL = REPOSITORY / "sql"
CACHE = REPOSITORY / ".cache"
FOLDERS = ("dependencies", "tables", "functions", "table_functions", "views", "procedures", "schedules", "monitoring")


def load_catalog(sql: Path = SQL) -> Catalog:
    """Every object that the SQL files declare, under its production name.

    Args:
        sql: the folder of SQL files.

    Raises:
        CatalogError: files that cannot be read, parsed or compiled; every finding of every file at once.
    """
    return _load(sql, None)


def retarget(catalog: Catalog, project: str, dataset: str) -> Catalog:
    """The same objects for another project and dataset: each qualified name rewritten where the parser sees a name.

    Args:
        catalog: what :func:`load_catalog` gave.
        project: the project id.
        dataset: the dataset id.
    """
    if (catalog.project, catalog.dataset) == (project, dataset):
        return catalog
    return _load(catalog.folder, (project, dataset))


@cache
def _load(sql: Path, target: tuple[str, str] | None) -> Catalog:
    files = read_files(sql)
    digest = hashlib.sha256(repr(target).encode())
    code = ((path, path.read_bytes()) for path in sorted(Path(__file__).parent.glob("*.py")))
    for path, data in [*code, *((path, text.encode()) for path, text in files)]:
        digest.update(f"{path}\0{len(data)}\0".encode() + data)
    cached = CACHE / f"catalog-{digest.hexdigest()[:24]}.pickle"
    # a missing, broken or outdated file is made again; pickle may raise anything on broken bytes
    with contextlib.suppress(Exception):
        # equal files of another folder may have made it
        return replace(cast("Catalog", pickle.loads(cached.read_bytes())), folder=sql)  # noqa: S301 - written below
    catalog = build_catalog(sql, files) if target is None else _retargeted(load_catalog(sql), files, target)
    CACHE.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=CACHE, delete=False) as part:
        part.write(pickle.dumps(catalog))
    Path(part.name).replace(cached)
    return catalog


def read_files(sql: Path) -> list[tuple[Path, str]]:
    """Path (as findings show it) and text of every SQL file, in the order of the rooms.

    Raises:
        CatalogError: no folder, no file, a file in no known room, or one that is no UTF-8.
    """
    root = sql.resolve().parent
    paths = [path for folder in FOLDERS for path in sorted((sql / folder).glob("*.sql"))]
    findings = [
        Finding(path.resolve().relative_to(root), 1, 1, "folder", f"SQL files stand in {', '.join(FOLDERS)}")
        for path in sorted(sql.glob("**/*.sql"))
        if path not in paths
    ]
    files = []
    for path in paths:
        shown = path.resolve().relative_to(root)
        try:
            files.append((shown, path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            findings.append(Finding(shown, 1, 1, "unreadable", str(error)))
    if not files and not findings:
        findings.append(Finding(Path(sql.name), 1, 1, "folder", f"no SQL file found in {sql.name}/"))
    if findings:
        raise CatalogError(findings)
    return files


def analyze_files(files: list[tuple[Path, str]], only: Collection[Path] | None = None) -> list[AnalyzedFile]:
    """Declare every file and analyse them all, or ``only`` some; findings of the analysis are in the results.

    Raises:
        CatalogError: files that do not parse, or declare something else than their folder and name say.
    """
    from catalog.analysis import analyze  # noqa: PLC0415 - ZetaSQL is loaded only where the cache does not answer
    from catalog.declarations import declare  # noqa: PLC0415
    from catalog.source import SourceFile  # noqa: PLC0415

    declared: list[tuple[SourceFile, str, SqlObject]] = []
    findings: list[Finding] = []
    for path, text in files:
        source = SourceFile(path, text)
        try:
            declared.append((source, path.parent.name, declare(source, path.parent.name)))
        except CatalogError as error:
            findings += error.findings
    if findings:
        raise CatalogError(findings)
    return analyze(declared, only)


def build_catalog(sql: Path, files: list[tuple[Path, str]]) -> Catalog:
    """The catalog of files, for the production names.

    Raises:
        CatalogError: what is wrong with them.
    """
    from catalog.declarations import DATASET, PROJECT  # noqa: PLC0415

    analyzed = analyze_files(files)
    findings = [finding for file in analyzed for finding in file.findings]
    if findings:
        raise CatalogError(findings)
    objects = [
        _with_columns(
            replace(
                file.object,
                reads=frozenset(file.reads),
                writes=frozenset(file.writes),
                calls=frozenset(file.calls - {file.object.name} if not isinstance(file.object, Script) else file.calls),
            ),
            file,
        )
        for file in analyzed
    ]
    return _collect(sql, PROJECT, DATASET, [(file.folder, item) for file, item in zip(analyzed, objects, strict=True)])


def _with_columns(item: SqlObject, file: AnalyzedFile) -> SqlObject:
    return replace(item, columns=file.columns) if isinstance(item, View) else item


def _collect(sql: Path, project: str, dataset: str, objects: list[tuple[str, SqlObject]]) -> Catalog:
    def of(folder: str) -> dict[str, SqlObject]:
        return {item.name: item for place, item in objects if place == folder}

    return Catalog(
        project=project,
        dataset=dataset,
        folder=sql,
        tables=cast("dict[str, Table]", of("tables")),
        dependencies=cast("dict[str, Table | View]", of("dependencies")),
        views=cast("dict[str, View]", of("views")),
        functions=cast("dict[str, Routine]", of("functions")),
        table_functions=cast("dict[str, Routine]", of("table_functions")),
        procedures=cast("dict[str, Routine]", of("procedures")),
        schedules=cast("dict[str, ScheduledQuery]", of("schedules")),
        monitoring=cast("dict[str, MonitoringQuery]", of("monitoring")),
    )


def _retargeted(catalog: Catalog, files: list[tuple[Path, str]], target: tuple[str, str]) -> Catalog:
    from catalog.declarations import declare  # noqa: PLC0415
    from catalog.retargeting import retarget_text  # noqa: PLC0415
    from catalog.source import SourceFile  # noqa: PLC0415

    known = {item.path: item for item in catalog}
    objects = []
    for path, text in files:
        original = known[path]
        moved = declare(SourceFile(path, retarget_text(SourceFile(path, text), *target)), path.parent.name, target)
        moved = replace(moved, reads=original.reads, writes=original.writes, calls=original.calls)
        if isinstance(moved, View) and isinstance(original, View):
            moved = replace(moved, columns=original.columns)
        objects.append((path.parent.name, moved))
    return _collect(catalog.folder, *target, objects)


def deployment_order(catalog: Catalog) -> list[SqlObject]:
    """Every object that is created, each after those that it reads, writes or calls.

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
