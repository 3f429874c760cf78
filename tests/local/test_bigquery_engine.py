"""Where the embedded engine differed from BigQuery, through Google's client and the REST API."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from google.api_core.exceptions import BadRequest, GoogleAPICallError
from google.cloud import bigquery

from declared.sizes import MEGABYTE
from tests.harness.bigquery import DATASET, PROJECT, Server

D = f"{PROJECT}.{DATASET}"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (r"TRIM('\t last chance \n')", "last chance"),
        (r"LTRIM('\n\u00a0x ') || RTRIM(' y\t')", "x  y"),
        (r"TRIM('xxaxx', 'x')", "a"),
        ("SAFE.REGEXP_CONTAINS('a', '(')", None),
        ("SAFE.REGEXP_CONTAINS('a', 'a')", True),
        ("STRUCT(a, b + 1 AS c).a", 1),
        ("TO_JSON_STRING(STRUCT(a, b))", '{"a":1,"b":20}'),
        ("b - DIV(b - DIV(b + 8, 25) + 1, 3)", 14),
        ("3 * DIV(b, 7)", 6),
        ("2 - EXTRACT(DAYOFWEEK FROM DATE '2021-09-01')", -2),
        ("FORMAT('%t to %t', NULL, a)", "NULL to 1"),
        (r"NORMALIZE('cafe\u0301') = 'caf\u00e9'", True),
        (r"NORMALIZE('\ufb01', NFKC)", "fi"),
        (r"REGEXP_REPLACE('Привет, कि 7!', r'[^\pL\pM\p{Nd} ]', '')", "Привет कि 7"),
        ("TO_HEX(SHA256('abc'))", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("FARM_FINGERPRINT('foo')", 6150913649986995171),
    ],
)
def test_expression(server: Server, expression: str, value: object) -> None:
    assert server.rows(f"SELECT {expression} FROM (SELECT 1 AS a, 20 AS b)") == [(value,)]


def test_select_as_struct_at_the_top_gives_columns(server: Server) -> None:
    assert server.rows("SELECT AS STRUCT 1 AS a, 'x' AS b") == [(1, "x")]


@pytest.mark.parametrize(
    ("name", "arguments", "body", "result"),
    [
        (
            "ctes",
            "x INT64",
            "(WITH a AS (SELECT x + 1 AS y), b AS (SELECT y * 2 AS z FROM a) SELECT z FROM b)",
            ("(3)", 8),
        ),
        ("nested", "x INT64", "(SELECT s.v.w + x FROM (SELECT STRUCT(x AS w) AS v) AS s)", ("(3)", 6)),
        ("many_rows", "x INT64", "(SELECT SUM(i) FROM UNNEST(GENERATE_ARRAY(1, x)) AS i)", ("(4)", 10)),
        ("array", "x ARRAY<INT64>", "(SELECT MAX(i) FROM UNNEST(x) AS i)", ("([3, 9])", 9)),
        ("argument_type", "x FLOAT64", "x / 2", ("(5)", 2.5)),
    ],
)
def test_function_bodies(server: Server, name: str, arguments: str, body: str, result: tuple[str, object]) -> None:
    call, value = result
    server.rows(f"CREATE OR REPLACE FUNCTION `{D}.{name}`({arguments}) AS ({body})")
    assert server.rows(f"SELECT `{D}.{name}`{call}") == [(value,)]
    assert server.client.get_routine(f"{D}.{name}").body == body


def test_argument_is_drawn_once_a_call_and_afresh_for_each_row(server: Server) -> None:
    server.rows(f"CREATE OR REPLACE FUNCTION `{D}.same`(x FLOAT64) AS ((SELECT STRUCT(x AS a, x AS b)))")
    calls = f"SELECT `{D}.same`(RAND()) AS s FROM UNNEST(GENERATE_ARRAY(1, 500))"
    assert server.rows(f"SELECT COUNTIF(s.a = s.b), COUNT(DISTINCT s.a) FROM ({calls})") == [(500, 500)]


def test_table_function_with_columns(server: Server) -> None:
    server.rows(f"""CREATE OR REPLACE TABLE FUNCTION `{D}.days`(p_year INT64)
    RETURNS TABLE<day DATE, share FLOAT64> OPTIONS (description = 'Days of a year.')
    AS WITH one AS (SELECT DATE(p_year, 1, 1) AS first) SELECT first AS day, 1 AS share FROM one""")
    assert [(str(day), share) for day, share in server.rows(f"SELECT * FROM `{D}.days`(2026)")] == [("2026-01-01", 1.0)]
    routine = server.client.get_routine(f"{D}.days").to_api_repr()
    assert [column["name"] for column in routine["returnTableType"]["columns"]] == ["day", "share"]
    assert routine["description"] == "Days of a year."
    assert routine["definitionBody"].startswith("WITH one AS")


def _table(server: Server, name: str) -> str:
    server.rows(f"CREATE OR REPLACE TABLE `{D}.{name}` (a INT64, b STRING); INSERT `{D}.{name}` VALUES (1, 'old')")
    return f"`{D}.{name}`"


def test_merge_within_a_transaction(server: Server) -> None:
    table = _table(server, "merged")
    merge = f"""MERGE {table} t USING (SELECT 1 AS a, 'new' AS b UNION ALL SELECT 2, 'two') s ON t.a = s.a
    WHEN MATCHED THEN UPDATE SET b = s.b WHEN NOT MATCHED THEN INSERT (a, b) VALUES (s.a, s.b)"""
    server.rows(f"BEGIN TRANSACTION; {merge}; ROLLBACK TRANSACTION")
    assert server.rows(f"SELECT * FROM {table}") == [(1, "old")]
    server.rows(f"BEGIN TRANSACTION; {merge}; COMMIT TRANSACTION")
    assert server.rows(f"SELECT * FROM {table} ORDER BY a") == [(1, "new"), (2, "two")]


def test_variables_outlive_a_rollback_and_are_readable_after_an_error(server: Server) -> None:
    table = _table(server, "rolled_back")
    assert server.rows(f"""
    DECLARE v_error STRING; DECLARE v_step INT64 DEFAULT 0;
    BEGIN
      BEGIN TRANSACTION;
      SET v_step = 1;
      UPDATE {table} SET b = 'gone' WHERE a = 1;
      SELECT ERROR('broken');
      COMMIT TRANSACTION;
    EXCEPTION WHEN ERROR THEN
      SET v_error = @@error.message;
      ROLLBACK TRANSACTION;
    END;
    SELECT v_step, v_error, b FROM {table}""") == [(1, "broken", "old")]


def test_handler_on_the_outermost_block_of_a_procedure(server: Server) -> None:
    server.rows(f"""CREATE OR REPLACE PROCEDURE `{D}.caught`() OPTIONS (description = 'Catches.')
    BEGIN SELECT ERROR('broken'); EXCEPTION WHEN ERROR THEN SELECT @@error.message AS message; END""")
    assert server.rows(f"CALL `{D}.caught`()") == [("broken",)]
    routine = server.client.get_routine(f"{D}.caught")
    assert (routine.body or "").split()[0] == "BEGIN"
    assert (routine.body or "").split()[-1] == "END"
    assert routine.description == "Catches."


def test_script_values(server: Server) -> None:
    assert server.rows("""
    DECLARE a, b INT64; DECLARE c STRING; DECLARE words ARRAY<STRING> DEFAULT ['it\\'s', 'x, y'];
    SET (a, c) = (SELECT AS STRUCT 7, 'seven');
    FOR row IN (SELECT n, CONCAT('w', CAST(n AS STRING)) AS w FROM UNNEST([1, 2, 3]) AS n) DO
      SET b = IFNULL(b, 0) + row.n; SET words = ARRAY_CONCAT(words, [row.w]);
    END FOR;
    EXECUTE IMMEDIATE 'SELECT ? * 2' INTO a USING a;
    SELECT a, b, c, ARRAY_TO_STRING(words, '|')""") == [(14, 6, "seven", "it's|x, y|w1|w2|w3")]


def test_procedure_with_out_argument(server: Server) -> None:
    server.rows(f"CREATE OR REPLACE PROCEDURE `{D}.twice`(p_n INT64, OUT p_m INT64) BEGIN SET p_m = p_n * 2; END")
    assert server.rows(f"DECLARE m INT64; CALL `{D}.twice`(4, m); SELECT m") == [(8,)]


def test_script_with_parameters(server: Server) -> None:
    config = bigquery.QueryJobConfig(
        query_parameters=[bigquery.ScalarQueryParameter("run_time", "TIMESTAMP", "2026-07-01 11:00:00+00")]
    )
    script = """IF EXTRACT(HOUR FROM @run_time AT TIME ZONE 'America/Los_Angeles') IN (4) THEN SELECT 'now';
    ELSE SELECT 'not now'; END IF"""
    assert server.rows(script, config) == [("now",)]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT nothing_like_it", "Unrecognized name: nothing_like_it"),
        ("SELECT 1 +", "Syntax error"),
        ("SELECT ERROR('stop here')", "stop here"),
        ("ASSERT 1 = 2 AS 'one is not two'", "one is not two"),
        ("SELECT REGEXP_CONTAINS('a', '(')", "missing"),
        ("RAISE USING MESSAGE = 'raised'", "raised"),
        ("SELECT * FROM ML.PREDICT(MODEL `x.y`, (SELECT 1))", "not"),
    ],
)
def test_failed_query_is_a_bad_request(server: Server, sql: str, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        server.rows(sql)


def _put(server: Server, table: str, change: dict[str, Any], method: str = "PUT") -> requests.Response:
    url = f"{server.endpoint}/bigquery/v2/projects/{PROJECT}/datasets/{DATASET}/tables/{table}"
    return requests.request(method, url, json=change, timeout=60)


def _insert(server: Server, table: str, resource: dict[str, Any]) -> dict[str, Any]:
    reference = {"projectId": PROJECT, "datasetId": DATASET, "tableId": table}
    server.client.delete_table(f"{D}.{table}", not_found_ok=True)
    url = f"{server.endpoint}/bigquery/v2/projects/{PROJECT}/datasets/{DATASET}/tables"
    body = resource | {"tableReference": reference}
    answer = requests.post(url, json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    return body


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_view_query_changes(server: Server, method: str) -> None:
    body = _insert(server, "a_view", {"view": {"query": "SELECT 1 AS a", "useLegacySql": False}})
    changed = body | {"view": {"query": "SELECT 2 AS b", "useLegacySql": False}}
    assert _put(server, "a_view", changed, method).status_code == 200
    assert server.rows(f"SELECT b FROM `{D}.a_view`") == [(2,)]
    assert server.client.get_table(f"{D}.a_view").view_query == "SELECT 2 AS b"


def test_view_of_a_column_that_is_not_there(server: Server) -> None:
    table = bigquery.Table(f"{D}.bad_view")
    table.view_query = "SELECT nope FROM (SELECT 1 AS a)"
    with pytest.raises(BadRequest, match="nope"):
        server.client.create_table(table)


TABLE: dict[str, Any] = {
    "schema": {
        "fields": [
            {"name": "at", "type": "TIMESTAMP", "mode": "REQUIRED", "description": "When."},
            {"name": "done", "type": "BOOLEAN", "mode": "REQUIRED", "defaultValueExpression": "FALSE"},
            {"name": "r", "type": "RECORD", "mode": "NULLABLE", "fields": [{"name": "x", "type": "INTEGER"}]},
        ]
    },
    "timePartitioning": {"type": "DAY", "field": "at", "expirationMs": "7776000000"},
    "clustering": {"fields": ["done"]},
    "description": "A table.",
    "labels": {"system": "eros"},
}


def test_table_of_the_api(server: Server) -> None:
    """Defaults work, and INFORMATION_SCHEMA tells what was declared."""
    _insert(server, "declared", TABLE)
    server.rows(f"INSERT INTO `{D}.declared` (at) VALUES (TIMESTAMP '2026-01-02 03:00:00+00')")
    assert server.rows(f"SELECT done FROM `{D}.declared`") == [(False,)]
    schema, of = f"`{D}`.INFORMATION_SCHEMA", "WHERE table_name = 'declared'"
    options = server.rows(f"SELECT option_name, option_value FROM {schema}.TABLE_OPTIONS {of} ORDER BY 1")
    assert options == [
        ("description", '"A table."'),
        ("labels", '[STRUCT("system", "eros")]'),
        ("partition_expiration_days", "90.0"),
    ]
    assert server.rows(f"""SELECT column_name, data_type, is_nullable, column_default, is_partitioning_column,
    clustering_ordinal_position FROM {schema}.COLUMNS {of} ORDER BY ordinal_position""") == [
        ("at", "TIMESTAMP", "NO", "NULL", "YES", None),
        ("done", "BOOL", "NO", "FALSE", "NO", 1),
        ("r", "STRUCT<x INT64>", "YES", "NULL", "NO", None),
    ]
    assert server.rows(f"SELECT partition_id, total_rows FROM {schema}.PARTITIONS {of}") == [("20260102", 1)]


def test_nested_field_is_added(server: Server) -> None:
    body = _insert(server, "nested", TABLE)
    *others, record = TABLE["schema"]["fields"]
    wider = record | {"fields": [*record["fields"], {"name": "y", "type": "STRING", "mode": "NULLABLE"}]}
    assert _put(server, "nested", body | {"schema": {"fields": [*others, wider]}}).status_code == 200
    server.rows(f"INSERT INTO `{D}.nested` (at, r) VALUES (CURRENT_TIMESTAMP(), STRUCT(1 AS x, 'why' AS y))")
    assert server.rows(f"SELECT r.y FROM `{D}.nested`") == [("why",)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"timePartitioning": {"type": "MONTH", "field": "at"}},
            "Cannot change partitioning spec for a partitioned table.",
        ),
        ({"schema": {"fields": [TABLE["schema"]["fields"][0]]}}, "Cannot remove field"),
        (
            {
                "schema": {
                    "fields": [{"name": "at", "type": "DATE", "mode": "REQUIRED"}, *TABLE["schema"]["fields"][1:]]
                }
            },
            "Field at has changed type from TIMESTAMP to DATE",
        ),
        (
            {"schema": {"fields": [*TABLE["schema"]["fields"], {"name": "n", "type": "INT64", "mode": "REQUIRED"}]}},
            "Cannot add required fields to an existing schema.",
        ),
    ],
)
def test_change_that_bigquery_refuses(server: Server, change: dict[str, Any], message: str) -> None:
    body = _insert(server, "refused", TABLE)
    answer = _put(server, "refused", body | change)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


def test_column_is_dropped_by_a_query(server: Server) -> None:
    _insert(server, "narrower", TABLE)
    server.rows(f"ALTER TABLE `{D}.narrower` DROP COLUMN IF EXISTS `r`")
    assert [field.name for field in server.client.get_table(f"{D}.narrower").schema] == ["at", "done"]


def test_routines_and_tables_in_information_schema(server: Server) -> None:
    server.rows(f"CREATE OR REPLACE FUNCTION `{D}.shown`(x ARRAY<INT64>) RETURNS INT64 AS (x[OFFSET(0)])")
    schema = f"`{D}`.INFORMATION_SCHEMA"
    assert server.rows(
        f"SELECT routine_type, routine_definition, data_type FROM {schema}.ROUTINES WHERE routine_name = 'shown'"
    ) == [("FUNCTION", "x[OFFSET(0)]", "INT64")]
    assert server.rows(
        f"SELECT parameter_name, data_type FROM {schema}.PARAMETERS WHERE specific_name = 'shown' ORDER BY 1"
    ) == [(None, "INT64"), ("x", "ARRAY<INT64>")]
    assert server.rows(f"SELECT table_name FROM {schema}.TABLES WHERE table_name = 'shown'") == []
    assert "shown" not in {table.table_id for table in server.client.list_tables(DATASET)}


def test_transactions_that_meet(server: Server) -> None:
    """Of two transactions on one row the later is cancelled, and may be rolled back in its handler."""
    table = _table(server, "contended")
    script = f"""
    DECLARE v_outcome STRING DEFAULT 'done';
    BEGIN
      BEGIN TRANSACTION;
      UPDATE {table} SET b = CONCAT(b, '+') WHERE a = 1;
      SELECT SUM(x * y) FROM UNNEST(GENERATE_ARRAY(1, 3000)) AS x, UNNEST(GENERATE_ARRAY(1, 3000)) AS y;
      COMMIT TRANSACTION;
    EXCEPTION WHEN ERROR THEN
      ROLLBACK TRANSACTION;
      SET v_outcome = 'cancelled';
    END;
    SELECT v_outcome"""
    jobs = [server.client.query(script, job_retry=None) for _ in range(4)]
    outcomes = [next(iter(job.result(timeout=60)))[0] for job in jobs]
    ((text,),) = server.rows(f"SELECT b FROM {table}")
    assert set(outcomes) <= {"done", "cancelled"}
    assert str(text).count("+") == outcomes.count("done") >= 1


def test_errors_carry_bigquery_reasons(server: Server) -> None:
    with pytest.raises(GoogleAPICallError) as raised:
        server.rows(f"SELECT * FROM `{D}.no_such_table`")
    assert raised.value.code == 404
    assert raised.value.errors[0]["reason"] == "notFound"


def _bytes(server: Server, sql: str) -> int:
    dry = server.client.query(sql, job_config=bigquery.QueryJobConfig(dry_run=True))
    return int(dry.total_bytes_processed)


@pytest.fixture(scope="module")
def measured(server: Server) -> str:
    """A table of ten days, 24 rows each, of a string of 8 bytes and an integer."""
    server.rows(f"CREATE TABLE `{D}.measured` (at TIMESTAMP, page STRING, n INT64) PARTITION BY DATE(at)")
    server.rows(f"""INSERT `{D}.measured` SELECT TIMESTAMP_ADD(TIMESTAMP '2026-01-01 00:00:00+00', INTERVAL i HOUR),
    FORMAT('page%04d', MOD(i, 100)), i FROM UNNEST(GENERATE_ARRAY(0, 239)) AS i""")
    return f"`{D}.measured`"


@pytest.mark.parametrize(
    ("sql", "size"),
    [
        ("SELECT n FROM {}", 240 * 8),
        ("SELECT page FROM {} WHERE n > 5", 240 * (2 + 8 + 8)),
        ("SELECT n FROM {} WHERE DATE(at) = '2026-01-05'", 24 * (8 + 8)),
        ("SELECT n FROM {} WHERE at >= '2026-01-05' AND at < '2026-01-07' AND page = 'page0001'", 48 * (8 + 8 + 10)),
        ("SELECT COUNT(*) FROM {}", 0),
        # what the data happens to be leaves nothing out
        ("SELECT n FROM {} WHERE page >= 'a'", 240 * (8 + 10)),
        ("SELECT n FROM {} WHERE page = 'z'", 240 * (8 + 10)),
        ("SELECT n FROM {} WHERE at = '2026-01-05'", 24 * (8 + 8)),
        ("SELECT y, COUNT(m.n) FROM UNNEST([2025, 2026]) AS y LEFT JOIN {} AS m ON m.n = y GROUP BY y", 240 * 8),
        # a column counts once, however often it is read, in the partitions of any of its scans
        ("SELECT a.n FROM {0} AS a JOIN {0} AS b ON a.n = b.n", 240 * 8),
        (
            "SELECT n FROM {0} WHERE DATE(at) = '2026-01-05' UNION ALL SELECT n FROM {0} WHERE DATE(at) = '2026-01-06'",
            48 * (8 + 8),
        ),
        # what changes rows reads all columns besides, in the partitions that it scans; what only inserts does not
        ("INSERT {0} (n) SELECT n FROM {0}", 240 * 8),
        ("INSERT {} (n) VALUES (1)", 0),
        ("UPDATE {} SET n = 0 WHERE page = 'page0001'", 240 * (10 + 26)),
        ("UPDATE {} SET n = 0 WHERE DATE(at) = '2026-01-05' AND page = 'page0001'", 24 * (18 + 26)),
        ("DELETE {} WHERE n = 5", 240 * (8 + 26)),
        (
            "MERGE {} AS m USING (SELECT 5 AS n) AS o ON m.n = o.n WHEN NOT MATCHED THEN INSERT (n) VALUES (o.n)",
            240 * 8,
        ),
        (
            """MERGE {} AS m USING (SELECT 5 AS n) AS o ON m.n = o.n AND DATE(m.at) = '2026-01-05'
            WHEN MATCHED AND m.page = 'x' THEN DELETE""",
            24 * (26 + 26),
        ),
    ],
)
def test_bytes_of_a_dry_run(server: Server, measured: str, sql: str, size: int) -> None:
    assert _bytes(server, sql.format(measured)) == size


def test_referenced_tables_of_a_dry_run(server: Server, measured: str) -> None:
    """Tables that are read: through views and table functions too; the target of an INSERT is not read."""
    server.rows(f"CREATE VIEW `{D}.measured_days` AS SELECT DISTINCT DATE(at) AS day FROM {measured}")
    server.rows(f"CREATE TABLE FUNCTION `{D}.measured_of`(p_n INT64) AS (SELECT at FROM {measured} WHERE n = p_n)")
    dry_run = bigquery.QueryJobConfig(dry_run=True)
    for sql, expected in (
        (f"SELECT n FROM {measured}", ["measured"]),
        (f"SELECT day FROM `{D}.measured_days`", ["measured"]),
        (f"SELECT at FROM `{D}.measured_of`(5)", ["measured"]),
        (f"INSERT {measured} (n) VALUES (1)", []),
        ("SELECT 1", []),
    ):
        job = server.client.query(sql, job_config=dry_run)
        assert [table.table_id for table in job.referenced_tables] == expected, sql
        assert job.total_bytes_billed == (10_485_760 if expected else 0), sql


def test_each_table_is_billed_10_megabytes_at_least(server: Server, measured: str) -> None:
    """A large table does not make up for a small one; the sum is in whole megabytes."""
    server.rows(f"CREATE TABLE `{D}.large` AS SELECT REPEAT('x', {11 * MEGABYTE}) AS page")
    sql = f"SELECT l.page, m.n FROM `{D}.large` AS l CROSS JOIN {measured} AS m"
    job = server.client.query(sql, job_config=bigquery.QueryJobConfig(dry_run=True))
    assert job.total_bytes_processed == 11 * MEGABYTE + 2 + 240 * 8
    assert job.total_bytes_billed == (11 + 10 + 1) * MEGABYTE


def test_maximum_bytes_billed(server: Server, measured: str) -> None:
    too_few = bigquery.QueryJobConfig(maximum_bytes_billed=1_000_000)
    for sql in (f"SELECT n FROM {measured}", f"DECLARE x INT64; SELECT n FROM {measured}"):
        with pytest.raises(GoogleAPICallError, match="10485760 or higher required") as refused:
            server.rows(sql, too_few)
        assert refused.value.errors[0]["reason"] == "bytesBilledLimitExceeded"
    assert (
        len(server.rows(f"SELECT n FROM {measured}", bigquery.QueryJobConfig(maximum_bytes_billed=10_485_760))) == 240
    )


def test_bytes_of_a_job(server: Server, measured: str) -> None:
    job = server.client.query(f"SELECT n FROM {measured}")
    job.result()
    job.reload()
    assert (job.total_bytes_processed, job.total_bytes_billed) == (1920, 10_485_760)
    assert server.rows(
        f"SELECT total_bytes_processed FROM `region-us`.INFORMATION_SCHEMA.JOBS WHERE job_id = '{job.job_id}'"
    ) == [(1920,)]
