"""Full semantic analysis of a file against what all files declare: types, names, scripts, lineage."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zetasql.wasi._pb2.zetasql.public import function_pb2 as signature_pb2

from catalog import zetasql
from catalog.declarations import type_of
from catalog.findings import CatalogError
from catalog.model import PREFIX, Column, Columns, Routine, ScheduledQuery, Script, SqlObject, SqlType, View
from catalog.namespace import INT64, STRING, Namespace
from catalog.options import OPTIONS, allow_only
from catalog.zetasql import Place, ZetaSqlError, has, kind_of, member, places_by_kind, span, unwrap

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from catalog.findings import Finding
    from catalog.source import SourceFile

BOOL = SqlType("BOOL")
STACK = SqlType("ARRAY", SqlType("STRUCT", fields=(("line", INT64), ("column", INT64), ("location", STRING))))

SYSTEM_VARIABLES = {
    "row_count": INT64,
    "script.job_id": STRING,
    "project_id": STRING,
    "dataset_id": STRING,
    "last_job_id": STRING,
}
ERROR_VARIABLES = {
    "error.message": STRING,
    "error.statement_text": STRING,
    "error.formatted_stack_trace": STRING,
    "error.stack_trace": STACK,
}
#: What the transfer service binds in a scheduled query.
SCHEDULE_PARAMETERS = {"run_time": SqlType("TIMESTAMP"), "run_date": SqlType("DATE")}

WORD = re.compile(r"\w+")
#: Each byte as a blank, but for those that a position is counted with.
BLANKS = bytes(byte if byte in b"\n\t" else ord(" ") for byte in range(256))
WRITING = {
    "ResolvedInsertStmt",
    "ResolvedUpdateStmt",
    "ResolvedDeleteStmt",
    "ResolvedMergeStmt",
    "ResolvedTruncateStmt",
}


@dataclass(frozen=True)
class Resolved:
    """A resolved statement or expression, with the variables and arguments that it could name."""

    node: Any
    names: Mapping[str, SqlType]

    @cached_property
    def places(self) -> Mapping[str, list[Place]]:
        """The nodes of the tree by their class."""
        return places_by_kind([self.node])


@dataclass
class AnalyzedFile:
    """A file with its object, everything that the analyzer resolved in it, its lineage, and what is wrong."""

    source: SourceFile
    folder: str
    object: SqlObject
    resolved: list[Resolved] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    columns: tuple[Column, ...] = ()

    @property
    def tree(self) -> list[Any]:
        """The statements as the parser sees them."""
        return self.source.statements


def analyze(source: SourceFile, folder: str, item: SqlObject, namespace: Namespace) -> AnalyzedFile:
    """Analyze one file.

    Args:
        source: the file.
        folder: the name of its folder under sql/.
        item: the object that it declares.
        namespace: the objects that it may name.

    Returns:
        What the analyzer resolved, the lineage of the object, a view's columns, and what is wrong.
    """
    file = AnalyzedFile(source, folder, item)
    _FileAnalysis(file, namespace).run()
    return file


@dataclass
class _Scope:
    """Variables of a block, inside those of the blocks around it."""

    outer: _Scope | None = None
    own: dict[str, SqlType] = field(default_factory=dict)

    def all(self) -> dict[str, SqlType]:
        return {**(self.outer.all() if self.outer else {}), **self.own}


class _FileAnalysis:
    """The analysis of one file: walks its script, and asks the analyzer about each statement and expression."""

    def __init__(self, file: AnalyzedFile, namespace: Namespace) -> None:
        self.file, self.source, self.namespace = file, file.source, namespace
        self.system = dict(SYSTEM_VARIABLES)
        self.parameters = SCHEDULE_PARAMETERS if isinstance(file.object, ScheduledQuery) else {}
        self.temporary: dict[str, Columns] = {}
        #: The last catalog with temporary tables and variables, and those.
        self.own: tuple[bytes, dict[str, Columns], dict[str, SqlType]] | None = None
        self.arguments: dict[str, SqlType] = {}
        self.in_tests = False

    def run(self) -> None:
        scope = _Scope()
        for number, statement in enumerate(self.source.statements):
            self.in_tests = number > 0 and not isinstance(self.file.object, Script)
            self._statement(statement, scope)

    # Asking the analyzer

    def _catalog(self, text: str, scope: _Scope) -> bytes:
        """A catalog with the temporary tables and variables that a text may name.

        Registering one takes about 15 ms, so the last one is used again if it has the same names for this text.
        """
        words = set(WORD.findall(text.lower()))
        variables = scope.all()
        if not _met(words, self.temporary) and not _met(words, variables):
            return self.namespace.catalog
        if self.own is not None:
            catalog, known_tables, known_variables = self.own
            same_tables = _met(words, known_tables) == _met(words, self.temporary)
            if same_tables and _met(words, known_variables) == _met(words, variables):
                return catalog
        catalog = self.namespace.catalog_with(self.temporary, variables)
        self.own = (catalog, dict(self.temporary), variables)
        return catalog

    def _resolve(self, node: Any, scope: _Scope, expression: bool = False, wanted: SqlType | None = None) -> Any:
        """The resolved form of a parsed node; None, and a finding, where the analyzer refuses it."""
        start, end = span(node)
        # everything before the node is blanked byte by byte, so that the analyzer's positions are the file's
        text = self.source.data[start:end].decode()
        blanks = self.source.data[:start].translate(BLANKS).decode()
        options = zetasql.analyzer_options()
        for name, kind in self.parameters.items():
            options.query_parameters.add(name=name).type.CopyFrom(zetasql.type_proto(kind))
        for name, kind in self.system.items():
            options.system_variables.add(name_path=name.split(".")).type.CopyFrom(zetasql.type_proto(kind))
        if node is self.source.statements[0] and not isinstance(self.file.object, Script):
            allow_only(options, OPTIONS)
        try:
            resolved = zetasql.analyze(blanks + text, self._catalog(text, scope), options, expression)
        except ZetaSqlError as error:
            self.file.findings.append(self.source.error("semantic", error, start))
            return None
        self._record(resolved, scope)
        if wanted is not None and not self._fits(resolved, wanted):
            found = zetasql.sql_type(member(resolved, "type")).sql
            self._say(node, f"needs {wanted.sql} but the expression is {found}")
        return resolved

    def _fits(self, resolved: Any, wanted: SqlType) -> bool:
        """Whether an expression's type is, or is coerced to, the wanted one; NULL and literals fit what they can."""
        found = zetasql.sql_type(member(resolved, "type"))
        is_literal = kind_of(resolved) == "ResolvedLiteral"
        widens = (found.kind, wanted.kind) in {("INT64", "FLOAT64"), ("INT64", "NUMERIC"), ("NUMERIC", "FLOAT64")}
        same = _unnamed(found) == _unnamed(wanted)
        return same or widens or (is_literal and (found.kind, wanted.kind) != ("STRING", "INT64"))

    def _say(self, node: Any, message: str) -> None:
        self.file.findings.append(self.source.finding(node, "semantic", message))

    # Reading a resolved tree

    def _record(self, node: Any, scope: _Scope) -> None:
        resolved = Resolved(node, {**self.arguments, **scope.all()})
        self.file.resolved.append(resolved)
        if self.in_tests:
            return  # a test's reads are not dependencies of the object
        file, places = self.file, resolved.places
        target = None
        if kind_of(node) in WRITING:
            target = node.table_scan
            file.writes.add(_own(target.table.full_name))
        for place in places["ResolvedTableScan"]:
            # the table that the statement writes is the one directly below the statement
            below = place.above is not None and place.above.above is None
            if not (below and place.node == target):
                file.reads.add(_own(place.node.table.full_name))
        for place in places["FunctionRef"]:
            if not place.node.name.startswith("ZetaSQL:"):
                file.calls.add(_own(place.node.name.split(":", 1)[-1]))
        for place in [*places["TableValuedFunctionRef"], *places["ProcedureRef"]]:
            file.calls.add(_own(place.node.name))
        for known in (file.reads, file.writes, file.calls):
            known.discard("")

    # Statements

    def _block(self, statements: Iterable[Any], scope: _Scope) -> None:
        for statement in statements:
            self._statement(unwrap(statement), scope)

    def _expression(self, node: Any, scope: _Scope, wanted: SqlType | None = None) -> SqlType | None:
        resolved = self._resolve(unwrap(node), scope, expression=True, wanted=wanted)
        return None if resolved is None else zetasql.sql_type(member(resolved, "type"))

    def _variable(self, identifier: Any, scope: _Scope) -> SqlType | None:
        known = {name.lower(): kind for name, kind in scope.all().items()}
        kind = known.get(identifier.id_string.lower())
        if kind is None:
            self._say(identifier, f"undeclared variable {identifier.id_string}")
        return kind

    def _statement(self, node: Any, scope: _Scope) -> None:
        handler = HANDLERS.get(kind_of(node))
        if handler is not None:
            handler(self, node, scope)
        elif kind_of(node) not in SILENT:
            resolved = self._resolve(node, scope)
            if resolved is not None:
                self._define(resolved)

    def _define(self, resolved: Any) -> None:
        """Temporary tables are known to the statements that follow."""
        if kind_of(resolved) in {"ResolvedCreateTableStmt", "ResolvedCreateTableAsSelectStmt"}:
            columns = member(resolved, "column_definition_list")
            name = member(resolved, "name_path")[-1]
            if "." not in name:
                self.temporary[name] = tuple((c.name, zetasql.sql_type(c.type)) for c in columns)

    def _declaration(self, node: Any, scope: _Scope) -> None:
        try:
            kind = type_of(self.source, node.type) if node.HasField("type") else None
        except CatalogError as error:
            self.file.findings += error.findings
            kind = None
        if node.HasField("default_value"):
            found = self._expression(node.default_value, scope, kind)
            kind = kind or found
        for identifier in node.variable_list.identifier_list:
            if identifier.id_string.lower() in {name.lower() for name in scope.all()}:
                self._say(identifier, f"variable {identifier.id_string} is declared twice")
            scope.own[identifier.id_string] = kind or INT64

    def _assignment(self, node: Any, scope: _Scope) -> None:
        self._expression(node.expression, scope, self._variable(node.variable, scope))

    def _struct_assignment(self, node: Any, scope: _Scope) -> None:
        kind = self._expression(node.struct_expression, scope)
        variables = [self._variable(identifier, scope) for identifier in node.variables.identifier_list]
        if kind is not None and len(kind.fields) != len(variables):
            self._say(node, f"{len(variables)} variables are set from {len(kind.fields)} values")
            return
        for variable, (_, found) in zip(variables, kind.fields if kind else (), strict=False):
            if variable is not None and _unnamed(variable) != _unnamed(found):
                self._say(node, f"a variable of type {variable.sql} is set from {found.sql}")

    def _if(self, node: Any, scope: _Scope) -> None:
        self._expression(node.condition, scope, BOOL)
        self._block(node.then_list.statement_list, scope)
        for clause in node.elseif_clauses.elseif_clauses:
            self._expression(clause.condition, scope, BOOL)
            self._block(clause.body.statement_list, scope)
        if node.HasField("else_list"):
            self._block(node.else_list.statement_list, scope)

    def _loop(self, node: Any, scope: _Scope) -> None:
        if kind_of(node) == "ASTWhileStatement" and node.HasField("condition"):
            self._expression(node.condition, scope, BOOL)
        self._block(member(node, "body").statement_list, scope)
        if kind_of(node) == "ASTRepeatStatement":
            self._expression(node.until_clause.condition, scope, BOOL)

    def _for(self, node: Any, scope: _Scope) -> None:
        query = self._resolve(node.query, scope)
        if query is not None:
            row = tuple((c.name, zetasql.sql_type(c.column.type)) for c in query.output_column_list)
            inner = _Scope(scope, {node.variable.id_string: SqlType("STRUCT", fields=row)})
            self._block(member(node, "body").statement_list, inner)

    def _begin(self, node: Any, scope: _Scope) -> None:
        self._block(node.statement_list_node.statement_list, _Scope(scope))
        for handler in node.handler_list.exception_handler_list:
            before, self.system = self.system, {**self.system, **ERROR_VARIABLES}
            self._block(handler.statement_list.statement_list, _Scope(scope))
            self.system = before

    def _raise(self, node: Any, scope: _Scope) -> None:
        if has(node, "message"):
            self._expression(node.message, scope, STRING)

    def _call(self, node: Any, scope: _Scope) -> None:
        resolved = self._resolve(node, scope)
        if resolved is None:
            return
        for argument, declared in zip(node.arguments, resolved.signature.argument, strict=False):
            if declared.options.procedure_argument_mode in _OUT_MODES:
                expression = unwrap(argument.expr)
                if kind_of(expression) == "ASTPathExpression" and len(expression.names) == 1:
                    self._variable(expression.names[0], scope)
                else:
                    self._say(expression, "an OUT or INOUT argument must be a variable")

    def _execute_immediate(self, node: Any, scope: _Scope) -> None:
        self._say(node, "dynamic SQL cannot be checked: write the statement out")
        self._resolve(node, scope)

    def _procedure(self, node: Any, scope: _Scope) -> None:
        self._resolve(node, scope)  # the analyzer validates the script: places of DECLARE, BREAK, RAISE …
        routine = self.file.object
        if isinstance(routine, Routine):
            inner = _Scope(None, {argument.name: argument.type for argument in routine.arguments})
            self._block(node.body.statement_list_node.statement_list, inner)

    def _function(self, node: Any, scope: _Scope) -> None:
        routine = self.file.object
        self.arguments = {a.name: a.type for a in routine.arguments} if isinstance(routine, Routine) else {}
        self._resolve(node, scope)
        self.arguments = {}

    def _create_view(self, node: Any, scope: _Scope) -> None:
        resolved = self._resolve(node, scope)
        if resolved is None or not isinstance(self.file.object, View):
            return
        described = {column.name: column.description for column in self.file.object.columns}
        self.file.columns = tuple(
            Column(c.name, zetasql.sql_type(c.column.type), description=described.get(c.name))
            for c in member(resolved, "output_column_list")
        )


