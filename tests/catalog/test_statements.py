"""A run as statements that can each be sent alone: scripts, values of variables, texts instead of names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from catalog import load_catalog
from catalog.expansion import unknown
from catalog.model import SqlType
from catalog.statements import runs_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from catalog import Catalog
    from catalog.statements import Run

D = "of-scheduler-proj.eros_scheduling_brain"
FILES = {
    "tables/kept.sql": """CREATE TABLE IF NOT EXISTS `{d}.kept` (id INT64, name STRING, made TIMESTAMP);""",
    "functions/doubled.sql": """CREATE OR REPLACE FUNCTION `{d}.doubled`(p_n INT64) RETURNS INT64
        OPTIONS (description = 'Twice.') AS (p_n * 2);""",
    "table_functions/since.sql": """CREATE OR REPLACE TABLE FUNCTION `{d}.since`(p_from TIMESTAMP)
        RETURNS TABLE<id INT64, name STRING> OPTIONS (description = 'New ones.') AS
        SELECT kept.id, kept.name FROM `{d}.kept` AS kept
        -- p_from is the first instant
        WHERE kept.made >= p_from AND kept.name != 'p_from';""",
    "table_functions/named.sql": """CREATE OR REPLACE TABLE FUNCTION `{d}.named`(p_name STRING)
        RETURNS TABLE<id INT64> OPTIONS (description = 'By name.') AS
        SELECT `{d}.doubled`(found.id) AS id FROM `{d}.since`(TIMESTAMP '2026-01-01 00:00:00+00') AS found
        WHERE found.name = p_name;""",
    "views/shown.sql": """CREATE OR REPLACE VIEW `{d}.shown` (id OPTIONS (description = 'Id.'))
        OPTIONS (description = 'Shown.') AS SELECT kept.id FROM `{d}.kept` AS kept;""",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("statements")


def catalog_of(folder: Path, name: str, files: Mapping[str, str]) -> Catalog:
    for path, text in {**FILES, **files}.items():
        file = folder / name / "sql" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("{d}", D), encoding="utf-8")
    return load_catalog(folder / name / "sql")


def run_of(
    catalog: Catalog, name: str, written_out: Collection[str] = (), arguments: Mapping[str, str] | None = None
) -> Run:
    item = {**catalog.schedules, **catalog.views, **catalog.routines}[name]
    (run,) = runs_of([item], catalog, arguments or {}, {name: {"run_time": "TIMESTAMP 'T'"}}, written_out)
    return run


def statements(run: Run) -> list[str]:
    """The statements with single spaces, and short names."""
    return [" ".join(sql.split()).replace(f"`{D}.", "`") for sql in run.statements]


def procedure(body: str, arguments: str = "", name: str = "done") -> dict[str, str]:
    text = f"CREATE OR REPLACE PROCEDURE `{{d}}.{name}`({arguments}) OPTIONS (description = 'Done.') BEGIN {body} END;"
    return {f"procedures/{name}.sql": text}


def test_only_reads_and_changes_of_tables_are_statements(folder: Path) -> None:
    body = """
    DECLARE v_first TIMESTAMP DEFAULT TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 90 DAY);
    DECLARE v_count INT64 DEFAULT (SELECT COUNT(*) FROM `{d}.kept`);
    DECLARE v_twice INT64;
    SET v_twice = `{d}.doubled`(v_count);
    BEGIN TRANSACTION;
    INSERT INTO `{d}.kept` (id) VALUES (1);
    DELETE FROM `{d}.kept` AS kept WHERE kept.made < v_first;
    COMMIT TRANSACTION;
    IF EXISTS (SELECT kept.id FROM `{d}.shown` AS kept) THEN
      RAISE USING MESSAGE = 'no';
    END IF;
    """
    run = run_of(catalog_of(folder, "only", procedure(body)), "done")
    first = "CAST(TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 90 DAY) AS TIMESTAMP)"
    assert statements(run) == [
        "SELECT (SELECT COUNT(*) FROM `kept`)",
        f"DELETE FROM `kept` AS kept WHERE kept.made < {first}",
        "SELECT EXISTS (SELECT kept.id FROM `shown` AS kept)",
    ]
    assert run.uses == {"doubled": 1, "shown": 1}


def test_a_value_from_a_table_is_unknown(folder: Path) -> None:
    body = """
    DECLARE v_newest TIMESTAMP;
    DECLARE v_id INT64;
    DECLARE v_made DEFAULT (SELECT MIN(kept.made) FROM `{d}.kept` AS kept);
    SET v_newest = (SELECT MAX(kept.made) FROM `{d}.kept` AS kept);
    SET (v_id, v_newest) = (SELECT AS STRUCT MAX(kept.id), v_newest FROM `{d}.kept` AS kept);
    SELECT kept.id FROM `{d}.kept` AS kept WHERE kept.made = v_newest AND kept.id = v_id;
    SELECT kept.id FROM `{d}.kept` AS kept WHERE kept.made = v_made;
    """
    run = run_of(catalog_of(folder, "unknown", procedure(body)), "done")
    newest = "TIMESTAMP_SECONDS(CAST(1000000000 * RAND() AS INT64))"
    oldest = "(SELECT MIN(kept.made) FROM `kept` AS kept)"
    made = f"IF(RAND() < 0.5, (SELECT value FROM (SELECT {oldest} AS value) WHERE FALSE), NULL)"
    assert statements(run) == [
        f"SELECT {oldest}",
        "SELECT (SELECT MAX(kept.made) FROM `kept` AS kept)",
        f"SELECT (SELECT AS STRUCT MAX(kept.id), {newest} FROM `kept` AS kept)",
        f"SELECT kept.id FROM `kept` AS kept WHERE kept.made = {newest} AND kept.id = CAST(1000 * RAND() AS INT64)",
        f"SELECT kept.id FROM `kept` AS kept WHERE kept.made = {made}",
    ]


def test_a_run_without_failures_is_followed(folder: Path) -> None:
    """Each branch and each loop once, and no handler."""
    body = """
    DECLARE v_is_done BOOL DEFAULT FALSE;
    WHILE NOT v_is_done DO
      BEGIN
        DELETE FROM `{d}.kept` AS kept WHERE kept.id = 1;
        SET v_is_done = TRUE;
      EXCEPTION WHEN ERROR THEN
        DELETE FROM `{d}.kept` AS kept WHERE kept.id = 2;
      END;
    END WHILE;
    IF p_id > 0 THEN
      DELETE FROM `{d}.kept` AS kept WHERE kept.id = 3;
    ELSEIF p_id > 0 THEN
      DELETE FROM `{d}.kept` AS kept WHERE kept.id = 4;
    ELSE
      DELETE FROM `{d}.kept` AS kept WHERE kept.id = 5;
    END IF;
    FOR row IN (SELECT kept.id FROM `{d}.kept` AS kept) DO
      DELETE FROM `{d}.kept` AS kept WHERE kept.id = row.id;
    END FOR;
    """
    found = statements(run_of(catalog_of(folder, "followed", procedure(body, "p_id INT64")), "done"))
    assert [sql[-1] for sql in found[:4]] == ["1", "3", "4", "5"]
    assert found[4] == "SELECT kept.id FROM `kept` AS kept"
    row = "IF(RAND() < 0.5, (SELECT AS STRUCT * FROM (SELECT kept.id FROM `kept` AS kept) WHERE FALSE), NULL)"
    assert found[5:] == [f"DELETE FROM `kept` AS kept WHERE kept.id = {row}.id"]


DAYS = {letter: f"'2026-01-0{day} 00:00:00+00'" for day, letter in enumerate("ABC", 1)}
NOT_KNOWN_TIME = unknown(SqlType("TIMESTAMP"))


@pytest.mark.parametrize(
    ("script", "kept_from"),
    [
        # after an IF that may or may not be entered, the window is not known
        ("IF p_id > 0 THEN SET v_from = TIMESTAMP 'B'; END IF;", NOT_KNOWN_TIME),
        ("WHILE p_id > 0 DO SET v_from = TIMESTAMP 'B'; END WHILE;", NOT_KNOWN_TIME),
        ("FOR row IN (SELECT 1 AS a) DO SET v_from = TIMESTAMP 'B'; END FOR;", NOT_KNOWN_TIME),
        ("IF p_id > 0 THEN SET v_from = TIMESTAMP 'B'; ELSE SET v_from = TIMESTAMP 'C'; END IF;", NOT_KNOWN_TIME),
        # a value that is the same on every way is known
        ("IF p_id > 0 THEN SET v_from = TIMESTAMP 'B'; ELSE SET v_from = TIMESTAMP 'B'; END IF;", "B"),
        ("IF p_id > 0 THEN SELECT 1; END IF;", "A"),
    ],
)
def test_a_variable_that_may_or_may_not_have_been_assigned_is_unknown(
    tmp_path: Path, script: str, kept_from: str
) -> None:
    body = f"""
    DECLARE v_from TIMESTAMP DEFAULT TIMESTAMP 'A';
    {script}
    DELETE FROM `{{d}}.kept` AS kept WHERE kept.made >= v_from;
    """
    for letter, day in DAYS.items():
        body = body.replace(f"'{letter}'", day)
    run = run_of(catalog_of(tmp_path, "either", procedure(body, "p_id INT64")), "done")
    assert [sql for sql in statements(run) if sql.startswith("DELETE")] == [
        "DELETE FROM `kept` AS kept WHERE kept.made >= "
        + (kept_from if kept_from == NOT_KNOWN_TIME else f"CAST(TIMESTAMP {DAYS[kept_from]} AS TIMESTAMP)"),
    ]


def test_a_branch_starts_with_the_state_before_its_if(folder: Path) -> None:
    body = """
    DECLARE v_id INT64 DEFAULT 1;
    IF p_id > 0 THEN SET v_id = 2; ELSE DELETE FROM `{d}.kept` AS kept WHERE kept.id = v_id; END IF;
    """
    run = run_of(catalog_of(folder, "branch", procedure(body, "p_id INT64")), "done")
    assert statements(run) == ["DELETE FROM `kept` AS kept WHERE kept.id = CAST(1 AS INT64)"]


def test_a_call_is_followed_with_its_arguments_and_results(folder: Path) -> None:
    inner = procedure(
        "DELETE FROM `{d}.kept` AS kept WHERE kept.id = p_id; SET p_next = p_id + 1;",
        "p_id INT64, OUT p_next INT64",
        "one",
    )
    outer = procedure(
        """DECLARE v_next INT64;
        CALL `{d}.one`(7, v_next);
        CALL `{d}.one`(v_next, v_next);"""
    )
    query = "CALL `{d}.done`(); SELECT kept.id FROM `{d}.kept` AS kept WHERE kept.made > @run_time;"
    run = run_of(
        catalog_of(folder, "call", {**inner, **outer, "schedules/nightly.sql": f"-- Nightly.\n{query}"}), "nightly"
    )
    assert statements(run) == [
        "DELETE FROM `kept` AS kept WHERE kept.id = CAST(7 AS INT64)",
        "DELETE FROM `kept` AS kept WHERE kept.id = CAST(CAST(CAST(7 AS INT64) + 1 AS INT64) AS INT64)",
        "SELECT kept.id FROM `kept` AS kept WHERE kept.made > TIMESTAMP 'T'",
    ]
    assert run.uses == {"done": 1, "one": 2}


def test_deployed_objects_are_called_and_changed_ones_written_out(folder: Path) -> None:
    catalog = catalog_of(folder, "written", procedure("SELECT found.id FROM `{d}.named`('a') AS found;"))
    assert statements(run_of(catalog, "done")) == ["SELECT found.id FROM `named`('a') AS found"]
    since = """(SELECT CAST(`id` AS INT64) AS `id`, CAST(`name` AS STRING) AS `name` FROM
        (SELECT kept.id, kept.name FROM `kept` AS kept -- p_from is the first instant
        WHERE kept.made >= CAST(TIMESTAMP '2026-01-01 00:00:00+00' AS TIMESTAMP) AND kept.name != 'p_from')) AS found"""
    named = f"""(SELECT CAST(`id` AS INT64) AS `id` FROM
        (SELECT `doubled`(found.id) AS id FROM {since} WHERE found.name = CAST('a' AS STRING))) AS found"""
    run = run_of(catalog, "done", {"named", "since"})
    assert statements(run) == [" ".join(f"SELECT found.id FROM {named}".split())]
    assert run.uses == {"named": 1, "since": 1, "doubled": 1} == run_of(catalog, "done").uses


def test_a_view_without_an_alias_keeps_its_name(folder: Path) -> None:
    body = "SELECT id FROM `{d}.shown`; SELECT s.id FROM `{d}.shown` AS s;"
    run = run_of(catalog_of(folder, "view", procedure(body)), "done", {"shown"})
    query = "(SELECT kept.id FROM `kept` AS kept)"
    assert statements(run) == [f"SELECT id FROM {query} AS shown", f"SELECT s.id FROM {query} AS s"]


def test_a_function_that_is_not_deployed_becomes_a_row_of_its_arguments(folder: Path) -> None:
    catalog = catalog_of(folder, "function", {})
    row = "(SELECT doubled_p_n * 2 FROM (SELECT CAST(found.id AS INT64) AS doubled_p_n))"
    assert f"SELECT {row} AS id FROM" in statements(run_of(catalog, "named", {"doubled"}))[0]
    assert statements(run_of(catalog, "doubled", arguments={"p_n": "4"})) == ["SELECT `doubled`(CAST(4 AS INT64))"]


def test_an_argument_is_a_sample_or_unknown(folder: Path) -> None:
    catalog = catalog_of(folder, "samples", {})
    (since,) = statements(run_of(catalog, "since", arguments={"p_from": "CURRENT_TIMESTAMP()"}))
    assert "kept.made >= CAST(CURRENT_TIMESTAMP() AS TIMESTAMP) AND kept.name != 'p_from'" in since
    (named,) = statements(run_of(catalog, "named"))
    assert named.endswith("WHERE found.name = GENERATE_UUID()")


def test_every_object_of_the_repository_can_be_taken_apart() -> None:
    """Unknown values have a type, and no variable is left in a statement."""
    catalog = load_catalog()
    items = [*catalog.routines.values(), *catalog.views.values(), *catalog.schedules.values()]
    everything = {*catalog.functions, *catalog.table_functions, *catalog.views}
    for item, run in zip(items, runs_of(items, catalog, {}, {}, everything), strict=True):
        assert run.statements or not (item.reads or item.calls), item.name  # what inserts given values reads nothing
        assert not [sql for sql in run.statements if " v_" in sql or "(v_" in sql], item.name
    page = next(argument for argument in catalog.routines["account_sizes"].arguments if argument.type.kind == "STRING")
    assert unknown(page.type) == "GENERATE_UUID()"
