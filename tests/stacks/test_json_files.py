"""Files that others wrote: what cannot be used is a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from declared import json_files
from declared.environment import EnvironmentFileError
from declared.imports import IMPORT_IDS, adoption_file, read_import_ids
from declared.json_files import DEEPEST, UnreadableFileError, parsed, read_text
from operations.deploy.steps import StepFailedError
from operations.review.planned import read_plans

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STACK = "eros-prod-warehouse"


def of_a_plan(folder: Path) -> object:
    return read_plans((STACK,), {}, folder)


def of_import_ids(folder: Path) -> object:
    return read_import_ids(folder)


def of_an_adoption(_folder: Path) -> object:
    return adoption_file({STACK})


#: What reads a file in a folder, by the file's name.
READERS: dict[str, Callable[[Path], object]] = {
    f"{STACK}.json": of_a_plan,
    IMPORT_IDS: of_import_ids,
    "adopt.json": of_an_adoption,
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "not a file"),
        (b"{", "is not JSON"),
        (b"\xff", "is not UTF-8"),
        (b"[" * 10_000 + b"]" * 10_000, f"more than {DEEPEST} levels"),
        (b'{"a": ' * 200 + b"1" + b"}" * 200, f"more than {DEEPEST} levels"),
        (b" " * 2_000, "larger than"),
        (rb'{"a": "\ud800"}', "half of a character"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    monkeypatch.setattr(json_files, "LARGEST", 1_999 if content and content.isspace() else 100_000)
    file = tmp_path / name
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    monkeypatch.setenv("EROS_ADOPT", str(file))
    with pytest.raises((EnvironmentFileError, StepFailedError), match=said):
        READERS[name](tmp_path)


@pytest.mark.parametrize("content", ["null", "7", '"text"', "[1]", '{"a": null}', '{"a": {"nothing": "x"}}'])
def test_import_ids_of_another_form_are_a_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / IMPORT_IDS).write_text(content)
    with pytest.raises(EnvironmentFileError, match="does not hold import ids"):
        read_import_ids(tmp_path)


def test_a_folder_in_the_place_of_an_error_text_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / f"{STACK}.failed").mkdir()
    with pytest.raises(StepFailedError, match="cannot be read: it is not a file"):
        read_plans((STACK,), {}, tmp_path)


def test_as_many_levels_as_are_allowed_are_read() -> None:
    inside = DEEPEST - 1
    assert parsed("[" * inside + "1" + "]" * inside)
    with pytest.raises(UnreadableFileError):
        parsed("[" * (inside + 1) + "1" + "]" * (inside + 1))


def test_bytes_that_are_no_text_can_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a\xffb")
    assert read_text(tmp_path / "a", errors="replace") == "a\ufffdb"
