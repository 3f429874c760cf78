"""Writes any text as harmless Markdown: one line or one cell of a table, in which nothing is markup or a credential."""

from __future__ import annotations

import html
import re

from declared.masking import masked

#: GitHub links users, issues, addresses and e-mails, and draws emoji, after Markdown is read: a backslash does not
#: prevent it, a comment inside does.
_LINKED = re.compile(r"(?<=[@#])(?=\S)|(?<=:)(?=//|[a-z+-][\w+-]*:)|(?<=\bGH)(?=-)|(?<=\bwww)(?=\.)", re.IGNORECASE)
_IDENTIFIER = re.compile(r"[A-Za-z]\w*", re.ASCII)
_MARKUP = re.compile(r"([\\`*_~\[\]|])")
#: A formula is between two of these; GitHub's documentation says to write those that are text so. A price begins none.
_FORMULA = re.compile(r"\$(?!\d)")


def code(text: str) -> str:
    """A text as a code span that its own backticks cannot end, and in which @names mention nobody."""
    text = " ".join(masked(text).split()).replace("|", "\\|")
    ticks = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    blank = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{blank}{text}{blank}{ticks}"


def cell(text: str) -> str:
    """A text inside a line or a cell of a table: one line without markup, mentions and links."""
    text = _LINKED.sub("\0", " ".join(masked(text).replace("\0", "").split()))
    text = _MARKUP.sub(r"\\\1", html.escape(text, quote=False)).replace("\0", "<!-- -->")
    return _FORMULA.sub("<span>$</span>", text)


def word(text: str) -> str:
    """A name within a sentence: an identifier as it is, anything else as a code span."""
    return text if _IDENTIFIER.fullmatch(text) and masked(text) == text else code(text)


def element(text: str) -> str:
    """A text as an element of HTML, where Markdown is not read, such as the title of a folded piece."""
    return f"<code>{html.escape(' '.join(masked(text).split()), quote=False)}</code>"
