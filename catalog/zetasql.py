"""ZetaSQL, the real GoogleSQL grammar and analyzer, as a WebAssembly module: parse, analyze, types, tree walking.

The Python layer of the ``zetasql`` package copies memory byte by byte and imports for half a second; its raw protobuf
requests are fast, so this module speaks them itself and keeps the compiled module in a cache folder.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import re
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import tzdata
from google.protobuf import empty_pb2
from google.protobuf.message import DecodeError
from wasmtime import Config, Engine, Linker, Module, Store, Trap, WasiConfig, WasmtimeError
from zetasql.wasi import get_wasm_path
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
from zetasql.wasi._pb2.zetasql.proto import options_pb2, simple_catalog_pb2
from zetasql.wasi._pb2.zetasql.public import options_pb2 as language_pb2
from zetasql.wasi._pb2.zetasql.public import type_pb2
from zetasql.wasi._pb2.zetasql.resolved_ast import resolved_node_kind_pb2

from catalog import cache
from catalog.model import SqlType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

#: How many catalogs stay registered: the one without variables, and two of the script that is being analyzed.
REGISTERED = 3

# GoogleSQL features that BigQuery does not have, and those it has beyond the released set.
NOT_IN_BIGQUERY = (
    "LIMIT_OFFSET_EXPRESSIONS",
    "INLINE_LAMBDA_ARGUMENT",
    "DML_RETURNING",
    "INSERT_ON_CONFLICT_CLAUSE",
    "FOR_UPDATE",
    "LATERAL_JOIN",
    "MULTIWAY_UNNEST",
    "EXPERIMENTAL_MODULES",
)
ALSO_IN_BIGQUERY = ("CREATE_TABLE_CLONE", "CREATE_VIEWS_WITH_COLUMN_OPTIONS", "ALTER_COLUMN_SET_DATA_TYPE")
TYPE_ALIASES = {
    "INT": "INT64",
    "SMALLINT": "INT64",
    "INTEGER": "INT64",
    "BIGINT": "INT64",
    "TINYINT": "INT64",
    "BYTEINT": "INT64",
    "DECIMAL": "NUMERIC",
    "BIGDECIMAL": "BIGNUMERIC",
    "BOOLEAN": "BOOL",
    "FLOAT": "FLOAT64",
    "DOUBLE": "FLOAT64",
}


class ZetaSqlError(Exception):
    """A message of the parser or the analyzer; ``line`` and ``column`` are 0 if it names no place."""

    def __init__(self, raw: str) -> None:
        text = re.sub(r"^Code: \d+, Message: ", "", raw)
        place = re.search(r"\[at (?:\S+?:)?(\d+):(\d+)\]", text)
        self.line, self.column = (int(place[1]), int(place[2])) if place else (0, 0)
        self.message = " ".join(re.sub(r"\s*\[at (?:\S+?:)?\d+:\d+\]", "", text.split("\n  Signature")[0]).split())
        super().__init__(self.message)


class CrashedError(ZetaSqlError):
    """A failed check inside the module, or a text that is nested too deeply for it."""

    def __init__(self) -> None:
        super().__init__("the analyzer cannot read this: it is too deeply nested, or too long; write it in parts")


class _Wasm:
    """One instance of the module, with its memory."""

    def __init__(self) -> None:
        config = Config()
        with contextlib.suppress(AttributeError):  # older wasmtime has no such switch
            config.shared_memory = True
        engine = Engine(config)
        wasi = WasiConfig()  # without this process's stderr, where a failed check would print its stack
        wasi.preopen_dir(str(Path(tzdata.__file__).parent / "zoneinfo"), "/usr/share/zoneinfo")
        self.store = Store(engine)
        self.store.set_wasi(wasi)
        linker = Linker(engine)
        linker.define_wasi()
        self.exports = linker.instantiate(self.store, _compiled(engine)).exports(self.store)
        self._function("_initialize")(self.store)
        self.memory: Any = self.exports["memory"]
        self.registered: dict[bytes, int] = {}

    def _function(self, name: str) -> Any:
        return self.exports[name]

    def _address(self) -> int:
        return ctypes.addressof(self.memory.data_ptr().contents)

    def _read(self, pointer: int, size: int) -> bytes:
        return ctypes.string_at(self._address() + pointer, size)

    def call(self, method: str, request: Any, answer: Any) -> Any:
        """Send one request of the local service.

        Raises:
            ZetaSqlError: the service refused it.
        """
        data = request.SerializeToString()
        allocate, free = self._function("wasm_malloc"), self._function("wasm_free")
        pointer, size_pointer = allocate(self.store, len(data)), allocate(self.store, 4)
        try:
            ctypes.memmove(self._address() + pointer, data, len(data))
            found = self._function(f"ZetaSqlLocalService_{method}")(self.store, pointer, len(data), size_pointer)
            if found == 0:
                length = self._function("wasm_get_last_error_size")(self.store)
                text = self._read(self._function("wasm_get_last_error")(self.store), length) if length else b"no reason"
                raise ZetaSqlError(text.decode())
            size = int.from_bytes(self._read(size_pointer, 4), "little")
            result = answer.FromString(self._read(found, size))
            free(self.store, found)
            return result
        finally:
            free(self.store, pointer)
            free(self.store, size_pointer)


def _compiled(engine: Engine) -> Module:
    """The module, compiled once per machine (12 s and 1 GB) and read from the cache folder afterwards (0.1 s)."""
    wasm = get_wasm_path()
    digest = cache.digest_of(wasm.stat().st_size, wasm.stat().st_mtime_ns, version("wasmtime"))
    name = f"zetasql-{digest}.cwasm"
    if cached := cache.find(name):  # native code: it runs, so a file that others could have written is none
        with contextlib.suppress(WasmtimeError):
            return Module.deserialize_file(engine, str(cached))
    module = Module.from_file(engine, str(wasm))
    cache.write_whole(name, bytes(module.serialize()))
    return module


@functools.cache
def _wasm() -> _Wasm:
    return _Wasm()


def _call(method: str, request: Any, answer: Any) -> Any:
    try:
        return _wasm().call(method, request, answer)
    except (WasmtimeError, Trap):  # this instance is unusable
        _wasm.cache_clear()
        raise CrashedError from None
    except DecodeError:  # protobuf reads trees of 100 levels
        raise CrashedError from None


@functools.cache
def language() -> Any:
    """The language options that are closest to BigQuery."""
    options = _call("GetLanguageOptions", service.LanguageOptionsRequest(maximum_features=True), _LanguageOptions)
    feature = language_pb2.LanguageFeature.Value
    enabled = set(options.enabled_language_features) - {feature(f"FEATURE_{name}") for name in NOT_IN_BIGQUERY}
    enabled |= {feature(f"FEATURE_{name}") for name in ALSO_IN_BIGQUERY}
    options.ClearField("enabled_language_features")
    options.enabled_language_features.extend(sorted(enabled))
    options.product_mode = language_pb2.PRODUCT_EXTERNAL
    kinds = resolved_node_kind_pb2.ResolvedNodeKind.items()
    options.ClearField("supported_statement_kinds")
    options.supported_statement_kinds.extend(value for name, value in kinds if name.endswith("_STMT"))
    options.reserved_keywords.append("QUALIFY")
    return options


_LanguageOptions = options_pb2.LanguageOptionsProto


def parse(text: str) -> list[Any]:
    """The statements of a script, as trees of the parser.

    Raises:
        ZetaSqlError: a syntax error, with its place.
    """
    request = service.ParseRequest(sql_statement=text, allow_script=True)
    request.options.CopyFrom(language())
    answer = _call("Parse", request, service.ParseResponse)
    return [unwrap(statement) for statement in answer.parsed_script.statement_list_node.statement_list]


def check_syntax(text: str) -> None:
    """Parse a script without making its trees, which may be nested too deeply for protobuf.

    Raises:
        ZetaSqlError: a syntax error, with its place.
    """
    request = service.ExtractTableNamesFromStatementRequest(sql_statement=text, allow_script=True)
    request.options.CopyFrom(language())
    _call("ExtractTableNamesFromStatement", request, service.ExtractTableNamesFromStatementResponse)


@functools.cache
def builtin_functions() -> frozenset[str]:
    """The names of GoogleSQL's functions in lower case, such as ``abs`` and ``net.host``, without operators."""
    options = options_pb2.ZetaSQLBuiltinFunctionOptionsProto()
    options.language_options.CopyFrom(language())
    functions = _call("GetBuiltinFunctions", options, service.GetBuiltinFunctionsResponse).function
    names = {".".join(function.name_path) for function in functions}
    names |= {function.options.alias_name for function in functions}
    return frozenset(name.lower() for name in names if name and not name.startswith("$"))


