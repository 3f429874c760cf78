"""Reads Terraform's plans from their JSON: what would happen to each object, and what changed outside.

The format is documented at https://developer.hashicorp.com/terraform/internals/json-format.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict

import msgspec

from declared.json_files import UnreadableFileError, parsed, read_text
from declared.masking import MASK, masked, names_secret
from operations.deploy.cdktf import STACK_COMMAND, stack_folder
from operations.deploy.interrupts import child
from operations.deploy.steps import StepFailedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SENSITIVE = "(sensitive)"
UNKNOWN = "(known after apply)"
UNFINISHED = "Error: the plan ended in an error; its log says more"
#: Attributes that a service writes with each change.
OF_THE_SERVICE = {
    "creation_time",
    "etag",
    "generated_id",
    "generation",
    "last_modified_time",
    "num_bytes",
    "num_long_term_bytes",
    "num_rows",
    "status",
    "terraform_labels",
    "effective_labels",
}


class Action(StrEnum):
    """What a plan does to an object; the most dangerous first."""

    DESTROY = "destroy"
    REPLACE = "replace"
    FORGET = "forget"
    CREATE = "create"
    UPDATE = "update"
    IMPORT = "import"
    MOVE = "move"
    NONE = "none"


@dataclass(frozen=True)
class PlannedChange:
    """The plan of one object; its values may be shown.

    ``attributes`` are those that change, ``restored`` those of them that only revert a change outside Terraform,
    ``replacing`` those that cannot be changed in place. An import may change attributes as well.
    """

    stack: str
    address: str
    action: Action
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    attributes: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()
    replacing: tuple[str, ...] = ()
    moved_from: str = ""

    @property
    def kind(self) -> str:
        """The resource type, such as ``google_bigquery_table``."""
        return self.address.split(".")[0]

    @property
    def name(self) -> str:
        """The resource's name within its type."""
        return self.address.partition(".")[2]

    @property
    def only_restores(self) -> bool:
        """Whether all of it only reverts a change outside Terraform."""
        return bool(self.restored) and set(self.restored) == set(self.attributes)


@dataclass(frozen=True)
class OutsideChange:
    """A change outside Terraform since the last deployment: attributes as they were deployed and are now."""

    stack: str
    address: str
    gone: bool
    left: Mapping[str, Any]
    found: Mapping[str, Any]


@dataclass(frozen=True)
class StackPlan:
    """The plan of one stack; objects that do not change are in it with :attr:`Action.NONE`.

    ``failure`` is Terraform's message if the stack could not be planned completely: what a guard forbids is still
    planned.
    """

    stack: str
    changes: tuple[PlannedChange, ...] = ()
    outside: tuple[OutsideChange, ...] = ()
    failure: str = ""


class _Change(TypedDict):
    actions: Annotated[list[str], msgspec.Meta(min_length=1)]
    before: NotRequired[dict[str, Any] | None]
    after: NotRequired[dict[str, Any] | None]
    after_unknown: NotRequired[dict[str, Any] | None]
    replace_paths: NotRequired[list[Annotated[list[Any], msgspec.Meta(min_length=1)]] | None]


class _Item(TypedDict):
    address: str
    change: _Change
    previous_address: NotRequired[str | None]


class _Plan(TypedDict):
    """What of a plan is read, so that a plan of another form is refused with the place in it."""

    resource_changes: NotRequired[list[_Item] | None]
    resource_drift: NotRequired[list[_Item] | None]
    configuration: NotRequired[dict[str, Any]]


def read_plans(stacks: tuple[str, ...], variables: Mapping[str, str], folder: Path | None = None) -> list[StackPlan]:
    """Read the plans of stacks, which ``make plan`` left in the synthesized folder.

    Args:
        stacks: the stacks' names.
        variables: the process environment of Terraform.
        folder: read ``STACK.json``, what ``terraform show -json`` printed, from here instead, and ``STACK.failed``.

    Raises:
        StepFailedError: a plan is missing, or cannot be read.
    """
    return [_read(stack, variables, folder) for stack in stacks]


def _read(stack: str, variables: Mapping[str, str], folder: Path | None) -> StackPlan:
    failed = (folder / f"{stack}.failed") if folder else stack_folder(stack) / "plan.failed"
    try:
        failure = masked(read_text(failed, errors="replace").strip() or UNFINISHED) if failed.exists() else ""
    except UnreadableFileError as error:
        raise StepFailedError(f"{stack}: {failed} {error}", 2) from None
    try:
        text = _text(stack, variables, folder)
    except StepFailedError:
        if failure:
            return StackPlan(stack, failure=failure)
        raise
    try:
        content = parsed(text)
        msgspec.convert(content, _Plan)
        plan = read_plan(stack, content)
    except UnreadableFileError as error:
        raise StepFailedError(f"{stack}: not a plan of Terraform: it {error}", 2) from None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise StepFailedError(f"{stack}: not a plan of Terraform: {type(error).__name__}: {error}", 2) from None
    return replace(plan, failure=failure or plan.failure)


def _text(stack: str, variables: Mapping[str, str], folder: Path | None) -> str:
    if folder is not None:
        try:
            return read_text(file := folder / f"{stack}.json")
        except UnreadableFileError as error:
            raise StepFailedError(f"{stack}: {file} {error}", 2) from None
    if not (stack_folder(stack) / "plan").is_file():
        raise StepFailedError(f"{stack} has no plan yet: run `make plan` first", 2)
    command, piped = [str(STACK_COMMAND), "show", stack], subprocess.PIPE
    with child(
        command, env=dict(variables), stdin=subprocess.DEVNULL, stdout=piped, stderr=piped, text=True
    ) as process:
        output, errors = process.communicate()
    if process.returncode:
        raise StepFailedError(f"{stack}: {errors.strip() or output.strip()}", 2)
    return str(output)


