"""Every division is SAFE_DIVIDE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from catalog.rules.base import parsed_nodes
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
    """A division is SAFE_DIVIDE, so that no zero ends a run; DIV and MOD pass with a literal that is not zero."""

    name = "safe-divide"

    def check(self, file: AnalyzedFile) -> Iterator[Finding]:
        """The operator ``/``, and DIV or MOD by anything that could be zero."""
        for node, _ in parsed_nodes(file):
            kind = kind_of(node)
            if kind == "ASTBinaryExpression" and _operator(node) == "DIVIDE":
                yield file.source.finding(node, self.name, f"write SAFE_DIVIDE(…, …) for {file.source.of(node)}")
            elif kind == "ASTFunctionCall" and file.source.of(node.function).upper() in DIVIDING_FUNCTIONS:
                divisor = unwrap(node.arguments[1])
                if kind_of(divisor) != "ASTIntLiteral" or int(member(divisor, "image"), 0) == 0:
                    name = file.source.of(node.function).upper()
                    yield file.source.finding(node, self.name, f"{name} may divide by zero: divide by a literal")
