"""From SQL text to typed objects: declarations, analysis, lineage, retargeting and loading."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from catalog import (
    Argument,
    CatalogError,
    Column,
    Partitioning,
    RoutineKind,
    SqlType,
    View,
    deployment_order,
    load_catalog,
    retarget,
)
from catalog.files import REPOSITORY
from catalog.model import Routine, Table

if TYPE_CHECKING:
    from catalog import Catalog

DATASET = "of-scheduler-proj.eros_scheduling_brain"
INT64, STRING, FLOAT64 = SqlType("INT64"), SqlType("STRING"), SqlType("FLOAT64")


def catalog_of(folder: Path, **files: str) -> Catalog:
    """The catalog of some files: ``functions__f="…"`` is functions/f.sql; ``{d}`` is the dataset."""
    for name, text in files.items():
        room, _, item = name.partition("__")
        path = folder / "sql" / room / f"{item}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{d}", DATASET), encoding="utf-8")
    return load_catalog(folder / "sql")


def findings_of(folder: Path, **files: str) -> list[str]:
    """The findings of some files, as lines."""
    with pytest.raises(CatalogError) as caught:
        catalog_of(folder, **files)
    return str(caught.value).splitlines()


TABLE = """-- Kept.
CREATE TABLE IF NOT EXISTS `{d}.kept` (
  id INTEGER NOT NULL OPTIONS (description = 'The id.'),
  tags ARRAY<STRING>,
  place STRUCT<street STRING, spots ARRAY<FLOAT64>>,
  seen BOOL DEFAULT FALSE NOT NULL,
  moment TIMESTAMP
)
PARTITION BY DATE(moment)
CLUSTER BY id, seen
OPTIONS (description = 'Kept.', partition_expiration_days = 30, labels = [('system', 'eros')]);
"""


def test_a_table_has_columns_partitioning_clustering_and_labels(tmp_path: Path) -> None:
    table = catalog_of(tmp_path, tables__kept=TABLE).tables["kept"]
    place = SqlType("STRUCT", fields=(("street", STRING), ("spots", SqlType("ARRAY", FLOAT64))))
    assert table.columns == (
        Column("id", INT64, required=True, description="The id."),
        Column("tags", SqlType("ARRAY", STRING)),
        Column("place", place),
        Column("seen", SqlType("BOOL"), required=True, default="FALSE"),
        Column("moment", SqlType("TIMESTAMP")),
    )
    assert place.sql == "STRUCT<street STRING, spots ARRAY<FLOAT64>>"
    assert table.partitioning == Partitioning("moment", "DAY", 30)
    assert (table.clustering, table.labels, table.description) == (("id", "seen"), {"system": "eros"}, "Kept.")


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        ("PARTITION BY day", Partitioning("day", "DAY")),
        ("PARTITION BY DATE_TRUNC(day, YEAR)", Partitioning("day", "YEAR")),
        ("PARTITION BY TIMESTAMP_TRUNC(moment, HOUR)", Partitioning("moment", "HOUR")),
        ("", None),
    ],
)
def test_each_form_of_partitioning(tmp_path: Path, clause: str, expected: Partitioning | None) -> None:
    text = f"-- T.\nCREATE TABLE IF NOT EXISTS `{{d}}.t` (day DATE, moment TIMESTAMP) {clause};"
    assert catalog_of(tmp_path, tables__t=text).tables["t"].partitioning == expected


FUNCTION = """-- Twice.
CREATE OR REPLACE FUNCTION `{d}.twice`(p_n INT64) RETURNS INT64 OPTIONS (description = 'Twice.') AS (
  -- two of them
  p_n + p_n
);

-- Tests
ASSERT `{d}.twice`(2) = 4 AS 'two twos';
"""
PROCEDURE = """-- Count.
CREATE OR REPLACE PROCEDURE `{d}.count_kept`(p_least INT64, OUT p_found INT64, INOUT p_all INT64)
BEGIN
  SET p_found = (SELECT COUNT(*) FROM `{d}.kept` AS k WHERE k.id > `{d}.twice`(p_least));
  DELETE FROM `{d}.kept` WHERE FALSE;
  SET p_all = p_all + p_found;
