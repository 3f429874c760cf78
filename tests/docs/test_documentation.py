"""Two directions: what the pages name exists, and what exists is on a page."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from catalog import __main__ as catalog_commands
from catalog import load_catalog
from catalog.files import REPOSITORY
from declared.alerts import ALERTS
from declared.environment import json_schema
from declared.loading import load_environment
from local import cli as local_commands
from operations import __main__ as operations_commands
from verification import __main__ as verification_commands
from verification.doctor import CASES
from verification.runbook import runbook

if TYPE_CHECKING:
    from collections.abc import Iterator


DOCS = REPOSITORY / "docs"
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    REPOSITORY / "SECURITY.md",
    *sorted(DOCS.rglob("*.md")),
]
#: It describes the past: its links must work, its names need not exist any more.
CHANGELOG = REPOSITORY / "CHANGELOG.md"
#: A command or a group: classes of the copy of click that typer holds and does not export.
type Command = Any
APPS = {
    "catalog": catalog_commands.app,
    "operations": operations_commands.app,
    "verification": verification_commands.app,
    "local": local_commands.app,
}
#: Commands of the pages that need no server, no network and no time.
CHEAP = (
    "python -m verification --list",
    "python -m verification --print-schema",
    "python -m operations environment-schema",
    "python -m catalog show wilson_sample",
)


def fenced(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def code(page: Path) -> Iterator[str]:
    """Everything that a reader may type or open: lines of shell blocks without comments, and inline code."""
    for block in fenced(page, "sh"):
        yield from (line.partition(" #")[0].strip() for line in block.replace("\\\n", " ").splitlines())
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    yield from (" ".join(span.split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", prose))


CODE = [(page, text) for page in PAGES for text in code(page)]


@dataclass(frozen=True)
class Typed:
    """A command line of a page: ``python -m MODULE …``."""

    page: Path
    module: str
    words: tuple[str, ...]


def typed() -> Iterator[Typed]:
    """Every ``python -m`` of the pages, without what is piped or chained after it."""
    for page, text in CODE:
        for line in re.split(r"&&|;|\||>", text):
            if match := re.search(r"\bpython -m ([a-z.]+)(?: (.*))?$", line.strip().rstrip(")\"'")):
                yield Typed(page, match[1], tuple(shlex.split(match[2] or "")))


TYPED = list(typed())


def command_tree(module: str) -> Command:
    """The command line of a module."""
    return get_command(APPS[module])


def leaves(command: Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command below one, groups left out."""
    if isinstance(command, TyperGroup):
        for name, inner in command.commands.items():
            yield from leaves(inner, (*words, name))
    else:
        yield words


COMMANDS = [(module, *words) for module in APPS for words in leaves(command_tree(module))]


def chosen(line: Typed) -> tuple[Command, tuple[str, ...]]:
    """The command that a line runs, and the words after its name.

    Raises:
        KeyError: there is no such command.
    """
    command, words = command_tree(line.module), line.words
    while isinstance(command, TyperGroup) and words and not words[0].startswith("-"):
        command, words = command.commands[words[0]], words[1:]
    return command, words


def is_placeholder(word: str) -> bool:
    """Whether a word is a placeholder, such as NAME."""
    return word.isupper()


OURS = [line for line in TYPED if line.module in APPS and not any(map(is_placeholder, line.words[:1]))]


@pytest.mark.parametrize("line", OURS, ids=lambda line: f"{line.page.name}: {line.module} {' '.join(line.words)}")
def test_a_documented_command_exists_with_its_options(line: Typed) -> None:
    command, words = chosen(line)
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} - options - {"--help"} == set()


def test_every_command_is_documented() -> None:
    documented = {(line.module, *line.words[:depth]) for line in OURS for depth in range(len(line.words) + 1)}
    assert set(COMMANDS) - documented == set()
    assert ("verification",) in documented


@pytest.mark.parametrize("command", [*((module,) for module in APPS), *COMMANDS], ids=" ".join)
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    outcome = CliRunner().invoke(APPS[command[0]], [*command[1:], "--help"])
    assert outcome.exit_code == 0, outcome.output
    assert len(outcome.output.splitlines()) > 4