_OUT_MODES = (signature_pb2.FunctionEnums.OUT, signature_pb2.FunctionEnums.INOUT)
SILENT = {
    "ASTBreakStatement",
    "ASTContinueStatement",
    "ASTReturnStatement",
    "ASTBeginStatement",
    "ASTCommitStatement",
    "ASTRollbackStatement",
}
HANDLERS = {
    "ASTVariableDeclaration": _FileAnalysis._declaration,
    "ASTSingleAssignment": _FileAnalysis._assignment,
    "ASTAssignmentFromStruct": _FileAnalysis._struct_assignment,
    "ASTIfStatement": _FileAnalysis._if,
    "ASTWhileStatement": _FileAnalysis._loop,
    "ASTRepeatStatement": _FileAnalysis._loop,
    "ASTForInStatement": _FileAnalysis._for,
    "ASTBeginEndBlock": _FileAnalysis._begin,
    "ASTRaiseStatement": _FileAnalysis._raise,
    "ASTCallStatement": _FileAnalysis._call,
    "ASTExecuteImmediateStatement": _FileAnalysis._execute_immediate,
    "ASTCreateProcedureStatement": _FileAnalysis._procedure,
    "ASTCreateFunctionStatement": _FileAnalysis._function,
    "ASTCreateTableFunctionStatement": _FileAnalysis._function,
    "ASTCreateViewStatement": _FileAnalysis._create_view,
}


def _unnamed(kind: SqlType) -> SqlType:
    """A type without its field names, which coercion does not look at."""
    fields = tuple(("", _unnamed(inner)) for _, inner in kind.fields)
    return replace(kind, fields=fields, element=None if kind.element is None else _unnamed(kind.element))


def _own(full_name: str) -> str:
    """The object's name, '' for what is not of this dataset (temporary tables)."""
    return full_name.removeprefix(PREFIX) if full_name.startswith(PREFIX) else ""


def _met(words: set[str], known: Mapping[str, Any]) -> dict[str, Any]:
    """What of the known names occurs among some words."""
    return {name: value for name, value in known.items() if name.lower() in words}
