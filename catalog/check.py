"""Compiles every SQL file against the others and holds it against the house rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.findings import CatalogError, Finding
from catalog.loading import SQL, analyze_files, read_files

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class CheckResult:
    """How many files were checked, and what was found."""

    files: int
    findings: tuple[Finding, ...]


def check(sql: Path = SQL) -> CheckResult:
    """Check every file of a folder.

    A file that does not compile is not held against the rules: what it means is not known.
    """
    from catalog.rules import ALL_RULES  # noqa: PLC0415 - ZetaSQL, which whoever only reports errors needs not

    try:
        files = read_files(sql)
        analyzed = analyze_files(files)
    except CatalogError as error:
        return CheckResult(len(list(sql.glob("**/*.sql"))), tuple(error.findings))
    findings = [finding for file in analyzed for finding in file.findings]
    for file in analyzed:
        if not file.findings:
            findings += [finding for rule in ALL_RULES for finding in rule.check(file)]
    return CheckResult(len(files), tuple(sorted(set(findings))))
