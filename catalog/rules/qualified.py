"""Every reference names project and dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from catalog.model import PREFIX
from catalog.rules.base import Example
from catalog.zetasql import kind_of, span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.analysis import AnalyzedFile
    from catalog.findings import Finding

REFERENCES = ("TableRef", "FunctionRef", "TableValuedFunctionRef", "ProcedureRef")


class QualifiedNames:
    """A table, view, function or procedure is named with project and dataset, in one pair of backquotes.

    The caller's default project and dataset may be others, or missing. Names of CTEs, temporary tables and built-in
    functions have no project and are allowed.
    """

    name = "qualified"
    example = Example(
        "views",
        "SELECT messages.price FROM messages",
        "SELECT messages.price FROM `of-scheduler-proj.eros_scheduling_brain.messages` AS messages",
    )

    def check(self, file: AnalyzedFile) -> Iterator[Finding]:
        """Names that the analyzer found without project or dataset."""
        for resolved in file.resolved:
            for place in (place for kind in REFERENCES for place in resolved.places[kind]):
                if _is_short(place.node):
                    written = next((parent for parent in place.parents() if span(parent)[1]), resolved.node)
                    name = place.node.name.split(":")[-1].split(".")[-1]
                    yield file.source.finding(written, self.name, f"write `{PREFIX}{name}`, not {name} alone")


def _is_short(reference: Any) -> bool:
    match kind_of(reference):
        case "TableRef":
            return bool(reference.full_name.startswith(PREFIX) and reference.name != reference.full_name)
        case "FunctionRef":
            return not reference.name.startswith("ZetaSQL:") and PREFIX not in reference.name
        case _:
            return PREFIX not in reference.name
