"""What a run of an object asks of the service, as statements that each stand alone, for a dry run.

A dry run looks into no script and no procedure, and it measures views and table functions as they stand, not as they
are proposed. So scripts are taken apart, variables have their values written in, and so have views and functions that
differ from what stands, by the bytes of their names on the parse tree. That is sound because an argument or variable
never has the name of a column that it meets (a house rule).

What is followed is one run without failures that has work to do: every IF, unless its condition is known to be false
(what that guards is for a run that failed); every loop once; no exception handler. After an IF or a loop that may have
gone either way, what it assigned is not known.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from catalog.analysis import ERROR_VARIABLES, SYSTEM_VARIABLES
from catalog.declarations import type_of
from catalog.model import Catalog, Routine, RoutineKind, Script, SqlObject, SqlType, View
from catalog.source import SourceFile
from catalog.zetasql import children, has, kind_of, member, span, unwrap, walk

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

#: An expression for each type that no planner folds: nothing is pruned by a value that is not known.
UNKNOWN = {
    "BOOL": "(RAND() < 0.5)",
    "DATE": "DATE_ADD(DATE '2000-01-01', INTERVAL CAST(10000 * RAND() AS INT64) DAY)",
    "FLOAT64": "RAND()",
    "INT64": "CAST(1000 * RAND() AS INT64)",
    "STRING": "GENERATE_UUID()",
    "TIMESTAMP": "TIMESTAMP_SECONDS(CAST(1000000000 * RAND() AS INT64))",
}
WRITING = {"ASTUpdateStatement", "ASTDeleteStatement", "ASTMergeStatement"}
#: What may give another value each time.
CHANGING = {"ASTExpressionSubquery", "ASTFunctionCall", "ASTSystemVariableExpr"}
NOT = 1  # ASTUnaryExpression.op

Edit = tuple[int, int, str]


@dataclass
class Run:
    """One run of an object: its statements, and how many places name each other object, callees' included."""

    statements: list[str] = field(default_factory=list)
    uses: Counter[str] = field(default_factory=Counter)


def runs_of(
    items: Iterable[SqlObject],
    catalog: Catalog,
    arguments: Mapping[str, str],
    parameters: Mapping[str, Mapping[str, str]],
    written_out: Collection[str] = (),
) -> list[Run]:
    """What a run of each object asks of the service.

    Args:
        items: routines, views and scheduled queries of the catalog.
        catalog: where views and routines are looked up.
        arguments: expressions for the arguments of the items that are routines, by name; the value of any other is not
            known.
        parameters: expressions for the query parameters, such as ``run_time``, of each scheduled query, by its name.
        written_out: views, table functions and functions whose text stands in for their name; others are called as
            they stand.

    Returns:
        One run an item. A script's statements are those that read or change tables, without what only computes; a view,
        a table function or a function is one statement, whatever it reads.
    """
    text = _Expansion(catalog, written_out)
    return [_run_of(item, text, arguments, parameters) for item in items]


def _run_of(
    item: SqlObject, text: _Expansion, arguments: Mapping[str, str], parameters: Mapping[str, Mapping[str, str]]
) -> Run:
    run = Run()
    match item:
        case View():
            run.statements.append(text.body(item, {}, run.uses))
        case Routine(kind=RoutineKind.PROCEDURE):
            _ScriptWalk(text, run, (item.name,)).procedure(item, _values(item, arguments))
        case Routine(kind=RoutineKind.TABLE_FUNCTION):
            run.statements.append(text.body(item, _values(item, arguments), run.uses))
        case Routine():
            run.statements.append(f"SELECT {text.call(item, _values(item, arguments).values(), run.uses)}")
        case Script():
            text.parameters = parameters.get(item.name, {})
            source = SourceFile(item.path, item.query)
            _ScriptWalk(text, run, ()).block(source, source.statements)
    return run


def _values(routine: Routine, given: Mapping[str, str]) -> dict[str, str]:
    return {
        argument.name.lower(): _cast(given[argument.name], argument.type)
        if argument.name in given
        else unknown(argument.type)
        for argument in routine.arguments
    }


