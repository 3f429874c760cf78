"""Values that are given to make are text: none of them runs a command, and each reaches the program as it was given."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from catalog.files import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

VALUES = (
    "local ; touch MARK",
    "x; touch MARK",
    "x | touch MARK",
    "x && touch MARK",
    "$(touch MARK)",
    "$(shell touch MARK)",
    "${shell touch MARK}",
    "`touch MARK`",
    '"; touch MARK; "',
    "'; touch MARK; '",
    "x > MARK",
    "x\ttouch  MARK",
    "#12",
    "--help",
)
#: Every target that has a value, with the value's variable and its form among the program's arguments.
TARGETS = {
    "deploy": ("ENV", ""),
    "verify": ("ENV", ""),
    "cost": ("BASE", "--base={}"),
    "rollback": ("STACK", "--stack={}"),
    "preview-up": ("NUMBER", "{}"),
    "preview-down": ("NUMBER", "{}"),
    "test-fast": ("WORKERS", "{}"),
    "test-long": ("WORKERS", "{}"),
    "bench-engine": ("AGAINST", "--against={}"),
}
PROGRAM = """#!/bin/sh
printf '%s\\n' "EROS_ENV=$EROS_ENV" "$@" >>"$SAID"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The Makefile and the scripts, with a Python that writes its arguments down, one a line."""
    shutil.copytree(REPOSITORY / "operations", tmp_path / "operations", ignore=shutil.ignore_patterns("*.py", "__*"))
    for name in ("Makefile", "requirements.txt", "package-lock.json"):
        shutil.copy(REPOSITORY / name, tmp_path)
    for name in (".venv/installed", "node_modules/installed"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    program = tmp_path / ".venv" / "bin" / "python"
    program.parent.mkdir()
    program.write_text(PROGRAM, encoding="utf-8")
    program.chmod(0o755)
    return tmp_path


def make(checkout: Path, *arguments: str, **variables: str) -> list[str]:
    """What the program was given; make may fail."""
    said = checkout / "said"
    said.write_text("", encoding="utf-8")
    own = {variable for variable, _ in TARGETS.values()}  # make gives its own to the tests that it runs
    inherited = {
        name: value for name, value in os.environ.items() if name not in own and not name.startswith(("MAKE", "MFLAGS"))
    }
    subprocess.run(
        ["make", "-s", *arguments],
        cwd=checkout,
        env={**inherited, "SAID": str(said), **variables},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert not (checkout / "MARK").exists(), f"make {' '.join(arguments)} ran a command: {variables}"
    return said.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("value", VALUES)
def test_a_value_reaches_the_program_as_text(checkout: Path, value: str) -> None:
    for target, (variable, form) in TARGETS.items():
        expected = form.format(value) if form else f"EROS_ENV={value}"
        assert expected in make(checkout, target, f"{variable}={value}"), target
        assert expected in make(checkout, target, **{variable: value}), target
    assert f"EROS_ENV={value}" in make(checkout, "plan", f"ENV={value}", f"ADOPT={value}")
    assert "EROS_ENV=local" in make(checkout, "plan", PATH=f"{os.environ['PATH']}:{value}")


@pytest.mark.parametrize("value", VALUES)
def test_no_python_is_run_that_is_a_command_line(checkout: Path, value: str) -> None:
    (checkout / ".venv" / "installed").unlink()
    make(checkout, "setup", f"PYTHON={value}")
    make(checkout, "-n", "setup", f"PYTHON={value}")
    make(checkout, "-n", "check", f"ENV={value}")


def test_without_a_value_the_defaults_are_used(checkout: Path) -> None:
    assert make(checkout, "rollback") == ["EROS_ENV=local", "-m", "operations", "destroy", "--stack=automation"]
    assert make(checkout, "cost") == ["EROS_ENV=local", "-m", "operations", "cost"]
    assert make(checkout, "preview-up") == ["EROS_ENV=local", "-m", "operations", "preview", "up"]
    for target in ("test-fast", "test-long"):
        given = make(checkout, target)
        assert given[given.index("-n") + 1] == "3", target
