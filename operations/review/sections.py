"""Pieces of Markdown that can be cut, so that a comment fits GitHub's limit and stays valid Markdown."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

from operations.review.github import LONGEST_TEXT, clipped, length

if TYPE_CHECKING:
    from collections.abc import Sequence

#: An alert needs its first two lines, a table its head.
MINIMUM_LINES = 3


class Form(Enum):
    """What the lines of a section are; it decides how the note on cut lines is written."""

    LIST = auto()
    QUOTE = auto()
    TABLE = auto()


@dataclass(frozen=True)
class Fold:
    """A folded piece: its title, its lines, and the language of the fence around them; '' means plain Markdown."""

    title: str
    language: str
    lines: tuple[str, ...]
    shown: int | None = None  # the number of lines that are left of it; None: all

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """The number of characters up to the end of each line."""
        return tuple(accumulate(len(line) + 1 for line in self.lines))

    def render(self, link: str) -> str:
        """The piece as Markdown, with a note if it was cut."""
        lines = self.lines[: self.shown]
        text = "\n".join(lines)
        if self.language and lines:
            fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
            text = f"{fence}{self.language}\n{text}\n{fence}"
        if len(lines) < len(self.lines):
            text += f"\n\n_{len(self.lines) - len(lines)} of {len(self.lines)} lines were cut here: {link}_"
        return f"<details><summary>{self.title}</summary>\n\n{text.strip()}\n\n</details>"


@dataclass(frozen=True)
class Section:
    """A piece with a heading: lines that are always visible, then folded pieces."""

    heading: str
    lines: tuple[str, ...]
    folds: tuple[Fold, ...] = ()
    form: Form = Form.LIST
    shown: int | None = None  # the number of lines that are left of it; None: all
    tail: tuple[str, ...] = ()

    def render(self, link: str) -> str:
        """The section as Markdown, with a note if it was cut."""
        lines = list(self.lines[: self.shown])
        if len(lines) < len(self.lines):
            cut = f"_and {len(self.lines) - len(lines)} more: {link}_"
            lines.append({Form.LIST: f"- {cut}", Form.QUOTE: f"> - {cut}", Form.TABLE: f"\n{cut}"}[self.form])
        parts = [self.heading, "\n".join(lines), *self.tail, *(fold.render(link) for fold in self.folds)]
        return "\n\n".join(part for part in parts if part)


def fitted(sections: Sequence[Section], link: str, limit: int = LONGEST_TEXT) -> str:
    """The sections as one text within the limit.

    Folded pieces are cut first, each to the same length, the longest that fits. Then they are removed, and lists are
    cut to the same number of lines. A note says how much was cut, and no fence, table or fold is left open.
    """
    whole = _rendered(sections, link)
    if length(whole) <= limit:
        return whole

    def cut_folds(characters: int) -> str:
        return _rendered([_with_folds_of(section, characters) for section in sections], link)

    def cut_lists(lines: int) -> str:
        return _rendered([_with_lines(section, lines) for section in sections], link)

    fits_above = bisect_left(range(limit), True, key=lambda characters: length(cut_folds(characters)) > limit)
    if fits_above:
        return cut_folds(fits_above - 1)
    fits_above = bisect_left(range(limit), True, key=lambda lines: length(cut_lists(lines)) > limit)
    return clipped(cut_lists(max(fits_above - 1, 0)), limit)  # a single line may be too long


def _rendered(sections: Sequence[Section], link: str) -> str:
    return "\n\n".join(section.render(link) for section in sections) + "\n"


def _with_folds_of(section: Section, characters: int) -> Section:
    """A section whose folded pieces are cut to a number of characters each, in whole lines."""
    folds = (replace(fold, shown=bisect_right(fold.ends, characters)) for fold in section.folds)
    return replace(section, folds=tuple(folds))


def _with_lines(section: Section, lines: int) -> Section:
    """A section without folded pieces, its list cut to a number of lines, but not below valid Markdown."""
    cut = (f"_{counted(len(section.folds), 'folded piece')} cut here._",) if section.folds else ()
    return replace(section, folds=(), tail=cut, shown=max(MINIMUM_LINES, lines))


def counted(number: int, word: str) -> str:
    """A number of things: ``1 object``, ``2 objects``."""
    return f"{number} {word}{'' if number == 1 else 's'}"
