"""Every conversion between instants and dates or clock times names the zone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from catalog import zetasql
from catalog.rules.base import Call, Example, calls, written
from catalog.zetasql import member, unwrap
from catalog.zone import ZONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.analysis import AnalyzedFile
    from catalog.findings import Finding

#: The zone as SQL writes it.
LITERAL = f"'{ZONE}'"
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
    """A conversion between instants and dates or clock times names the zone; CURRENT_DATE that of Los Angeles.

    BigQuery's default is UTC, so a missing zone is wrong for seven or eight hours of each day. Allowed without a zone:
    partitioning by DATE(timestamp), which BigQuery always does in UTC, and differences of instants.
    """

    name = "time-zone"
    example = Example(
        "views",
        "SELECT DATE(messages.sent_at) AS sent_on\nFROM `of-scheduler-proj.eros_scheduling_brain.messages` AS messages",
        "SELECT DATE(messages.sent_at, 'America/Los_Angeles') AS sent_on\n"
        "FROM `of-scheduler-proj.eros_scheduling_brain.messages` AS messages",
    )

    def check(self, file: AnalyzedFile) -> Iterator[Finding]:
        """Conversions and clock reads without a zone."""
        for call in calls(file):
            message = _problem(file, call)
            if message and not _partitions(file, call):
                yield file.source.finding(call.node, self.name, message)
        for resolved in file.resolved:
            for node, _ in resolved.places["ResolvedCast"]:
                if _casts_in_utc(file, node):
                    message = f"{written(file, node)} converts in UTC: use a function with a zone"
                    yield file.source.finding(node, self.name, message)
        for node, _ in file.source.places["ASTDateOrTimeLiteral"]:
            text = unwrap(node.string_literal).string_value
            if written(file, node).upper().startswith("TIMESTAMP") and not ZONED_LITERAL.search(text):
                yield file.source.finding(node, self.name, f"TIMESTAMP '{text}' names no zone: append it, e.g. +00")


def _casts_in_utc(file: AnalyzedFile, cast: Any) -> bool:
    """Whether a cast that is written as one converts between an instant and a clock type."""
    if cast.HasField("time_zone") or not written(file, cast).upper().startswith(("CAST", "SAFE_CAST")):
        return False
    ends = {zetasql.sql_type(member(end, "type")).sql for end in (unwrap(cast.expr), cast)}
    return "TIMESTAMP" in ends and bool(ends & CLOCK_TYPES)


def _problem(file: AnalyzedFile, call: Call) -> str | None:
    text, last = written(file, call.node), call.kind(len(call.arguments) - 1)
    wants = f"name the zone in {text}, e.g. {LITERAL}"
    match call.function:
        case "current_date":
            zone = written(file, call.arguments[0]) if call.arguments else ""
            return None if zone.replace('"', "'") == LITERAL else f"write CURRENT_DATE({LITERAL})"
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


def _partitions(file: AnalyzedFile, call: Call) -> bool:
    """Whether the call is in the PARTITION BY of a table's DDL."""
    start = zetasql.span(call.node)[0]
    for statement in file.tree:
        if zetasql.has(statement, "partition_by"):
            first, end = zetasql.span(member(statement, "partition_by"))
            if first <= start < end:
                return True
    return False
