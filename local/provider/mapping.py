"""From a Terraform value to a REST object and back, by schema and rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.provider.rules import PLAIN, VIRTUAL, Rules, camel
from local.provider.values import UNKNOWN, Value, convert, is_zero, zero

if TYPE_CHECKING:
    from local.provider.schema import Block, CtyType


def expand(block: Block, rules: Rules, value: Value, path: str = "") -> dict[str, Any]:
    """The REST object of a block's value, without what is not set."""
    out: dict[str, Any] = {}
    for name, attribute in block.attributes.items():
        rule, item = rules.get(path + name, PLAIN), value.get(name)
        internal = rule.api == VIRTUAL or (name == "id" and not path) or not (attribute.required or attribute.optional)
        if internal or item is None or item is UNKNOWN or (is_zero(item) and not rule.send_zero):
            continue
        put(out, rule.api or camel(name), rule.load(item))
    for name, nested in block.blocks.items():
        rule, items = rules.get(path + name, PLAIN), value.get(name)
        if name == "timeouts" or rule.api == VIRTUAL or not items or items is UNKNOWN:
            continue
        expanded = [expand(nested.block, rules, item, f"{path}{name}.") for item in items]
        put(out, rule.api or camel(name), expanded[0] if nested.max_items == 1 else expanded)
    return out


def flatten(block: Block, rules: Rules, data: Any, known: Value, path: str = "") -> dict[str, Value]:
    """The value of a block from a REST object.

    Args:
        block: The schema.
        rules: The resource type's rules.
        data: The REST object, or a part of it.
        known: The state or plan so far: it supplies what the API does not return.
        path: The place of the block in the resource.
    """
    out: dict[str, Value] = {}
    for name, attribute in block.attributes.items():
        rule = rules.get(path + name, PLAIN)
        if rule.api == VIRTUAL or (name == "id" and not path):
            prior = (known or {}).get(name)
            out[name] = None if prior is UNKNOWN else prior
            continue
        item = get(data, rule.api or camel(name))
        out[name] = (
            zero(attribute.type) if item is None else convert(attribute.type, _shaped(attribute.type, rule.dump(item)))
        )
    for name, nested in block.blocks.items():
        rule, prior = rules.get(path + name, PLAIN), (known or {}).get(name)
        if name == "timeouts" or rule.api == VIRTUAL:
            out[name] = prior
            continue
        item = get(data, rule.api or camel(name))
        items = [] if item is None else item if isinstance(item, list) else [item]
        priors = prior if isinstance(prior, list) and nested.nesting == "list" else []
        out[name] = [
            flatten(nested.block, rules, part, priors[i] if i < len(priors) else None, f"{path}{name}.")
            for i, part in enumerate(items)
        ]
    return out


def _shaped(cty: CtyType, value: Any) -> Any:
    """Convert an object of the API to a computed list of objects, names included."""
    if isinstance(cty, list) and cty[0] in ("list", "set") and isinstance(cty[1], list):
        return [_shaped(cty[1], item) for item in (value if isinstance(value, list) else [value])]
    if isinstance(cty, list) and cty[0] == "object":
        return {
            name: _shaped(kind, found) if (found := value.get(camel(name))) is not None else _empty(kind)
            for name, kind in cty[1].items()
        }
    return value


def _empty(cty: CtyType) -> Value:
    return [] if isinstance(cty, list) else ""


def put(target: dict[str, Any], place: str, value: Any) -> None:
    """Set a value at a dotted path; missing objects are created."""
    *folders, last = place.split(".")
    for folder in folders:
        target = target.setdefault(folder, {})
    target[last] = value


def get(data: Any, place: str) -> Any:
    """The value at a dotted path, or None."""
    for part in place.split("."):
        if not isinstance(data, dict):
            return None
        data = data.get(part)
    return data


def settle(block: Block, new: Value, plan: Value) -> Value:
    """Prefer the plan's null to an empty collection that was read, as the original does after an apply."""
    if new is None or plan is None or plan is UNKNOWN:
        return new
    out = dict(new)
    for name, attribute in block.attributes.items():
        if isinstance(attribute.type, list) and plan.get(name) is None and new.get(name) in ([], {}):
            out[name] = None
    for name, nested in block.blocks.items():
        items, planned = new.get(name), plan.get(name)
        if (
            nested.nesting == "list"
            and isinstance(items, list)
            and isinstance(planned, list)
            and len(items) == len(planned)
        ):
            out[name] = [settle(nested.block, item, part) for item, part in zip(items, planned, strict=True)]
    return out
