"""What README and docs tell a reader to type exists, and so do the files that they point to."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def test_every_make_target_exists() -> None:
    named = set(re.findall(r"(?:^|`)make ([a-z][a-z-]+)", TEXT, re.MULTILINE))
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"deploy", "test", "plan", "rollback"} <= named <= targets


def commands() -> list[str]:
    """Each ``python -m MODULE [SUBCOMMAND]`` that the pages name."""
    return sorted(set(re.findall(r"python -m ((?:catalog|operations|verification|local)(?: [a-z][a-z-]+)?)\b", TEXT)))


@pytest.mark.parametrize("command", commands())
def test_every_command_exists(command: str) -> None:
    if command == "local env":
        pytest.skip("it takes no --help: every cdktf command begins with it, and it must be fast")
    done = subprocess.run(
        [sys.executable, "-m", *command.split(), "--help"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_link_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} points to {target}"


def test_every_option_of_the_verification_example_is_accepted() -> None:
    example = re.search(r"python -m verification (--env local --format table .*)", TEXT)
    assert example is not None
    help_text = subprocess.run(
        [sys.executable, "-m", "verification", "--help"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    for option in set(re.findall(r"--[a-z]+", example[1])):
        assert option in help_text
