"""Reads a scheduled query's guard: the hours of Los Angeles in which the query does something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from catalog.findings import CatalogError
from catalog.model import EVERY_HOUR
from catalog.zetasql import kind_of, member, unwrap, walk
from catalog.zone import ZONE

if TYPE_CHECKING:
    from catalog.source import SourceFile

GUARD = f"EXTRACT(HOUR FROM @run_time AT TIME ZONE '{ZONE}')"


def guarded_hours(file: SourceFile) -> tuple[int, ...]:
    """The hours that the script's ``IF … IN (hours)`` names; every hour where the script asks for none.

    Raises:
        CatalogError: an ``IF`` of another form, or the run's hour in another place, would hide when the query works.
    """
    guards = [node for node in file.statements if kind_of(node) == "ASTIfStatement"]
    asked = [place.node for place in file.places["ASTExtractExpression"] if _is_hour_of_run(place.node)]
    if not guards and not asked:
        return EVERY_HOUR
    alone = len(file.statements) == len(guards) == len(asked) == 1
    hours = _hours(file, guards[0]) if alone else None
    if hours is None:
        message = f"a scheduled query's guard is the one statement IF {GUARD} IN (hours) THEN … END IF, without ELSE"
        raise CatalogError([file.finding((guards or asked)[0], "declaration", message)])
    return hours


def _is_hour_of_run(extract: Any) -> bool:
    """Whether an EXTRACT asks for the hour of ``@run_time``, in whatever time zone."""
    names = [
        member(place.node, "id_string").lower() for place in walk(extract) if kind_of(place.node) == "ASTIdentifier"
    ]
    return "hour" in names and "run_time" in names


def _hours(file: SourceFile, guard: Any) -> tuple[int, ...] | None:
    """The hours of a guard; None where the statement is not a guard."""
    condition = unwrap(guard.condition)
    if guard.HasField("elseif_clauses") or guard.HasField("else_list"):
        return None
    if kind_of(condition) != "ASTInExpression" or condition.is_not or not condition.HasField("in_list"):
        return None
    if " ".join(file.of(unwrap(condition.lhs)).split()) != GUARD:
        return None
    literals = [unwrap(node) for node in unwrap(condition.in_list).list]
    if any(kind_of(node) != "ASTIntLiteral" for node in literals):
        return None
    hours = {int(member(node, "image"), 0) for node in literals}
    return tuple(sorted(hours)) if hours <= set(EVERY_HOUR) else None
