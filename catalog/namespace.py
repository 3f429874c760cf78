"""What files may use of each other, as signatures, and as the catalog that the analyzer looks names up in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zetasql.wasi._pb2.zetasql.proto import function_pb2
from zetasql.wasi._pb2.zetasql.public import function_pb2 as signature_pb2

from catalog import zetasql
from catalog.model import LOCATION, PREFIX, PROJECT, Columns, RoutineKind, Signature, SqlType, region

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

INT64, STRING = SqlType("INT64"), SqlType("STRING")
#: The views of BigQuery that files may read, by their qualified names; only the columns that they need.
SYSTEM_VIEWS: dict[str, Columns] = {
    f"{PROJECT}.{region(LOCATION)}.INFORMATION_SCHEMA.JOBS": (
        ("creation_time", SqlType("TIMESTAMP")),
        ("user_email", STRING),
        ("statement_type", STRING),
        ("total_bytes_billed", INT64),
        (
            "referenced_tables",
            SqlType(
                "ARRAY",
                SqlType("STRUCT", fields=(("project_id", STRING), ("dataset_id", STRING), ("table_id", STRING))),
            ),
        ),
    ),
    f"{PREFIX}INFORMATION_SCHEMA.TABLES": (("table_catalog", STRING), ("table_schema", STRING), ("table_name", STRING)),
}


@dataclass(frozen=True)
class Namespace:
    """The objects that statements may name."""

    signatures: tuple[Signature, ...]

    @cached_property
    def catalog(self) -> bytes:
        """The catalog of these objects alone."""
        return self.catalog_with({}, {})

    def catalog_with(self, temporary: Mapping[str, Columns], variables: Mapping[str, SqlType]) -> bytes:
        """A catalog of these objects, of temporary tables, and of variables as typed constants.

        Each object has its qualified name and the shorter spellings too: a house rule demands the qualified one, with
        its own message.
        """
        catalog = zetasql.empty_catalog()
        for signature in self.signatures:
            for spelled in _spellings(signature.name):
                if signature.kind is None:
                    _add_table(catalog, spelled, PREFIX + signature.name, signature.columns)
                else:
                    _ADD_ROUTINE[signature.kind](catalog, spelled, signature)
        for name, columns in SYSTEM_VIEWS.items():
            _add_table(catalog, name, name.rpartition(".")[2], columns)
        for name, columns in temporary.items():
            _add_table(catalog, name, name, columns)
        for name, kind in variables.items():
            constant = catalog.constant.add(name_path=[name])
            constant.type.CopyFrom(zetasql.type_proto(kind))
            constant.value.SetInParent()
        return bytes(catalog.SerializeToString(deterministic=True))


def _spellings(name: str) -> tuple[str, ...]:
    return (PREFIX + name, f"{PREFIX.split('.')[1]}.{name}", name)


def _add_table(catalog: Any, spelled: str, full_name: str, columns: Iterable[tuple[str, SqlType]]) -> None:
    table = catalog.table.add(name=spelled, name_in_catalog=spelled, full_name=full_name)
    for name, kind in _unique(columns):
        table.column.add(name=name, is_writable_column=True).type.CopyFrom(zetasql.type_proto(kind))


def _unique(columns: Iterable[tuple[str, SqlType]]) -> Iterable[tuple[str, SqlType]]:
    """Columns without those whose name is taken, which the file's own analysis reports."""
    return {name.lower(): (name, kind) for name, kind in columns}.values()


def _fixed(target: Any, kind: SqlType) -> Any:
    target.kind = signature_pb2.ARG_TYPE_FIXED
    target.num_occurrences = -1
    target.type.CopyFrom(zetasql.type_proto(kind))
    return target


def _signature(routine: Signature) -> Any:
    signature = function_pb2.FunctionSignatureProto()
    for argument in {argument.name.lower(): argument for argument in routine.arguments}.values():
        entry = _fixed(signature.argument.add(), argument.type)
        entry.options.cardinality = signature_pb2.FunctionEnums.REQUIRED
        entry.options.argument_name = argument.name
        entry.options.named_argument_kind = signature_pb2.FunctionEnums.POSITIONAL_OR_NAMED
        if argument.mode:
            mode = signature_pb2.FunctionEnums.ProcedureArgumentMode.Value(argument.mode)
            entry.options.procedure_argument_mode = mode
    return signature


def _add_function(catalog: Any, spelled: str, routine: Signature) -> None:
    function = catalog.custom_function.add(name_path=[spelled], group="UDF", mode=signature_pb2.FunctionEnums.SCALAR)
    signature = _signature(routine)
    _fixed(signature.return_type, routine.returns or INT64)
    function.signature.add().CopyFrom(signature)
    # the reference in a resolved tree consists of the group and this path
    function.name_path[:] = [spelled]


def _add_table_function(catalog: Any, spelled: str, routine: Signature) -> None:
    function = catalog.custom_tvf.add(name_path=[spelled], type=signature_pb2.FunctionEnums.FIXED_OUTPUT_SCHEMA_TVF)
    function.options.SetInParent()
    signature = _signature(routine)
    signature.return_type.kind = signature_pb2.ARG_TYPE_RELATION
    signature.return_type.num_occurrences = -1
    relation = signature.return_type.options.relation_input_schema
    for name, kind in _unique(routine.columns):
        relation.column.add(name=name).type.CopyFrom(zetasql.type_proto(kind))
    function.signature.CopyFrom(signature)


def _add_procedure(catalog: Any, spelled: str, routine: Signature) -> None:
    procedure = catalog.procedure.add(name_path=[spelled])
    signature = _signature(routine)
    _fixed(signature.return_type, INT64)  # VOID aborts the module in a CALL
    procedure.signature.CopyFrom(signature)


_ADD_ROUTINE = {
    RoutineKind.FUNCTION: _add_function,
    RoutineKind.TABLE_FUNCTION: _add_table_function,
    RoutineKind.PROCEDURE: _add_procedure,
}
