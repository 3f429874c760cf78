"""The check of all SQL files: what it analyzes again, what it takes from the cache, and how the command reports."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from catalog import cache, load_catalog, zetasql
from catalog import check as checking
from catalog.__main__ import app
from catalog.check import check, results_of
from catalog.files import REPOSITORY, SQL, read_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.check import Declared, FileResult
    from catalog.model import Signature

DATASET = "of-scheduler-proj.eros_scheduling_brain"
FILES = {
    "tables/kept": """-- Kept.
--
-- Guarantees: rows never expire.
CREATE TABLE IF NOT EXISTS `{d}.kept` (id INT64 OPTIONS (description = 'Id.')) OPTIONS (
  description = 'Kept.', labels = [('system', 'eros'), ('component', 'test'), ('retention', 'none')]
);
""",
    "functions/twice": """-- Twice.
CREATE OR REPLACE FUNCTION `{d}.twice`(p_n INT64) RETURNS INT64 OPTIONS (description = 'Twice.') AS (p_n + p_n);
""",
    "functions/alone": """-- Alone.
CREATE OR REPLACE FUNCTION `{d}.alone`(p_n INT64) RETURNS INT64 OPTIONS (description = 'Alone.') AS (p_n);
""",
    "table_functions/doubled": """-- Doubled.
CREATE OR REPLACE TABLE FUNCTION `{d}.doubled`() RETURNS TABLE<id INT64> OPTIONS (description = 'Doubled.') AS
SELECT `{d}.twice`(shown.id) AS id FROM `{d}.shown` AS shown;
""",
    "views/shown": """-- Shown.
CREATE OR REPLACE VIEW `{d}.shown` (id OPTIONS (description = 'Id.')) OPTIONS (
  description = 'Shown.', labels = [('system', 'eros'), ('component', 'test'), ('retention', 'none')]
) AS SELECT kept.id FROM `{d}.kept` AS kept;
""",
}


@dataclass
class Folder:
    """A folder of SQL files, and the files that the analyzer was asked about since the last question."""

    sql: Path
    analyzed: list[str] = field(default_factory=list)

    def write(self, name: str, text: str) -> None:
        """Write a file; ``{d}`` is the dataset."""
        path = self.sql / f"{name}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{d}", DATASET), encoding="utf-8")

    def change(self, name: str, old: str, new: str) -> None:
        """Replace a part of a file."""
        assert old in FILES[name]
        self.write(name, FILES[name].replace(old, new))

    def check(self) -> list[str]:
        """The findings, as lines, with what was analyzed for them in ``analyzed``."""
        self.analyzed.clear()
        return [str(finding) for finding in check(self.sql).findings]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A folder whose files were checked once, without findings, into its own cache."""
    zetasql.builtin_functions()  # loads the analyzer's module from the user's own cache folder: compiling takes 12 s
    folder = Folder(tmp_path / "sql")
    examine = checking._examine  # noqa: SLF001 - the one place where files reach the analyzer

    def recorded(signatures: tuple[Signature, ...], files: Sequence[Declared]) -> list[FileResult]:
        folder.analyzed += [file.item.name for file in files]
        return examine(signatures, files)

    monkeypatch.setattr(checking, "_examine", recorded)
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path)
    for name, text in FILES.items():
        folder.write(name, text)
    assert folder.check() == []
    assert sorted(folder.analyzed) == sorted(Path(name).name for name in FILES)
    return folder


def test_an_unchanged_folder_is_not_analyzed_again(folder: Folder) -> None:
    assert folder.check() == []
    assert folder.analyzed == []


def test_a_changed_body_is_analyzed_alone(folder: Folder) -> None:
    folder.change("functions/twice", "p_n + p_n", "2 * p_n")
    assert folder.check() == []
    assert folder.analyzed == ["twice"]


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("functions/twice", "p_n INT64", "p_n STRING", "table_functions/doubled.sql:3:8 semantic No matching"),
        ("functions/twice", "p_n INT64", "p_n INT64, p_m INT64", "doubled.sql:3:8 semantic No matching signature"),
        (
            "functions/twice",
            "p_n INT64) RETURNS INT64",
            "p_n INT64) RETURNS FLOAT64",
            "doubled.sql:2:1 semantic Column id",
        ),
        ("tables/kept", "id INT64", "number INT64", "sql/views/shown.sql:4:18 semantic Name id not found"),
        ("tables/kept", "id INT64", "id STRING", "table_functions/doubled.sql:3:8 semantic No matching"),
        ("views/shown", "kept.id FROM", "CAST(kept.id AS STRING) AS id FROM", "doubled.sql:3:8 semantic No matching"),
    ],
)
def test_a_changed_signature_is_seen_in_the_files_that_use_it(
    folder: Folder, name: str, old: str, new: str, said: str
) -> None:
    folder.change(name, old, new)
    first = folder.check()
    assert any(said in finding for finding in first), first
    assert "doubled" in folder.analyzed
    assert "alone" not in folder.analyzed
    assert folder.check() == first, "a finding stays until it is fixed"
    folder.write(name, FILES[name])
    assert folder.check() == []


def test_a_deleted_file_is_seen_in_the_files_that_use_it(folder: Folder) -> None:
    (folder.sql / "functions" / "twice.sql").unlink()
    (finding,) = folder.check()
    assert finding.startswith("sql/table_functions/doubled.sql:3:8 semantic")


