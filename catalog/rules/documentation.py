"""Every file says what it is, every owned object and column describes itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.findings import Finding
from catalog.model import Table, View

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.analysis import AnalyzedFile

LABELS = ("system", "component", "retention")


class Documented:
    """A file begins with a comment; owned objects have a description, tables and views on each column and labels too.

    What others own is described by them: dependencies need the comment only.
    """

    name = "documented"

    def check(self, file: AnalyzedFile) -> Iterator[Finding]:
        """What says nothing of itself."""
        if not file.source.text.startswith("-- "):
            yield Finding(file.source.path, 1, 1, self.name, "begin with a comment: what, inputs, guarantees, cost")
        if file.folder in {"dependencies", "schedules", "monitoring"}:
            return
        item = file.object
        if not item.description:
            yield file.source.finding(file.tree[0], self.name, f"{item.name} has no OPTIONS (description = '…')")
        if isinstance(item, Table | View):
            for column in file.columns if isinstance(item, View) else item.columns:
                if not column.description:
                    yield file.source.finding(file.tree[0], self.name, f"column {column.name} has no description")
            for label in LABELS:
                if label not in item.labels:
                    yield file.source.finding(file.tree[0], self.name, f"{item.name} has no label '{label}'")