def analyze(text: str, catalog: bytes, options: Any, expression: bool = False) -> Any:
    """The resolved statement, or expression, of a text.

    Args:
        text: one statement or expression.
        catalog: the serialized catalog of what the text may name.
        options: from :func:`analyzer_options`.
        expression: whether the text is an expression.

    Raises:
        ZetaSqlError: a semantic error, with its place.
    """
    request = service.AnalyzeRequest(registered_catalog_id=_registered(catalog))
    request.options.CopyFrom(options)
    setattr(request, "sql_expression" if expression else "sql_statement", text)
    answer = _call("Analyze", request, service.AnalyzeResponse)
    return unwrap(answer.resolved_expression if expression else answer.resolved_statement)


def analyzer_options() -> Any:
    """Options of an analysis, to be completed with parameters and system variables."""
    options = options_pb2.AnalyzerOptionsProto(
        default_timezone="UTC",
        error_message_mode=language_pb2.ERROR_MESSAGE_ONE_LINE,
        parse_location_record_type=language_pb2.PARSE_LOCATION_RECORD_FULL_NODE_SCOPE,
        prune_unused_columns=True,
    )
    options.language_options.CopyFrom(language())
    return options


def empty_catalog() -> Any:
    """A catalog of BigQuery's built-in functions and type names, and nothing else."""
    catalog = simple_catalog_pb2.SimpleCatalogProto(name="root")
    catalog.builtin_function_options.language_options.CopyFrom(language())
    for alias, name in TYPE_ALIASES.items():
        if name == "INT64":
            catalog.named_type.add(name=alias).type.type_kind = type_pb2.TYPE_INT64
    return catalog


