"""What a run of an object sends to the service, as statements that can each be sent alone, for a dry run.

A dry run does not look into scripts and procedures, and it measures views and table functions as they are deployed, not
as they are proposed. So scripts are taken apart, variables are replaced by their values, and views and functions that
differ from the deployed ones by their text. Names are replaced on the parse tree. That is sound because an argument or
variable never has the name of a column that it meets (a house rule).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.expansion import Expansion, cast, unknown
from catalog.model import Catalog, Routine, RoutineKind, Script, SqlObject, View
from catalog.script_run import Run, ScriptWalk
from catalog.source import SourceFile

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

__all__ = ["Run", "runs_of"]


def runs_of(
    items: Iterable[SqlObject],
    catalog: Catalog,
    arguments: Mapping[str, str],
    parameters: Mapping[str, Mapping[str, str]],
    written_out: Collection[str] = (),
) -> list[Run]:
    """What a run of each object sends to the service.

    Args:
        items: routines, views and scheduled queries of the catalog.
        catalog: where views and routines are looked up.
        arguments: expressions for the arguments of the items that are routines, by name; any other value is
            unknown.
        parameters: expressions for the query parameters, such as ``run_time``, of each scheduled query, by its name.
        written_out: views, table functions and functions whose text replaces their name; others are called as they
            are deployed.

    Returns:
        One run per item. A script's statements are those that read or change tables; a view, a table function or a
        function is one statement.
    """
    text = Expansion(catalog, written_out)
    return [_run_of(item, text, arguments, parameters) for item in items]


def _run_of(
    item: SqlObject, text: Expansion, arguments: Mapping[str, str], parameters: Mapping[str, Mapping[str, str]]
) -> Run:
    run = Run()
    match item:
        case View():
            run.statements.append(text.body(item, {}, run.uses))
        case Routine(kind=RoutineKind.PROCEDURE):
            ScriptWalk(text, run, (item.name,)).procedure(item, _values(item, arguments))
        case Routine(kind=RoutineKind.TABLE_FUNCTION):
            run.statements.append(text.body(item, _values(item, arguments), run.uses))
        case Routine():
            run.statements.append(f"SELECT {text.call(item, _values(item, arguments).values(), run.uses)}")
        case Script():
            text.parameters = parameters.get(item.name, {})
            source = SourceFile(item.path, item.query)
            ScriptWalk(text, run, ()).block(source, source.statements)
    return run


def _values(routine: Routine, given: Mapping[str, str]) -> dict[str, str]:
    return {
        argument.name.lower(): cast(given[argument.name], argument.type)
        if argument.name in given
        else unknown(argument.type)
        for argument in routine.arguments
    }
