"""SQL sees the tables, views and routines of the project and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import requests
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import bigquery

from local.engine import offline
from tests.harness.bigquery import DATASET, PROJECT, Server

offline.import_extensions()
from local.engine.connections import Connection  # noqa: E402 - as a server imports it

if TYPE_CHECKING:
    from pathlib import Path

D = f"{PROJECT}.{DATASET}"
TABLE_FUNCTION, FUNCTION, SYNTAX = "Table-valued function not found: ", "Function not found: ", "Syntax error: "
UNQUALIFIED, UNSUPPORTED = "must be qualified with a dataset", "Statement not supported: "
DENIED = "Access Denied: Table "
#: What an attacker reads or writes; every query below names it or DuckDB's own.
OUTSIDE = "/etc/hostname"
HIDDEN = "current_setting('temp_directory')"

READS = [
    (f"SELECT * FROM read_text('{OUTSIDE}')", f"{TABLE_FUNCTION}read_text at [1:15]"),
    (f"SELECT * FROM READ_CSV('{OUTSIDE}')", f"{TABLE_FUNCTION}READ_CSV"),
    (f"SELECT * FROM read_parquet('{OUTSIDE}')", f"{TABLE_FUNCTION}read_parquet"),
    (f"SELECT * FROM parquet_scan('{OUTSIDE}')", f"{TABLE_FUNCTION}parquet_scan"),
    ("SELECT * FROM glob('/etc/*')", f"{TABLE_FUNCTION}glob"),
    (f"SELECT * FROM system.main.read_blob('{OUTSIDE}')", f"{TABLE_FUNCTION}system.main.read_blob"),
    (f"SELECT * FROM '{OUTSIDE}'", SYNTAX),
    (f'SELECT * FROM "{OUTSIDE}"', SYNTAX),
    (f"SELECT * FROM `{OUTSIDE}`", UNQUALIFIED),
    ("SELECT * FROM `/etc/passwd.csv`", "Invalid dataset ID"),
    ("COPY (SELECT 1) TO '/tmp/x'", f"{SYNTAX}Unexpected keyword COPY at [1:1]"),
    (
        "EXPORT DATA OPTIONS (uri = '/tmp/x', format = 'CSV') AS SELECT 1 AS a",
        "must be a Google Cloud Storage location",
    ),
    ("EXPORT DATA OPTIONS (uri = 'gs://../x*', format = 'CSV') AS SELECT 1 AS a", "Invalid bucket name: '..'"),
    (f"CREATE EXTERNAL TABLE `{D}.e` (a STRING) OPTIONS (format = 'CSV', uris = ['file://{OUTSIDE}'])", UNSUPPORTED),
    (f"LOAD DATA INTO `{D}.e` FROM FILES (format = 'CSV', uris = ['file://{OUTSIDE}'])", UNSUPPORTED),
]
STATEMENTS = [
    ("ATTACH '/tmp/x.db' AS x", SYNTAX),
    ("DETACH emulator", SYNTAX),
    ("INSTALL httpfs", SYNTAX),
    ("LOAD httpfs", SYNTAX),
    ("PRAGMA version", SYNTAX),
    ("SET threads = 1", "Undeclared variable: threads"),
    ("SET GLOBAL threads = 1", SYNTAX),
    ("RESET threads", SYNTAX),
    ("USE emulator", SYNTAX),
    ("CHECKPOINT", SYNTAX),
    ("VACUUM", SYNTAX),
    ("EXPORT DATABASE '/tmp/x'", SYNTAX),
    ("IMPORT DATABASE '/tmp/x'", SYNTAX),
    ("CREATE OUTSIDE s (TYPE s3)", "OUTSIDE is not a supported object type"),
    ("CALL enable_logging('file')", "Procedure not found: enable_logging"),
    ("CALL pragma_version()", "Procedure not found: pragma_version"),
    ("DESCRIBE t", f"{UNSUPPORTED}DescribeStatement"),
    ("SHOW TABLES", f"{UNSUPPORTED}ShowStatement"),
    ("EXPLAIN SELECT 1", f"{UNSUPPORTED}ExplainStatement"),
    ("SUMMARIZE SELECT 1", SYNTAX),
    ("FROM duckdb_settings()", TABLE_FUNCTION),
]
CATALOGS = [
    ("SELECT * FROM duckdb_tables()", f"{TABLE_FUNCTION}duckdb_tables"),
    ("SELECT * FROM query('SELECT 42')", f"{TABLE_FUNCTION}query"),
    ("SELECT * FROM sqlite_master", UNQUALIFIED),
    ("SELECT * FROM _SESSION.sqlite_master", "Not found: Table _SESSION.sqlite_master"),
    ("SELECT * FROM pg_catalog.pg_tables", "Not found: Dataset"),
    ("SELECT * FROM information_schema.character_sets", "Not found: Table"),
    ("SELECT * FROM emulator.main.jobs", DENIED),
    ("SELECT * FROM `emulator.main.j*`", DENIED),
    (f"SELECT * FROM `__ducklake_metadata_{PROJECT}.main.ducklake_table`", DENIED),
    ("WITH a AS (SELECT * FROM sqlite_master), sqlite_master AS (SELECT 1 AS x) SELECT * FROM a", UNQUALIFIED),
    ("SELECT * FROM (WITH sqlite_master AS (SELECT 1) SELECT * FROM sqlite_master), sqlite_master", UNQUALIFIED),
    (
        "CREATE TEMP TABLE sqlite_master (a INT64); DROP TABLE sqlite_master; SELECT * FROM sqlite_master",
        "sqlite_master",
    ),
]
FUNCTIONS = [
    (f"SELECT {HIDDEN}", f"{FUNCTION}current_setting at [1:8]"),
    ("SELECT `current_setting`('threads')", f"{FUNCTION}current_setting at [1:8]"),
    (f"SELECT main.{HIDDEN}", f"{FUNCTION}main.current_setting"),
    (f"SELECT system.main.{HIDDEN}", f"{FUNCTION}system.main.current_setting"),
    (f"SELECT bq.main.{HIDDEN}", f"{FUNCTION}bq.main.current_setting"),
    (f"SELECT SAFE.{HIDDEN}", f"{FUNCTION}SAFE.current_setting"),
    ("SELECT getenv('HOME')", f"{FUNCTION}getenv"),
    (f"SELECT `{D}.no_routine`(1)", f"{FUNCTION}{D}.no_routine"),
    (f"SELECT * FROM `{D}.no_routine`(1)", f"{TABLE_FUNCTION}{D}.no_routine"),
    (f"DECLARE x STRING DEFAULT {HIDDEN}", f"{FUNCTION}current_setting"),
    (f"DECLARE x STRING; SET x = {HIDDEN}", f"{FUNCTION}current_setting"),
    (f"IF {HIDDEN} = '' THEN SELECT 1; END IF", f"{FUNCTION}current_setting"),
    (f"FOR r IN (SELECT * FROM read_text('{OUTSIDE}')) DO SELECT 1; END FOR", f"{TABLE_FUNCTION}read_text"),
    (f"ASSERT {HIDDEN} = ''", f"{FUNCTION}current_setting"),
    (f"SELECT ARRAY_AGG({HIDDEN} IGNORE NULLS)", f"{FUNCTION}current_setting"),
    (f"SELECT ARRAY_AGG({HIDDEN} RESPECT NULLS LIMIT 1)", f"{FUNCTION}current_setting"),
    (f"SELECT LAST_VALUE({HIDDEN} IGNORE NULLS) OVER ()", f"{FUNCTION}current_setting"),
    (f"SELECT {HIDDEN} OVER ()", f"{FUNCTION}current_setting"),
    (f"SELECT ('threads').{HIDDEN.partition('(')[0]}()", f"{FUNCTION}current_setting"),
    # a routine of another kind is not DuckDB's function of this name
    (
        f"""CREATE OR REPLACE PROCEDURE `{D}.current_setting`(x STRING) BEGIN SELECT x; END;
        SET @@dataset_id = '{DATASET}'; SELECT {HIDDEN}""",
        FUNCTION,
    ),
    (
        f"""CREATE OR REPLACE PROCEDURE `{D}.read_text`(x STRING) BEGIN SELECT x; END;
        SET @@dataset_id = '{DATASET}'; SELECT * FROM read_text('{OUTSIDE}')""",
        TABLE_FUNCTION,
    ),
    ("CREATE TEMP FUNCTION duckdb_settings() AS (1); SELECT * FROM duckdb_settings()", TABLE_FUNCTION),
    (f"SELECT ERROR({HIDDEN})", f"{FUNCTION}current_setting"),
    (f"CREATE TABLE `{D}.d` (a STRING DEFAULT ({HIDDEN}))", f"{FUNCTION}current_setting"),
    (f"CREATE VIEW `{D}.v` AS SELECT * FROM read_text('{OUTSIDE}')", f"{TABLE_FUNCTION}read_text"),
    (f"CREATE FUNCTION `{D}.f`() AS ({HIDDEN})", f"{FUNCTION}current_setting"),
    (f"CREATE TABLE FUNCTION `{D}.f`() AS SELECT * FROM read_text('{OUTSIDE}')", f"{TABLE_FUNCTION}read_text"),
    (f"CREATE OR REPLACE PROCEDURE `{D}.p`() BEGIN SELECT {HIDDEN}; END; CALL `{D}.p`()", f"{FUNCTION}current_setting"),
    (f"CREATE PROCEDURE `{D}.c`() BEGIN COPY (SELECT 1) TO '/tmp/x'; END", f"{SYNTAX}Unexpected keyword COPY"),
    (f'EXECUTE IMMEDIATE "SELECT {HIDDEN}"', f"{FUNCTION}current_setting"),
    ("EXECUTE IMMEDIATE \"COPY (SELECT 1) TO '/tmp/x'\"", f"{SYNTAX}Unexpected keyword COPY"),
    ('EXECUTE IMMEDIATE "CALL pragma_version()"', "Procedure not found: pragma_version"),
    ('EXECUTE IMMEDIATE "SELECT 1; SELECT 2"', "single statement"),
    # a temporary function that does not exist yet, or could not be created, is not DuckDB's of this name
    (f"IF FALSE THEN CREATE TEMP FUNCTION current_setting(x STRING) AS (x); END IF; SELECT {HIDDEN}", FUNCTION),
    (
        f"""BEGIN CREATE TEMP FUNCTION current_setting(x STRING, x STRING) AS (x);
        EXCEPTION WHEN ERROR THEN SELECT {HIDDEN}; END""",
        FUNCTION,
    ),
]
#: What is evaluated by itself, or becomes a part of DuckDB's text.
OPTIONS = [
    (f"ALTER SCHEMA `{D}` SET OPTIONS (description = {HIDDEN})", FUNCTION),
    (f"ALTER SCHEMA `{D}` SET OPTIONS (description = (SELECT content FROM read_text('{OUTSIDE}')))", TABLE_FUNCTION),
    (f"CREATE TABLE `{D}.o` (a INT64) OPTIONS (description = {HIDDEN})", FUNCTION),
    (f"CREATE TABLE `{D}.o` (a INT64 OPTIONS (description = {HIDDEN}))", FUNCTION),
    (f"CREATE MODEL `{D}.m` OPTIONS (model_type = {HIDDEN}) AS SELECT 1 AS label", FUNCTION),
    (
        """EXPORT DATA OPTIONS (uri = 'gs://bucket/x.csv', format = 'CSV',
        compression = "none); CREATE TABLE pwn AS SELECT * FROM duckdb_databases(); SELECT (1") AS SELECT 1 AS a""",
        "Unsupported compression",
    ),
]
#: Texts that DuckDB would read in another way than GoogleSQL.
TRANSLATIONS = [
    ("SELECT @@x, '$$, current_setting(\"threads\") AS y --'", "Unrecognized name: @@x"),
    ("SELECT EXTRACT(`YEAR FROM DATE '2026-01-01'), current_setting('threads'), (1` FROM DATE '2026-01-01')", SYNTAX),
]
ATTACKS = READS + STATEMENTS + CATALOGS + FUNCTIONS + OPTIONS + TRANSLATIONS


def _dry(query: str) -> bool:
    """Whether a dry run looks at it: it does not at what a script does, at a table function's body, or at a target."""
    scripted = ("EXECUTE", "DECLARE", "SET", "IF", "FOR", "ASSERT", "CALL")
    return ";" not in query and not query.startswith((*scripted, "CREATE TABLE FUNCTION", "EXPORT DATA"))


