"""No SELECT * in a stored object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.rules.base import Example
from catalog.zetasql import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.analysis import AnalyzedFile
    from catalog.findings import Finding

STARS = ("ASTStar", "ASTStarWithModifiers", "ASTDotStar", "ASTDotStarWithModifiers")


class NamedColumns:
    """A select list names its columns, so that a column added elsewhere does not change what is stored here.

    COUNT(*) is allowed.
    """

    name = "select-star"
    example = Example(
        "views",
        "SELECT * FROM `of-scheduler-proj.eros_scheduling_brain.messages`",
        "SELECT messages.price, messages.sent\nFROM `of-scheduler-proj.eros_scheduling_brain.messages` AS messages",
    )

    def check(self, file: AnalyzedFile) -> Iterator[Finding]:
        """``*`` and ``t.*`` in a select list, with EXCEPT or REPLACE too."""
        for place in (place for star in STARS for place in file.source.places[star]):
            above = next(
                kind for kind in map(kind_of, place.parents()) if kind in {"ASTFunctionCall", "ASTSelectColumn"}
            )
            if above == "ASTSelectColumn":
                yield file.source.finding(place.node, self.name, "name the columns instead of *")
