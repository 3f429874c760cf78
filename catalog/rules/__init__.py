"""The house rules for all SQL, each a small class that looks at the parse tree or at what the analyzer resolved."""

from catalog.rules.base import Rule
from catalog.rules.division import SafeDivision
from catalog.rules.documentation import Documented
from catalog.rules.names import DistinctNames, PrefixedNames
from catalog.rules.qualified import QualifiedNames
from catalog.rules.regular_expressions import UnicodeExpressions
from catalog.rules.select_star import NamedColumns
from catalog.rules.session_settings import NoSessionSettings
from catalog.rules.time_zone import NamedTimeZone

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
)

__all__ = ["ALL_RULES", "Rule"]