@pytest.mark.parametrize(("query", "said"), ATTACKS, ids=[query[:60] for query, _ in ATTACKS])
def test_what_bigquery_does_not_have_is_refused_in_its_words(server: Server, query: str, said: str) -> None:
    configs = [bigquery.QueryJobConfig()] + [bigquery.QueryJobConfig(dry_run=True)] * _dry(query)
    for config in configs:
        with pytest.raises(GoogleAPICallError) as refused:
            server.rows(query, config)
        assert said in refused.value.message
        assert 400 <= (refused.value.code or 0) < 500


@pytest.mark.parametrize(
    "query", ["SELECT * FROM `{}`", "SELECT * FROM sqlite_master", "SELECT * FROM duckdb_settings()"]
)
def test_a_default_dataset_has_only_its_tables(server: Server, query: str) -> None:
    config = bigquery.QueryJobConfig(default_dataset=D)
    with pytest.raises(GoogleAPICallError, match=r"not found"):
        server.rows(query.format(OUTSIDE), config)


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("CREATE TEMP FUNCTION plus(x INT64) AS (x + 1); SELECT plus(1)", [(2,)]),
        ("CREATE TEMP FUNCTION same(x FLOAT64) RETURNS FLOAT64 LANGUAGE js AS 'return x'; SELECT same(1)", [(1.0,)]),
        ("CREATE TEMP TABLE t AS SELECT 1 AS a; UPDATE t SET a = 3 WHERE a = 1; SELECT SUM(t.a) FROM t", [(3,)]),
        ("WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS x FROM a) SELECT * FROM (SELECT * FROM b)", [(2,)]),
        ("WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT MAX(n) FROM r", [(3,)]),
        (
            "SELECT [1, 2][OFFSET(0)], SAFE.SUBSTR('ab', 1, 1), CONTAINS_SUBSTR('abc', 'B'), NET.HOST('http://a.b/c')",
            [(1, "a", True, "a.b")],
        ),
        ("SELECT 1 -- /*\n, '*/ , current_setting(1) AS y --' AS z", [(1, "*/ , current_setting(1) AS y --")]),
        ("EXECUTE IMMEDIATE 'SELECT @a + @b' USING 1 AS a, 2 AS b", [(3,)]),
        ("EXECUTE IMMEDIATE 'SELECT ? - ?' USING 5, 2", [(3,)]),
        (
            f"CREATE OR REPLACE PROCEDURE `{D}.seven`() BEGIN SELECT 7; END; EXECUTE IMMEDIATE 'CALL `{D}.seven`()'",
            [(7,)],
        ),
        (
            f"""CREATE TABLE `{D}.named` (a INT64); ALTER TABLE `{D}.named` RENAME TO renamed;
            SELECT COUNT(*) FROM `{D}.renamed`""",
            [(0,)],
        ),
    ],
)
def test_what_bigquery_has_still_works(server: Server, query: str, rows: list[Any]) -> None:
    assert server.rows(query) == rows


