"""A table's retention is the same in each of its spellings."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from catalog.model import Table
from catalog.rules.base import Example
from catalog.zetasql import span
from catalog.zone import DAYS_PER_YEAR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.analysis import AnalyzedFile
    from catalog.findings import Finding

LABEL = re.compile(r"(?P<number>\d+)(?P<unit>[dy])|(?P<never>none)")
#: 'expire after 90 days', 'expires 90 days after …', 'never expire', 'never expires'.
PHRASE = re.compile(
    r"\bexpires? (?:after )?(?P<number>\d+) (?P<unit>day|year)s?\b|\b(?P<never>never expires?)\b", re.IGNORECASE
)


RIGHT = (
    "-- The tips.\n"
    "--\n"
    "-- Guarantees: rows expire after 30 days.\n"
    "CREATE TABLE IF NOT EXISTS `of-scheduler-proj.eros_scheduling_brain.example` (\n"
    "  tipped_at TIMESTAMP OPTIONS (description = 'When; the partition column.')\n"
    ")\n"
    "PARTITION BY DATE(tipped_at)\n"
    "OPTIONS (\n"
    "  description = 'Tips of fans.',\n"
    "  partition_expiration_days = 30,\n"
    "  labels = [('system', 'eros'), ('component', 'tips'), ('retention', '30d')]\n"
    ");"
)


class OneRetention:
    """The retention of a table is the same in its option, its label and its comment.

    The option `partition_expiration_days` is what BigQuery obeys. The label `retention` is `90d`, `6y` or, without
    the option, `none`. The comment above the table says 'rows expire after 90 days', 'after 6 years' or 'rows never
    expire'. A description may say it too, and then it must be the same. A year is 365.25 days, rounded up.
    """

    name = "retention"
    example = Example(
        "tables",
        RIGHT.replace("after 30 days", "after 90 days"),
        RIGHT,
    )

    def check(self, file: AnalyzedFile) -> Iterator[Finding]:
        """Spellings of the retention that are missing, unreadable, or not that of the option."""
        table = file.object
        if file.folder != "tables" or not isinstance(table, Table):
            return
        days = table.partitioning.expiration_days if table.partitioning else None
        option = f"partition_expiration_days is {days:g}" if days else "there is no partition_expiration_days"
        for problem in self._problems(file, table, days):
            yield file.source.finding(file.tree[0], self.name, f"{problem}, but {option}")

    def _problems(self, file: AnalyzedFile, table: Table, days: float | None) -> Iterator[str]:
        label = table.labels.get("retention", "")
        spelled = LABEL.fullmatch(label)
        if spelled is None or _days(spelled) != days:
            yield f"the label retention is '{label}'"
        comment = _plain(file.source.data[: span(file.tree[0])[0]].decode())
        phrases = list(PHRASE.finditer(comment))
        if not phrases:
            yield "the comment does not say when rows expire ('rows expire after … days', 'rows never expire')"
        texts = {"comment": phrases, "description": PHRASE.finditer(table.description or "")}
        for place, found in texts.items():
            for phrase in found:
                if _days(phrase) != days:
                    yield f"the {place} says '{phrase[0]}'"


def _days(spelled: re.Match[str]) -> float | None:
    """The days of a spelling; None for never."""
    if spelled["never"]:
        return None
    return math.ceil(int(spelled["number"]) * (DAYS_PER_YEAR if spelled["unit"].startswith("y") else 1))


def _plain(comment: str) -> str:
    """A comment's text in one line."""
    return " ".join(re.sub(r"^\s*--", " ", comment, flags=re.MULTILINE).split())
