"""Terraform's values: MessagePack on the wire, plain Python here; a value not known yet is UNKNOWN."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgpack

from local.provider.wire import MESSAGES

if TYPE_CHECKING:
    from local.provider.schema import Block, CtyType

type Value = Any
"""None, bool, int, float, str, list, dict (map, object or block) or UNKNOWN."""


class _Unknown:
    """The one value that is known only after the apply."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __copy__(self) -> _Unknown:
        return self

    def __deepcopy__(self, _memo: Any) -> _Unknown:
        return self


UNKNOWN: Final = _Unknown()
_ZEROS = {"string": "", "number": 0, "bool": False, "list": (), "set": (), "map": {}}


def decode(message: Any) -> Value:
    """Read a value from the wire."""
    if message.msgpack:  # any extension type is an unknown value, refined or not
        return msgpack.unpackb(message.msgpack, raw=False, strict_map_key=False, ext_hook=lambda _code, _data: UNKNOWN)
    return json.loads(message.json) if message.json else None


def encode(block: Block, value: Value) -> Any:
    """A block's value for the wire, with exactly the names of the schema."""
    packed = msgpack.packb(conform(block, value), use_bin_type=True, default=_unknown_extension)
    return MESSAGES["Dynamic"](msgpack=packed)


def _unknown_extension(value: Any) -> msgpack.ExtType:
    if value is UNKNOWN:
        return msgpack.ExtType(0, b"\x00")
    raise TypeError(f"{type(value).__name__} is not a Terraform value")


def conform(block: Block, value: Value) -> Value:
    """Convert a value to the schema: every name is there, with its type."""
    if value is None or value is UNKNOWN:
        return value
    out = {name: convert(attribute.type, value.get(name)) for name, attribute in block.attributes.items()}
    for name, nested in block.blocks.items():
        inner = value.get(name)
        if nested.nesting == "single" or inner is UNKNOWN:
            out[name] = conform(nested.block, inner)
        else:
            out[name] = [conform(nested.block, item) for item in inner or []]
    return out


def convert(cty: CtyType, value: Value) -> Value:
    """Convert a JSON value into one of a Terraform type (Google's JSON writes 64-bit integers as strings)."""
    if value is None or value is UNKNOWN:
        return value
    if isinstance(cty, list):
        kind, inner = cty
        if kind == "map":
            return {str(key): convert(inner, item) for key, item in value.items()}
        if kind == "object":
            return {key: convert(item, value.get(key)) for key, item in inner.items()}
        return [convert(inner, item) for item in value]
    if cty == "string":
        return value if isinstance(value, str) else json.dumps(value)
    if cty == "number":
        return value if isinstance(value, int | float) else _number(value)
    return value if isinstance(value, bool) else value == "true"


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def zero(cty: CtyType) -> Value:
    """The value that means "not set" in a state: "", 0, false, [] or {}."""
    value = _ZEROS[cty if isinstance(cty, str) else cty[0]]
    return list(value) if isinstance(value, tuple) else value


def is_zero(value: Value) -> bool:
    """Whether a value is null or its type's zero, which count as the same."""
    return value is not UNKNOWN and not value


def same(old: Value, new: Value) -> bool:
    """Compare two values as the original does: null and a type's zero are one."""
    return old == new or (is_zero(old) and is_zero(new))


def has_unknown(value: Value) -> bool:
    """Whether any part of a value is unknown."""
    if isinstance(value, dict):
        return any(map(has_unknown, value.values()))
    if isinstance(value, list):
        return any(map(has_unknown, value))
    return value is UNKNOWN


def without_zeros(value: Value) -> Value:
    """Drop what is not set, so that two blocks of a set are equal however they omit values."""
    if isinstance(value, dict):
        return {key: kept for key, item in sorted(value.items()) if not is_zero(kept := without_zeros(item))}
    return [without_zeros(item) for item in value] if isinstance(value, list) else value
