"""Writes any text as harmless Markdown: one line or one cell of a table, in which nothing is markup."""

from __future__ import annotations

import html
import re


def code(text: str) -> str:
    """A text as a code span that its own backticks cannot end, and in which @names mention nobody."""
    text = " ".join(text.split()).replace("|", "\\|")
    ticks = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    blank = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{blank}{text}{blank}{ticks}"


def cell(text: str) -> str:
    """A text inside a line or a cell of a table: one line without markup."""
    text = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_~\[\]|@#])", r"\\\1", text)