def test_a_function_of_the_project_has_the_name_of_one_of_duckdb(server: Server) -> None:
    made = f"CREATE OR REPLACE FUNCTION `{D}.getenv`(x STRING) AS (CONCAT(x, '!'));"
    assert server.rows(f"{made} SET @@dataset_id = '{DATASET}'; SELECT getenv('HOME')") == [("HOME!",)]
    config = bigquery.QueryJobConfig(default_dataset=D)
    assert server.rows("SELECT getenv('HOME')", config) == [("HOME!",)]


def _post(server: Server, path: str, body: dict[str, Any]) -> requests.Response:
    return requests.post(f"{server.endpoint}/bigquery/v2/projects/{PROJECT}/{path}", json=body, timeout=60)


def _refused(answer: requests.Response, said: str, status: int = 400) -> None:
    assert answer.status_code == status, answer.text
    assert said in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (f"SELECT * FROM read_text('{OUTSIDE}')", TABLE_FUNCTION),
        ("COPY (SELECT 1) TO '/tmp/x'", SYNTAX),
        ("SELECT 1; DROP SCHEMA brain CASCADE", "single SELECT"),
        (f"SELECT {HIDDEN} AS a", FUNCTION),
    ],
)
def test_a_view_of_the_api(server: Server, query: str, said: str) -> None:
    reference = {"projectId": PROJECT, "datasetId": DATASET, "tableId": "sent"}
    body = {"tableReference": reference, "view": {"query": query, "useLegacySql": False}}
    _refused(_post(server, f"datasets/{DATASET}/tables", body), said)


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("SCALAR_FUNCTION", HIDDEN, FUNCTION),
        ("SCALAR_FUNCTION", "(SELECT content FROM read_text('/etc/hostname'))", TABLE_FUNCTION),
        ("TABLE_VALUED_FUNCTION", "SELECT * FROM read_text('/etc/hostname')", TABLE_FUNCTION),
        ("PROCEDURE", "COPY (SELECT 1) TO '/tmp/x';", SYNTAX),
        ("PROCEDURE", "ATTACH '/tmp/x' AS x", SYNTAX),
    ],
)
def test_a_routine_of_the_api(server: Server, kind: str, body: str, said: str) -> None:
    reference = {"projectId": PROJECT, "datasetId": DATASET, "routineId": "sent"}
    routine = {"routineReference": reference, "routineType": kind, "language": "SQL", "definitionBody": body}
    _refused(_post(server, f"datasets/{DATASET}/routines", routine), said)