def unknown(kind: SqlType) -> str:
    """An expression of a type whose value nothing can be concluded from."""
    return UNKNOWN.get(kind.kind, f"IF(RAND() < 0.5, CAST(NULL AS {kind.sql}), NULL)")


def _of_the_type_of(query: str, select: str) -> str:
    """A value that is not known, of the type that a query gives; it reads nothing of what the query reads."""
    return f"IF(RAND() < 0.5, ({select} FROM ({query}) WHERE FALSE), NULL)"


def _cast(expression: str, kind: SqlType | None) -> str:
    return f"CAST({expression} AS {kind.sql})" if kind else f"({expression})"


def _cast_scalar(name: str, kind: SqlType) -> str:
    """A column as what RETURNS TABLE makes of it; BigQuery's types are these already."""
    return name if kind.element or kind.fields else f"CAST({name} AS {kind.sql})"


def _body(node: Any) -> Any:
    """The query or expression that a CREATE statement gives its object."""
    if kind_of(node) == "ASTCreateFunctionStatement":
        return unwrap(node.sql_function_body.expression)
    return member(node, "query")


class _Expansion:
    """Texts with names written out."""

    def __init__(self, catalog: Catalog, written_out: Collection[str]) -> None:
        self.catalog, self.written_out = catalog, written_out
        self.parameters: Mapping[str, str] = {}
        self.system = {name: unknown(kind) for name, kind in {**SYSTEM_VARIABLES, **ERROR_VARIABLES}.items()}
        self.sources: dict[str, SourceFile] = {}
        self.uses: dict[str, Counter[str]] = {}
        self.bodies: dict[tuple[str, ...], tuple[str, Counter[str]]] = {}

    def source(self, item: SqlObject) -> SourceFile:
        """The parsed DDL of an object."""
        return self.sources.setdefault(item.name, SourceFile(item.path, item.ddl))

    def own(self, path: Any) -> str:
        """The name of the dataset's object that a path means; '' for anything else."""
        name = ".".join(identifier.id_string for identifier in path.names)
        prefix = f"{self.catalog.project}.{self.catalog.dataset}."
        return name.removeprefix(prefix) if name.startswith(prefix) else ""

    def reads(self, node: Any) -> bool:
        """Whether a node reads tables, or a table function that may."""
        return any(
            kind_of(inner) == "ASTTVF"
            or (
                kind_of(inner) == "ASTTablePathExpression"
                and has(inner, "path_expr")
                and bool(self.own(inner.path_expr))
            )
            for inner, _ in walk(node)
        )

    def body(self, item: Routine | View, values: Mapping[str, str], uses: Counter[str]) -> str:
        """The query of a view or table function, or the expression of a function, written out."""
        key = (item.name, *values.values())
        if key not in self.bodies:
            own: Counter[str] = Counter()
            source = self.source(item)
            self.bodies[key] = self.written(source, _body(source.statements[0]), values, own), own
        text, own = self.bodies[key]
        uses.update(own)
        return text

    def written(self, source: SourceFile, node: Any, values: Mapping[str, str], uses: Counter[str]) -> str:
        """A node's text with the names in it written out."""
        start, end = span(node)
        written, position = b"", start
        for first, last, replacement in sorted(self._edits(source, node, values, uses, wrapped=True)):
            written += source.data[position:first] + replacement.encode()
            position = last
        return (written + source.data[position:end]).decode()

    def _edits(
        self, source: SourceFile, node: Any, values: Mapping[str, str], uses: Counter[str], wrapped: bool
    ) -> Iterator[Edit]:
        """The places of a tree where another text stands; ``wrapped``: the node is an expression, not just a name."""
        edit = self._edit(source, node, values, uses, wrapped)
        if edit is not None:
            yield edit
            return
        for child in children(node):
            yield from self._edits(source, child, values, uses, kind_of(node).startswith("Any"))

    def _edit(
        self, source: SourceFile, node: Any, values: Mapping[str, str], uses: Counter[str], wrapped: bool
    ) -> Edit | None:
        match kind_of(node):
            case "ASTPathExpression" if wrapped and node.names[0].id_string.lower() in values:
                return *span(node.names[0]), values[node.names[0].id_string.lower()]
            case "ASTParameterExpr" if node.name.id_string.lower() in self.parameters:
                return *span(node), self.parameters[node.name.id_string.lower()]
            case "ASTSystemVariableExpr":
                name = ".".join(identifier.id_string for identifier in node.path.names).lower()
                return (*span(node), self.system[name]) if name in self.system else None
            case "ASTTVF" if function := self.catalog.table_functions.get(self.own(node.name)):
                if not self._is_written(function, uses):
                    return None
                given = [self.written(source, unwrap(entry.expr), values, uses) for entry in node.argument_entries]
                typed = (_cast(text, argument.type) for text, argument in zip(given, function.arguments, strict=False))
                names = (argument.name.lower() for argument in function.arguments)
                end = span(node.alias)[0] if node.HasField("alias") else span(node)[1]
                body = self.body(function, dict(zip(names, typed, strict=False)), uses)
                columns = ", ".join(
                    f"{_cast_scalar(f'`{c.name}`', c.type)} AS `{c.name}`" for c in function.returns_table
                )
                return span(node)[0], end, f"(SELECT {columns} FROM ({body})) "
            case "ASTTablePathExpression" if has(node, "path_expr") and (
                view := self.catalog.views.get(self.own(node.path_expr))
            ):
                if not self._is_written(view, uses):
                    return None
                alias = "" if node.HasField("alias") else f" AS {view.name}"
                return *span(node.path_expr), f"({self.body(view, {}, uses)}){alias}"
            case "ASTFunctionCall" if function := self.catalog.functions.get(self.own(node.function)):
                if not self._is_written(function, uses):
                    return None
                given = [self.written(source, unwrap(argument), values, uses) for argument in node.arguments]
                return *span(node), self.call(function, given, uses)
        return None

    def _is_written(self, item: Routine | View, uses: Counter[str]) -> bool:
        """Count a place that names an object, and say whether its text must stand there."""
        uses[item.name] += 1
        if item.name in self.written_out:
            return True
        if item.name not in self.uses:
            self.uses[item.name] = Counter()
            self.body(item, {}, self.uses[item.name])
        uses.update(self.uses[item.name])
        return False

    def call(self, function: Routine, arguments: Iterable[str], uses: Counter[str]) -> str:
        """A call of a function; where it is written out its arguments are the columns of a row around its body."""
        if function.name not in self.written_out:
            return f"`{self.catalog.project}.{self.catalog.dataset}.{function.name}`({', '.join(arguments)})"
        # a name of its own, so that an argument of this name is not the column itself
        names = {argument.name.lower(): f"{function.name}_{argument.name}" for argument in function.arguments}
        row = ", ".join(
            f"{_cast(text, argument.type)} AS {name}"
            for text, argument, name in zip(arguments, function.arguments, names.values(), strict=False)
        )
        body = self.body(function, names, uses)
        return f"(SELECT {body} FROM (SELECT {row}))" if row else f"({body})"


