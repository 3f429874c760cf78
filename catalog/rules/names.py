"""Variables and arguments: never the name of a column that they meet, and with a prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.model import Routine, RoutineKind
from catalog.rules.base import Example, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.analysis import AnalyzedFile
    from catalog.findings import Finding

_SELECTION = (
    "normalized_page_name",
    "behavioral_segment",
    "num_budget_needed",
    "num_mid_needed",
    "num_premium_needed",
    "num_bump_needed",
)
#: Arguments whose names callers use, and which are therefore frozen, by object.
FROZEN_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "caption_key_v2": ("message",),
    "caption_key": ("message",),
    "wilson_score_bounds": ("successes", "failures"),
    "wilson_sample": ("successes", "failures"),
    "wilson_sample_at": ("successes", "failures", "u"),
    "run_daily_automation": ("execution_date",),
    "select_captions_for_creator": _SELECTION,
    "lock_captions_for_creator": _SELECTION,
    "analyze_creator_performance": ("performance_report",),
}


class DistinctNames:
    """A variable or argument never has the name of a column that it meets: the column would win, silently."""

    name = "shadowed-name"
    example = Example(
        "procedures",
        "DECLARE price FLOAT64 DEFAULT 5;\n"
        "DELETE FROM `of-scheduler-proj.eros_scheduling_brain.messages` WHERE price = 0;",
        "DECLARE v_price FLOAT64 DEFAULT 5;\n"
        "DELETE FROM `of-scheduler-proj.eros_scheduling_brain.messages` AS messages WHERE messages.price = v_price;",
    )

    def check(self, file: AnalyzedFile) -> Iterator[Finding]:
        """Names that the analyzer took for a column while a variable or argument has them too."""
        for resolved in file.resolved:
            names = {name.lower() for name in resolved.names}
            for node, _ in resolved.places["ResolvedColumnRef"] if names else ():
                text = written(file, node).strip("`")
                if text.lower() in names:
                    column = f"{node.column.table_name}.{node.column.name}"
                    message = f"{text} is a variable or argument and also the column {column}: the column wins"
                    yield file.source.finding(node, self.name, message)


class PrefixedNames:
    """Arguments begin with `p_` and variables with `v_`.

    Arguments whose names callers use, listed in `catalog/rules/names.py`, keep their names.
    """

    name = "prefix"
    example = Example(
        "procedures",
        "DECLARE total INT64 DEFAULT 0;\nSET total = total + 1;",
        "DECLARE v_total INT64 DEFAULT 0;\nSET v_total = v_total + 1;",
    )

    def check(self, file: AnalyzedFile) -> Iterator[Finding]:
        """Arguments and variables without their prefix."""
        item = file.object
        if isinstance(item, Routine):
            frozen = FROZEN_ARGUMENTS.get(item.name, ())
            kind = "procedure" if item.kind is RoutineKind.PROCEDURE else "function"
            for argument in item.arguments:
                if not argument.name.startswith("p_") and argument.name not in frozen:
                    message = f"an argument of a {kind} begins with p_: p_{argument.name}"
                    yield file.source.finding(file.tree[0], self.name, message)
        for node, _ in file.source.places["ASTVariableDeclaration"]:
            for identifier in node.variable_list.identifier_list:
                if not identifier.id_string.startswith("v_"):
                    message = f"a variable begins with v_: v_{identifier.id_string}"
                    yield file.source.finding(identifier, self.name, message)
