"""Compiles every SQL file against the others and applies the house rules; each file's result is cached.

The result of a file depends on its text, on the signatures of the objects that it names, and on the code. The
analyzer is started only for files whose result is not in the cache.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from catalog import cache
from catalog.files import SQL, read_files
from catalog.findings import CatalogError, Finding
from catalog.model import (
    Column,
    Routine,
    ScheduledQuery,
    Script,
    Signature,
    SqlObject,
    Table,
    View,
    signature_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from catalog.analysis import AnalyzedFile

#: Below this number of files more processes cost more than they save.
WORTH_PROCESSES = 8
#: Batches per process, so that a process that finishes early takes another batch.
BATCHES = 4


#: How the cache holds the object that a file declares, and every identifier in the file.
FORMS: dict[type[SqlObject], Any] = {
    Table: tuple[Table, frozenset[str]],
    View: tuple[View, frozenset[str]],
    Routine: tuple[Routine, frozenset[str]],
    ScheduledQuery: tuple[ScheduledQuery, frozenset[str]],
}


class Meaning(NamedTuple):
    """What the analyzer adds to a file without errors: lineage, a view's columns, and the rules that it breaks."""

    reads: frozenset[str]
    writes: frozenset[str]
    calls: frozenset[str]
    columns: tuple[Column, ...]
    broken: tuple[Finding, ...]


@dataclass(frozen=True)
class Declared:
    """A file with the object that it declares, and every identifier in it, in lower case."""

    path: Path
    text: str
    item: SqlObject
    names: frozenset[str]

    def uses(self, signatures: Iterable[Signature]) -> list[Signature]:
        """The signatures that the analysis of this file can meet: those whose name is an identifier in it."""
        return [signature for signature in signatures if signature.name.lower() in self.names]


@dataclass(frozen=True)
class FileResult:
    """What is known of a file: its object with lineage and a view's columns, and what is wrong.

    ``errors`` are what the analyzer says. A file with errors breaks no rules: its meaning is unknown.
    """

    path: Path
    item: SqlObject
    meaning: Meaning
    errors: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class CheckResult:
    """How many files were checked, and what was found."""

    files: int
    findings: tuple[Finding, ...]


def check(sql: Path = SQL, processes: int = 1) -> CheckResult:
    """Check every file of a folder.

    Args:
        sql: the folder of SQL files.
        processes: how many processes may analyze files.
    """
    try:
        results = results_of(read_files(sql), processes)
    except CatalogError as error:
        return CheckResult(len(list(sql.glob("**/*.sql"))), tuple(error.findings))
    findings = {finding for result in results for finding in (*result.errors, *result.meaning.broken)}
    return CheckResult(len(results), tuple(sorted(findings)))


def results_of(files: Sequence[tuple[Path, str]], processes: int = 1) -> list[FileResult]:
    """The result of each file, in the same order, from the cache or by the analyzer.

    Args:
        files: path and text of each file; all files of a folder, because they may name each other.
        processes: how many processes may analyze files.

    Raises:
        CatalogError: a file does not parse, or does not declare what its folder and name say.
    """
    declared = _declared(files)
    signatures, results = _views(declared)
    others = [file for file in declared if file.path not in results]
    results |= _results(others, signatures, processes)
    return [results[path] for path, _ in files]


def analyze_files(files: Sequence[tuple[Path, str]], only: Collection[Path]) -> list[AnalyzedFile]:
    """Analyze some files, and every view, with their trees; nothing is cached.

    Args:
        files: path and text of each file of a folder.
        only: the paths of the files to analyze.

    Raises:
        CatalogError: a file does not parse, or does not declare what its folder and name say.
    """
    declared = _declared(files)
    signatures, views = _views(declared)
    return _analyzed([file for file in declared if file.path in only or file.path in views], signatures)


def _declared(files: Sequence[tuple[Path, str]]) -> list[Declared]:
    findings: list[Finding] = []
    declared = []
    for path, text in files:
        names = {kind: f"{cache.key('declared', path, text)}-{kind.__name__}" for kind in FORMS}
        known = next(filter(None, (cache.read(name, FORMS[kind]) for kind, name in names.items())), None)
        if known is None:
            try:
                known = _declare(path, text)
            except CatalogError as error:
                findings += error.findings
                continue
            cache.write(names[type(known[0])], known)
        declared.append(Declared(path, text, *known))
    findings += _same_names(declared)
    if findings:
        raise CatalogError(findings)
    return declared


def _same_names(declared: Sequence[Declared]) -> Iterator[Finding]:
    """Objects whose name another one has: the analyzer, and a reader, could not tell them apart."""
    known: dict[str, Path] = {}
    for file in declared:
        if (
            not isinstance(file.item, Script)
            and (first := known.setdefault(file.item.name.lower(), file.path)) != file.path
        ):
            yield Finding(file.path, 1, 1, "declaration", f"{first} has the same name: rename one of them")


