"""The imports of all modules: the rooms' arrows are those of docs/architecture.md, and there is no cycle."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from catalog.files import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

#: Every top-level folder that holds Python files.
ROOMS = {file.parent.name for file in REPOSITORY.glob("[a-z]*/*.py")}
PRODUCTION = ROOMS - {"tests", "benchmarks"} | {"main"}
#: What opens a socket: Google's clients, HTTP clients, and the standard library's.
NETWORK = {
    "google.api_core",
    "google.auth",
    "google.cloud",
    "grpc",
    "http.client",
    "httpx",
    "requests",
    "socket",
    "urllib.request",
}
#: What runs code that is in the data it reads.
LOADERS = {"cloudpickle", "code", "copyreg", "dill", "jsonpickle", "marshal", "pickle", "runpy", "shelve"}
#: Calls that do the same: of built-in functions, and of YAML's loaders that build any object.
RUNNING = {"eval", "exec", "compile", "__import__", "yaml.load", "yaml.load_all"}
UNSAFE_YAML = re.compile(r"yaml\.(?:full_load|unsafe_load|FullLoader|UnsafeLoader|Loader)\w*")
#: Modules outside google/ and local/ that import one of them all the same, and why.
NETWORK_EXCEPTIONS = {
    ("operations.day", "google.cloud"): "query parameters; the client sends them",
    ("operations.export", "google.cloud"): "query parameters; the client sends them",
    ("operations.health", "google.cloud"): "query parameters; the client sends them",
    ("operations.review.github", "requests"): "GitHub's API, not Google's",
    ("verification.suites.analyzer", "google.cloud"): "query parameters; the client sends them",
    ("verification.suites.functions", "google.cloud"): "query parameters; the client sends them",
    ("verification.suites.time_zone", "google.cloud"): "query parameters; the client sends them",
}


@dataclass(frozen=True)
class Import:
    """One import statement: which module imports what."""

    importer: str
    imported: str
    place: str


def modules() -> dict[str, Path]:
    """Every module of the repository by its dotted name."""
    files = [REPOSITORY / "main.py", *(file for room in ROOMS for file in (REPOSITORY / room).rglob("*.py"))]
    paths = {file: file.relative_to(REPOSITORY).with_suffix("").parts for file in files}
    return {".".join(parts[:-1] if parts[-1] == "__init__" else parts): file for file, parts in paths.items()}


MODULES = modules()


def library(imported: str) -> str | None:
    """The network library that a name belongs to."""
    return next((name for name in NETWORK if imported == name or imported.startswith(f"{name}.")), None)


def imported_names(node: ast.AST) -> list[str]:
    """What a statement imports, as dotted names; `from package import module` is the module."""
    match node:
        case ast.Import():
            return [alias.name for alias in node.names]
        case ast.ImportFrom():
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            is_module = [name in MODULES or library(name) is not None for name in whole]
            return [name if so else str(node.module) for name, so in zip(whole, is_module, strict=True)]
        case _:
            return []


@cache
def imports() -> list[Import]:
    """Every import of every module, those under TYPE_CHECKING and inside functions included."""
    found = []
    for name, file in MODULES.items():
        path = file.relative_to(REPOSITORY)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            place = f"{path}:{node.lineno}"
            assert not (isinstance(node, ast.ImportFrom) and node.level), f"{place}: a relative import"
            found += [Import(name, imported, place) for imported in imported_names(node)]
    return found


@cache
def ours() -> list[Import]:
    """The imports of this repository's own modules."""
    return [each for each in imports() if each.imported in MODULES]


def room(module: str) -> str:
    """The top-level package of a module."""
    return module.partition(".")[0]


def drawn_arrows() -> set[tuple[str, str]]:
    """The solid arrows between rooms in the Mermaid pictures that say so in a comment."""
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    pictures = re.findall(r"```mermaid\n(.*?)```", text, re.DOTALL)
    checked = [picture for picture in pictures if "every solid arrow is an import" in picture]
    assert len(checked) == 2
    return {arrow for picture in checked for arrow in re.findall(r"^ *(\w+) --> (\w+)$", picture, re.MULTILINE)}


def test_the_picture_shows_each_import_between_rooms_and_nothing_else() -> None:
    found: dict[tuple[str, str], str] = {}
    for each in ours():
        if room(each.importer) != room(each.imported):
            found.setdefault((room(each.importer), room(each.imported)), f"{each.place} imports {each.imported}")
    drawn = drawn_arrows()
    assert {found[arrow] for arrow in set(found) - drawn} == set(), "not drawn in docs/architecture.md"
    assert drawn - set(found) == set(), "drawn in docs/architecture.md, and no module imports it"


def test_no_module_is_part_of_an_import_cycle() -> None:
    graph: dict[str, set[str]] = {name: set() for name in MODULES}
    for each in ours():
        graph[each.importer].add(each.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(f"an import cycle: {' → '.join(error.args[1])}") from None


def test_production_imports_no_tests_and_no_benchmarks() -> None:
    assert [e.place for e in ours() if room(e.importer) in PRODUCTION and room(e.imported) not in PRODUCTION] == []


def test_only_tests_and_benchmarks_import_local() -> None:
    assert [e.place for e in ours() if room(e.imported) == "local" and room(e.importer) in PRODUCTION - {"local"}] == []


def names_of_code(text: str) -> set[str]:
    """The built-in functions that a module calls, and the dotted names that it uses."""
    nodes = list(ast.walk(ast.parse(text)))
    called = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    return called | {ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)}


def test_production_runs_nothing_that_it_reads() -> None:
    assert [e.place for e in imports() if room(e.importer) in PRODUCTION and room(e.imported) in LOADERS] == []
    for name, file in MODULES.items():
        if room(name) in PRODUCTION:
            used = names_of_code(file.read_text(encoding="utf-8"))
            assert used & RUNNING | {each for each in used if UNSAFE_YAML.fullmatch(each)} == set(), file


def test_what_runs_text_is_recognised() -> None:
    assert names_of_code("import yaml\nexec(a)\nyaml.load(b)\nyaml.FullLoader\nc.exec(d)") & {
        *RUNNING,
        "yaml.FullLoader",
    } == {
        "exec",
        "yaml.load",
        "yaml.FullLoader",
    }


def test_declared_imports_neither_cdktf_nor_a_network_library() -> None:
    declared = [each for each in imports() if room(each.importer) == "declared"]
    assert declared
    assert [e.place for e in declared if room(e.imported).startswith("cdktf") or library(e.imported)] == []


def test_only_stacks_import_cdktf() -> None:
    assert {room(e.importer) for e in imports() if room(e.imported).startswith("cdktf")} - {"tests"} == {"stacks"}


def test_only_google_and_local_open_sockets() -> None:
    elsewhere = PRODUCTION - {"google", "local"}
    found = {(e.importer, found) for e in imports() if room(e.importer) in elsewhere and (found := library(e.imported))}
    assert found == set(NETWORK_EXCEPTIONS)
