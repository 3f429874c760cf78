"""What BigQuery has is not refused: a query for every kind of syntax that the walls read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import bigquery

from tests.harness.bigquery import DATASET, PROJECT, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

D = f"{PROJECT}.{DATASET}"
SETUP = f"""
CREATE TABLE {DATASET}.seen (id INT64, d DATE, ts TIMESTAMP, s STRING, arr ARRAY<INT64>, st STRUCT<a INT64>);
INSERT INTO {DATASET}.seen VALUES
  (1, '2026-01-05', '2026-01-05 10:00:00+00', 'a', [1, 2], STRUCT(1)),
  (2, '2026-02-05', '2026-02-05 10:00:00+00', NULL, [3], STRUCT(2));
CREATE FUNCTION {DATASET}.echo(x INT64) AS (x);
CREATE FUNCTION {DATASET}.levenshtein(x INT64) AS (x + 1);
CREATE FUNCTION {DATASET}.scripted(x FLOAT64) RETURNS FLOAT64 LANGUAGE js AS 'return x';
CREATE TABLE FUNCTION {DATASET}.rows_of(x INT64) AS SELECT x AS y;
CREATE PROCEDURE {DATASET}.shows(x INT64) BEGIN SELECT x; END;
"""
DATES = [
    "EXTRACT(WEEK(MONDAY) FROM d), EXTRACT(ISOWEEK FROM d), EXTRACT(DAYOFWEEK FROM d)",
    "EXTRACT(HOUR FROM ts AT TIME ZONE 'America/Los_Angeles'), EXTRACT(DATE FROM ts)",
    "DATE_TRUNC(d, WEEK(MONDAY)), DATE_TRUNC(d, WEEK), DATE_TRUNC(d, QUARTER), LAST_DAY(d, WEEK(SUNDAY))",
    "TIMESTAMP_TRUNC(ts, WEEK(FRIDAY)), DATETIME_TRUNC(DATETIME(ts), WEEK(MONDAY)), TIME_TRUNC(TIME(ts), HOUR)",
    "DATE_DIFF(d, d, WEEK(TUESDAY)), DATE_DIFF(d, d, ISOWEEK), DATE_ADD(d, INTERVAL 1 WEEK), d - INTERVAL 1 DAY",
    "CURRENT_DATE, CURRENT_DATE(), CURRENT_DATE('UTC'), CURRENT_TIMESTAMP, DATE(2026, 1, 1), DATE '2026-01-01'",
    "FORMAT_DATE('%Y', d), PARSE_DATE('%Y%m%d', '20260101'), GENERATE_DATE_ARRAY(d, d, INTERVAL 1 WEEK)",
]
OPERATORS = [
    "s LIKE ANY ('a', 'b'), s LIKE ALL ('a%', '%a'), s LIKE SOME ('a'), s NOT LIKE ANY ('a'), s LIKE ANY UNNEST(['a'])",
    "id IN (1, 2), id IN UNNEST([1]), id NOT IN (SELECT 3), id BETWEEN (1) AND (2), (id, s) IN ((1, 'a'))",
    "NOT (TRUE), -(id), 'a' || ('b'), id IS DISTINCT FROM (2), CASE WHEN (TRUE) THEN (1) ELSE (2) END",
    "('abc').UPPER(), (s).UPPER(), COLLATE('a', 'und:ci')",
    "[1, 2][OFFSET(0)], [1][ORDINAL(1)], [1][SAFE_OFFSET(5)], [1][SAFE_ORDINAL(5)], arr[0]",
    "ARRAY<INT64>[1], ARRAY(SELECT x FROM UNNEST(arr) AS x), STRUCT(1 AS a, 'x'), STRUCT<a INT64>(1), (1, 2)",
    "EXISTS(SELECT 1), (SELECT MAX(y) FROM UNNEST(arr) AS y), IF(TRUE, 1, 2), CAST('1' AS INT64)",
    "SAFE_CAST('x' AS INT64), CAST(id AS STRING), NUMERIC '1', INTERVAL 1 DAY",
]
CALLS = [
    "SAFE_DIVIDE(1, 0), NET.HOST('http://a.b/c'), NET.IP_FROM_STRING('1.2.3.4')",
    """JSON_VALUE('{"a": 1}', '$.a'), JSON_QUERY_ARRAY('[1]'), TO_JSON(st), INT64(JSON '1'), JSON_OBJECT('a', 1)""",
    "PARSE_JSON('1').a, JSON_SET(JSON '{}', '$.a', 2), LAX_INT64(JSON '1'), TO_JSON_STRING(STRUCT(1 AS a))",
    "REGEXP_CONTAINS(s, r'a'), SPLIT('a,b', ',')[OFFSET(0)], NORMALIZE('a', NFC), FORMAT('%d', id), TO_HEX(MD5('a'))",
    "RANGE(d, NULL), RANGE_BUCKET(id, [0, 2]), GENERATE_ARRAY(1, 3), GENERATE_UUID(), SESSION_USER(), RAND()",
    """JSON_VALUE(json_text => '{"a": 1}', json_path => '$.a')""",
    f"{DATASET}.echo(1), `{DATASET}.echo`(1), `{DATASET}`.echo(1), `{D}.echo`(1), `{PROJECT}`.{DATASET}.echo(1)",
    f"SUM({DATASET}.echo(id)) OVER (), {DATASET}.scripted(1), {DATASET}.levenshtein({DATASET}.echo(1))",
]
AGGREGATES = [
    "ARRAY_AGG(s IGNORE NULLS), ARRAY_AGG(s IGNORE NULLS ORDER BY id DESC LIMIT 1)[OFFSET(0)], ARRAY_AGG(DISTINCT id)",
    "ANY_VALUE(s HAVING MAX id), MAX_BY(s, id), MIN_BY(s, id), STRING_AGG(s, ',' ORDER BY id), COUNTIF(id > 1)",
    "HLL_COUNT.EXTRACT(HLL_COUNT.INIT(id)), APPROX_QUANTILES(id, 2)[OFFSET(1)], APPROX_COUNT_DISTINCT(id)",
]
WINDOWS = [
    "LAST_VALUE(s IGNORE NULLS) OVER (ORDER BY id), FIRST_VALUE(s RESPECT NULLS) OVER (ORDER BY id)",
    "SUM(id) OVER (PARTITION BY s ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW), COUNT(*) OVER ()",
    "ROW_NUMBER() OVER (), LAG(id) OVER (ORDER BY id), PERCENTILE_CONT(id, 0.5) OVER (), RANK() OVER (ORDER BY id)",
]
QUERIES = [
    "SELECT SAFE.SUBSTR('ab', 1, 1), SAFE.LOG(0)",
    *(f"SELECT {listed} FROM {DATASET}.seen" for listed in DATES + OPERATORS + CALLS + AGGREGATES + WINDOWS),
    f"SELECT SUM(id) OVER w FROM {DATASET}.seen WINDOW w AS (ORDER BY id)",
    f"SELECT id FROM {DATASET}.seen QUALIFY ROW_NUMBER() OVER (PARTITION BY s ORDER BY id) = 1",
    f"SELECT id, s FROM {DATASET}.seen GROUP BY GROUPING SETS ((id), (s), ())",
    f"SELECT id, s, GROUPING(id) FROM {DATASET}.seen GROUP BY ROLLUP(id, s)",
    f"SELECT id, s FROM {DATASET}.seen GROUP BY CUBE(id, s) HAVING COUNT(*) > (0)",
    f"SELECT id, COUNT(*) FROM {DATASET}.seen GROUP BY ALL",
    f"SELECT DISTINCT (id) FROM {DATASET}.seen ORDER BY (id) DESC NULLS LAST LIMIT 1 OFFSET 1",
    f"SELECT * FROM (SELECT id, s FROM {DATASET}.seen) PIVOT(COUNT(*) AS n FOR id IN (1 AS one, 2 AS two))",
    "SELECT * FROM (SELECT 1 AS a, 2 AS b) UNPIVOT(v FOR n IN (a AS 'x', b AS 'y'))",
    f"SELECT COUNT(*) FROM {DATASET}.seen TABLESAMPLE SYSTEM (100 PERCENT)",
    f"SELECT * FROM {DATASET}.seen FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP()",
    f"SELECT id, x, o FROM {DATASET}.seen, UNNEST(arr) AS x WITH OFFSET AS o",
    f"SELECT id, x FROM {DATASET}.seen LEFT JOIN UNNEST(arr) AS x WITH OFFSET",
    f"SELECT id, x FROM {DATASET}.seen, seen.arr AS x",
    f"SELECT * EXCEPT (arr) REPLACE (id + 1 AS id) FROM {DATASET}.seen",
    f"SELECT * FROM {DATASET}.seen AS a JOIN {DATASET}.seen AS b USING (id) CROSS JOIN (SELECT 1 AS one)",
    f"SELECT * FROM {DATASET}.seen |> WHERE id > 0 |> AGGREGATE COUNT(*) AS n GROUP BY s |> ORDER BY n",
    "(SELECT 1 AS a UNION ALL SELECT 2) INTERSECT DISTINCT (SELECT 1)",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r",
    "SELECT week, `any` FROM (SELECT 1 AS week, 2 AS `any`)",
    f"SELECT * FROM {DATASET}.rows_of(1) AS a JOIN `{D}.rows_of`(1) AS b USING (y)",
    f"SELECT * FROM `{DATASET}.rows_of`(1), `{PROJECT}`.{DATASET}.rows_of(1)",
    "CREATE TEMP FUNCTION one(x ANY TYPE) AS (x + 1); SELECT one(1), one(1.5)",
    f"CREATE TEMP FUNCTION one(x INT64) AS ((SELECT x + {DATASET}.echo(x))); SELECT one(1)",
    "CREATE TEMP FUNCTION one(x FLOAT64) RETURNS FLOAT64 LANGUAGE js AS 'return x'; SELECT one(1)",
    f"SET @@dataset_id = '{DATASET}'; SELECT echo(1), levenshtein(1), y FROM rows_of(1)",
    f"DECLARE x INT64 DEFAULT ABS(1); SET x = {DATASET}.echo(2); IF (x) = 2 THEN SELECT (x); END IF",
    f"FOR r IN (SELECT id FROM {DATASET}.seen) DO SELECT {DATASET}.echo(r.id); END FOR",
    f"EXECUTE IMMEDIATE 'SELECT {DATASET}.echo(@a)' USING 1 AS a",
    f"CALL {DATASET}.shows(1)",
    f"""MERGE {DATASET}.seen AS a USING (SELECT 9 AS id) AS b ON a.id = b.id
    WHEN MATCHED THEN UPDATE SET s = UPPER('z') WHEN NOT MATCHED THEN INSERT (id, s) VALUES (b.id, LOWER('N'))""",
    f"UPDATE {DATASET}.seen SET d = DATE_TRUNC(d, WEEK(MONDAY)) WHERE id IN (1)",
    f"DELETE FROM {DATASET}.seen WHERE id IN (SELECT 9)",
    f"""CREATE OR REPLACE VIEW {DATASET}.seen_view AS
    SELECT {DATASET}.echo(id) AS a, EXTRACT(WEEK(MONDAY) FROM d) AS w FROM {DATASET}.seen;
    SELECT * FROM {DATASET}.seen_view""",
    f"CREATE OR REPLACE FUNCTION {DATASET}.calls(x INT64) AS ({DATASET}.echo(x) + 1); SELECT {DATASET}.calls(1)",
    f"""CREATE OR REPLACE TABLE FUNCTION {DATASET}.selects(x INT64) AS SELECT * FROM {DATASET}.rows_of(x);
    SELECT * FROM {DATASET}.selects(1)""",
    f"""CREATE OR REPLACE TABLE {DATASET}.made (a STRING(10), b NUMERIC(10, 2), c DATE DEFAULT (CURRENT_DATE()),
    PRIMARY KEY (a) NOT ENFORCED) PARTITION BY c CLUSTER BY a
    OPTIONS (description = CONCAT('a', 'b'), labels = [('a', 'b')],
    expiration_timestamp = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 1 DAY))""",
    f"ALTER SCHEMA {DATASET} SET OPTIONS (description = CONCAT('a', 'b'))",
    """EXPORT DATA OPTIONS (uri = 'gs://bucket/seen*.csv', format = 'CSV', compression = 'GZIP', field_delimiter = ';')
    AS SELECT UPPER('a') AS a""",
]


@pytest.fixture(autouse=True, scope="module")
def seen(server: Server) -> Iterator[None]:
    """A table, and routines of each kind."""
    server.rows(SETUP)
    yield
    server.rows(f"DROP TABLE {DATASET}.seen")


@pytest.mark.parametrize("query", QUERIES, ids=[" ".join(query.split())[:60] for query in QUERIES])
def test_it_runs(server: Server, query: str) -> None:
    server.rows(query)


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT echo(3), levenshtein(1), scripted(2.0)", [(3, 2, 2.0)]),
        ("SELECT y FROM rows_of(echo(4))", [(4,)]),
        (f"SELECT y, {DATASET}.echo(y) FROM {DATASET}.rows_of(1)", [(1, 1)]),
        ("CALL shows(7)", [(7,)]),
    ],
)
def test_routines_of_the_default_dataset(server: Server, query: str, rows: list[Any]) -> None:
    assert server.rows(query, bigquery.QueryJobConfig(default_dataset=D)) == rows


@pytest.mark.parametrize("query", ["SELECT Echo(1)", "SELECT shows(1)", "SELECT rows_of(1)", "SELECT * FROM echo(1)"])
def test_a_routine_of_another_kind_or_case_is_another(server: Server, query: str) -> None:
    with pytest.raises(GoogleAPICallError, match=r"unction not found"):
        server.rows(query, bigquery.QueryJobConfig(default_dataset=D))
