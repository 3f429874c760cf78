"""What the schema on the wire does not say about an attribute or a block of a resource type."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.provider.values import Value, same

if TYPE_CHECKING:
    from collections.abc import Callable

VIRTUAL = ""
"""The `api` of an attribute that the provider keeps for itself: never sent, never read."""


@dataclass(frozen=True)
class Rule:
    """How one attribute or block behaves.

    Attributes:
        replaces: A change makes a new object (ForceNew).
        default: The value if none is configured.
        keeps_block: A block that the server fills in if none is configured (Optional and Computed).
        same: Whether the old and the configured value mean the same (DiffSuppressFunc).
        normal: The form in which a configured value is kept (StateFunc).
        api: The dotted place in the REST object; None is the name in camel case.
        load: From the state's value to the REST value.
        dump: From the REST value to the state's.
        send_zero: Sent even when it is "", 0, false or empty.
    """

    replaces: bool = False
    default: Value = None
    keeps_block: bool = False
    same: Callable[[Value, Value], bool] = same
    normal: Callable[[Value], Value] | None = None
    api: str | None = None
    load: Callable[[Value], Any] = lambda value: value
    dump: Callable[[Any], Value] = lambda value: value
    send_zero: bool = False


type Rules = dict[str, Rule]
"""The rules of a resource type by dotted path; a path without a rule is plain."""

PLAIN = Rule()
REPLACES = Rule(replaces=True)


def compact_json(value: Any) -> str:
    """Write JSON as Go does: compact, keys in order."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def normal_json(text: Value) -> Value:
    """JSON text in its canonical form; other text unchanged."""
    try:
        return compact_json(json.loads(text))
    except (ValueError, TypeError):
        return text


def same_json(old: Value, new: Value) -> bool:
    """Compare two JSON texts by their values."""
    return same(old, new) or normal_json(old) == normal_json(new)


def same_case(old: Value, new: Value) -> bool:
    """Compare two texts, ignoring case."""
    return isinstance(old, str) and isinstance(new, str) and old.casefold() == new.casefold()


JSON = Rule(load=json.loads, dump=compact_json, normal=normal_json, same=same_json)


def camel(name: str) -> str:
    """Turn a Terraform name into a REST name: friendly_name, friendlyName."""
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)
