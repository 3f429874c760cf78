"""cdktf's successor is one setting, and it synthesizes the same configuration. `make test-long` installs it."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from catalog.files import REPOSITORY
from declared.names import BOOTSTRAP, stack_name, stack_names

if TYPE_CHECKING:
    from pathlib import Path

INSTALLER = REPOSITORY / "operations" / "successor.sh"
ENVIRONMENTS = ("local", "preview-local-7", "staging", "prod")
WITH_BUCKET = ("staging", "prod")
SYNTHESES = f"""
import os
import main

for name in {ENVIRONMENTS}:
    main.synthesize(name)
os.environ["EROS_BOOTSTRAP"] = "1"
for name in {WITH_BUCKET}:
    main.synthesize(name)
"""
Stacks = dict[str, dict[str, Any]]


def python(folder: Path, code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run code that imports this repository's modules; those of ``folder`` come first."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def synthesized(folder: Path, library: str) -> Stacks:
    """Synthesize every stack with one of the two libraries."""
    folder.mkdir()
    done = python(folder, SYNTHESES, EROS_CDK=library)
    assert done.returncode == 0, done.stderr
    places = (folder / "cdktf.out" / "stacks").iterdir()
    return {place.name: json.loads((place / "cdk.tf.json").read_text(encoding="utf-8")) for place in places}


def take_sources(stacks: Stacks) -> set[str]:
    """Remove what may differ: where the provider is from, which is returned, and the library's own version."""
    for stack in stacks.values():
        del stack["//"]["metadata"]["version"]
    return {stack["terraform"]["required_providers"]["google"].pop("source") for stack in stacks.values()}


@pytest.fixture(scope="module")
def _installed() -> None:
    done = subprocess.run([INSTALLER], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, f"The successor could not be installed from the package registries:\n{done.stdout}"


@pytest.mark.long
@pytest.mark.usefixtures("_installed")
def test_every_stack_is_equal_but_for_the_source_of_the_provider(tmp_path: Path) -> None:
    ours, successors = (synthesized(tmp_path / library, library) for library in ("cdktf", "cdktn"))
    expected = {stack for name in ENVIRONMENTS for stack in stack_names(name)}
    assert set(ours) == expected | {stack_name(name, BOOTSTRAP) for name in WITH_BUCKET}
    assert take_sources(ours) == {"google"}
    assert take_sources(successors) == {"hashicorp/google"}
    assert successors == ours


@pytest.mark.long
@pytest.mark.usefixtures("_installed")
def test_the_command_line_is_the_successor_s() -> None:
    done = subprocess.run(
        [REPOSITORY / "operations" / "cdktf.sh", "--version"],
        env={**os.environ, "EROS_ENV": "prod", "EROS_CDK": "cdktn"},
        capture_output=True,
        text=True,
        check=False,
    )
    installed = re.search(r"cdktn-cli@(\S+)", INSTALLER.read_text(encoding="utf-8"))
    assert installed is not None
    assert done.stdout.split()[:1] == [installed[1]], done.stderr


def test_the_page_names_the_versions_that_are_installed() -> None:
    page = (REPOSITORY / "docs" / "successor.md").read_text(encoding="utf-8").partition("## Newer versions")[0]
    named = set(re.findall(r"cdkt[fn][\w-]*(?:==|@)[\d.]+", page))
    package = json.loads((REPOSITORY / "package.json").read_text(encoding="utf-8"))
    ours = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8").split()
    ours += [f"{name}@{version}" for name, version in package["dependencies"].items()]
    assert len(named) == 6
    assert named <= {*ours, *INSTALLER.read_text(encoding="utf-8").split()}


@pytest.fixture
def without_successor(tmp_path: Path) -> Path:
    """A checkout where the successor is not installed."""
    for folder, names in {"stacks": ("__init__.py", "cdk.py"), "operations": ("cdktf.sh", "tools.sh")}.items():
        (tmp_path / folder).mkdir()
        for name in names:
            shutil.copy2(REPOSITORY / folder / name, tmp_path / folder / name)
    return tmp_path


def test_synthesis_names_the_command_that_installs_the_successor(without_successor: Path) -> None:
    done = python(without_successor, "import stacks.cdk", EROS_CDK="cdktn")
    assert done.stderr.endswith("cdktn_provider_google is not installed: run `operations/successor.sh`\n")


def test_the_command_line_names_the_command_that_installs_the_successor(without_successor: Path) -> None:
    done = subprocess.run(
        [without_successor / "operations" / "cdktf.sh", "plan"],
        env={**os.environ, "EROS_ENV": "prod", "EROS_CDK": "cdktn"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "The command line is not installed: run `operations/successor.sh`\n"


def test_an_unknown_library_is_refused(tmp_path: Path) -> None:
    done = python(tmp_path, "import main; main.synthesize('prod')", EROS_CDK="terraform-cdk")
    assert done.returncode == 1
    assert done.stderr.endswith("EROS_CDK: 'terraform-cdk' is neither cdktf nor cdktn\n")


def imported(module: Path) -> set[str]:
    """The top-level packages that a module imports, type-only imports included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(str(node.module).partition(".")[0])
    return names


def test_one_module_imports_cdktf_and_its_bindings() -> None:
    packages = {"cdktf", "cdktf_cdktf_provider_google"}
    rooms = ("stacks", "declared", "catalog", "google", "verification", "operations", "local", "tests", "benchmarks")
    modules = [REPOSITORY / "main.py", *(module for room in rooms for module in (REPOSITORY / room).rglob("*.py"))]
    assert [module for module in modules if imported(module) & packages] == [REPOSITORY / "stacks" / "cdk.py"]
