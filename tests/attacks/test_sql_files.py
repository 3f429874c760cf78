"""SQL files that cannot be deployed: each is a finding that names file, line and column, never a traceback."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from catalog.check import check
from catalog.files import LARGEST
from tests.attacks.sql_texts import (
    FUNCTION,
    OBJECT,
    PARTITIONED,
    PROCEDURE,
    TABLE,
    TABLE_FUNCTION,
    TEXTS,
    VIEW,
    folder_of,
)

LABELS = "[('system', 'eros'), ('component', 'test'), ('retention', 'none')]"
DEEP = 300


def _said(sql: Path) -> str:
    return "\n".join(map(str, check(sql).findings))


@pytest.mark.parametrize("folder", TEXTS)
def test_the_files_to_spoil_are_good(tmp_path: Path, folder: str) -> None:
    assert _said(folder_of(tmp_path, folder, TEXTS[folder])) == ""
    assert _said(folder_of(tmp_path / "partitioned", "tables", PARTITIONED)) == ""


@pytest.mark.parametrize(
    ("text", "part", "bad", "said"),
    [
        # options
        (PARTITIONED, "days = 90", "days = -1", "kept.sql:7:3 declaration partition_expiration_days is a number gr"),
        (PARTITIONED, "days = 90", "days = 0", "kept.sql:7:3 declaration partition_expiration_days is a number great"),
        (PARTITIONED, "days = 90", "days = 1e400", "partition_expiration_days is a number greater than 0"),
        (PARTITIONED, "days = 90", f"days = {'9' * 30}", "partition_expiration_days is a number greater than 0"),
        (PARTITIONED, "days = 90", "days = 'x'", "kept.sql:7:31 semantic Option partition_expiration_days value has"),
        (PARTITIONED, "days = 90", "days = 30 * 3", r"partition_expiration_days is a literal, not 30 \* 3"),
        (PARTITIONED, "days = 90", "days = -TRUE", "partition_expiration_days is a literal, not -TRUE"),
        (PARTITIONED, "days = 90", "days = NUMERIC '9'", "partition_expiration_days is a literal"),
        (PARTITIONED, "expiration_days", "expiration_day", "semantic Unknown option: partition_expiration_day"),
        (PARTITIONED, "partition_exp", "description = 'x', partition_exp", "Duplicate option specified"),
        (TABLE, LABELS, "5", "kept.sql:5:35 semantic Option labels value has type INT64"),
        (TABLE, LABELS, "'x'", "semantic Option labels value has type STRING"),
        (TABLE, LABELS, "[('a', 'b', 'c')]", "semantic Option labels value has type"),
        (TABLE, LABELS, "[('a', 1)]", "semantic Option labels value has type"),
        (TABLE, LABELS, "[('a', NULL)]", "a label has a key and a value"),
        (TABLE, LABELS, "[('a', 'b'), ('a', 'c')]", "the label 'a' is given twice"),
        (VIEW, LABELS, "5", "semantic Option labels value has type INT64"),
        (TABLE, "'Kept.'", "3", "semantic Option description value has type INT64"),
        (TABLE, "'Kept.'", "'a' || 'b'", "description is a literal, not 'a' || 'b'"),
        (TABLE, "'Id.'", "1", "semantic Option description value has type INT64"),
        (FUNCTION, "'Kept.'", "3", "semantic Option description value has type INT64"),
        (PROCEDURE, "description", "strict_mode = 3, description", "semantic Unknown option: strict_mode"),
        # types
        (TABLE, "INT64", "STRINGG", "kept.sql:4:79 semantic Type not found: STRINGG"),
        (TABLE, "INT64", "ARRAY<STRUCT<a STRINGG>>", "semantic Type not found: STRINGG"),
        (TABLE, "INT64", "a.b", "semantic Type not found: a.b"),
        (TABLE, "INT64", "`ARRAY`", "semantic Type not found: ARRAY"),
        (TABLE, "INT64", "RANGE<DATE>", "not RANGE<DATE>"),
        (FUNCTION, "p_n INT64", "p_n STRINGG", "semantic Type not found: STRINGG"),
        (FUNCTION, "RETURNS INT64", "RETURNS STRINGG", "semantic Type not found: STRINGG"),
        (FUNCTION, "p_n INT64", "p_n ANY TYPE", "p_n ANY TYPE: an argument has a type"),
        (FUNCTION, "p_n + 1", "CAST(p_n AS STRINGG)", "semantic Type not found: STRINGG"),
        (TABLE_FUNCTION, "<id INT64>", "<id STRINGG>", "semantic Type not found: STRINGG"),
        (TABLE_FUNCTION, "p_n INT64", "p_n TABLE<a INT64>", "an argument has a type"),
        (PROCEDURE, "v_n INT64", "v_n STRINGG", "kept.sql:4:15 semantic Type not found: STRINGG"),
        # names that are taken
        (FUNCTION, "p_n INT64", "p_n INT64, P_N INT64", "semantic Duplicate argument name P_N"),
        (PROCEDURE, "p_n INT64", "p_n INT64, p_n INT64", "semantic Duplicate argument name p_n"),
        (TABLE_FUNCTION, "p_n INT64", "p_n INT64, p_n INT64", "semantic Duplicate argument name p_n"),
        (TABLE_FUNCTION, "<id INT64>", "<id INT64, ID INT64>", "semantic Duplicate column name ID"),
        (TABLE, "(id INT64", "(ID INT64, id INT64", "semantic Duplicate column name id"),
        # forms that would be deployed as something else
        (TABLE, "'Id.'))", "'Id.'), PRIMARY KEY (id) NOT ENFORCED)", "deploys columns, not PRIMARY KEY"),
        (TABLE, "(id INT64 OPTIONS (description = 'Id.'))", "LIKE a.b", "a table names its columns"),
        (PARTITIONED, "BY day", "BY 1", "not PARTITION BY 1"),
        (PARTITIONED, "BY day", "BY day, day", "not PARTITION BY day, day"),
        (PARTITIONED, "BY day", "BY DATE_TRUNC(day)", r"not PARTITION BY DATE_TRUNC\(day\)"),
        (PARTITIONED, "BY day", "BY CASE WHEN TRUE THEN day END", "not PARTITION BY CASE"),
        (FUNCTION, "OPTIONS (description = 'Kept.') AS (p_n + 1)", "LANGUAGE js AS 'return 1'", "nor other languages"),
        (TABLE_FUNCTION, " AS\nSELECT p_n AS id", "", "a table function needs AS and a query"),
        # nesting
        (FUNCTION, "p_n + 1", "(SELECT " * DEEP + "1" + ")" * DEEP, "too deeply nested"),
        (FUNCTION, "p_n + 1", "+".join(["1"] * 5_000), "too deeply nested"),
        (VIEW, "SELECT 1", "SELECT id FROM (" * DEEP + "SELECT 1" + ")" * DEEP, "too deeply nested"),
        (PROCEDURE, "SELECT v_n", "IF TRUE THEN " * DEEP + "SELECT 1;" + "END IF;" * DEEP, "too deeply nested|syntax"),
        (TABLE, "INT64", "STRUCT<a " * DEEP + "INT64" + ">" * DEEP, "too deeply nested"),
        # characters
        (TABLE, "Kept.'", "Ke\0pt.'", "unreadable a NUL character in line 5: remove it"),
        (TABLE, ".kept`", f".{'k' * 1000}`", "file-name the file declares 'kkk"),
        (TABLE, ".kept`", ".ke'pt`", 'file-name the file declares "ke\'pt"'),
        (TABLE, ".kept`", r".ke\npt`", r"file-name the file declares 'ke\\npt'"),
        (TABLE, TABLE, "", "kept.sql:1:1 declaration the file declares nothing"),
    ],
)
def test_spoilt_text(  # noqa: PLR0917 - what is spoilt, how, and what is said
    tmp_path: Path, text: str, part: str, bad: str, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert part in text
    folder = next(folder for folder, good in {**TEXTS, "tables ": PARTITIONED}.items() if good == text).strip()
    found = _said(folder_of(tmp_path, folder, text.replace(part, bad, 1)))
    assert re.search(said, found), found
    assert all(re.match(rf"sql/{folder}/kept.sql:\d+:\d+ ", line) for line in found.splitlines()), found
    assert capfd.readouterr() == ("", ""), "the analyzer's own stack is not shown"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x89PNG\r\n\x1a\n\0\xff", "not UTF-8: byte 0x89 in line 1: save it as UTF-8"),
        (f"{TABLE}-- \xe9".encode("latin-1"), "not UTF-8: byte 0xe9 in line 7"),
        (TABLE.encode("utf-16"), "a byte order mark: save it as UTF-8 without one"),
        (TABLE.encode("utf-8-sig"), "a byte order mark"),
        (TABLE.encode("utf-16-le"), "a NUL character in line 1"),
        (b"-" * (LARGEST + 1), f"larger than {LARGEST} bytes"),
    ],
)
def test_content_that_is_no_sql(tmp_path: Path, content: bytes, said: str) -> None:
    (finding,) = _said(folder_of(tmp_path, "tables", content)).splitlines()
    assert finding.startswith("sql/tables/kept.sql:1:1 unreadable ")
    assert said in finding


def test_windows_line_ends_are_fine(tmp_path: Path) -> None:
    assert _said(folder_of(tmp_path, "tables", TABLE.replace("\n", "\r\n"))) == ""


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10**11)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (os.mkfifo, "not a file"),
        (Path.mkdir, "not a file"),
        (lambda path: path.symlink_to("nowhere"), "a link to a file that does not exist"),
        (lambda path: path.symlink_to(path), "a link to a file that does not exist"),
        (lambda path: path.symlink_to("/etc/hostname"), "a link to a file outside of sql/: replace it by the file"),
        (lambda path: path.symlink_to("/dev/zero"), "a link to a file outside of sql/"),
        (_sparse, "larger than"),
    ],
    ids=["fifo", "folder", "dangling", "loop", "foreign", "device", "sparse"],
)
def test_kind_of_file(tmp_path: Path, make: object, said: str) -> None:
    sql = folder_of(tmp_path, "tables", TABLE)
    path = sql / "tables" / "other.sql"
    make(path)  # type: ignore[operator]
    (finding,) = _said(sql).splitlines()
    assert finding.startswith("sql/tables/other.sql:1:1 unreadable ")
    assert said in finding


def test_names_of_files(tmp_path: Path) -> None:
    sql = folder_of(tmp_path, "tables", TABLE)
    for name in (b"new\nline", b"::error::x", b"quo'te", b"\xff", "\u202e".encode()):
        Path(os.fsdecode(os.fsencode(sql / "tables") + b"/" + name + b".sql")).write_text(TABLE)
    lines = _said(sql).splitlines()
    assert len(lines) == 5
    assert all(line.startswith("sql/tables/") and "a file has its object's name" in line for line in lines), lines
    assert all(line.isprintable() for line in lines)


def test_two_objects_of_one_name(tmp_path: Path) -> None:
    sql = folder_of(tmp_path, "tables", TABLE)
    (sql / "functions").mkdir()
    (sql / "functions" / "KEPT.sql").write_text(FUNCTION.replace(OBJECT, OBJECT.replace("kept", "KEPT")))
    assert _said(sql) == (
        "sql/functions/KEPT.sql:1:1 declaration sql/tables/kept.sql has the same name: rename one of them"
    )
