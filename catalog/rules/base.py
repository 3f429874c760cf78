"""What a rule is, and functions that several rules use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from catalog import zetasql
from catalog.zetasql import member, span, unwrap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.analysis import AnalyzedFile
    from catalog.findings import Finding


@dataclass(frozen=True)
class Example:
    """What a rule finds, and how to fix it, for the page of house rules.

    ``folder`` says what the texts are: a view's query (``views``), a procedure's statements (``procedures``), a
    function's expression (``functions``) or a whole file (``tables``).
    """

    folder: str
    wrong: str
    right: str


class Rule(Protocol):
    """A house rule: its name, as findings show it, an example, and the search for what breaks it.

    The class's docstring says what the rule demands; the page of house rules shows it.
    """

    name: str
    example: Example

    def check(self, file: AnalyzedFile) -> Iterator[Finding]:
        """What in a file breaks the rule; a place that is resolved twice may come twice."""
        ...


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
        for node, _ in resolved.places["ResolvedFunctionCallBase"]:
            if node.function.name.startswith("ZetaSQL:"):
                arguments = tuple(unwrap(argument) for argument in node.argument_list)
                yield Call(node.function.name.removeprefix("ZetaSQL:").lower(), node, arguments)


def written(file: AnalyzedFile, node: Any) -> str:
    """The text of a node; '' where the analyzer made the node itself."""
    start, end = span(node)
    return file.source.data[start:end].decode() if end else ""
