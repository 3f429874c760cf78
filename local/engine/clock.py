"""The engine's clock: the machine's, or one that is stopped at an instant.

BigQuery's CURRENT_TIMESTAMP() and CURRENT_DATE(zone) read a macro, so stored functions, whose bodies were compiled
when they were created, see the moved clock too.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local_bigquery.engine import database
from local_bigquery.sql import rules
from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Callable

MACRO = "bq.main.current_instant"
#: Called when the clock is moved.
moved: list[Callable[[], None]] = []
_stopped: datetime | None = None


def install() -> None:
    """Make the functions of the current time read the macro."""
    rules.STATEMENT_RULES.insert(0, read_the_clock)


def read_the_clock(tree: exp.Expression, _context: Any) -> exp.Expression:
    """CURRENT_TIMESTAMP() and CURRENT_DATE(zone) by the macro."""
    for timestamp in list(tree.find_all(exp.CurrentTimestamp)):
        timestamp.replace(_instant())
    for date in list(tree.find_all(exp.CurrentDate)):
        zone = date.this or exp.Literal.string("UTC")
        date.replace(exp.cast(exp.AtTimeZone(this=_instant(), zone=zone), "DATE"))
    return tree


def set_clock(now: datetime | None) -> None:
    """Stop the clock at an instant, or let it follow the machine's again.

    Args:
        now: an instant with its zone; None for the machine's clock.
    """
    global _stopped  # noqa: PLW0603 - the process has one clock
    _stopped = now
    instant = "now()" if now is None else f"TIMESTAMPTZ '{now.isoformat()}'"
    # not by a connection that notes changes: nothing in memory depends on the time
    database.connection().native.cursor().execute(f"CREATE OR REPLACE MACRO {MACRO}() AS {instant}")
    for told in moved:
        told()


def now() -> datetime:
    """The instant on the engine's clock."""
    return _stopped or datetime.now(UTC)


def text(instant: datetime) -> str:
    """An instant as text; texts sort like instants."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


def _instant() -> exp.Expression:
    return exp.Anonymous(this=MACRO, expressions=[])
