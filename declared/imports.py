"""How the import id of each declared object is found. The stacks write it down, and adoption reads it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, cast

from declared.environment import EnvironmentFileError
from declared.json_files import UnreadableFileError, parsed, read_text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

#: In a stack's folder: how the import id of each address is found.
IMPORT_IDS = "import-ids.json"
#: In a stack's folder: import blocks, which Terraform reads together with the synthesized configuration.
IMPORTS = "imports.tf.json"


class FoundBy(StrEnum):
    """What leads to an object's import id."""

    ID = "id"  # the value is the id itself
    DISPLAY_NAME = "display_name"  # the value is the display name; the service gave the id
    SEED_JOB = "seed_job"  # the value is an id in which {job} and {generation} are those of the newest seed job


@dataclass(frozen=True)
class ImportId:
    """How the import id of a declared object is found."""

    by: FoundBy
    value: str


def fixed(identity: str) -> ImportId:
    """An import id that is known before the object exists."""
    return ImportId(FoundBy.ID, identity)


def named(display_name: str) -> ImportId:
    """The import id of an object that is found by its display name."""
    return ImportId(FoundBy.DISPLAY_NAME, display_name)


def of_the_seed_job(pattern: str) -> ImportId:
    """The import id of the newest seed job, or of what belongs to it."""
    return ImportId(FoundBy.SEED_JOB, pattern)


def write_import_ids(folder: Path, ids: Mapping[str, ImportId]) -> None:
    """Write how the import ids of a stack are found.

    Args:
        folder: the stack's folder.
        ids: by resource address.
    """
    content = {address: {identity.by: identity.value} for address, identity in ids.items()}
    (folder / IMPORT_IDS).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_import_ids(folder: Path) -> dict[str, ImportId]:
    """Read what :func:`write_import_ids` wrote, by resource address.

    Raises:
        EnvironmentFileError: something else is there.
    """
    file = folder / IMPORT_IDS
    try:
        content: dict[str, dict[str, str]] = parsed(read_text(file))
        return {
            address: ImportId(FoundBy(by), value) for address, found in content.items() for by, value in found.items()
        }
    except UnreadableFileError as error:
        raise EnvironmentFileError(f"{file} {error}: run the command again, which writes it") from None
    except (ValueError, AttributeError):
        raise EnvironmentFileError(f"{file} does not hold import ids: run the command again, which writes it") from None


def write_imports(folder: Path, ids: Mapping[str, str]) -> None:
    """Have the next plan or deployment of a stack import objects; the next synthesis removes the file.

    Args:
        folder: the stack's folder.
        ids: import ids by resource address.
    """
    if ids:
        blocks = [{"to": address, "id": identity} for address, identity in sorted(ids.items())]
        (folder / IMPORTS).write_text(json.dumps({"import": blocks}, indent=2) + "\n", encoding="utf-8")


def adoption_file(names_of_stacks: Collection[str]) -> dict[str, dict[str, str]]:
    """What to adopt: the file named by EROS_ADOPT, ``{stack: {resource address: import id}}``.

    Args:
        names_of_stacks: the stacks that are synthesized.

    Raises:
        EnvironmentFileError: the file cannot be read, holds something else, or names another stack.
    """
    path = os.environ.get("EROS_ADOPT")
    if not path:
        return {}
    try:
        content = parsed(read_text(Path(path)))
    except UnreadableFileError as error:
        raise EnvironmentFileError(f"EROS_ADOPT: {path} {error}") from None
    stacks = content.values() if isinstance(content, dict) else [None]
    if not all(isinstance(ids, dict) and all(isinstance(identity, str) for identity in ids.values()) for ids in stacks):
        raise EnvironmentFileError(f'EROS_ADOPT: {path} must hold {{"stack": {{"resource address": "import id"}}}}')
    if unknown := sorted(set(content) - set(names_of_stacks)):
        raise EnvironmentFileError(f"EROS_ADOPT: no such stack is synthesized: {', '.join(unknown)}")
    return cast("dict[str, dict[str, str]]", content)
