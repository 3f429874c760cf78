"""What is wrong with an SQL file, and where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


def printable(text: str) -> str:
    """A text as one line that every terminal can show: newlines, control characters and bad bytes are escaped."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong: file (relative to the repository), line and column from 1, rule, message."""

    path: Path
    line: int
    column: int
    rule: str
    message: str

    def __str__(self) -> str:
        """``file:line:col rule message``, in one line whatever is in the file's name and in the SQL."""
        return printable(f"{self.path.as_posix()}:{self.line}:{self.column} {self.rule} {self.message}")


class CatalogError(Exception):
    """SQL files that cannot be used; the message has one line per finding."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = sorted(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))
