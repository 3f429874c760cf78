"""Follows one run of a script without failures: its statements, and what each variable is at each of them.

The run enters every IF and every loop once, and no exception handler. A variable that an IF or a loop may or may not
have assigned is unknown afterwards.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from catalog.declarations import type_of
from catalog.expansion import Expansion, cast, of_the_type_of, unknown
from catalog.zetasql import has, kind_of, member, unwrap, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from catalog.model import Routine, SqlType
    from catalog.source import SourceFile

WRITING = {"ASTUpdateStatement", "ASTDeleteStatement", "ASTMergeStatement"}
#: Nodes whose value comes from rows or elements.
OF_ROWS = {"ASTExpressionSubquery", "ASTArrayElement"}


@dataclass
class Run:
    """One run of an object: its statements, and how many places name each other object, also in callees."""

    statements: list[str] = field(default_factory=list)
    uses: Counter[str] = field(default_factory=Counter)


class ScriptWalk:
    """Follows a run through a script, statement by statement."""

    def __init__(self, text: Expansion, run: Run, callers: tuple[str, ...]) -> None:
        self.text, self.run, self.callers = text, run, callers
        self.source: SourceFile
        self.values: dict[str, str] = {}
        self.types: dict[str, SqlType | None] = {}

    def procedure(self, routine: Routine, values: Mapping[str, str]) -> dict[str, str]:
        """Follow a procedure; return its arguments and variables at the end."""
        self.values = dict(values)
        self.types = {argument.name.lower(): argument.type for argument in routine.arguments}
        source = self.text.source(routine)
        self.block(source, source.statements[0].body.statement_list_node.statement_list)
        return self.values

    def block(self, source: SourceFile, statements: Iterable[Any]) -> None:
        """Follow statements in order."""
        self.source = source
        for statement in statements:
            node = unwrap(statement)
            _FOLLOWED.get(kind_of(node), ScriptWalk._other)(self, node)

    def _written(self, node: Any) -> str:
        return self.text.written(self.source, node, self.values, self.run.uses)

    def _value(self, node: Any, kind: SqlType | None) -> str:
        """The value of an expression; one that reads tables becomes a statement. Then, and of rows, it is unknown."""
        written = self._written(node)
        if self.text.reads(node):
            self.run.statements.append(f"SELECT {written}")
        elif kind is None or not {kind_of(inner) for inner, _ in walk(node)} & OF_ROWS:
            return cast(written, kind)
        return unknown(kind) if kind else of_the_type_of(f"SELECT {written} AS value", "SELECT value")

    def _condition(self, node: Any) -> None:
        """A condition that reads tables is a statement."""
        if self.text.reads(node):
            self.run.statements.append(f"SELECT {self._written(node)}")

    def _assign(self, name: str, node: Any) -> None:
        """A variable's new value; an array that is added to is unknown, since written out it would grow each time."""
        kind = self.types.get(name)
        value = self._value(node, kind)
        is_added_to = kind is not None and kind.kind == "ARRAY" and name in _names(node)
        self.values[name] = unknown(kind) if kind is not None and is_added_to else value

    def _declaration(self, node: Any) -> None:
        kind = type_of(self.source, node.type) if node.HasField("type") else None
        for identifier in node.variable_list.identifier_list:
            name = identifier.id_string.lower()
            self.types[name] = kind
            if node.HasField("default_value"):
                self._assign(name, unwrap(node.default_value))
            else:
                self.values[name] = cast("NULL", kind)

    def _assignment(self, node: Any) -> None:
        self._assign(node.variable.id_string.lower(), unwrap(node.expression))

    def _struct_assignment(self, node: Any) -> None:
        self._value(unwrap(node.struct_expression), None)
        for identifier in node.variables.identifier_list:
            self._forget(identifier.id_string.lower())

    def _forget(self, name: str) -> None:
        kind, value = self.types.get(name), self.values.get(name, "NULL")
        self.values[name] = unknown(kind) if kind else f"IF(RAND() < 0.5, {value}, NULL)"

    def _if(self, node: Any) -> None:
        branches = [(node.condition, node.then_list)]
        branches += [(clause.condition, clause.body) for clause in node.elseif_clauses.elseif_clauses]
        ends: list[dict[str, str]] = []
        for condition, body in branches:
            self._condition(unwrap(condition))
            before = dict(self.values)
            self.block(self.source, body.statement_list)
            ends.append(self.values)
            self.values = before
        if node.HasField("else_list"):
            self.block(self.source, node.else_list.statement_list)
        self._agree([*ends, self.values])

    def _agree(self, ends: list[dict[str, str]]) -> None:
        """Continue with several possible values: a variable that differs between them is unknown."""
        self.values = dict(ends[0])
        for end in ends[1:]:
            for name in {**self.values, **end}:
                if self.values.get(name) != end.get(name):
                    self._forget(name)

    def _loop(self, node: Any) -> None:
        if has(node, "condition"):
            self._condition(unwrap(node.condition))
        before = dict(self.values)
        self.block(self.source, member(node, "body").statement_list)
        if has(node, "condition"):  # a REPEAT runs at least once
            self._agree([before, self.values])
        if has(node, "until_clause"):
            self._condition(unwrap(node.until_clause.condition))

    def _for(self, node: Any) -> None:
        query = self._written(node.query)
        self.run.statements.append(query)
        self.values[node.variable.id_string.lower()] = of_the_type_of(query, "SELECT AS STRUCT *")
        before = dict(self.values)
        self.block(self.source, member(node, "body").statement_list)
        self._agree([before, self.values])

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
            self.values[variable] = after[name]

    def _nothing(self, node: Any) -> None:
        """A statement that reads no table and has no effect in a run without failures."""

    def _other(self, node: Any) -> None:
        if kind_of(node) in WRITING or self.text.reads(node):
            self.run.statements.append(self._written(node))


def _names(node: Any) -> set[str]:
    """Every identifier in a tree, in lower case."""
    return {inner.id_string.lower() for inner, _ in walk(node) if kind_of(inner) == "ASTIdentifier"}


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