def read_plan(stack: str, plan: Mapping[str, Any]) -> StackPlan:
    """Read a stack's plan from what ``terraform show -json`` prints."""
    declared, items = _declared(plan), plan.get("resource_changes") or []
    for item in items:  # what the plan reverts counts too, although it is not in the configuration
        declared.setdefault(item["address"], set()).update(_attributes(item["change"]))
    drifted = plan.get("resource_drift") or []
    outside = tuple(filter(None, (_outside(stack, item, declared.get(item["address"], set())) for item in drifted)))
    found = {change.address: change for change in outside}
    changes = tuple(_change(stack, item, found.get(item["address"])) for item in items)
    return StackPlan(stack, changes, outside, UNFINISHED if plan.get("errored") else "")


def _declared(plan: Mapping[str, Any]) -> dict[str, set[str]]:
    """The attributes that the configuration of each object sets."""
    resources = plan.get("configuration", {}).get("root_module", {}).get("resources", [])
    return {resource["address"]: set(resource.get("expressions", {})) for resource in resources}


def _change(stack: str, item: Mapping[str, Any], outside: OutsideChange | None) -> PlannedChange:
    change = item["change"]
    raw_before, raw_after = change.get("before") or {}, change.get("after") or {}
    unknown = change.get("after_unknown") or {}
    action = _action(item)
    attributes = _attributes(change)
    left = outside.left if outside else {}
    return PlannedChange(
        stack=stack,
        address=item["address"],
        action=action,
        before=shown(raw_before, change.get("before_sensitive")),
        after={
            **shown(raw_after, change.get("after_sensitive")),
            **{name: UNKNOWN for name, is_unknown in unknown.items() if is_unknown is True},
        },
        attributes=attributes,
        restored=tuple(
            name for name in attributes if name in left and same(left[name], shown(raw_after.get(name), None))
        ),
        replacing=tuple(dict.fromkeys(str(path[0]) for path in change.get("replace_paths") or [])),
        moved_from=item.get("previous_address") or "",
    )


def _attributes(change: Mapping[str, Any]) -> tuple[str, ...]:
    """The attributes that a plan changes of an object that exists and stays."""
    before, after = change.get("before") or {}, change.get("after") or {}
    return tuple(_changed(before, after, change.get("after_unknown") or {})) if before and after else ()


def _action(item: Mapping[str, Any]) -> Action:
    actions = item["change"]["actions"]
    if "delete" in actions:
        return Action.REPLACE if "create" in actions else Action.DESTROY
    if item["change"].get("importing"):
        return Action.IMPORT
    if actions == ["no-op"] and item.get("previous_address"):
        return Action.MOVE
    return {"create": Action.CREATE, "update": Action.UPDATE, "forget": Action.FORGET}.get(actions[0], Action.NONE)


def _changed(before: Mapping[str, Any], after: Mapping[str, Any], unknown: Mapping[str, Any]) -> Iterator[str]:
    """Attributes that differ, without those that a service writes with each change."""
    for name in sorted({*before, *after} - OF_THE_SERVICE):
        if unknown.get(name) is not True and not same(before.get(name), after.get(name)):
            yield name


def same(left: object, right: object) -> bool:
    """Whether two values are equal; to the provider null, an empty text and an empty list are."""
    return _stripped(left) == _stripped(right)


def _stripped(value: object) -> object:
    """A value without its empty parts; a text that is JSON, such as a table's schema, is parsed."""
    if isinstance(value, str) and value.startswith(("{", "[")):
        try:
            value = parsed(value)
        except UnreadableFileError:
            return value
    if isinstance(value, dict):
        kept = {key: _stripped(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item is not None} or None
    if isinstance(value, list):
        return [_stripped(item) for item in value] or None
    return value or None


def _outside(stack: str, item: Mapping[str, Any], declared: set[str]) -> OutsideChange | None:
    """The change of what is declared or planned; what a service computes does not count."""
    change = item["change"]
    left, found = change.get("before") or {}, change.get("after") or {}
    if "delete" in change["actions"]:
        return OutsideChange(stack, item["address"], gone=True, left={}, found={})
    names = [name for name in _changed(left, found, {}) if name in declared]
    if not names:
        return None
    left, found = shown(left, change.get("before_sensitive")), shown(found, change.get("after_sensitive"))
    return OutsideChange(
        stack,
        item["address"],
        gone=False,
        left={name: left.get(name) for name in names},
        found={name: found.get(name) for name in names},
    )


def shown(value: Any, sensitive: Any) -> Any:
    """A value without what Terraform marks as sensitive or looks like a credential, at any depth."""
    if sensitive is True:
        return SENSITIVE
    if isinstance(value, dict):
        marked = sensitive if isinstance(sensitive, dict) else {}
        return {
            masked(key): MASK if item and isinstance(item, str) and names_secret(key) else shown(item, marked.get(key))
            for key, item in value.items()
        }
    if isinstance(value, list):
        marks = sensitive if isinstance(sensitive, list) else []
        return [shown(item, mark) for item, mark in zip_longest(value, marks[: len(value)])]
    return masked(value) if isinstance(value, str) else value
