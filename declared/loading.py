"""Reads environments/NAME.yaml, and composes a numbered preview from its template and its host."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import yaml
from pydantic import ValidationError
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

from catalog.files import REPOSITORY
from declared.environment import Environment, EnvironmentFileError, Guards, Members, Preview, PreviewFile
from declared.names import LOCAL, NUMBERED, preview_dataset
from declared.roles import PROJECT_ROLES, members_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic_core import ErrorDetails

#: Bytes and levels of an environment's file, far more than one needs.
LARGEST, DEEPEST = 65_536, 20
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

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        """The value of a node; a date that does not exist and a number of 5,000 digits are none."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError):
            problem = f"{str(node.value)[:40]!r} is not of the type {node.tag.rpartition(':')[2]}"
            raise ConstructorError(None, None, problem, node.start_mark) from None


def load_environment(name: str | None = None, folder: Path = ENVIRONMENTS) -> Environment:
    """Read the settings of an environment.

    Args:
        name: the environment's name, a preview's with its number; by default the variable EROS_ENV, else ``local``.
        folder: the folder of environment files.

    Raises:
        EnvironmentFileError: one line per problem, with the file's name and the key.
    """
    name = name or os.environ.get("EROS_ENV") or LOCAL
    if (folder / f"{name}.yaml").is_file():
        content = _content(folder / f"{name}.yaml")
        if "preview" in content:
            _preview(name, content)
            raise EnvironmentFileError(f"{name} is the template of previews: name one by its number, such as {name}-7")
        return _environment(name, content)
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
    contents = {file.stem: _content(file) for file in sorted(folder.glob("*.yaml"))}
    found = {name: _preview(name, content) for name, content in contents.items() if "preview" in content}
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
        return f"no environment {name!r}: a preview's number is an integer from 1 to 999999, such as {meant}-7"
    plain = sorted(file.stem for file in folder.glob("*.yaml") if file.stem not in templates)
    names = ", ".join([*plain, *(f"{file}-NUMBER" for file in templates)]) or "none"
    return f"no environment {name!r} in {folder.name}/ (there are: {names})"


def _content(path: Path) -> dict[str, object]:
    """The keys and values of a file."""
    if not path.is_file():
        raise EnvironmentFileError(f"{path.name}: not readable: not a file")
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise EnvironmentFileError(f"{path.name}: larger than {LARGEST} bytes, which no environment needs")
        content = _Loader(data.decode()).get_single_data()
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise EnvironmentFileError(f"{path.name}: not readable as YAML: {' '.join(str(error).split())}") from None
    except OSError as error:
        raise EnvironmentFileError(f"{path.name}: not readable: {error.strerror}") from None
    if not isinstance(content, dict):
        raise EnvironmentFileError(f"{path.name}: must contain keys and values, contains {type(content).__name__}")
    return content


def _environment(name: str, content: Mapping[str, object]) -> Environment:
    for key in ("name", "number"):
        if key in content:
            raise EnvironmentFileError(f"{name}.yaml: unknown key {key!r} (an environment has its file's name)")
    try:
        return Environment.model_validate({"name": name, **content})
    except ValidationError as error:
        raise EnvironmentFileError("\n".join(_line(f"{name}.yaml", problem) for problem in error.errors())) from None


def _preview(name: str, content: Mapping[str, object]) -> Preview:
    try:
        return PreviewFile.model_validate(content).preview
    except ValidationError as error:
        raise EnvironmentFileError("\n".join(_line(f"{name}.yaml", problem) for problem in error.errors())) from None


def _line(file: str, problem: ErrorDetails) -> str:
    """One problem that pydantic found, as one line."""
    key = ".".join(str(part) for part in problem["loc"])
    match problem["type"]:
        case "extra_forbidden":
            return f"{file}: unknown key {key!r}"
        case "missing":
            return f"{file}: missing key {key!r}"
        case "value_error":
            return f"{file}: {key}: {problem['ctx']['error']}"
        case _:
            return f"{file}: {key}: {problem['msg']} (found {problem['input']!r})"
