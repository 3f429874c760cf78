"""Follows one run of a script without failures: its statements, and what each variable is at each of them.

The run enters every IF, unless its condition is known to be false (such a branch is for a run that failed), every loop
once, and no exception handler. A variable that an IF or a loop may or may not have assigned is unknown afterwards.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from catalog.declarations import type_of
from catalog.expansion import Expansion, cast, of_the_type_of, unknown
from catalog.zetasql import has, kind_of, member, span, unwrap, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from catalog.model import Routine, SqlType
    from catalog.source import SourceFile

WRITING = {"ASTUpdateStatement", "ASTDeleteStatement", "ASTMergeStatement"}
#: Nodes whose value may differ each time.
CHANGING = {"ASTExpressionSubquery", "ASTFunctionCall", "ASTSystemVariableExpr"}
NOT = 1  # ASTUnaryExpression.op


@dataclass
class Run:
    """One run of an object: its statements, and how many places name each other object, also in callees."""

    statements: list[str] = field(default_factory=list)
    uses: Counter[str] = field(default_factory=Counter)


def _is_settled(condition: Any) -> bool:
    """Whether a condition has the same value again as long as its variables are unchanged."""
    return not {kind_of(inner) for inner, _ in walk(condition)} & CHANGING


def _names(node: Any) -> frozenset[str]:
    """The names in an expression, variables among them."""
    return frozenset(
        inner.names[0].id_string.lower() for inner, _ in walk(node) if kind_of(inner) == "ASTPathExpression"
    )


@dataclass
class _State:
    """What is known at a place of a script: values of variables, flags among them, and flags under conditions.

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


class ScriptWalk:
    """Follows a run through a script, statement by statement."""

    def __init__(self, text: Expansion, run: Run, callers: tuple[str, ...]) -> None:
        self.text, self.run, self.callers = text, run, callers
        self.source: SourceFile
        self.state = _State()
        self.types: dict[str, SqlType | None] = {}

    def procedure(self, routine: Routine, values: Mapping[str, str]) -> dict[str, str]:
        """Follow a procedure; return its arguments and variables at the end."""
        self.state = _State(dict(values))
        self.types = {argument.name.lower(): argument.type for argument in routine.arguments}
        source = self.text.source(routine)
        self.block(source, source.statements[0].body.statement_list_node.statement_list)
        return self.state.values

    def block(self, source: SourceFile, statements: Iterable[Any]) -> None:
        """Follow statements in order."""
        self.source = source
        for statement in statements:
            node = unwrap(statement)
            _FOLLOWED.get(kind_of(node), ScriptWalk._other)(self, node)

    def _written(self, node: Any) -> str:
        return self.text.written(self.source, node, self.state.values, self.run.uses)

    def _value(self, node: Any, kind: SqlType | None) -> str:
        """The value of an expression; one that reads tables becomes a statement, and its value is unknown."""
        written = self._written(node)
        if not self.text.reads(node):
            return cast(written, kind)
        self.run.statements.append(f"SELECT {written}")
        return unknown(kind) if kind else of_the_type_of(f"SELECT {written} AS value", "SELECT value")

    def _condition(self, node: Any) -> bool | None:
        """Whether a condition holds; None if that is unknown."""
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
        kind = type_of(self.source, node.type) if node.HasField("type") else None
        for identifier in node.variable_list.identifier_list:
            name = identifier.id_string.lower()
            self.types[name] = kind
            if node.HasField("default_value"):
                self._assign(name, unwrap(node.default_value))
            else:
                self.state.assign(name, cast("NULL", kind))

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
        """Continue from several possible states: a variable that differs between them is unknown."""
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
        self.state.assign(node.variable.id_string.lower(), of_the_type_of(query, "SELECT AS STRUCT *"))
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
        after = ScriptWalk(self.text, self.run, (*self.callers, routine.name)).procedure(routine, values)
        for name, variable in results.items():
            self.state.assign(variable, after[name])

    def _nothing(self, node: Any) -> None:
        """A statement that reads no table and has no effect in a run without failures."""

    def _other(self, node: Any) -> None:
        if kind_of(node) in WRITING or self.text.reads(node):
            self.run.statements.append(self._written(node))


_FOLLOWED = {
    "ASTVariableDeclaration": ScriptWalk._declaration,
    "ASTSingleAssignment": ScriptWalk._assignment,
    "ASTAssignmentFromStruct": ScriptWalk._struct_assignment,
    "ASTIfStatement": ScriptWalk._if,
    "ASTWhileStatement": ScriptWalk._loop,
    "ASTRepeatStatement": ScriptWalk._loop,
    "ASTForInStatement": ScriptWalk._for,
    "ASTBeginEndBlock": ScriptWalk._begin,
    "ASTCallStatement": ScriptWalk._call,
    "ASTRaiseStatement": ScriptWalk._nothing,
}
