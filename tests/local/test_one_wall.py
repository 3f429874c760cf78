"""Each of the two walls around the project's tables by itself, and none of them: what they refuse would succeed."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from typing import TYPE_CHECKING

from catalog.files import REPOSITORY
from tests.harness.checkout import skip_in_fast_run
from tests.local.test_walls import ATTACKS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: What files within and outside the data folder say; an answer has a blob in base64.
WITHIN = "within the folder"
HIDDEN = "outside of it"
SHOWN = (HIDDEN, base64.b64encode(HIDDEN.encode()).decode())
#: What DuckDB itself says to statements that would open the fence; SQL of BigQuery cannot express them.
OPENING = {
    "ATTACH '{}/written.db' AS written": "PermissionException",
    "INSTALL httpfs": "PermissionException",
    "LOAD httpfs": "PermissionException",
    "SET GLOBAL enable_external_access = true": "InvalidInputException",
    "SET GLOBAL allowed_directories = ['/']": "InvalidInputException",
    "RESET allowed_directories": "InvalidInputException",
}


def _answers(wall: str, folder: Path, queries: list[str], statements: Iterable[str] = ()) -> list[tuple[int, str]]:
    skip_in_fast_run()
    done = subprocess.run(
        [sys.executable, "-m", "tests.local.one_wall", wall, str(folder / "data")],
        input=json.dumps([queries, list(statements)]),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return [(status, message) for status, message in json.loads(done.stdout)]


def test_the_wall_around_statements_alone(tmp_path: Path) -> None:
    answers = _answers("statements", tmp_path, [query for query, _ in ATTACKS])
    for (query, said), (status, message) in zip(ATTACKS, answers, strict=True):
        assert (said in message, 400 <= status < 500) == (True, True), f"{query}: {message}"


def _queries_of_files(folder: Path) -> list[str]:
    """Reads of a file outside the data folder, a look into its folder, and a write there."""
    (folder / "hidden.txt").write_text(HIDDEN)
    (folder / "data").mkdir()
    paths = [folder / "hidden.txt", folder / "data" / ".." / "hidden.txt"]
    reads = [f"SELECT * FROM {call}('{path}')" for call in ("read_text", "read_csv", "read_blob") for path in paths]
    return [*reads, f"SELECT * FROM glob('{folder}/*')", f"COPY (SELECT 1 AS a) TO '{folder}/written.csv'"]


def test_the_wall_of_duckdb_alone(tmp_path: Path) -> None:
    """Files outside the data folder can be neither read nor written; those within can, so no other wall refuses."""
    queries = _queries_of_files(tmp_path)
    (tmp_path / "data" / "within.txt").write_text(WITHIN)
    before = sorted(tmp_path.iterdir())
    inside = f"SELECT content FROM read_text('{tmp_path}/data/within.txt')"
    statements = {statement.format(tmp_path): said for statement, said in OPENING.items()}
    attach = f"ATTACH '{tmp_path}/data/within.db' AS within"
    answers = _answers("duckdb", tmp_path, [*queries, inside], [*statements, attach])
    for query, answer in zip(queries, answers, strict=False):
        assert answer == (403, "Access Denied: the statement would leave the project's tables."), query
    status, content = answers[len(queries)]
    assert (status, WITHIN in content) == (200, True), content
    assert answers[len(queries) + 1 :] == [*((0, said) for said in statements.values()), (200, "")]
    assert sorted(tmp_path.iterdir()) == before


def test_without_walls_files_are_read_and_written(tmp_path: Path) -> None:
    """What the walls refuse would succeed."""
    *reads, glob, copy = _answers("none", tmp_path, _queries_of_files(tmp_path))
    for status, message in reads:
        assert (status, any(form in message for form in SHOWN)) == (200, True), message
    assert (glob[0], "hidden.txt" in glob[1]) == (200, True), glob
    assert (copy[0], (tmp_path / "written.csv").exists()) == (200, True), copy
