"""What a rule is, and the walks that several rules share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from catalog import zetasql
from catalog.zetasql import kind_of, member, span, unwrap, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.analysis import AnalyzedFile
    from catalog.findings import Finding


class Rule(Protocol):
    """A house rule: its name, as findings show it, and the search for what breaks it."""

    name: str

    def check(self, file: AnalyzedFile) -> Iterator[Finding]:
        """What in a file breaks the rule."""
        ...


def parsed_nodes(file: AnalyzedFile) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Every concrete node of a file's parse tree, with the nodes above it; the statements after '-- Tests' included."""
    for statement in file.tree:
        yield from walk(statement)


@dataclass(frozen=True)
class Call:
    """A call of a built-in function, as the analyzer resolved it: SAFE. and aliases make no difference."""

    function: str
    node: Any
    arguments: tuple[Any, ...]

    def kind(self, number: int) -> str:
        """The type of an argument, '' where there is none."""
        if not 0 <= number < len(self.arguments):
            return ""
        return zetasql.sql_type(member(self.arguments[number], "type")).sql


def calls(file: AnalyzedFile) -> Iterator[Call]:
    """Every call of a built-in function."""
    for resolved in file.resolved:
        for node, _ in walk(resolved.node):
            if kind_of(node) != "ResolvedFunctionCallBase" or not node.function.name.startswith("ZetaSQL:"):
                continue
            arguments = tuple(unwrap(argument) for argument in node.argument_list)
            yield Call(node.function.name.removeprefix("ZetaSQL:").lower(), node, arguments)


def once(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Each finding once: a statement inside a block is resolved with the block and by itself."""
    yield from dict.fromkeys(findings)


def written(file: AnalyzedFile, node: Any) -> str:
    """The text that a node was made of; '' where the analyzer made it itself."""
    start, end = span(node)
    return file.source.data[start:end].decode() if end else ""