def _is_settled(condition: Any) -> bool:
    """Whether a condition gives the same again while its variables stay as they are."""
    return not {kind_of(inner) for inner, _ in walk(condition)} & CHANGING


def _names(node: Any) -> frozenset[str]:
    """The names in an expression, variables among them."""
    return frozenset(
        inner.names[0].id_string.lower() for inner, _ in walk(node) if kind_of(inner) == "ASTPathExpression"
    )


@dataclass
class _State:
    """What is known at a place of a script: its variables' values, the flags among them, and flags under conditions.

    ``under`` has, by the text of a condition, what flags are if it holds; assigning a variable of it ends that.
    """

    values: dict[str, str] = field(default_factory=dict)
    flags: dict[str, bool] = field(default_factory=dict)
    under: dict[str, tuple[frozenset[str], dict[str, bool]]] = field(default_factory=dict)

    def copy(self) -> _State:
        return _State(dict(self.values), dict(self.flags), dict(self.under))

    def assign(self, name: str, value: str, flag: bool | None = None) -> None:
        self.values[name] = value
        self.flags.pop(name, None)
        if flag is not None:
            self.flags[name] = flag
        self.under = {
            condition: (names, {other: known for other, known in flags.items() if other != name})
            for condition, (names, flags) in self.under.items()
            if name not in names
        }


