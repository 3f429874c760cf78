"""A template is filled once, copied for each server, and filled again when what it comes from changes."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from catalog.files import REPOSITORY
from tests.harness import template

if TYPE_CHECKING:
    from pathlib import Path

#: The modules that fill a template, with the server that they start.
FILLING = ("tests/harness/deployed.py", "tests/harness/embedded.py", "local/__main__.py")


@pytest.fixture
def filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that have been filled."""
    monkeypatch.setattr(template, "TEMPLATES", tmp_path / "templates")
    return []


def copy(filled: list[Path], target: Path, valid: str = "") -> str:
    def fill(folder: Path) -> None:
        filled.append(folder)
        folder.mkdir()
        (folder / "content").write_text(f"filling {len(filled)}")

    target.mkdir()
    template.copy_template("test", target, fill, valid)
    return (target / "content").read_text()


def test_it_is_filled_once_and_copied_twice(filled: list[Path], tmp_path: Path) -> None:
    assert copy(filled, tmp_path / "a") == copy(filled, tmp_path / "b") == "filling 1"


def test_it_is_filled_again_on_another_day_and_the_old_one_is_deleted(filled: list[Path], tmp_path: Path) -> None:
    copy(filled, tmp_path / "a", "Monday")
    assert copy(filled, tmp_path / "b", "Tuesday") == "filling 2"
    assert len(list(template.TEMPLATES.glob("test-*"))) == 1


def test_it_is_filled_again_after_a_filling_that_failed(filled: list[Path], tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        folder.mkdir()
        raise OSError

    (tmp_path / "a").mkdir()
    with pytest.raises(OSError):  # noqa: PT011 - it is this one
        template.copy_template("test", tmp_path / "a", fail)
    assert copy(filled, tmp_path / "b") == "filling 1"


@pytest.mark.parametrize(("name", "value"), [("sys.version_info", (3, 99)), ("sysconfig.get_path", lambda _: "none")])
def test_another_python_or_other_packages_need_another_one(
    monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    before = template._digest("")  # noqa: SLF001 - a copy with another version_info would break pathlib
    with monkeypatch.context() as patch:
        patch.setattr(name, value)
        assert template._digest("") != before  # noqa: SLF001


def test_the_digest_covers_every_module_that_fills_one() -> None:
    """Of the modules that those import, however far away."""
    waiting, found = [REPOSITORY / name for name in FILLING], set()
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        found.add(module)
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            waiting += [file for file in imported_files(node) if file.is_file()]
    sources = [REPOSITORY / source for source in template.SOURCES]
    assert len(found) > len(FILLING)
    assert {file for file in found if not any(file.is_relative_to(source) for source in sources)} == set()


def imported_files(node: ast.AST) -> list[Path]:
    """The files of this repository that a statement may import, whether they exist or not."""
    match node:
        case ast.Import():
            names = [alias.name for alias in node.names]
        case ast.ImportFrom():
            names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
        case _:
            return []
    places = [REPOSITORY.joinpath(*name.split(".")) for name in names]
    return [file for place in places for file in (place.with_suffix(".py"), place / "__init__.py")]