def test_a_new_file_is_seen_in_the_files_that_name_it(folder: Folder) -> None:
    folder.write(
        "procedures/run", "-- R.\nCREATE OR REPLACE PROCEDURE `{d}.run`()\nBEGIN\n  CALL `{d}.late`();\nEND;\n"
    )
    assert "semantic" in "".join(folder.check())
    folder.write(
        "procedures/late", "-- L.\nCREATE OR REPLACE PROCEDURE `{d}.late`()\nBEGIN\n  SELECT 1 AS one;\nEND;\n"
    )
    assert {finding.split()[1] for finding in folder.check()} == {"documented"}
    assert sorted(folder.analyzed) == ["late", "run"]


def test_a_view_with_the_name_of_anothers_column_still_compiles(folder: Folder) -> None:
    folder.write(
        "views/a_view",
        "-- A.\nCREATE OR REPLACE VIEW `{d}.a_view` AS SELECT kept.id AS z_view FROM `{d}.kept` AS kept;",
    )
    folder.write(
        "views/z_view", "-- Z.\nCREATE OR REPLACE VIEW `{d}.z_view` AS SELECT a.z_view FROM `{d}.a_view` AS a;"
    )
    assert {finding.split()[1] for finding in folder.check()} == {"documented"}


def test_a_broken_rule_is_reported_from_the_cache(folder: Folder) -> None:
    folder.change("functions/alone", "(p_n)", "(MOD(7, p_n))")
    first = folder.check()
    assert [finding.split()[1] for finding in first] == ["safe-divide"]
    assert folder.check() == first
    assert folder.analyzed == []


def test_the_catalog_is_loaded_from_the_results_of_the_check(folder: Folder) -> None:
    folder.analyzed.clear()
    assert load_catalog(folder.sql).table_functions["doubled"].reads == {"shown"}
    assert folder.analyzed == []


def test_several_processes_find_what_one_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(tmp_path / "sql")
    for number in range(3 * checking.WORTH_PROCESSES):
        text = FILES["functions/alone"].replace("alone", f"f{number}").replace("(p_n)", "(MOD(7, p_n))")
        folder.write(f"functions/f{number}", text if number % 3 else text.replace("7", "'seven'"))
    found = {}
    for processes in (1, 2):
        (tmp_path / f"cache-{processes}").mkdir()
        monkeypatch.setattr(cache, "cache_folder", lambda name=f"cache-{processes}": tmp_path / name)
        found[processes] = check(folder.sql, processes).findings
    assert {finding.rule for finding in found[1]} == {"safe-divide", "semantic"}
    assert found[1] == found[2]


def test_what_a_file_reads_writes_and_calls_is_among_its_names() -> None:
    """The cache depends on it: an object that a file uses without its name would not be part of the file's key."""
    files = read_files(SQL)
    results = results_of(files)
    for declared, result in zip(checking._declared(files), results, strict=True):  # noqa: SLF001 - see above
        item = result.item
        assert item.reads | item.writes | item.calls <= declared.names, item.name


def run_check(*arguments: str, checkout: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    """Run the check command."""
    command = [sys.executable, "-m", "catalog", "check", *arguments]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)


def test_a_changed_rule_is_applied_to_files_in_the_cache(tmp_path: Path) -> None:
    for room in ("starting", "catalog"):
        shutil.copytree(REPOSITORY / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    folder = Folder(tmp_path / "sql")
    for name, text in FILES.items():
        folder.write(name, text)
    assert run_check(checkout=tmp_path).returncode == 0
    rule = tmp_path / "catalog" / "rules" / "names.py"
    text = rule.read_text(encoding="utf-8")
    assert 'startswith("p_")' in text
    rule.write_text(text.replace('startswith("p_")', 'startswith("q_")'), encoding="utf-8")
    done = run_check(checkout=tmp_path)
    assert done.returncode == 1
    assert sorted(line.split(":")[0] for line in done.stdout.splitlines()[:-1]) == [
        "sql/functions/alone.sql",
        "sql/functions/twice.sql",
    ]


def test_the_repositorys_own_files_are_clean_and_the_second_check_needs_no_analyzer() -> None:
    done = run_check()
    assert (done.returncode, done.stdout.splitlines()[-1].split(", ")[1]) == (0, "0 findings")
    program = "import sys; from catalog.check import check; print(check().findings, 'wasmtime' in sys.modules)"
    again = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert again.stdout.strip() == "() False"


def test_a_broken_file_ends_the_check_with_its_place(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "sql", tmp_path / "sql")
    broken = tmp_path / "sql" / "functions" / "caption_key.sql"
    broken.write_text(broken.read_text().replace("(message)\n)", "(massage)\n)"))
    done = run_check("--sql", str(tmp_path / "sql"))
    assert done.returncode == 1
    assert done.stdout.startswith("sql/functions/caption_key.sql:")
    as_json = run_check("--sql", str(tmp_path / "sql"), "--format", "json")
    assert json.loads(as_json.stdout)[0]["rule"] == "semantic"


def test_a_missing_folder_cannot_be_checked() -> None:
    done = run_check("--sql", "no-such-folder")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)


def test_the_rules_command_prints_the_page() -> None:
    done = CliRunner().invoke(app, ["rules"])
    assert done.stdout == (REPOSITORY / "docs" / "house-rules.md").read_text(encoding="utf-8")
