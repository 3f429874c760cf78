"""Rewrites the qualified prefix of names for another project, dataset and location, where the parser sees a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from catalog.model import DATASET, LOCATION, PROJECT, region
from catalog.zetasql import kind_of, span, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.source import SourceFile


def retarget_text(file: SourceFile, project: str, dataset: str, location: str) -> str:
    """The file's text with every qualified name replaced; strings and comments are not changed."""
    moved, end = b"", 0
    for (start, stop), name in sorted(_moved_identifiers(file.statements, project, dataset, location)):
        moved += file.data[end:start] + name.encode()
        end = stop
    return (moved + file.data[end:]).decode()


def _moved_identifiers(
    statements: list[Any], project: str, dataset: str, location: str
) -> Iterator[tuple[tuple[int, int], str]]:
    """The place of each identifier that names the production project or dataset, and its replacement."""
    moved = {DATASET: dataset, region(LOCATION): region(location)}
    seen = set()
    for statement in statements:
        for node, _ in walk(statement):
            if kind_of(node) != "ASTPathExpression":
                continue
            parts = [part for identifier in node.names for part in identifier.id_string.split(".")]
            if parts[0] != PROJECT or span(node) in seen:
                continue
            seen.add(span(node))
            parts[0] = project
            if len(parts) > 1:
                parts[1] = moved.get(parts[1], parts[1])
            yield span(node), f"`{'.'.join(parts)}`"
