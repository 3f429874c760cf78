"""No SELECT * in a stored object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.rules.base import once, parsed_nodes
from catalog.zetasql import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.analysis import AnalyzedFile
    from catalog.findings import Finding

STARS = {"ASTStar", "ASTStarWithModifiers", "ASTDotStar", "ASTDotStarWithModifiers"}


class NamedColumns:
    """Columns are named: a column that somebody adds elsewhere must not change what is stored here.

    COUNT(*) passes.
    """

    name = "select-star"

    def check(self, file: AnalyzedFile) -> Iterator[Finding]:
        """``*`` and ``t.*`` in a select list, with EXCEPT or REPLACE too."""
        yield from once(self._findings(file))

    def _findings(self, file: AnalyzedFile) -> Iterator[Finding]:
        for node, parents in parsed_nodes(file):
            if kind_of(node) not in STARS:
                continue
            above = next(
                kind for kind in map(kind_of, reversed(parents)) if kind in {"ASTFunctionCall", "ASTSelectColumn"}
            )
            if above == "ASTSelectColumn":
                yield file.source.finding(node, self.name, "name the columns instead of *")
