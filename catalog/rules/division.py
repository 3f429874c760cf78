"""Every division is SAFE_DIVIDE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from catalog.rules.base import Example, written
from catalog.zetasql import kind_of, member, unwrap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.analysis import AnalyzedFile
    from catalog.findings import Finding

DIVIDING_FUNCTIONS = {"DIV", "MOD"}


def _operator(node: Any) -> str:
    """The name of a binary operator."""
    return str(node.DESCRIPTOR.fields_by_name["op"].enum_type.values_by_number[node.op].name)


class SafeDivision:
    """A division is SAFE_DIVIDE, so that a zero does not end a run.

    DIV and MOD are allowed with a literal that is not zero.
    """

    name = "safe-divide"
    example = Example(
        "views",
        "SELECT messages.price / messages.sent AS price_per_message\n"
        "FROM `of-scheduler-proj.eros_scheduling_brain.messages` AS messages",
        "SELECT SAFE_DIVIDE(messages.price, messages.sent) AS price_per_message\n"
        "FROM `of-scheduler-proj.eros_scheduling_brain.messages` AS messages",
    )

    def check(self, file: AnalyzedFile) -> Iterator[Finding]:
        """The operator ``/``, and DIV or MOD by anything that could be zero."""
        for node, _ in file.source.places["ASTBinaryExpression"]:
            if _operator(node) == "DIVIDE":
                yield file.source.finding(node, self.name, f"write SAFE_DIVIDE(…, …) for {written(file, node)}")
        for node, _ in file.source.places["ASTFunctionCall"]:
            function = written(file, node.function).upper()
            if function in DIVIDING_FUNCTIONS:
                divisor = unwrap(node.arguments[1])
                if kind_of(divisor) != "ASTIntLiteral" or int(member(divisor, "image"), 0) == 0:
                    message = f"{function} may divide by zero: divide by a literal"
                    yield file.source.finding(node, self.name, message)