@pytest.mark.parametrize("command", CHEAP)
def test_a_cheap_command_of_the_pages_runs(command: str) -> None:
    assert any(command in text for _, text in CODE)
    module, *words = command.removeprefix("python -m ").split()
    outcome = CliRunner().invoke(APPS[module], words)
    assert outcome.exit_code == 0, outcome.output


def test_a_command_that_does_not_exist_would_be_found() -> None:
    with pytest.raises(KeyError):
        chosen(Typed(REPOSITORY, "operations", ("deplyo",)))


def test_make_targets_exist_and_are_documented() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    documented = {name for _, text in CODE for name in re.findall(r"\bmake ([a-z][a-z-]*)", text)}
    assert "deploy" in documented
    assert documented - targets == set(), "documented, and not in the Makefile"
    assert targets - documented == set(), "in the Makefile, and not documented"


def test_every_file_that_the_pages_name_exists() -> None:
    rooms = "|".join(path.name.replace(".", r"\.") for path in REPOSITORY.iterdir() if path.is_dir())
    path = re.compile(rf"(?<![\w./-])(?:{rooms})/[a-z0-9_./-]*[a-z0-9_/]")
    made_here = (".local/", ".venv", "cdktf.out/", ".cache/", "node_modules/")
    named = {
        (page.name, found.split(":")[0])
        for page, text in CODE
        for found in path.findall(text)
        if not found.startswith(made_here)
        # a path with a placeholder ends where it begins: sql/tables/NAME.sql
        and not re.search(rf"{re.escape(found)}[A-Z*…<]", text)
    }
    assert len(named) > 50
    assert {name for name in named if not (REPOSITORY / name[1]).exists()} == set()


def test_every_test_and_function_that_fidelity_names_exists() -> None:
    tests = {file.name for file in (REPOSITORY / "tests").rglob("test_*.py")}
    for text in code(DOCS / "fidelity.md"):
        for name in re.findall(r"\btest_\w+\.py", text):
            assert name in tests
        if match := re.fullmatch(r"(\w+)\.(?!py$)(\w+)", text):
            module = REPOSITORY / "local" / "engine" / f"{match[1]}.py"
            if module.exists():
                assert re.search(rf"\b{match[2]}\b", module.read_text(encoding="utf-8")), text


#: Words of the recipes that stand for others.
PLACEHOLDERS = {"CONDITION", "KIND", "MODULE", "NAME", "NEW", "NUMBER", "OLD", "SUITE", "TABLE"}
#: Words of GoogleSQL that no file of sql/ has.
STATEMENTS = {"CASCADE"}


def known(wanted: set[str]) -> Iterator[str]:
    """Which of these the repository's Python defines or uses, or another of its files has, but the pages."""
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for file in map(Path, listed.stdout.splitlines()):
        yield from wanted.intersection(re.findall(r"\w+", file.as_posix()))
        if file.suffix not in {".py", ".sql", ".yaml", ".yml", ".json", ".sh", ".toml"} and file.name != "Makefile":
            continue
        text = (REPOSITORY / file).read_text(encoding="utf-8")
        found = wanted.intersection(re.findall(r"\w+", text))
        if file.suffix == ".py" and found:
            nodes = list(ast.walk(ast.parse(text)))
            found &= {getattr(node, name, None) for node in nodes for name in ("name", "id", "attr", "arg", "value")}
        yield from found


def test_every_identifier_of_the_recipes_exists() -> None:
    word = re.compile(r"\b(?:[a-zA-Z]\w*_\w*[a-zA-Z0-9]|[A-Z]{3,})\b")
    named = {name for text in code(DOCS / "how-to.md") for name in word.findall(text)}
    assert {"MINUTES", "SPECIFIED"} <= named
    made_up = {name for name in named if any(part in PLACEHOLDERS for part in name.split("_"))}
    assert named - made_up - STATEMENTS - set(known(named)) == set()


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[tuple[Path, str]]:
    """The links of a page into the repository: the file, and the anchor or ''."""
    found = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    parts = [target.partition("#") for target in found if not target.startswith("http")]
    return [((page.parent / file).resolve() if file else page, anchor) for file, _, anchor in parts]


