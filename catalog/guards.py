"""Reads a scheduled query's guard: the hours of Los Angeles in which the query does something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from catalog.findings import CatalogError
from catalog.model import EVERY_HOUR
from catalog.zetasql import kind_of, member, unwrap
from catalog.zone import ZONE

if TYPE_CHECKING:
    from catalog.source import SourceFile

GUARD = f"EXTRACT(HOUR FROM @run_time AT TIME ZONE '{ZONE}')"


def guarded_hours(file: SourceFile) -> tuple[int, ...]:
    """The hours that the script's ``IF … IN (hours)`` names; every hour where the script has no ``IF``.

    Raises:
        CatalogError: a condition of another form, which would hide when the query works.
    """
    guards = [node for node in file.statements if kind_of(node) == "ASTIfStatement"]
    if not guards:
        return EVERY_HOUR
    hours = _hours(file, unwrap(guards[0].condition))
    if hours is None or len(file.statements) > 1:
        message = f"a scheduled query's guard is the one statement IF {GUARD} IN (hours) THEN … END IF"
        raise CatalogError([file.finding(guards[0], "declaration", message)])
    return hours


def _hours(file: SourceFile, condition: Any) -> tuple[int, ...] | None:
    """The hours of a guard's condition; None where the condition is not a guard."""
    if kind_of(condition) != "ASTInExpression" or condition.is_not or not condition.HasField("in_list"):
        return None
    if " ".join(file.of(unwrap(condition.lhs)).split()) != GUARD:
        return None
    literals = [unwrap(node) for node in unwrap(condition.in_list).list]
    if any(kind_of(node) != "ASTIntLiteral" for node in literals):
        return None
    hours = tuple(sorted(int(member(node, "image")) for node in literals))
    return hours if set(hours) <= set(EVERY_HOUR) else None