END;
"""
TABLE_FUNCTION = """-- Numbers.
CREATE OR REPLACE TABLE FUNCTION `{d}.numbers`(p_last INT64) RETURNS TABLE<n INT64> AS
SELECT n FROM UNNEST(GENERATE_ARRAY(1, p_last)) AS n;
"""
VIEW = """-- Shown.
CREATE OR REPLACE VIEW `{d}.shown` (id OPTIONS (description = 'The id.'), double_id) AS
SELECT k.id, k.id * 2.0 AS double_id FROM `{d}.kept` AS k;
"""
ALL = {
    "tables__kept": TABLE,
    "functions__twice": FUNCTION,
    "procedures__count_kept": PROCEDURE,
    "table_functions__numbers": TABLE_FUNCTION,
    "views__shown": VIEW,
    "schedules__hourly": "-- Hourly.\nIF EXTRACT(HOUR FROM @run_time AT TIME ZONE 'America/Los_Angeles') IN (3) THEN\n"
    "  BEGIN\n    DECLARE v_found INT64;\n    DECLARE v_all INT64 DEFAULT 0;\n"
    "    CALL `{d}.count_kept`(1, v_found, v_all);\n  END;\nEND IF;\n",
}


def test_a_routines_body_is_what_the_api_returns(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, **ALL)
    twice, numbers, count = (catalog.routines[name] for name in ("twice", "numbers", "count_kept"))
    assert (twice.kind, twice.body, twice.returns) == (RoutineKind.FUNCTION, "p_n + p_n", INT64)
    assert twice.tests == f"ASSERT `{DATASET}.twice`(2) = 4 AS 'two twos';"
    assert twice.ddl.endswith("p_n + p_n\n);")
    assert numbers.body == "SELECT n FROM UNNEST(GENERATE_ARRAY(1, p_last)) AS n"
    assert numbers.returns_table == (Column("n", INT64),)
    assert (count.body[:5], count.body[-3:]) == ("BEGIN", "END")
    assert count.arguments == (
        Argument("p_least", INT64, "IN"),
        Argument("p_found", INT64, "OUT"),
        Argument("p_all", INT64, "INOUT"),
    )


def test_a_views_columns_come_from_the_analysis(tmp_path: Path) -> None:
    view = catalog_of(tmp_path, **ALL).views["shown"]
    assert view.columns == (Column("id", INT64, description="The id."), Column("double_id", FLOAT64))
    assert view.query.startswith("SELECT k.id")


def test_lineage_names_what_an_object_depends_on(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, **ALL)
    count = catalog.procedures["count_kept"]
    assert [set(names) for names in (count.reads, count.writes, count.calls)] == [{"kept"}, {"kept"}, {"twice"}]
    assert catalog.views["shown"].reads == {"kept"}
    assert catalog.schedules["hourly"].calls == {"count_kept"}
    assert catalog.functions["twice"].calls == frozenset()  # its tests call it, it does not
    names = [item.name for item in deployment_order(catalog)]
    assert names.index("kept") < names.index("shown")
    assert names.index("twice") < names.index("count_kept")


def test_views_of_views_may_be_in_any_order(tmp_path: Path) -> None:
    first = "-- A.\nCREATE OR REPLACE VIEW `{d}.a_last` AS SELECT double_id FROM `{d}.shown`;"
    catalog = catalog_of(tmp_path, **{**ALL, "views__a_last": first})
    assert catalog.views["a_last"].columns[0].type == FLOAT64


def test_a_dependency_cycle_is_reported(tmp_path: Path) -> None:
    def caller(name: str, other: str) -> str:
        return f"-- P.\nCREATE OR REPLACE PROCEDURE `{{d}}.{name}`()\nBEGIN\n  CALL `{{d}}.{other}`();\nEND;"

    catalog = catalog_of(tmp_path, procedures__one=caller("one", "two"), procedures__two=caller("two", "one"))
    with pytest.raises(CatalogError, match="cycle objects need each other: one, two"):
        deployment_order(catalog)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "functions__f",
            FUNCTION.replace("twice", "f").replace("p_n + p_n", "p_m"),
            "f.sql:4:3 semantic",
        ),
        ("functions__g", FUNCTION, "sql/functions/g.sql:2:28 file-name"),
        ("functions__f", FUNCTION.replace("{d}.twice", "elsewhere.f"), "sql/functions/f.sql:2:28 qualified"),
        ("functions__f", "-- F.\nCREATE FUNCTON f();", "sql/functions/f.sql:2:8 syntax"),
        (
            "functions__f",
            VIEW,
            "sql/functions/f.sql:2:1 declaration a file of functions/ begins with",
        ),
        ("functions__twice", FUNCTION + FUNCTION, "declaration one object per file"),
        ("functions__twice", FUNCTION.replace("-- Tests", ""), "declaration tests follow a line '-- Tests'"),
        ("functions__twice", FUNCTION.replace("= 4", "= 'four'"), "sql/functions/twice.sql:8:8 semantic"),
        ("views__shown", VIEW.replace("k.id *", "k.ID_ *"), "sql/views/shown.sql:3:16 semantic Name ID_ not found"),
        ("views__shown", VIEW.replace("{d}.kept", "{d}.keep"), "sql/views/shown.sql:3:43 semantic Table not found"),
        (
            "procedures__count_kept",
            PROCEDURE.replace("p_all + p_found", "'x'"),
            "sql:6:15 semantic needs INT64",
        ),
        ("procedures__count_kept", PROCEDURE.replace("SET p_all", "SET v_all"), "undeclared variable v_all"),
        (
            "procedures__count_kept",
            PROCEDURE.replace("(p_least))", "(p_least, 1))"),
            "count_kept.sql:4:104 semantic No matching signature",
        ),
        (
            "procedures__count_kept",
            PROCEDURE.replace("DELETE", "SELECT @@error.message; DELETE"),
            "count_kept.sql:5:10 semantic Unrecognized name: @@error",
        ),
        ("schedules__hourly", "-- H.\nSELECT @run_tme;\n", "sql/schedules/hourly.sql:2:8 semantic"),
        ("schedules__hourly", "-- H.\nDECLARE v_n INT64;\nCALL `{d}.count_kept`(1, 2, v_n);\n", "must be a variable"),
        ("schedules__hourly", "-- H.\nEXECUTE IMMEDIATE 'SELECT 1';\n", "dynamic SQL cannot be checked"),
    ],
)
def test_a_finding_has_its_place(tmp_path: Path, name: str, text: str, said: str) -> None:
    findings = findings_of(tmp_path, **{**ALL, name: text})
    assert any(said in finding for finding in findings), findings


def test_all_broken_files_are_reported_together(tmp_path: Path) -> None:
    broken = {"views__shown": VIEW.replace("k.id,", "k.no,"), "functions__twice": FUNCTION.replace("p_n + p_n", "p_x")}
    findings = findings_of(tmp_path, **{**ALL, **broken})
    assert [finding.split(":")[0] for finding in findings] == ["sql/functions/twice.sql", "sql/views/shown.sql"]


def test_retargeting_changes_only_names(tmp_path: Path) -> None:
    text = FUNCTION.replace("-- two of them", f"-- `{DATASET}.kept`").replace("'two twos'", f"'{DATASET}'")
    catalog = catalog_of(tmp_path, **{**ALL, "functions__twice": text})
    moved = retarget(catalog, "eros-local", "other")
    twice = moved.functions["twice"]
    assert "FUNCTION `eros-local.other.twice`" in twice.ddl
    assert f"-- `{DATASET}.kept`" in twice.ddl  # a comment
    assert twice.tests == f"ASSERT `eros-local.other.twice`(2) = 4 AS '{DATASET}';"  # a string
    assert "`eros-local.other.kept` AS k" in moved.views["shown"].query
    assert "`eros-local.other.twice`(p_least)" in moved.procedures["count_kept"].body
    assert "CALL `eros-local.other.count_kept`" in moved.schedules["hourly"].query
    assert moved.views["shown"].columns == catalog.views["shown"].columns
    assert moved.procedures["count_kept"].calls == {"twice"}


def test_retargeting_to_the_same_names_is_the_same_catalog(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, **ALL)
    assert retarget(catalog, catalog.project, catalog.dataset) is catalog


def test_names_with_each_part_quoted_are_retargeted(tmp_path: Path) -> None:
    query = (
        "-- H.\nSELECT k.id FROM `of-scheduler-proj`.eros_scheduling_brain.INFORMATION_SCHEMA.TABLES AS k, "
        "`of-scheduler-proj`.`region-us`.INFORMATION_SCHEMA.JOBS AS j;\n"
    )
    source = ALL["schedules__hourly"] + "-- end\n"
    catalog = catalog_of(tmp_path, **{**ALL, "schedules__hourly": source})
    from catalog.retargeting import retarget_text  # noqa: PLC0415 - needs ZetaSQL
    from catalog.source import SourceFile  # noqa: PLC0415

    moved = retarget_text(SourceFile(Path("q.sql"), query), "p-two", "d2", "EU")
    assert "FROM `p-two.d2.INFORMATION_SCHEMA.TABLES` AS k, `p-two.region-eu.INFORMATION_SCHEMA.JOBS` AS j" in moved
    assert catalog.project == "of-scheduler-proj"


def test_a_changed_file_is_seen(tmp_path: Path) -> None:
    catalog_of(tmp_path, **ALL)
    load_catalog.__globals__["_load"].cache_clear()
    changed = catalog_of(tmp_path, functions__twice=FUNCTION.replace("p_n + p_n", "2 * p_n"))
    assert changed.functions["twice"].body == "2 * p_n"


@pytest.mark.parametrize(
    ("place", "content", "said"),
    [
        ("sql/functions/f.sql", b"\xff\xfe", "unreadable"),
        ("sql/misc/f.sql", b"SELECT 1;", "folder SQL files belong in"),
    ],
)
def test_unreadable_and_misplaced_files_are_reported(tmp_path: Path, place: str, content: bytes, said: str) -> None:
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).write_bytes(content)
    with pytest.raises(CatalogError, match=said):
        load_catalog(tmp_path / "sql")


def test_an_empty_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "sql").mkdir()
    with pytest.raises(CatalogError, match="no SQL file found"):
        load_catalog(tmp_path / "sql")


def test_a_warm_load_needs_no_analyzer() -> None:
    retarget(load_catalog(), "a-project", "a_dataset")
    program = (
        "import sys; from catalog import load_catalog, retarget; retarget(load_catalog(), 'a-project', 'a_dataset');"
        "print(sorted({'zetasql', 'wasmtime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_object_of_the_repository_is_complete() -> None:
    catalog = load_catalog()
    assert {item.path for item in catalog} == {
        file.relative_to(REPOSITORY) for file in (REPOSITORY / "sql").rglob("*.sql")
    }
    for item in catalog:
        if isinstance(item, Table | View) and item.name not in catalog.dependencies:
            assert item.columns
            assert {"system", "component", "retention"} <= set(item.labels)
        if isinstance(item, Routine):
            assert item.body
            assert item.description
