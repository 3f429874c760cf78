"""Where the embedded engine differed from BigQuery, through Google's client and the REST API."""

from __future__ import annotations

import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError
from google.cloud import bigquery

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
        ("DATE_DIFF(DATE '2024-01-08', DATE '2024-01-07', WEEK(MONDAY))", 1),
        ("DATE_DIFF(DATE '2024-01-08', DATE '2024-01-07', WEEK(sunday))", 0),
        ("CAST(DATE_TRUNC(DATE '2024-01-10', WEEK(TUESDAY)) AS STRING)", "2024-01-09"),
        ("EXTRACT(WEEK(MONDAY) FROM DATE '2024-01-10')", 2),
        ("FORMAT('%t to %t', NULL, a)", "NULL to 1"),
        (r"NORMALIZE('cafe\u0301') = 'caf\u00e9'", True),
        (r"NORMALIZE('\ufb01', NFKC)", "fi"),
        (r"REGEXP_REPLACE('Привет, कि 7!', r'[^\pL\pM\p{Nd} ]', '')", "Привет कि 7"),
        ("TO_HEX(SHA256('abc'))", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("FARM_FINGERPRINT('foo')", 6150913649986995171),
        ("""FORMAT("%'d of %d", 12345, 12345)""", "12,345 of 12345"),
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


def test_argument_is_drawn_once_per_call_and_again_for_each_row(server: Server) -> None:
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


@pytest.mark.parametrize("size", [300, 3000])
@pytest.mark.parametrize("form", ["SELECT * FROM ({})", "SELECT ({})", "SELECT NOT ({})"])
def test_a_statement_that_is_nested_too_deeply_is_refused(server: Server, form: str, size: int) -> None:
    head, _, tail = form.partition("{}")
    with pytest.raises(GoogleAPICallError, match="too many subqueries or query is too complex"):
        server.rows(head * size + "SELECT TRUE AS a" + tail * size)
    assert server.rows("SELECT 1") == [(1,)]


def test_a_statement_that_is_too_long_is_refused(server: Server) -> None:
    with pytest.raises(GoogleAPICallError, match="The query is too large"):
        server.rows(f"SELECT '{'x' * 1024 * 1024}'")
