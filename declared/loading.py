"""Reads environments/NAME.yaml, and composes a numbered preview from its template and its host."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

from catalog.files import REPOSITORY, read_regular
from catalog.findings import printable
from declared.environment import Environment, EnvironmentFileError, Guards, Members, Preview, PreviewFile
from declared.names import LOCAL, NUMBERED, preview_dataset
from declared.roles import PROJECT_ROLES, members_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pydantic_core import ErrorDetails

#: Bytes and levels of an environment's file, far more than one needs.
LARGEST, DEEPEST = 65_536, 20
#: An environment's name becomes part of file names.
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
LONGEST_SHOWN = 300  # characters of a problem
ENVIRONMENTS = REPOSITORY / "environments"


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, which also refuses what takes endless time or room, and names each value it cannot read."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """The node that is read next: not an alias, because a few of them multiply to gigabytes, and not too deep."""
        place = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # the stubs have no types for it
        if self.check_event(yaml.AliasEvent):
            raise ComposerError(None, None, "an alias (*name): write the value itself", place)
        if self._depth == DEEPEST:
            raise ComposerError(None, None, f"more than {DEEPEST} levels", place)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        """The keys and values that are read next; of a key that is written twice, YAML would drop the first value."""
        node = super().compose_mapping_node(anchor)
        known: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in known:
                raise ComposerError(None, None, f"the key {key.value!r} a second time: remove one", key.start_mark)
            known.add(key.value if isinstance(key, yaml.ScalarNode) else "")
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        """The value of a node; a date that does not exist and a number of 5,000 digits are none."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError):
            problem = f"{str(node.value)[:40]!r} is not of the type {node.tag.rpartition(':')[2]}"
            raise ConstructorError(None, None, problem, node.start_mark) from None


@dataclass(frozen=True)
class _File:
    """What an environment's file contains, and where."""

    name: str
    content: dict[str, object]
    node: yaml.Node

    def lines(self, error: ValidationError) -> str:
        """The problems that pydantic found, one per line."""
        return "\n".join(_shown(f"{self._place(each['loc'])}: {_problem(each)}") for each in error.errors())

    def _place(self, keys: Iterable[str | int]) -> str:
        """The file, and the line of a value; without a line where the value is missing."""
        node, line = self.node, None
        for key in keys:
            if isinstance(node, yaml.SequenceNode) and isinstance(key, int):
                found = node.value[key] if key < len(node.value) else None
            else:
                entries = node.value if isinstance(node, yaml.MappingNode) else []
                found = next((value for name, value in entries if name.value == key), None)
            if found is None:
                break
            node, line = found, found.start_mark.line + 1
        return f"{self.name}.yaml" if line is None else f"{self.name}.yaml:{line}"


def named(name: str | None = None) -> str:
    """The name of the environment that is meant.

    Raises:
        EnvironmentFileError: it is empty, such as a variable that a workflow did not get; ``local`` is not meant then.
    """
    name = os.environ.get("EROS_ENV", LOCAL) if name is None else name
    if not name:
        raise EnvironmentFileError("The environment's name is empty: set EROS_ENV (ENV for make), or leave it out.")
    return name


def load_environment(name: str | None = None, folder: Path = ENVIRONMENTS) -> Environment:
    """Read the settings of an environment.

    Args:
        name: the environment's name, a preview's with its number; by default the variable EROS_ENV, else ``local``.
        folder: the folder of environment files.

    Raises:
        EnvironmentFileError: one line per problem, with the file's name and the key.
    """
    name = named(name)
    if not NAME.fullmatch(name):
        raise EnvironmentFileError(_unknown(name, folder))
    if (folder / f"{name}.yaml").is_file():
        file = _read(folder / f"{name}.yaml")
        if "preview" in file.content:
            _preview(file)
            raise EnvironmentFileError(f"{name} is the template of previews: name one by its number, such as {name}-7")
        return _environment(file)
    numbered = NUMBERED.fullmatch(name)
    template = previews(folder).get(numbered["file"]) if numbered else None
    if numbered is None or template is None:
        raise EnvironmentFileError(_unknown(name, folder))
    return _numbered(load_environment(template.beside, folder), name, template, int(numbered["number"]))


