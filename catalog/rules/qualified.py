"""Every reference names project and dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.declarations import PREFIX
from catalog.rules.base import once
from catalog.zetasql import kind_of, span, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.analysis import AnalyzedFile
    from catalog.findings import Finding


class QualifiedNames:
    """A table, view, function or procedure is named with project and dataset, in one pair of backquotes.

    Whoever runs the text has a default project and dataset of his own, or none. Names of CTEs, temporary tables and
    built-in functions pass: they have no project.
    """

    name = "qualified"

    def check(self, file: AnalyzedFile) -> Iterator[Finding]:
        """Names that the analyzer found without project or dataset."""
        yield from once(self._findings(file))

    def _findings(self, file: AnalyzedFile) -> Iterator[Finding]:
        for resolved in file.resolved:
            for node, parents in walk(resolved.node):
                match kind_of(node):
                    case "TableRef":
                        short = node.full_name.startswith(PREFIX) and node.name != node.full_name
                    case "FunctionRef":
                        short = not node.name.startswith("ZetaSQL:") and PREFIX not in node.name
                    case "TableValuedFunctionRef" | "ProcedureRef":
                        short = PREFIX not in node.name
                    case _:
                        continue
                if short:
                    place = next((parent for parent in reversed(parents) if span(parent)[1]), resolved.node)
                    name = node.name.split(":")[-1].split(".")[-1]
                    yield file.source.finding(place, self.name, f"write `{PREFIX}{name}`, not {name} alone")
