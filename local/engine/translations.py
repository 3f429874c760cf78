"""Statements are parsed and translated once and run many times, since scripts, procedures and clients repeat them.

A translation is valid for the names, types and definitions it was made with. The values of parameters and of script
variables are bound when it runs.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from local_bigquery.catalog import metadata, row_access
from local_bigquery.jobs import merge, query
from local_bigquery.models import Table
from local_bigquery.sql import script
from sqlglot import exp

from local.engine import known
from local.engine.connections import versions
from local.engine.remembered import LONGEST, Remembered

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_PARAMETERS = 2_000  # characters of their types, or of their values within a script
TRANSLATIONS = 20  # of one statement, for contexts that differ
TRANSLATING = (query, script, merge)  # the modules that import the function by name
KEPT = "kept"  # the key in a tree's notes
REPEATED = (exp.Query, exp.Insert, exp.Update, exp.Delete, exp.Merge)
SYSTEM_VARIABLE = re.compile(r"@@\s*([\w.]+)")
CHANGING = re.compile(
    r"INFORMATION_SCHEMA|__TABLES__|EXTERNAL_QUERY", re.IGNORECASE
)  # depends on more than definitions


@dataclass(frozen=True)
class Translation:
    """DuckDB's text of a statement, and what it reads from the context when it runs."""

    sql: str
    parameters: frozenset[str]
    variables: frozenset[str]
    referenced: frozenset[tuple[str, str, str]]
    position: int  # the next positional parameter
    ends: int | None  # milliseconds since 1970: when a table that it reads expires


@dataclass
class Statement:
    """A parsed statement that is never changed, with its translations."""

    tree: Any
    text: str
    system: tuple[str, ...]
    derived: dict[Any, Any] = field(default_factory=dict)
    kept: tuple[int, dict[Any, Translation]] = (-1, {})  # for a version of the definitions; replaced as a whole

    def __deepcopy__(self, memo: dict[int, Any]) -> Statement:
        """A copy of the tree is another statement; identity distinguishes them."""
        return self


@dataclass
class Placeholder:
    """A script variable in a translation: its type, and a parameter for its value."""

    name: str
    type_name: str
    used: set[str]

    def __str__(self) -> str:
        self.used.add(self.name)
        return f"(SELECT CAST(${parameter(self.name)} AS {self.type_name}) AS {script.VALUE})"


def install() -> None:
    """Parse and translate each statement once; the package does it every time."""
    script.parse = parse
    script.parse_script = once_a_text(script.parse_script)
    for module in TRANSLATING:
        module.translate = translated_once(module.translate)


def parameter(variable: str) -> str:
    """The name of the parameter that has a variable's value."""
    return f"variable_{variable}"


def once_a_text(original: Callable[[str], Any]) -> Callable[[str], Any]:
    """The result of a function of a text, computed once; it must not be changed."""
    remembered: Remembered[Any] = Remembered()

    @functools.wraps(original)
    def result(text: str) -> Any:
        return remembered.get(text, None, lambda: original(text))

    return result


def keep(tree: Any, text: str) -> Any:
    """Keep a tree's translations; the tree must not change from now on.

    Args:
        tree: a statement, or the SELECT of an expression.
        text: the text that it was parsed from.
    """
    if isinstance(tree, REPEATED) and not CHANGING.search(text):
        tree.meta[KEPT] = Statement(tree, text, tuple(sorted(set(SYSTEM_VARIABLE.findall(text.lower())))))
    return tree


_parse = script.parse


@once_a_text
def _parsed(text: str) -> tuple[list[exp.Expression] | None, list[list[exp.Expression]]]:
    """The statements of a text: shared, or a copy if running them may change them."""
    trees = _parse(text)
    if len(text) <= LONGEST and all(isinstance(tree, REPEATED) for tree in trees):
        return [keep(tree, text) for tree in trees], []
    return None, [trees]


def parse(text: str) -> Any:
    """The statements of a text."""
    kept, fresh = _parsed(text)
    if kept is not None:
        return kept
    try:
        return fresh.pop()
    except IndexError:
        return _parse(text)


def is_kept(tree: exp.Expression) -> bool:
    """Whether a tree never changes."""
    statement = tree.meta.get(KEPT)
    return statement is not None and statement.tree is tree


def derived(tree: exp.Expression, derive: Callable[[Any], Any]) -> Any:
    """What a function derives from a statement, such as another statement; kept with it."""
    if not is_kept(tree):
        return derive(tree)
    statement: Statement = tree.meta[KEPT]
    if derive not in statement.derived:
        made = derive(tree)
        statement.derived[derive] = keep(made, statement.text) if isinstance(made, exp.Expression) else made
    return statement.derived[derive]


def translated_once(original: Callable[..., Any]) -> Callable[..., Any]:
    """A statement's text for DuckDB and the values that it is run with."""

    @functools.wraps(original)
    def translate(tree: exp.Expression, context: Any) -> tuple[str, dict[str, Any]]:
        if not is_kept(tree) or context.functions or row_access.secured() or _is_long(context.parameters):
            return original(tree, context)  # type: ignore[no-any-return]
        statement: Statement = tree.meta[KEPT]
        definitions, kept = statement.kept
        if definitions != versions.definitions or len(kept) >= TRANSLATIONS:
            statement.kept = _, kept = versions.definitions, {}
        key = _key(statement, context)
        translation = kept.get(key)
        if translation is None or (translation.ends and translation.ends <= int(metadata.now())):
            translation = kept[key] = _translation(original, tree, context)
        context.position = translation.position
        context.referenced |= translation.referenced
        bound = {name: context.values[name] for name in translation.parameters}
        return translation.sql, bound | {parameter(n): context.variables[n].text for n in translation.variables}

    return translate


def _is_long(parameters: dict[str, str]) -> bool:
    """Whether parameters are values, as in EXECUTE IMMEDIATE … USING, which are not worth keeping."""
    return sum(map(len, parameters.values())) > LONGEST_PARAMETERS


def _key(statement: Statement, context: Any) -> Any:
    values = {**context.system, "project_id": context.project_id, "dataset_id": context.dataset_id}
    return (
        context.project_id,
        context.dataset_id,
        context.position,
        tuple(context.parameters.items()),
        tuple((name, variable.type_name) for name, variable in context.variables.items()),
        frozenset(context.temporary),
        tuple((name, values.get(name)) for name in statement.system),
        row_access.members(),
    )


def _translation(original: Callable[..., Any], tree: exp.Expression, context: Any) -> Translation:
    used: set[str] = set()
    variables = {name: Placeholder(name, variable.type_name, used) for name, variable in context.variables.items()}
    own = replace(context, variables=variables, used=set(), referenced=set())
    sql, bound = original(tree, own)
    stored = (known.load_resource(Table, *reference) for reference in own.referenced)
    ends = [int(table.expirationTime) for table in stored if table and table.expirationTime]
    return Translation(
        sql, frozenset(bound), frozenset(used), frozenset(own.referenced), own.position, min(ends, default=None)
    )
