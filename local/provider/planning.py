"""From the prior state and the configuration to the planned state, with the semantics of Terraform's SDK 2."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local.provider.rules import PLAIN, Rule, Rules
from local.provider.values import UNKNOWN, Value, is_zero, without_zeros, zero

if TYPE_CHECKING:
    from local.provider.schema import Attribute, Block, NestedBlock

type Step = str | int
type Path = tuple[Step, ...]


@dataclass
class Change:
    """A planned change of one resource.

    Attributes:
        prior: The state before; None for a new object.
        config: What is configured.
        plan: The state that is planned; UNKNOWN where only the apply can know.
        replace: The attributes that make it a new object.
    """

    prior: Value
    config: Value
    plan: dict[str, Value] = field(default_factory=dict)
    replace: list[Path] = field(default_factory=list)

    def changed(self, name: str) -> bool:
        """Whether the plan differs from the prior state."""
        return self.prior is None or self.prior.get(name) != self.plan.get(name)


@dataclass(frozen=True)
class _Planner:
    rules: Rules
    creating: bool
    replace: list[Path]

    def block(self, block: Block, path: str, prior: Value, config: Value, steps: Path) -> dict[str, Value]:
        out: dict[str, Value] = {}
        for name, attribute in block.attributes.items():
            rule = self.rules.get(path + name, PLAIN)
            old = None if prior is None else prior.get(name)
            out[name] = new = self._attribute(attribute, rule, prior, old, config.get(name))
            if rule.replaces and not self.creating and (new is UNKNOWN or not rule.same(old, new)):
                self.replace.append((*steps, name))
        for name, nested in block.blocks.items():
            old = None if prior is None else prior.get(name)
            out[name] = self._nested(nested, path + name, old, config.get(name), (*steps, name))
        return out

    def _attribute(self, attribute: Attribute, rule: Rule, prior: Value, old: Value, configured: Value) -> Value:
        if configured is UNKNOWN:
            return UNKNOWN
        if attribute.write_only:
            return None
        if configured is not None:
            new = rule.normal(configured) if rule.normal else configured
            # within the same object an equal value keeps the state's form
            return old if prior is not None and rule.same(old, new) else new
        if rule.default is not None:
            return old if prior is not None and old is not None and rule.same(old, rule.default) else rule.default
        if attribute.computed:
            return UNKNOWN if prior is None else old
        return old if is_zero(old) else None

    def _nested(self, nested: NestedBlock, path: str, old: Value, configured: Value, steps: Path) -> Value:
        if nested.nesting == "single" or configured is UNKNOWN:
            return configured
        configured = configured or []
        rule, old_items = self.rules.get(path, PLAIN), old if isinstance(old, list) else []
        if not configured and rule.keeps_block:
            return UNKNOWN if self.creating else old
        if nested.nesting == "set":
            return self._set(nested, path, old_items, configured)
        if rule.replaces and not self.creating and len(old_items) != len(configured):
            self.replace.append(steps)
        items = []
        for i in range(max(len(old_items), len(configured))):
            before = old_items[i] if i < len(old_items) else None
            after = configured[i] if i < len(configured) else None
            planned = self.block(nested.block, f"{path}.", before, after or {}, (*steps, i))
            if after is not None:  # a removed item is planned too: its values may require a replacement
                items.append(planned)
        return items

    def _set(self, nested: NestedBlock, path: str, old: list[Value], configured: list[Value]) -> Value:
        fresh = _Planner(self.rules, creating=True, replace=[])
        # a set compares whole items, so unset values are zeros, as in what is read
        planned = [
            _with_zeros(nested.block, fresh.block(nested.block, f"{path}.", None, item, ())) for item in configured
        ]
        kept = {repr(without_zeros(item)): item for item in old}
        new = {repr(without_zeros(item)): item for item in planned}
        if kept.keys() == new.keys():
            return old
        return [kept.get(key, item) for key, item in new.items()]


def _with_zeros(block: Block, item: dict[str, Value]) -> dict[str, Value]:
    zeros = {name: zero(attribute.type) for name, attribute in block.attributes.items() if item[name] is None}
    return {**item, **zeros}


def plan(block: Block, rules: Rules, prior: Value, config: Value) -> Change:
    """Plan a resource by its schema and rules; the resource type adds the rest afterwards."""
    change = Change(prior, config)
    planner = _Planner(rules, prior is None, change.replace)
    change.plan = planner.block(block, "", prior, config, ())
    return change