@pytest.mark.parametrize("page", [*PAGES, CHANGELOG], ids=lambda page: page.name)
def test_every_link_and_anchor_leads_somewhere(page: Path) -> None:
    for file, anchor in links(page):
        assert file.exists(), f"{page.name} links to {file}"
        assert not anchor or anchor in anchors(file), f"{page.name} links to {file.name}#{anchor}"


def test_the_readme_is_the_index_of_all_pages() -> None:
    linked = {file for file, _ in links(REPOSITORY / "README.md")}
    assert {*PAGES, CHANGELOG} - {REPOSITORY / "README.md"} - linked == set()


def options(schema: dict[str, Any], properties: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Every option of an environment file, dotted; a group of options by its members."""
    for name, described in properties.items():
        reference = re.search(r"#/\$defs/(\w+)", json.dumps(described))
        if reference:
            yield from options(schema, schema["$defs"][reference[1]]["properties"], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def rows(page: Path) -> set[str]:
    """The code in the first cell of each row of a page's tables."""
    return set(re.findall(r"^\| `([^`]+)` \|", page.read_text(encoding="utf-8"), re.MULTILINE))


def test_every_option_of_an_environment_file_is_documented_and_the_reverse() -> None:
    schema = json.loads(json_schema())
    kinds = ("Environment", "PreviewFile")
    exist = {name for kind in kinds for name in options(schema, schema["$defs"][kind]["properties"])}
    assert {"guards.protect_data", "preview.beside"} <= exist
    assert rows(DOCS / "operating" / "environments.md") == exist


def test_the_example_of_an_environment_file_is_accepted(tmp_path: Path) -> None:
    examples = fenced(DOCS / "operating" / "environments.md", "yaml")
    assert len(examples) == 2
    (tmp_path / "example.yaml").write_text("".join(examples), encoding="utf-8")
    environment = load_environment("example", tmp_path)
    assert environment.allowed_changes
    assert yaml.safe_load(examples[0])["project"] == environment.project


def test_python_in_the_pages_compiles() -> None:
    blocks = [block for page in PAGES for block in fenced(page, "python")]
    assert blocks
    for block in blocks:
        compile(block, "docs", "exec")


def test_every_case_of_the_doctor_and_every_alert_is_documented() -> None:
    page = DOCS / "operating" / "incidents.md"
    assert set(CASES) <= rows(page)
    text = page.read_text(encoding="utf-8")
    assert [alert.name for alert in ALERTS if f"| {alert.title} |" not in text] == []


def test_the_runbook_is_made_from_the_questions_and_has_a_section_for_each_alert() -> None:
    page = DOCS / "runbook.md"
    made = runbook(load_catalog())
    assert page.read_text(encoding="utf-8") == made, "run: python -m verification runbook > docs/runbook.md"
    sections = [alert.section for alert in ALERTS]
    sections += [condition.section for case in CASES.values() for condition in case.conditions]
    assert {section.partition("#")[2] for section in sections} <= anchors(page)


def test_there_are_twenty_recipes_each_with_files_and_commands() -> None:
    page = (DOCS / "how-to.md").read_text(encoding="utf-8")
    _, *parts = re.split(r"^## (\d+)\. ", page, flags=re.MULTILINE)
    recipes = dict(zip(map(int, parts[::2]), parts[1::2], strict=True))
    assert list(recipes) == list(range(1, 21))
    assert all(re.search(r"^1\. .*`", recipe, re.MULTILINE) and "```sh\n" in recipe for recipe in recipes.values())
    anchored = {anchor for file, anchor in links(DOCS / "how-to.md") if file == DOCS / "how-to.md"}
    assert {anchor for anchor in anchors(DOCS / "how-to.md") if anchor[0].isdigit()} - anchored == set()


def test_the_readme_says_how_many_tables_there_are() -> None:
    assert f" {len(load_catalog().tables)} tables " in (REPOSITORY / "README.md").read_text(encoding="utf-8")