def previews(folder: Path = ENVIRONMENTS) -> dict[str, Preview]:
    """The templates of previews, by the names of their files.

    Raises:
        EnvironmentFileError: a file cannot be used.
    """
    files = [_read(path) for path in sorted(folder.glob("*.yaml"))]
    found = {file.name: _preview(file) for file in files if "preview" in file.content}
    hosts: dict[str, str] = {}
    for name, template in found.items():
        if (other := hosts.setdefault(template.beside, name)) != name:
            raise EnvironmentFileError(
                f"{name}.yaml: preview.beside: {other}.yaml names {template.beside} already, and its numbers "
                "would have the same datasets"
            )
    return found


def _numbered(host: Environment, name: str, template: Preview, number: int) -> Environment:
    """The preview of a number: it grants only its own account's roles, and knows the grants of its host."""
    if host.guards.protect_data:
        file = name.removesuffix(f"-{number}")
        raise EnvironmentFileError(
            f"{file}.yaml: preview.beside: {host.name} guards its data, and a preview is destroyed with its "
            "data: name an environment that does not guard data"
        )
    granted = (f"{role} {member}" for role, member in members_of(host, PROJECT_ROLES))
    return host.model_copy(
        update={
            "name": name,
            "preview": template,
            "number": number,
            "dataset": preview_dataset(host.dataset, number),
            "guards": Guards(protect_data=False, delete_dataset_contents=True),
            "members": Members(known=(*host.members.known, *granted)),
            "allowed_changes": (),
        }
    )


def _unknown(name: str, folder: Path) -> str:
    templates = previews(folder)
    if meant := max((file for file in templates if name.startswith(f"{file}-")), key=len, default=None):
        return f"no environment {_shown(name)!r}: a preview's number is an integer from 1 to 999999, such as {meant}-7"
    plain = sorted(file.stem for file in folder.glob("*.yaml") if file.stem not in templates)
    names = ", ".join([*plain, *(f"{file}-NUMBER" for file in templates)]) or "none"
    return f"no environment {_shown(name)!r} in {folder.name}/ (there are: {names})"


def _read(path: Path) -> _File:
    """The keys and values of a file."""
    shown = printable(path.name)
    if not NAME.fullmatch(path.stem):
        raise EnvironmentFileError(f"{shown}: the name is not lower-case letters, digits and hyphens: rename the file")
    if not path.is_file():
        raise EnvironmentFileError(f"{shown}: not readable: not a file")
    try:
        loader = _Loader(read_regular(path, LARGEST).decode())
        node = loader.get_single_node()
        content = None if node is None else loader.construct_document(node)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = _shown(" ".join(str(error).split()))
        raise EnvironmentFileError(f"{shown}: not readable as YAML: {problem}") from None
    except OSError as error:
        raise EnvironmentFileError(f"{shown}: not readable: {error.strerror}") from None
    except ValueError as error:
        raise EnvironmentFileError(f"{shown}: not readable: {error}") from None
    if node is None or not isinstance(content, dict):
        raise EnvironmentFileError(f"{shown}: must contain keys and values, contains {type(content).__name__}")
    return _File(path.stem, content, node)


def _environment(file: _File) -> Environment:
    for key in ("name", "number"):
        if key in file.content:
            raise EnvironmentFileError(f"{file.name}.yaml: unknown key {key!r} (an environment has its file's name)")
    try:
        return Environment.model_validate({"name": file.name, **file.content})
    except ValidationError as error:
        raise EnvironmentFileError(file.lines(error)) from None


def _preview(file: _File) -> Preview:
    try:
        return PreviewFile.model_validate(file.content).preview
    except ValidationError as error:
        raise EnvironmentFileError(file.lines(error)) from None


def _problem(problem: ErrorDetails) -> str:
    """One problem that pydantic found, in words."""
    key = ".".join(str(part) for part in problem["loc"])
    match problem["type"]:
        case "extra_forbidden":
            return f"unknown key {key!r}"
        case "missing":
            return f"missing key {key!r}"
        case "value_error":
            return f"{key}: {problem['ctx']['error']}"
        case _:
            return f"{key}: {problem['msg']} (found {problem['input']!r})"


def _shown(text: str) -> str:
    """A text, or the beginning of a long one."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
