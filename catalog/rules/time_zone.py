"""Every conversion between instants and dates or clock times names the zone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from catalog import zetasql
from catalog.rules.base import Call, calls, once, parsed_nodes, written
from catalog.zetasql import kind_of, member, unwrap, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.analysis import AnalyzedFile
    from catalog.findings import Finding

ZONE = "'America/Los_Angeles'"
#: Functions that turn an instant into a date, a clock time or text: with a TIMESTAMP first they end with a zone.
FROM_INSTANT = {"date", "datetime", "time", "string", "$extract", "$extract_date", "$extract_time", "$extract_datetime"}
#: Functions with so many arguments before the zone.
BEFORE_ZONE = {"format_timestamp": 2, "parse_timestamp": 2, "current_datetime": 0, "current_time": 0}
#: Parts of a day that begin at the same instants in every zone that this system meets.
WITHIN_A_DAY = {"MICROSECOND", "MILLISECOND", "SECOND", "MINUTE", "HOUR"}
PART = re.compile(r",\s*(\w+)\s*\)$")
ZONED_LITERAL = re.compile(r"(Z|[+-]\d{1,2}(:?\d{2})?|\s[A-Za-z]+/[A-Za-z_/]+|\sUTC)$")
CLOCK_TYPES = {"DATE", "DATETIME", "TIME", "STRING"}


class NamedTimeZone:
    """Instants become dates and clock times in a zone that stands there; today is that of Los Angeles.

    BigQuery's default is UTC, so an unnamed zone is wrong for seven or eight hours of each day. Passes: partitioning by
    DATE(timestamp), which is BigQuery's own and always UTC, and differences of instants.
    """

    name = "time-zone"

    def check(self, file: AnalyzedFile) -> Iterator[Finding]:
        """Conversions and clock reads without a zone."""
        yield from once(self._findings(file))

    def _findings(self, file: AnalyzedFile) -> Iterator[Finding]:
        for call in calls(file):
            message = self._problem(file, call)
            if message and not self._partitions(file, call):
                yield file.source.finding(call.node, self.name, message)
        for resolved in file.resolved:
            for node, _ in walk(resolved.node):
                if kind_of(node) == "ResolvedCast" and not node.HasField("time_zone"):
                    ends = {zetasql.sql_type(member(x, "type")).sql for x in (unwrap(node.expr), node)}
                    if (
                        "TIMESTAMP" in ends
                        and ends & CLOCK_TYPES
                        and written(file, node).upper().startswith(("CAST", "SAFE_CAST"))
                    ):
                        text = written(file, node)
                        yield file.source.finding(
                            node, self.name, f"{text} converts in UTC: use a function with a zone"
                        )
        for node, _ in parsed_nodes(file):
            if kind_of(node) == "ASTDateOrTimeLiteral" and written(file, node).upper().startswith("TIMESTAMP"):
                text = unwrap(node.string_literal).string_value
                if not ZONED_LITERAL.search(text):
                    yield file.source.finding(node, self.name, f"TIMESTAMP '{text}' names no zone: append it, e.g. +00")

    def _problem(self, file: AnalyzedFile, call: Call) -> str | None:
        text, last = written(file, call.node), call.kind(len(call.arguments) - 1)
        wants = f"name the zone in {text}, e.g. {ZONE}"
        match call.function:
            case "current_date":
                zone = written(file, call.arguments[0]) if call.arguments else ""
                return None if zone.replace('"', "'") == ZONE else f"write CURRENT_DATE({ZONE})"
            case name if name in BEFORE_ZONE:
                return None if len(call.arguments) > BEFORE_ZONE[name] else wants
            case "timestamp":
                return wants if call.kind(0) in CLOCK_TYPES and len(call.arguments) == 1 else None
            case "timestamp_trunc":
                part = PART.search(text)
                return None if last == "STRING" or (part and part[1].upper() in WITHIN_A_DAY) else wants
            case name if name in FROM_INSTANT and call.kind(0) == "TIMESTAMP":
                return None if len(call.arguments) > 1 and last == "STRING" else wants
            case _:
                return None

    def _partitions(self, file: AnalyzedFile, call: Call) -> bool:
        """Whether the call stands in a PARTITION BY of a table's DDL."""
        start = zetasql.span(call.node)[0]
        for statement in file.tree:
            if zetasql.has(statement, "partition_by"):
                first, end = zetasql.span(member(statement, "partition_by"))
                if first <= start < end:
                    return True
        return False
