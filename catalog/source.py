"""An SQL file: its text, its statements as the parser sees them, and places in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from catalog import zetasql
from catalog.findings import CatalogError, Finding

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TAB = 8  # the analyzer counts tab stops of this width


@dataclass(frozen=True)
class SourceFile:
    """A file: ``path`` to show, its text. Byte offsets are of the text in UTF-8, as the parser gives them."""

    path: Path
    text: str

    @cached_property
    def data(self) -> bytes:
        """The text as the parser counts it."""
        return self.text.encode()

    @cached_property
    def statements(self) -> list[Any]:
        """The statements of the file.

        Raises:
            CatalogError: a syntax error.
        """
        try:
            return zetasql.parse(self.text)
        except zetasql.ZetaSqlError as error:
            raise CatalogError([self.error("syntax", error)]) from None

    @cached_property
    def places(self) -> Mapping[str, list[zetasql.Place]]:
        """The nodes of all statements by their class; the statements after '-- Tests' included."""
        return zetasql.places_by_kind(self.statements)

    def of(self, node: Any) -> str:
        """The text that a node was parsed from."""
        start, end = zetasql.span(node)
        return self.data[start:end].decode()

    def position(self, byte: int) -> tuple[int, int]:
        """Line and column, from 1, of a byte offset."""
        before = self.data[:byte].decode(errors="ignore")
        return before.count("\n") + 1, len(before) - before.rfind("\n")

    def finding(self, node: Any, rule: str, message: str) -> Finding:
        """A finding at the start of a node."""
        return Finding(self.path, *self.position(zetasql.span(node)[0]), rule, message)

    def error(self, rule: str, error: zetasql.ZetaSqlError, otherwise: int = 0) -> Finding:
        """A message of the analyzer at its place, or at the byte ``otherwise`` if it names none."""
        if not error.line:
            return Finding(self.path, *self.position(otherwise), rule, error.message)
        lines = self.text.split("\n")
        line = lines[error.line - 1] if error.line <= len(lines) else ""
        width = 0
        for column, character in enumerate(line):
            if width >= error.column - 1:
                return Finding(self.path, error.line, column + 1, rule, error.message)
            width += TAB - width % TAB if character == "\t" else 1
        return Finding(self.path, error.line, len(line) + 1, rule, error.message)
