"""The house rules for all SQL: each looks at the parse tree or at what the analyzer resolved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.rules.base import Rule
from catalog.rules.division import SafeDivision
from catalog.rules.documentation import Documented
from catalog.rules.names import DistinctNames, PrefixedNames
from catalog.rules.qualified import QualifiedNames
from catalog.rules.regular_expressions import UnicodeExpressions
from catalog.rules.retention import OneRetention
from catalog.rules.select_star import NamedColumns
from catalog.rules.session_settings import NoSessionSettings
from catalog.rules.time_zone import NamedTimeZone

if TYPE_CHECKING:
    from catalog.analysis import AnalyzedFile
    from catalog.findings import Finding

ALL_RULES: tuple[Rule, ...] = (
    QualifiedNames(),
    NoSessionSettings(),
    SafeDivision(),
    NamedTimeZone(),
    NamedColumns(),
    DistinctNames(),
    PrefixedNames(),
    UnicodeExpressions(),
    Documented(),
    OneRetention(),
)


def broken_rules(file: AnalyzedFile) -> tuple[Finding, ...]:
    """What in a file breaks a house rule, each place once, in the order of the file."""
    return tuple(sorted({finding for rule in ALL_RULES for finding in rule.check(file)}))


__all__ = ["ALL_RULES", "Rule", "broken_rules"]
