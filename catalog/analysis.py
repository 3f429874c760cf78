"""Full semantic analysis of the files against what they declare themselves: types, names, scripts, lineage."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from zetasql.wasi._pb2.zetasql.proto import function_pb2
from zetasql.wasi._pb2.zetasql.public import function_pb2 as signature_pb2

from catalog import zetasql
from catalog.declarations import PREFIX, type_of
from catalog.model import Column, Routine, RoutineKind, ScheduledQuery, Script, SqlObject, SqlType, Table, View
from catalog.zetasql import ZetaSqlError, has, kind_of, member, span, unwrap, walk

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from catalog.findings import Finding
    from catalog.source import SourceFile

BOOL, INT64, STRING = SqlType("BOOL"), SqlType("INT64"), SqlType("STRING")
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


@dataclass
class Namespace:
    """The objects that statements may name, by object name; all of one dataset."""

    tables: dict[str, tuple[Column, ...]] = field(default_factory=dict)
    routines: dict[str, Routine] = field(default_factory=dict)

    def add(self, item: SqlObject) -> None:
        """Make an object known; a view only when its columns are."""
        if isinstance(item, Table) or (isinstance(item, View) and item.columns):
            self.tables[item.name] = item.columns
        elif isinstance(item, Routine):
            self.routines[item.name] = item


def analyze(
    objects: Iterable[tuple[SourceFile, str, SqlObject]], only: Collection[Path] | None = None
) -> list[AnalyzedFile]:
    """Analyse files against each other.

    Args:
        objects: each file with its folder and the object that it declares.
        only: paths of the files that are analysed, with the views; the others are only known to them.

    Returns:
        One result an analysed file, in the same order; a view's columns and everybody's lineage in it.
    """
    files = [AnalyzedFile(source, folder, item) for source, folder, item in objects]
    namespace = Namespace()
    views = [file for file in files if isinstance(file.object, View)]
    for file in files:
        if file not in views:
            namespace.add(file.object)
    # a view is known once it has been analysed; views of views come in as many rounds as they are deep
    waiting = views
    while waiting:
        for file in waiting:
            _FileAnalysis(file, namespace).run()
            if file.columns:
                namespace.tables[file.object.name] = file.columns
        still = [file for file in waiting if any("not found" in finding.message for finding in file.findings)]
        if len(still) == len(waiting):
            break
        for file in still:
            file.findings.clear()
            file.resolved.clear()
        waiting = still
    chosen = [file for file in files if only is None or file in views or file.source.path in only]
    for file in chosen:
        if file not in views:
            _FileAnalysis(file, namespace).run()
    return chosen


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
        self.temporary: dict[str, tuple[Column, ...]] = {}
        self.registered: tuple[bytes, int] | None = None
        self.arguments: dict[str, SqlType] = {}
        self.in_tests = False

    def run(self) -> None:
        scope = _Scope()
        try:
            for number, statement in enumerate(self.source.statements):
                self.in_tests = number > 0 and not isinstance(self.file.object, Script)
                self._statement(statement, scope)
        finally:
            if self.registered:
                zetasql.unregister(self.registered[1])

    # Asking the analyzer

    def _catalog(self, scope: _Scope) -> int:
        catalog = build_catalog(self.source.text, self.namespace, self.temporary, scope.all())
        key = catalog.SerializeToString(deterministic=True)
        if self.registered is None or self.registered[0] != key:
            if self.registered:
                zetasql.unregister(self.registered[1])
            self.registered = (key, zetasql.register(catalog))
        return self.registered[1]

    def _resolve(self, node: Any, scope: _Scope, expression: bool = False, wanted: SqlType | None = None) -> Any:
        """The resolved form of a parsed node; None, and a finding, where the analyzer refuses it."""
        start, end = span(node)
        # everything before the node is blanked byte by byte, so that the analyzer's positions are the file's
        text = re.sub(rb"[^\n\t]", b" ", self.source.data[:start]).decode() + self.source.data[start:end].decode()
        options = zetasql.analyzer_options()
        for name, kind in self.parameters.items():
            options.query_parameters.add(name=name).type.CopyFrom(zetasql.type_proto(kind))
        for name, kind in self.system.items():
            options.system_variables.add(name_path=name.split(".")).type.CopyFrom(zetasql.type_proto(kind))
        try:
            resolved = zetasql.analyze(text, self._catalog(scope), options, expression)
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

    # What a resolved tree tells

    def _record(self, resolved: Any, scope: _Scope) -> None:
        self.file.resolved.append(Resolved(resolved, {**self.arguments, **scope.all()}))
        if self.in_tests:
            return  # what the tests read is no dependency of the object
        target = None
        if kind_of(resolved) in WRITING:
            target = resolved.table_scan
            self.file.writes.add(_own(target.table.full_name))
        for node, parents in walk(resolved):
            match kind_of(node):
                case "ResolvedTableScan" if not ((parents and node is target) or _is_target(node, parents, target)):
                    self.file.reads.add(_own(node.table.full_name))
                case "FunctionRef" if not node.name.startswith("ZetaSQL:"):
                    self.file.calls.add(_own(node.name.split(":", 1)[-1]))
                case "TableValuedFunctionRef" | "ProcedureRef":
                    self.file.calls.add(_own(node.name))
        for known in (self.file.reads, self.file.writes, self.file.calls):
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
                self.temporary[name] = tuple(Column(c.name, zetasql.sql_type(c.type)) for c in columns)

    def _declaration(self, node: Any, scope: _Scope) -> None:
        kind = type_of(node.type) if node.HasField("type") else None
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


def _is_target(node: Any, parents: tuple[Any, ...], target: Any) -> bool:
    """Whether a scan is the one of the table that the statement writes: it hangs from the statement itself."""
    return target is not None and len(parents) == 1 and node == target


# The analyzer's catalog --------------------------------------------------------------------------------------------


def build_catalog(
    text: str, namespace: Namespace, temporary: Mapping[str, tuple[Column, ...]], variables: Mapping[str, SqlType]
) -> Any:
    """A catalog with the objects whose name occurs in the text, and variables as typed constants.

    Each object stands under its qualified name and under the shorter spellings too: that a reference is qualified is a
    house rule's business, with a message of its own.
    """
    catalog = zetasql.empty_catalog()
    mentioned = text.lower()
    for name, columns in namespace.tables.items():
        if name.lower() in mentioned:
            for spelled in _spellings(name):
                _add_table(catalog, spelled, PREFIX + name, columns)
    for name, columns in temporary.items():
        _add_table(catalog, name, name, columns)
    for name, routine in namespace.routines.items():
        if name.lower() in mentioned:
            for spelled in _spellings(name):
                _ADD_ROUTINE[routine.kind](catalog, spelled, routine)
    for name, kind in variables.items():
        constant = catalog.constant.add(name_path=[name])
        constant.type.CopyFrom(zetasql.type_proto(kind))
        constant.value.SetInParent()
    return catalog


def _spellings(name: str) -> tuple[str, ...]:
    return (PREFIX + name, f"{PREFIX.split('.')[1]}.{name}", name)


def _add_table(catalog: Any, spelled: str, full_name: str, columns: Iterable[Column]) -> None:
    table = catalog.table.add(name=spelled, name_in_catalog=spelled, full_name=full_name)
    for column in columns:
        table.column.add(name=column.name, is_writable_column=True).type.CopyFrom(zetasql.type_proto(column.type))


def _fixed(target: Any, kind: SqlType) -> Any:
    target.kind = signature_pb2.ARG_TYPE_FIXED
    target.num_occurrences = -1
    target.type.CopyFrom(zetasql.type_proto(kind))
    return target


def _signature(routine: Routine) -> Any:
    signature = function_pb2.FunctionSignatureProto()
    for argument in routine.arguments:
        entry = _fixed(signature.argument.add(), argument.type)
        entry.options.cardinality = signature_pb2.FunctionEnums.REQUIRED
        entry.options.argument_name = argument.name
        entry.options.named_argument_kind = signature_pb2.FunctionEnums.POSITIONAL_OR_NAMED
        mode = {"IN": "IN", "OUT": "OUT", "INOUT": "INOUT"}.get(argument.mode or "")
        if mode:
            entry.options.procedure_argument_mode = signature_pb2.FunctionEnums.ProcedureArgumentMode.Value(mode)
    return signature


def _add_function(catalog: Any, spelled: str, routine: Routine) -> None:
    function = catalog.custom_function.add(name_path=[spelled], group="UDF", mode=signature_pb2.FunctionEnums.SCALAR)
    signature = _signature(routine)
    _fixed(signature.return_type, routine.returns or INT64)
    function.signature.add().CopyFrom(signature)
    # the reference in a resolved tree is made of the group and this path
    function.name_path[:] = [spelled]


def _add_table_function(catalog: Any, spelled: str, routine: Routine) -> None:
    function = catalog.custom_tvf.add(name_path=[spelled], type=signature_pb2.FunctionEnums.FIXED_OUTPUT_SCHEMA_TVF)
    function.options.SetInParent()
    signature = _signature(routine)
    signature.return_type.kind = signature_pb2.ARG_TYPE_RELATION
    signature.return_type.num_occurrences = -1
    relation = signature.return_type.options.relation_input_schema
    for column in routine.returns_table:
        relation.column.add(name=column.name).type.CopyFrom(zetasql.type_proto(column.type))
    function.signature.CopyFrom(signature)


def _add_procedure(catalog: Any, spelled: str, routine: Routine) -> None:
    procedure = catalog.procedure.add(name_path=[spelled])
    signature = _signature(routine)
    _fixed(signature.return_type, INT64)  # VOID aborts the module in a CALL
    procedure.signature.CopyFrom(signature)


_ADD_ROUTINE = {
    RoutineKind.FUNCTION: _add_function,
    RoutineKind.TABLE_FUNCTION: _add_table_function,
    RoutineKind.PROCEDURE: _add_procedure,
}