def _registered(catalog: bytes) -> int:
    """The id of a catalog that the module knows; the least recently used one makes room for a new one."""
    registered = _wasm().registered
    found = registered.pop(catalog, None)
    if found is None:
        while len(registered) >= REGISTERED:
            oldest = service.UnregisterRequest(registered_id=registered.pop(next(iter(registered))))
            _call("UnregisterCatalog", oldest, empty_pb2.Empty)
        request = service.RegisterCatalogRequest()
        request.simple_catalog.ParseFromString(catalog)
        request.descriptor_pool_list.SetInParent()
        found = int(_call("RegisterCatalog", request, service.RegisterResponse).registered_id)
    registered[catalog] = found
    return found


# Types ---------------------------------------------------------------------------------------------------------------


def type_proto(kind: SqlType) -> Any:
    """The analyzer's form of a type."""
    proto = type_pb2.TypeProto()
    if kind.kind == "ARRAY":
        proto.type_kind = type_pb2.TYPE_ARRAY
        if kind.element is not None:
            proto.array_type.element_type.CopyFrom(type_proto(kind.element))
    elif kind.kind == "STRUCT":
        proto.type_kind = type_pb2.TYPE_STRUCT
        proto.struct_type.SetInParent()
        for name, member in kind.fields:
            proto.struct_type.field.add(field_name=name).field_type.CopyFrom(type_proto(member))
    else:
        name = "DOUBLE" if kind.kind == "FLOAT64" else kind.kind
        proto.type_kind = type_pb2.TypeKind.Value(f"TYPE_{name}")
    return proto


def sql_type(proto: Any) -> SqlType:
    """The type of the analyzer's form."""
    name = type_pb2.TypeKind.Name(proto.type_kind).removeprefix("TYPE_").replace("DOUBLE", "FLOAT64")
    if name == "ARRAY":
        return SqlType(name, element=sql_type(proto.array_type.element_type))
    if name == "STRUCT":
        return SqlType(name, fields=tuple((f.field_name, sql_type(f.field_type)) for f in proto.struct_type.field))
    return SqlType(name)


# Trees ---------------------------------------------------------------------------------------------------------------


def unwrap(node: Any) -> Any:
    """The concrete node inside the wrappers that the protobuf form puts around each."""
    while "node" in node.DESCRIPTOR.oneofs_by_name and node.WhichOneof("node"):
        node = getattr(node, node.WhichOneof("node"))
    return node


def kind_of(node: Any) -> str:
    """The node's class, e.g. ``ASTCreateTableStatement`` or ``ResolvedFunctionCallBase``."""
    return str(node.DESCRIPTOR.name.removesuffix("Proto"))


def member(node: Any, name: str) -> Any:
    """A field of a node or of its base classes; None if it has no such field."""
    while node is not None:
        if name in node.DESCRIPTOR.fields_by_name:
            return getattr(node, name)
        node = node.parent if "parent" in node.DESCRIPTOR.fields_by_name else None
    return None


def has(node: Any, name: str) -> bool:
    """Whether the field is set on the node or on one of its base classes."""
    while node is not None:
        if name in node.DESCRIPTOR.fields_by_name:
            return bool(node.HasField(name))
        node = node.parent if "parent" in node.DESCRIPTOR.fields_by_name else None
    return False


def span(node: Any) -> tuple[int, int]:
    """The node's first byte and the byte after its last."""
    place = member(node, "parse_location_range")
    return (0, 0) if place is None else (place.start, place.end)


def children(node: Any) -> Iterator[Any]:
    """The messages directly below a node; base-class parts are separate nodes."""
    for descriptor, value in node.ListFields():
        if descriptor.message_type is None:
            continue
        if hasattr(value, "ListFields"):
            yield value
        else:
            yield from (child for child in value if hasattr(child, "ListFields"))


class Place(NamedTuple):
    """A node, and the place of the node above it."""

    node: Any
    above: Place | None

    def parents(self) -> Iterator[Any]:
        """The nodes above this one, the nearest first."""
        place = self.above
        while place is not None:
            yield place.node
            place = place.above


def walk(node: Any) -> Iterator[Place]:
    """Every message of a tree, each before those below it; base-class parts are separate nodes."""
    waiting = [Place(node, None)]
    while waiting:
        place = waiting.pop()
        yield place
        waiting.extend([Place(child, place) for child in children(place.node)][::-1])


def places_by_kind(trees: Iterable[Any]) -> Mapping[str, list[Place]]:
    """Every node of some trees by its class, in the order of :func:`walk`; a class without nodes has an empty list."""
    found: defaultdict[str, list[Place]] = defaultdict(list)
    for tree in trees:
        for place in walk(tree):
            found[kind_of(place.node)].append(place)
    return found
