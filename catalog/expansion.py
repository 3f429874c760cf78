"""Replaces names in SQL texts: variables by their values, views and functions by their text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from catalog.analysis import ERROR_VARIABLES, SYSTEM_VARIABLES
from catalog.source import SourceFile
from catalog.zetasql import children, has, kind_of, member, span, unwrap, walk

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from catalog.model import Catalog, Routine, SqlObject, SqlType, View

#: An expression per type that no planner folds, so that an unknown value prunes nothing.
UNKNOWN = {
    "BOOL": "(RAND() < 0.5)",
    "DATE": "DATE_ADD(DATE '2000-01-01', INTERVAL CAST(10000 * RAND() AS INT64) DAY)",
    "FLOAT64": "RAND()",
    "INT64": "CAST(1000 * RAND() AS INT64)",
    "STRING": "GENERATE_UUID()",
    "TIMESTAMP": "TIMESTAMP_SECONDS(CAST(1000000000 * RAND() AS INT64))",
}

#: First byte, the byte after the last, and the text that replaces them.
Edit = tuple[int, int, str]


def unknown(kind: SqlType) -> str:
    """An expression of a type whose value a planner cannot know."""
    return UNKNOWN.get(kind.kind, f"IF(RAND() < 0.5, CAST(NULL AS {kind.sql}), NULL)")


def of_the_type_of(query: str, select: str) -> str:
    """An unknown value of a query's type; it reads none of the query's tables."""
    return f"IF(RAND() < 0.5, ({select} FROM ({query}) WHERE FALSE), NULL)"


def cast(expression: str, kind: SqlType | None) -> str:
    """An expression as a value of a type, or in parentheses if the type is unknown."""
    return f"CAST({expression} AS {kind.sql})" if kind else f"({expression})"


def _cast_scalar(name: str, kind: SqlType) -> str:
    """A column cast to the type in RETURNS TABLE; an array or struct keeps its type."""
    return name if kind.element or kind.fields else f"CAST({name} AS {kind.sql})"


def _body(node: Any) -> Any:
    """The query or expression that a CREATE statement gives its object."""
    if kind_of(node) == "ASTCreateFunctionStatement":
        return unwrap(node.sql_function_body.expression)
    return member(node, "query")


class Expansion:
    """Texts with names replaced; what was replaced once is kept.

    ``uses`` counts the places that name an object, those inside replaced texts included.
    """

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
        """The object of the dataset that a path names; '' for anything else."""
        name = ".".join(identifier.id_string for identifier in path.names)
        prefix = f"{self.catalog.project}.{self.catalog.dataset}."
        return name.removeprefix(prefix) if name.startswith(prefix) else ""

    def reads(self, node: Any) -> bool:
        """Whether a node reads tables, or calls a table function."""
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
        """The replacements in a tree; ``wrapped``: the node is an expression, not just a name."""
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
                typed = (cast(text, argument.type) for text, argument in zip(given, function.arguments, strict=False))
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
        """Count a place that names an object, and return whether its text replaces the name."""
        uses[item.name] += 1
        if item.name in self.written_out:
            return True
        if item.name not in self.uses:
            self.uses[item.name] = Counter()
            self.body(item, {}, self.uses[item.name])
        uses.update(self.uses[item.name])
        return False

    def call(self, function: Routine, arguments: Iterable[str], uses: Counter[str]) -> str:
        """A call of a function; if it is written out, its arguments are the columns of a row around its body."""
        if function.name not in self.written_out:
            return f"`{self.catalog.project}.{self.catalog.dataset}.{function.name}`({', '.join(arguments)})"
        # prefixed, so that an argument is not mistaken for a column of the same name
        names = {argument.name.lower(): f"{function.name}_{argument.name}" for argument in function.arguments}
        row = ", ".join(
            f"{cast(text, argument.type)} AS {name}"
            for text, argument, name in zip(arguments, function.arguments, names.values(), strict=False)
        )
        body = self.body(function, names, uses)
        return f"(SELECT {body} FROM (SELECT {row}))" if row else f"({body})"
