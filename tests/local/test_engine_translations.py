"""Translations and estimates in memory: each is dropped when what it depends on changes."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, NotFound
from google.cloud import bigquery

from tests.harness.bigquery import DATASET, PROJECT, Server

D = f"{PROJECT}.{DATASET}"


def test_a_query_sees_the_present_definitions(server: Server) -> None:
    """The same statement, again and again, while its table, view and function change."""
    query = f"SELECT * FROM `{D}.seen`"
    answers = []
    for change in (
        f"CREATE TABLE `{D}.base` AS SELECT 1 AS a; CREATE VIEW `{D}.seen` AS SELECT * FROM `{D}.base`",
        f"CREATE OR REPLACE VIEW `{D}.seen` AS SELECT a + 1 AS b, 'x' AS c FROM `{D}.base`",
        f"""CREATE FUNCTION `{D}.times`(x INT64) AS (x * 10);
        CREATE OR REPLACE VIEW `{D}.seen` AS SELECT `{D}.times`(a) AS b FROM `{D}.base`""",
        f"CREATE OR REPLACE FUNCTION `{D}.times`(x INT64) AS (x * 100)",
        f"UPDATE `{D}.base` SET a = 2 WHERE TRUE",
        f"DROP VIEW `{D}.seen`; CREATE TABLE `{D}.seen` (a STRING)",
        f"ALTER TABLE `{D}.seen` ADD COLUMN n INT64",
        f"INSERT `{D}.seen` VALUES ('a', 1)",
    ):
        server.rows(change)
        answers.append(server.rows(query))
        assert server.rows(query) == answers[-1]
    server.rows(f"DROP TABLE `{D}.seen`")
    with pytest.raises(NotFound):
        server.rows(query)
    assert answers == [[(1,)], [(2, "x")], [(10,)], [(100,)], [(200,)], [], [], [("a", 1)]]


def test_an_expired_table_is_gone_for_a_query_that_was_translated_before(server: Server) -> None:
    query = f"SELECT COUNT(*) FROM `{D}.short`"
    table = bigquery.Table(f"{D}.short", [bigquery.SchemaField("a", "INT64")])
    translated, seconds = False, 1
    while not translated:  # on a machine that is too busy to ask before the table expires, give it longer
        table.expires = datetime.now(UTC) + timedelta(seconds=seconds)
        server.client.create_table(table, exists_ok=True)
        with contextlib.suppress(NotFound):
            translated = server.rows(query) == [(0,)]
        seconds *= 2
    while time.time() < table.expires.timestamp():
        with contextlib.suppress(NotFound):
            assert server.rows(query) == [(0,)]
    with pytest.raises(NotFound):
        server.rows(query)


def test_a_table_s_rules_apply_to_a_query_that_was_translated_before(server: Server) -> None:
    table = server.client.create_table(
        bigquery.Table(f"{D}.ruled", [bigquery.SchemaField("day", "DATE"), bigquery.SchemaField("page", "STRING")])
    )
    server.rows(f"INSERT `{D}.ruled` VALUES ('2026-01-01', 'a'), ('2026-01-02', 'b')")
    query = f"SELECT page FROM `{D}.ruled` ORDER BY page"
    assert server.rows(query) == [("a",), ("b",)]
    server.rows(f"CREATE ROW ACCESS POLICY only_a ON `{D}.ruled` GRANT TO ('allUsers') FILTER USING (page = 'a')")
    assert server.rows(query) == [("a",)]
    server.rows(f"DROP ALL ROW ACCESS POLICIES ON `{D}.ruled`")
    assert server.rows(query) == [("a",), ("b",)]
    server.client.delete_table(table)
    server.rows(
        f"CREATE TABLE `{D}.ruled` (day DATE, page STRING) PARTITION BY day OPTIONS (require_partition_filter = TRUE)"
    )
    with pytest.raises(BadRequest, match="without a filter"):
        server.rows(query)


def test_a_script_binds_the_values_that_its_variables_have(server: Server) -> None:
    """One query in a loop, with values of each type, NULL, and changing @@ variables."""
    script = f"""
    DECLARE v_i INT64 DEFAULT 0; DECLARE v_t STRING; DECLARE v_d DATE; DECLARE v_s STRUCT<a INT64, b STRING>;
    CREATE OR REPLACE TABLE `{D}.loop` (i INT64, t STRING, d DATE, b STRING, before INT64);
    WHILE v_i < 4 DO
      SET v_i = v_i + 1;
      SET (v_t, v_d) = (IF(v_i = 2, NULL, CONCAT("it's ", v_i)), DATE_ADD(DATE '2026-01-01', INTERVAL v_i DAY));
      SET v_s = STRUCT(v_i AS a, CONCAT('b', v_i) AS b);
      INSERT `{D}.loop` SELECT v_i, v_t, v_d, v_s.b, @@row_count FROM UNNEST(GENERATE_ARRAY(1, v_i)) WHERE v_i < 10;
    END WHILE;
    SELECT i, ANY_VALUE(t), ANY_VALUE(d), ANY_VALUE(b), ANY_VALUE(before), COUNT(*)
    FROM `{D}.loop` GROUP BY i ORDER BY i"""
    days = [datetime(2026, 1, 1 + i, tzinfo=UTC).date() for i in range(1, 5)]
    expected = [(i, None if i == 2 else f"it's {i}", days[i - 1], f"b{i}", i - 1 or None, i) for i in range(1, 5)]
    assert server.rows(script) == expected
    assert server.rows(script) == expected


@pytest.mark.parametrize("values", ["(1, 2, 3)", "(1)", "(SELECT AS STRUCT 1, 2, 3)"])
def test_there_must_be_as_many_values_as_variables(server: Server, values: str) -> None:
    with pytest.raises(BadRequest, match="cannot be assigned to 2 variables: a, b"):
        server.rows(f"DECLARE a, b INT64; SET (a, b) = {values}")


def test_each_session_has_its_own_temporary_tables(server: Server) -> None:
    """The same query texts, with other columns in each session."""
    answers = []
    for columns in ("1 AS a", "'x' AS b, 2 AS a", "DATE '2026-01-01' AS b"):
        created = server.client.query(
            f"CREATE TEMP TABLE mine AS SELECT {columns}", bigquery.QueryJobConfig(create_session=True)
        )
        created.result()
        assert created.session_info is not None
        session = bigquery.ConnectionProperty("session_id", str(created.session_info.session_id))
        config = bigquery.QueryJobConfig(connection_properties=[session])
        answers.append(server.rows("SELECT * FROM mine", config))
    assert answers == [[(1,)], [("x", 2)], [(datetime(2026, 1, 1, tzinfo=UTC).date(),)]]


def test_an_estimate_follows_the_data_and_the_parameters(server: Server) -> None:
    server.rows(f"CREATE TABLE `{D}.days` (day DATE, n INT64) PARTITION BY day")
    server.rows(f"CREATE VIEW `{D}.recent` AS SELECT n FROM `{D}.days` WHERE day >= CURRENT_DATE('UTC')")

    def processed(sql: str, **days: str) -> int:
        parameters = [bigquery.ScalarQueryParameter(name, "DATE", day) for name, day in days.items()]
        job = server.client.query(sql, bigquery.QueryJobConfig(query_parameters=parameters))
        job.result()
        finished: Any = server.client.get_job(job.job_id)
        return int(finished.total_bytes_processed)

    one_day = f"SELECT n FROM `{D}.days` WHERE day = @day"
    assert processed(one_day, day="2026-01-01") == 0
    server.rows(f"INSERT `{D}.days` VALUES ('2026-01-01', 1), ('2026-01-02', 2), ('2026-01-02', 3)")
    assert processed(one_day, day="2026-01-01") == 16
    assert processed(one_day, day="2026-01-02") == 32
    server.rows(f"DELETE `{D}.days` WHERE n = 3")
    assert processed(one_day, day="2026-01-02") == 16
    assert processed(f"SELECT n FROM `{D}.recent`") == 0
    server.rows(f"INSERT `{D}.days` VALUES (CURRENT_DATE('UTC'), 4)")
    assert processed(f"SELECT n FROM `{D}.recent`") == 16