class _ScriptWalk:
    """Follows a run through a script: what each variable is at each statement, and what reads or writes."""

    def __init__(self, text: _Expansion, run: Run, callers: tuple[str, ...]) -> None:
        self.text, self.run, self.callers = text, run, callers
        self.source: SourceFile
        self.state = _State()
        self.types: dict[str, SqlType | None] = {}

    def procedure(self, routine: Routine, values: Mapping[str, str]) -> dict[str, str]:
        """Follow a procedure; returns what its arguments and variables are at the end."""
        self.state = _State(dict(values))
        self.types = {argument.name.lower(): argument.type for argument in routine.arguments}
        source = self.text.source(routine)
        self.block(source, source.statements[0].body.statement_list_node.statement_list)
        return self.state.values

    def block(self, source: SourceFile, statements: Iterable[Any]) -> None:
        """Follow statements, in their order."""
        self.source = source
        for statement in statements:
            node = unwrap(statement)
            _FOLLOWED.get(kind_of(node), _ScriptWalk._other)(self, node)

    def _written(self, node: Any) -> str:
        return self.text.written(self.source, node, self.state.values, self.run.uses)

    def _value(self, node: Any, kind: SqlType | None) -> str:
        """The value of an expression; one that reads tables is a statement, and its value is not known."""
        written = self._written(node)
        if not self.text.reads(node):
            return _cast(written, kind)
        self.run.statements.append(f"SELECT {written}")
        return unknown(kind) if kind else _of_the_type_of(f"SELECT {written} AS value", "SELECT value")

    def _condition(self, node: Any) -> bool | None:
        """Whether a condition holds; None when that is not known."""
        if self.text.reads(node):
            self.run.statements.append(f"SELECT {self._written(node)}")
            return None
        return self._known(node)

    def _known(self, node: Any, under: Mapping[str, bool] | None = None) -> bool | None:
        match kind_of(node):
            case "ASTBooleanLiteral":
                return bool(node.value)
            case "ASTPathExpression":
                return {**self.state.flags, **(under or {})}.get(node.names[0].id_string.lower())
            case "ASTUnaryExpression" if node.op == NOT:
                operand = self._known(unwrap(node.operand), under)
                return None if operand is None else not operand
            case "ASTAndExpr":
                conjuncts = [unwrap(part) for part in node.conjuncts]
                under = dict(under or {})
                for part in conjuncts:
                    under |= self.state.under.get(self._text(part), (frozenset(), {}))[1]
                parts = [self._known(part, under) for part in conjuncts]
                return False if False in parts else None if None in parts else True
            case "ASTOrExpr":
                parts = [self._known(unwrap(part), under) for part in node.disjuncts]
                return True if True in parts else None if None in parts else False
        return None

    def _text(self, node: Any) -> str:
        start, end = span(node)
        return self.source.data[start:end].decode()

    def _assign(self, name: str, node: Any) -> None:
        flag = self._known(node)
        self.state.assign(name, self._value(node, self.types.get(name)), flag)

    def _declaration(self, node: Any) -> None:
        kind = type_of(node.type) if node.HasField("type") else None
        for identifier in node.variable_list.identifier_list:
            name = identifier.id_string.lower()
            self.types[name] = kind
            if node.HasField("default_value"):
                self._assign(name, unwrap(node.default_value))
            else:
                self.state.assign(name, _cast("NULL", kind))

    def _assignment(self, node: Any) -> None:
        self._assign(node.variable.id_string.lower(), unwrap(node.expression))

    def _struct_assignment(self, node: Any) -> None:
        self._value(unwrap(node.struct_expression), None)
        for identifier in node.variables.identifier_list:
            self._forget(identifier.id_string.lower())

    def _forget(self, name: str) -> None:
        kind, value = self.types.get(name), self.state.values.get(name, "NULL")
        self.state.assign(name, unknown(kind) if kind else f"IF(RAND() < 0.5, {value}, NULL)")

    def _if(self, node: Any) -> None:
        branches = [(node.condition, node.then_list)]
        branches += [(clause.condition, clause.body) for clause in node.elseif_clauses.elseif_clauses]
        ends: list[_State] = []
        under: dict[str, tuple[frozenset[str], dict[str, bool]]] = {}
        for number, (condition, body) in enumerate(branches):
            holds = self._condition(unwrap(condition))
            before = self.state.copy()
            if holds is not False:
                text = self._text(unwrap(condition))
                if number == 0 and holds is None and _is_settled(unwrap(condition)):
                    self.state.under[text] = (_names(unwrap(condition)), {})
                self.block(self.source, body.statement_list)
                if number == 0 and text in self.state.under:
                    under[text] = (self.state.under.pop(text)[0], dict(self.state.flags))
                ends.append(self.state)
            if holds:
                break
            self.state = before
        else:
            if node.HasField("else_list"):
                self.block(self.source, node.else_list.statement_list)
            ends.append(self.state)
        self._agree(ends)
        self.state.under |= under

    def _agree(self, ends: list[_State]) -> None:
        """Go on from wherever a run may be: a variable that is not the same in all of these is not known."""
        self.state = ends[0].copy()
        for end in ends[1:]:
            shared = {text: known for text, known in self.state.under.items() if end.under.get(text) == known}
            self.state.under = shared
            for name in {**self.state.values, **end.values}:
                here = (self.state.values.get(name), self.state.flags.get(name))
                if here != (end.values.get(name), end.flags.get(name)):
                    self._forget(name)

    def _loop(self, node: Any) -> None:
        holds = self._condition(unwrap(node.condition)) if has(node, "condition") else True
        if holds is False:
            return
        before = self.state.copy()
        self.block(self.source, member(node, "body").statement_list)
        if holds is None:
            self._agree([before, self.state])
        if has(node, "until_clause"):
            self._condition(unwrap(node.until_clause.condition))

    def _for(self, node: Any) -> None:
        query = self._written(node.query)
        self.run.statements.append(query)
        self.state.assign(node.variable.id_string.lower(), _of_the_type_of(query, "SELECT AS STRUCT *"))
        before = self.state.copy()
        self.block(self.source, member(node, "body").statement_list)
        self._agree([before, self.state])

    def _begin(self, node: Any) -> None:
        self.block(self.source, node.statement_list_node.statement_list)

    def _call(self, node: Any) -> None:
        routine = self.text.catalog.procedures.get(self.text.own(node.procedure_name))
        if routine is None or routine.name in self.callers:
            return
        self.run.uses[routine.name] += 1
        values, results = {}, {}
        for argument, entry in zip(routine.arguments, node.arguments, strict=False):
            expression, name = unwrap(entry.expr), argument.name.lower()
            if argument.mode in {"OUT", "INOUT"}:
                results[name] = expression.names[0].id_string.lower()
            values[name] = "NULL" if argument.mode == "OUT" else self._value(expression, argument.type)
        after = _ScriptWalk(self.text, self.run, (*self.callers, routine.name)).procedure(routine, values)
        for name, variable in results.items():
            self.state.assign(variable, after[name])

    def _nothing(self, node: Any) -> None:
        """What reads no table and ends, in a run without failures, nothing."""

    def _other(self, node: Any) -> None:
        if kind_of(node) in WRITING or self.text.reads(node):
            self.run.statements.append(self._written(node))


_FOLLOWED = {
    "ASTVariableDeclaration": _ScriptWalk._declaration,
    "ASTSingleAssignment": _ScriptWalk._assignment,
    "ASTAssignmentFromStruct": _ScriptWalk._struct_assignment,
    "ASTIfStatement": _ScriptWalk._if,
    "ASTWhileStatement": _ScriptWalk._loop,
    "ASTRepeatStatement": _ScriptWalk._loop,
    "ASTForInStatement": _ScriptWalk._for,
    "ASTBeginEndBlock": _ScriptWalk._begin,
    "ASTCallStatement": _ScriptWalk._call,
    "ASTRaiseStatement": _ScriptWalk._nothing,
}