def test_a_default_value_of_the_api(server: Server) -> None:
    reference = {"projectId": PROJECT, "datasetId": DATASET, "tableId": "defaults"}
    fields = [{"name": "a", "type": "STRING", "defaultValueExpression": HIDDEN}]
    body = {"tableReference": reference, "schema": {"fields": fields}}
    _refused(_post(server, f"datasets/{DATASET}/tables", body), FUNCTION)


def test_a_default_value_that_the_api_only_stores(server: Server) -> None:
    reference = {"projectId": PROJECT, "datasetId": DATASET, "tableId": "stored"}
    hidden = {"name": "b", "type": "STRING", "defaultValueExpression": HIDDEN}
    nested = {"fields": [{"name": "a", "type": "RECORD", "fields": [hidden]}]}
    _refused(_post(server, f"datasets/{DATASET}/tables", {"tableReference": reference, "schema": nested}), FUNCTION)
    server.rows(f"CREATE TABLE `{D}.stored` (a INT64)")
    address = f"{server.endpoint}/bigquery/v2/projects/{PROJECT}/datasets/{DATASET}/tables/stored"
    fields = [{"name": "a", "type": "INTEGER"}, hidden]
    _refused(requests.patch(address, json={"schema": {"fields": fields}}, timeout=60), FUNCTION)


