"""No regular expression with ASCII-only classes on user text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from catalog.rules.base import Example, calls, written
from catalog.zetasql import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.analysis import AnalyzedFile
    from catalog.findings import Finding

#: What RE2 takes for ASCII only: Perl's classes, POSIX classes, word boundaries, ranges of letters or digits.
ASCII_CLASS = re.compile(r"\\[wWdDsSbB]|\[:\^?[a-z]+:\]|a-z|A-Z|0-9")
ESCAPED_BACKSLASH = re.compile(r"\\\\")


class UnicodeExpressions:
    r"""A pattern names characters of every script: `\pL`, `\pM`, `\p{Nd}` and the like.

    Every STRING of this system may hold user text, so the rule checks each literal pattern, no matter what it is
    applied to. A pattern that is not a literal is data, and allowed.
    """

    name = "ascii-pattern"
    example = Example(
        "functions", "REGEXP_REPLACE(p_text, r'[^a-z0-9]', '')", r"REGEXP_REPLACE(p_text, r'[^\pL\p{Nd}]', '')"
    )

    def check(self, file: AnalyzedFile) -> Iterator[Finding]:
        """Literal patterns of REGEXP_… functions with a class that knows ASCII only."""
        for call in calls(file):
            if not call.function.startswith("regexp_") or call.kind(0) != "STRING":
                continue
            if kind_of(call.arguments[1]) != "ResolvedLiteral":
                continue
            pattern = call.arguments[1].value.value.string_value
            if found := ASCII_CLASS.search(ESCAPED_BACKSLASH.sub("", pattern)):
                text = written(file, call.arguments[1])
                message = f"{found[0]} in {text} knows ASCII only: use Unicode classes such as \\pL, \\p{{Nd}}, \\pZ"
                yield file.source.finding(call.arguments[1], self.name, message)
