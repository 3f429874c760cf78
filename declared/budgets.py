"""How much a call of each object may read and cost: the operators' own figures."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from declared.sizes import GIGABYTE, MEGABYTE


class ObjectKind(StrEnum):
    """The kind of an object whose calls cost something."""

    FUNCTION = "function"
    TABLE_FUNCTION = "table function"
    PROCEDURE = "procedure"
    VIEW = "view"
    SCHEDULED_QUERY = "scheduled query"


@dataclass(frozen=True)
class Budget:
    """The most that a call may read, in bytes, and that reading may cost, in US dollars."""

    name: str
    bytes_read: int
    dollars: float


SCALAR_FUNCTION = Budget("scalar function", MEGABYTE, 0.000005)
CAPTION_SELECTION = Budget("caption selection", 50 * MEGABYTE, 0.00025)
PERFORMANCE_UPDATE = Budget("performance update", 5 * GIGABYTE, 0.025)
DAILY_AUTOMATION = Budget("daily automation", 2 * GIGABYTE, 0.01)
#: The operators have none for views. A person waits for a view, as for a caption selection.
VIEW = Budget("view", CAPTION_SELECTION.bytes_read, CAPTION_SELECTION.dollars)

BY_KIND = {ObjectKind.FUNCTION: SCALAR_FUNCTION, ObjectKind.VIEW: VIEW}
BY_NAME = {
    "select_captions_for_creator": CAPTION_SELECTION,
    "update_caption_performance": PERFORMANCE_UPDATE,
    "run_daily_automation": DAILY_AUTOMATION,
}


def budget_of(name: str, kind: ObjectKind) -> Budget | None:
    """The budget of an object; None if there is none, as for the lock sweep, whose budget is a time.

    Args:
        name: the object's name; a scheduled query has its procedure's budget.
        kind: the object's kind.
    """
    return BY_NAME.get(name) or BY_KIND.get(kind)