def test_the_compression_of_an_extract_job(server: Server) -> None:
    server.rows(f"CREATE OR REPLACE TABLE `{D}.extracted` AS SELECT 1 AS a")
    table = {"projectId": PROJECT, "datasetId": DATASET, "tableId": "extracted"}
    extract = {"sourceTable": table, "destinationUris": ["gs://bucket/x"], "compression": "none); SELECT (1"}
    job = _post(server, "jobs", {"configuration": {"extract": extract}}).json()
    assert "Unsupported compression" in job["status"]["errorResult"]["message"]


def test_the_name_of_a_query_parameter(server: Server) -> None:
    given = {"parameterType": {"type": "INT64"}, "parameterValue": {"value": "1"}}
    for name, status in (("a b", 400), ("a AS INT64), (1", 400), ("a", 200)):
        body = {"query": "SELECT @a", "useLegacySql": False, "queryParameters": [{"name": name, **given}]}
        assert _post(server, "queries", body).status_code == status, name


def test_a_statement_of_duckdb_is_one_statement(server: Server) -> None:
    """Text that would end a statement and begin another is refused, wherever it comes from."""
    with pytest.raises(duckdb.ParserException, match="more than one"):
        Connection(duckdb.connect()).execute("SELECT 1; SELECT 2")
    with pytest.raises(duckdb.ParserException, match="more than one"):
        Connection(duckdb.connect()).sql("SELECT 1; SELECT 2")
    assert server.rows("SELECT 1; SELECT 2") == [(2,)]  # a script's are sent one by one


