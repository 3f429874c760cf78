"""Terraform's plugin protocol 5 over gRPC, without generated code.

The messages are declared as a compact table and turned into protobuf classes at import, so there is no protoc run
and no tie between a generator's and the runtime's version. Enums are int32 and maps are repeated key-value entries:
both are the same bytes on the wire.
"""

from __future__ import annotations

from concurrent import futures
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

# message: field type number, …   types: s string, b bytes, i int64, e enum, t bool, or a message; * repeated;
# | one of those with it: only so is an index of 0 sent
_MESSAGES = """
Empty:
Dynamic: msgpack b 1, json b 2
Step: attribute_name s 1 |, element_key_string s 2 |, element_key_int i 3 |
Path: steps *Step 1
Diagnostic: severity e 1, summary s 2, detail s 3, attribute Path 4
Attribute: name s 1, type b 2, description s 3, required t 4, optional t 5, computed t 6, sensitive t 7, write_only t 11
NestedBlock: type_name s 1, block Block 2, nesting e 3, min_items i 4, max_items i 5
Block: version i 1, attributes *Attribute 2, block_types *NestedBlock 3
Schema: version i 1, block Block 2
SchemaEntry: key s 1, value Schema 2
Capabilities: plan_destroy t 1, get_provider_schema_optional t 2, move_resource_state t 3
RawState: json b 1
Diagnostics: diagnostics *Diagnostic 1
StopAnswer: error s 1
TypeName: type_name s 1
Metadata: server_capabilities Capabilities 1, diagnostics *Diagnostic 2, data_sources *TypeName 3, resources *TypeName 4
SchemaAnswer: provider Schema 1, resource_schemas *SchemaEntry 2, diagnostics *Diagnostic 4,
    server_capabilities Capabilities 6
PrepareRequest: config Dynamic 1
PrepareAnswer: prepared_config Dynamic 1, diagnostics *Diagnostic 2
ValidateRequest: type_name s 1, config Dynamic 2
UpgradeRequest: type_name s 1, version i 2, raw_state RawState 3
UpgradeAnswer: upgraded_state Dynamic 1, diagnostics *Diagnostic 2
ConfigureRequest: terraform_version s 1, config Dynamic 2
ReadRequest: type_name s 1, current_state Dynamic 2, private b 3
ReadAnswer: new_state Dynamic 1, diagnostics *Diagnostic 2, private b 3
PlanRequest: type_name s 1, prior_state Dynamic 2, proposed_new_state Dynamic 3, config Dynamic 4, prior_private b 5
PlanAnswer: planned_state Dynamic 1, requires_replace *Path 2, planned_private b 3, diagnostics *Diagnostic 4,
    legacy_type_system t 5
ApplyRequest: type_name s 1, prior_state Dynamic 2, planned_state Dynamic 3, config Dynamic 4, planned_private b 5
ApplyAnswer: new_state Dynamic 1, private b 2, diagnostics *Diagnostic 3, legacy_type_system t 4
Imported: type_name s 1, state Dynamic 2, private b 3
ImportRequest: type_name s 1, id s 2
ImportAnswer: imported_resources *Imported 1, diagnostics *Diagnostic 2
DataRequest: type_name s 1, config Dynamic 2
DataAnswer: state Dynamic 1, diagnostics *Diagnostic 2
"""

REQUEST_OF = {
    "GetMetadata": "Empty",
    "GetSchema": "Empty",
    "PrepareProviderConfig": "PrepareRequest",
    "ValidateResourceTypeConfig": "ValidateRequest",
    "ValidateDataSourceConfig": "ValidateRequest",
    "UpgradeResourceState": "UpgradeRequest",
    "Configure": "ConfigureRequest",
    "ReadResource": "ReadRequest",
    "PlanResourceChange": "PlanRequest",
    "ApplyResourceChange": "ApplyRequest",
    "ImportResourceState": "ImportRequest",
    "ReadDataSource": "DataRequest",
    "Stop": "Empty",
}
"""The supported calls of the protocol, each with its request message."""

_WORKERS = 40  # three Terraform runs, each of which makes ten calls at a time, and some to spare


def _message_classes() -> dict[str, Any]:
    field = descriptor_pb2.FieldDescriptorProto
    scalars = {
        "s": field.TYPE_STRING,
        "b": field.TYPE_BYTES,
        "i": field.TYPE_INT64,
        "e": field.TYPE_INT32,
        "t": field.TYPE_BOOL,
    }
    package = "local.provider"
    file = descriptor_pb2.FileDescriptorProto(name="local_provider.proto", package=package, syntax="proto3")
    for line in _MESSAGES.replace(",\n", ",").strip().splitlines():
        name, _, fields = line.partition(":")
        message = file.message_type.add(name=name)
        for text in filter(None, (part.strip() for part in fields.split(","))):
            field_name, kind, number, *alternative = text.split()
            entry = message.field.add(
                name=field_name,
                number=int(number),
                label=field.LABEL_REPEATED if kind.startswith("*") else field.LABEL_OPTIONAL,
                type=scalars.get(kind.lstrip("*"), field.TYPE_MESSAGE),
            )
            if alternative:
                if not message.oneof_decl:
                    message.oneof_decl.add(name="one_of")
                entry.oneof_index = 0
            if kind.lstrip("*") not in scalars:
                entry.type_name = f".{package}.{kind.lstrip('*')}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        message.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{message.name}"))
        for message in file.message_type
    }


MESSAGES: dict[str, Any] = _message_classes()
"""The protobuf class of each message, by its name in the table above."""


class _Calls(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Finds the function for a call; any other call is UNIMPLEMENTED, which Terraform accepts."""

    def __init__(self, answers: Mapping[str, Callable[[Any, str], Any]]) -> None:
        self._answers = answers

    def service(self, details: Any) -> Any:
        _, service, call = details.method.split("/")
        if service == "tfplugin5.Provider" and call in self._answers:
            answer = self._answers[call]
            return grpc.unary_unary_rpc_method_handler(
                lambda request, context: answer(request, context.peer()), MESSAGES[REQUEST_OF[call]].FromString, _bytes
            )
        if details.method == "/plugin.GRPCController/Shutdown":  # one run has ended; others may continue
            return grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"")
        if details.method == "/plugin.GRPCStdio/StreamStdio":  # an open stream would hold a worker
            return grpc.unary_stream_rpc_method_handler(_nothing)
        return None


def _bytes(answer: Any) -> bytes:
    return answer if isinstance(answer, bytes) else answer.SerializeToString()


def _nothing(_request: bytes, _context: Any) -> Iterable[bytes]:
    return iter(())


def start(answers: Mapping[str, Callable[[Any, str], Any]], port: int) -> tuple[Any, int]:
    """Start a gRPC server on this machine only.

    Args:
        answers: For each call of the protocol the function that answers it, given the message and the connection's
            name. It returns a message, or the bytes of one.
        port: The port, or 0 for a free one.

    Returns:
        The running server, which the caller must keep (garbage collection cancels its calls), and its port.

    Raises:
        OSError: The port is in use.
    """
    options = [
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", -1),
        ("grpc.so_reuseport", 0),  # a second server on the port would receive half of the calls
    ]
    server = grpc.server(futures.ThreadPoolExecutor(_WORKERS, thread_name_prefix="provider"), options=options)
    server.add_generic_rpc_handlers((_Calls(answers),))
    try:
        bound = server.add_insecure_port(f"127.0.0.1:{port}")
    except RuntimeError as error:
        raise OSError(f"the provider's port {port} on 127.0.0.1 is in use") from error
    server.start()
    return server, bound