def _declare(path: Path, text: str) -> tuple[SqlObject, frozenset[str]]:
    from catalog.declarations import declare  # noqa: PLC0415 - ZetaSQL is loaded only where the cache has no answer
    from catalog.source import SourceFile  # noqa: PLC0415

    source = SourceFile(path, text)
    identifiers = (place.node.id_string.lower() for place in source.places["ASTIdentifier"])
    names = frozenset(part for identifier in identifiers for part in identifier.split("."))
    return declare(source, path.parent.name), names


def _views(declared: Sequence[Declared]) -> tuple[tuple[Signature, ...], dict[Path, FileResult]]:
    """Every signature, and the results of the views: the analyzer finds their columns, inner views first."""
    signatures = _signatures(file.item for file in declared)
    results: dict[Path, FileResult] = {}
    waiting = [file for file in declared if isinstance(file.item, View)]
    while waiting:
        names = {file.item.name.lower() for file in waiting}
        ready = [file for file in waiting if not file.names & (names - {file.item.name.lower()})]
        found = _results(ready or waiting, signatures)
        if not ready:  # they seem to name each other: continue with those that compile
            found = {path: result for path, result in found.items() if not result.errors} or found
        results |= found
        signatures += _signatures(result.item for result in found.values())
        waiting = [file for file in waiting if file.path not in results]
    return signatures, results


def _signatures(items: Iterable[SqlObject]) -> tuple[Signature, ...]:
    return tuple(filter(None, map(signature_of, items)))


def _results(
    files: Sequence[Declared], signatures: tuple[Signature, ...], processes: int = 1
) -> dict[Path, FileResult]:
    """The results of some files; those with errors are not cached, so an error is never an old one."""
    keys = {file.path: cache.key("result", file.path, file.text, file.uses(signatures)) for file in files}
    results = {
        file.path: FileResult(file.path, _completed(file.item, meaning), meaning)
        for file in files
        if (meaning := cache.read(keys[file.path], Meaning)) is not None
    }
    for result in _examined([file for file in files if file.path not in results], signatures, processes):
        results[result.path] = result
        if not result.errors:
            cache.write(keys[result.path], result.meaning)
    return results


def _examined(files: Sequence[Declared], signatures: tuple[Signature, ...], processes: int) -> list[FileResult]:
    """Analyze files, in several processes if there are enough files."""
    if processes == 1 or len(files) < WORTH_PROCESSES:
        return _examine(signatures, files) if files else []
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 - slow to import, and seldom needed
    from multiprocessing import get_context  # noqa: PLC0415

    longest_first = sorted(files, key=lambda file: len(file.text), reverse=True)
    batches = [longest_first[number :: processes * BATCHES] for number in range(processes * BATCHES)]
    # spawned, because a copy of this process would share its WebAssembly module
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        return [result for results in pool.map(partial(_examine, signatures), batches) for result in results]


def _examine(signatures: tuple[Signature, ...], files: Sequence[Declared]) -> list[FileResult]:
    return [
        FileResult(file.source.path, _completed(file.object, meaning := _meaning(file)), meaning, tuple(file.findings))
        for file in _analyzed(files, signatures)
    ]


def _analyzed(files: Sequence[Declared], signatures: tuple[Signature, ...]) -> list[AnalyzedFile]:
    from catalog.analysis import analyze  # noqa: PLC0415 - ZetaSQL is loaded only where the cache has no answer
    from catalog.namespace import Namespace  # noqa: PLC0415
    from catalog.source import SourceFile  # noqa: PLC0415

    namespace = Namespace(signatures)
    return [analyze(SourceFile(file.path, file.text), file.path.parent.name, file.item, namespace) for file in files]


def _meaning(file: AnalyzedFile) -> Meaning:
    from catalog.rules import broken_rules  # noqa: PLC0415 - ZetaSQL is loaded only where the cache has no answer

    item = file.object
    return Meaning(
        reads=frozenset(file.reads),
        writes=frozenset(file.writes),
        calls=frozenset(file.calls if isinstance(item, Script) else file.calls - {item.name}),
        columns=file.columns if isinstance(item, View) else (),
        broken=() if file.findings else broken_rules(file),
    )


def _completed(item: SqlObject, meaning: Meaning) -> SqlObject:
    """A declared object with its lineage, and with the columns of a view."""
    item = replace(item, reads=meaning.reads, writes=meaning.writes, calls=meaning.calls)
    return replace(item, columns=meaning.columns) if isinstance(item, View) else item