def test_names_are_called_like_collections(server: Server) -> None:
    for name in ("projects", "datasets", "tables", "v2"):
        server.rows(f"CREATE TABLE `{D}.{name}` AS SELECT 1 AS a")
        assert list(server.client.list_rows(server.client.get_table(f"{D}.{name}")))


def test_an_error_names_no_file(server: Server) -> None:
    with pytest.raises(GoogleAPICallError) as refused:
        server.rows(f"EXPORT DATA OPTIONS (uri = 'gs://bucket/{'x' * 300}', format = 'CSV') AS SELECT 1 AS a")
    assert "/gcs/" not in refused.value.message
    assert (refused.value.code or 0) < 500


@pytest.mark.parametrize("uri", [f"file://{OUTSIDE}", OUTSIDE, "gs://../x", "https://example.com/x", "gs://b/x"])
def test_the_sources_and_targets_of_jobs_are_objects(server: Server, uri: str) -> None:
    server.rows(f"CREATE OR REPLACE TABLE `{D}.extracted` AS SELECT 1 AS a")
    table = {"projectId": PROJECT, "datasetId": DATASET, "tableId": "extracted"}
    load = {"load": {"sourceUris": [uri], "destinationTable": {**table, "tableId": "loaded"}, "autodetect": True}}
    extract = {"extract": {"destinationUris": [uri], "sourceTable": table}}
    said = "Invalid bucket name" if uri.startswith("gs:") else "must be a Google Cloud Storage location"
    for configuration in (load, extract):
        job = _post(server, "jobs", {"configuration": configuration}).json()
        assert said in job["status"]["errorResult"]["message"]
    external = {"sourceUris": [uri], "sourceFormat": "CSV"}
    body = {"tableReference": {**table, "tableId": "external"}, "externalDataConfiguration": external}
    _refused(_post(server, f"datasets/{DATASET}/tables", body), said)


def test_an_object_is_a_file_of_its_own_whatever_it_is_called(server: Server, bigquery_folder: Path) -> None:
    for name in ("a/../b", "b", "a//b", "a/./b", "../../x"):
        uri = f"gs://bucket/{name}"
        server.rows(f"EXPORT DATA OPTIONS (uri = '{uri}', format = 'CSV') AS SELECT '{name}' AS a")
    for name in ("a/../b", "b", "a//b", "a/./b", "../../x"):
        config = bigquery.LoadJobConfig(autodetect=True, write_disposition="WRITE_TRUNCATE")
        server.client.load_table_from_uri(f"gs://bucket/{name}", f"{D}.objects", job_config=config).result()
        assert server.rows(f"SELECT a FROM `{D}.objects`") == [(name,)]
    assert not list(bigquery_folder.parent.glob("x"))
    assert {file.parent.name for file in bigquery_folder.glob("*/bucket")} == {"gcs"}
