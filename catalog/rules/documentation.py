"""Every file says what it is, every owned object and column describes itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.findings import Finding
from catalog.model import Table, View
from catalog.rules.base import Example

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.analysis import AnalyzedFile

LABELS = ("system", "component", "retention")
#: Folders whose files need the comment only: external objects, and scripts.
ONLY_COMMENTED = {"dependencies", "schedules", "monitoring"}


class Documented:
    """A file begins with a comment, and an object that this repository owns has a description.

    Tables and views also have a description of each column, and the labels `system`, `component` and `retention`.
    External objects, in `dependencies/`, need only the comment.
    """

    name = "documented"
    example = Example(
        "tables",
        "-- The tips.\n"
        "CREATE TABLE IF NOT EXISTS `of-scheduler-proj.eros_scheduling_brain.example` (\n"
        "  tip_id INT64 OPTIONS (description = 'The tip.'),\n"
        "  amount FLOAT64\n"
        ")\n"
        "OPTIONS (\n"
        "  description = 'Tips of fans; rows never expire.',\n"
        "  labels = [('system', 'eros'), ('component', 'tips'), ('retention', 'none')]\n"
        ");",
        "-- The tips.\n"
        "--\n"
        "-- Guarantees: rows never expire.\n"
        "CREATE TABLE IF NOT EXISTS `of-scheduler-proj.eros_scheduling_brain.example` (\n"
        "  tip_id INT64 OPTIONS (description = 'The tip.'),\n"
        "  amount FLOAT64 OPTIONS (description = 'Its amount, in US dollars.')\n"
        ")\n"
        "OPTIONS (\n"
        "  description = 'Tips of fans; rows never expire.',\n"
        "  labels = [('system', 'eros'), ('component', 'tips'), ('retention', 'none')]\n"
        ");",
    )

    def check(self, file: AnalyzedFile) -> Iterator[Finding]:
        """Missing comments, descriptions and labels."""
        if not file.source.text.startswith("-- "):
            yield Finding(file.source.path, 1, 1, self.name, "begin with a comment: what, inputs, guarantees, cost")
        if file.folder in ONLY_COMMENTED:
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
