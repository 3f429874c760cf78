"""Tables, views and routines of the API: what changes, what is refused, and what INFORMATION_SCHEMA says."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests
from google.api_core.exceptions import BadRequest
from google.cloud import bigquery

from tests.harness.bigquery import DATASET, PROJECT, Server

D = f"{PROJECT}.{DATASET}"


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
            {"name": "seen", "type": "TIMESTAMP", "mode": "REQUIRED", "description": "When."},
            {"name": "done", "type": "BOOLEAN", "mode": "REQUIRED", "defaultValueExpression": "FALSE"},
            {"name": "r", "type": "RECORD", "mode": "NULLABLE", "fields": [{"name": "x", "type": "INTEGER"}]},
        ]
    },
    "timePartitioning": {"type": "DAY", "field": "seen", "expirationMs": "7776000000"},
    "clustering": {"fields": ["done"]},
    "description": "A table.",
    "labels": {"system": "eros"},
}


def test_table_of_the_api(server: Server) -> None:
    """Defaults work, and INFORMATION_SCHEMA says what was declared."""
    _insert(server, "declared", TABLE)
    server.rows(f"INSERT INTO `{D}.declared` (seen) VALUES (TIMESTAMP '2026-01-02 03:00:00+00')")
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
        ("seen", "TIMESTAMP", "NO", "NULL", "YES", None),
        ("done", "BOOL", "NO", "FALSE", "NO", 1),
        ("r", "STRUCT<x INT64>", "YES", "NULL", "NO", None),
    ]
    assert server.rows(f"SELECT partition_id, total_rows FROM {schema}.PARTITIONS {of}") == [("20260102", 1)]


def test_nested_field_is_added(server: Server) -> None:
    body = _insert(server, "nested", TABLE)
    *others, record = TABLE["schema"]["fields"]
    wider = record | {"fields": [*record["fields"], {"name": "y", "type": "STRING", "mode": "NULLABLE"}]}
    assert _put(server, "nested", body | {"schema": {"fields": [*others, wider]}}).status_code == 200
    server.rows(f"INSERT INTO `{D}.nested` (seen, r) VALUES (CURRENT_TIMESTAMP(), STRUCT(1 AS x, 'why' AS y))")
    assert server.rows(f"SELECT r.y FROM `{D}.nested`") == [("why",)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"timePartitioning": {"type": "MONTH", "field": "seen"}},
            "Cannot change partitioning spec for a partitioned table.",
        ),
        ({"schema": {"fields": [TABLE["schema"]["fields"][0]]}}, "Cannot remove field"),
        (
            {
                "schema": {
                    "fields": [{"name": "seen", "type": "DATE", "mode": "REQUIRED"}, *TABLE["schema"]["fields"][1:]]
                }
            },
            "Field seen has changed type from TIMESTAMP to DATE",
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
    assert [field.name for field in server.client.get_table(f"{D}.narrower").schema] == ["seen", "done"]


COPIED = (
    *("schema", "timePartitioning", "clustering"),
    *("description", "friendlyName", "labels", "requirePartitionFilter"),
)


def _described(server: Server, table: str) -> dict[str, Any]:
    resource = server.client.get_table(f"{D}.{table}").to_api_repr()
    return {name: resource.get(name) for name in COPIED}


@pytest.fixture(params=[0, 2], ids=["empty", "with rows"])
def original(request: pytest.FixtureRequest, server: Server) -> int:
    """How many rows the table ``original`` has."""
    server.rows(
        f"""CREATE OR REPLACE TABLE `{D}.original` (
          day DATE NOT NULL OPTIONS (description = 'The day.'),
          n INT64 DEFAULT 3,
          price NUMERIC(5, 2),
          tags ARRAY<STRING>
        ) PARTITION BY day CLUSTER BY n OPTIONS (
          description = 'A.', friendly_name = 'a', labels = [('k', 'v')],
          partition_expiration_days = 30, require_partition_filter = TRUE
        )
        """
    )
    if request.param:
        server.rows(f"INSERT `{D}.original` (day) VALUES (CURRENT_DATE()), (CURRENT_DATE() - 1)")
    return int(request.param)


@pytest.mark.parametrize(
    "statement", ["TABLE {} LIKE", "TABLE {} COPY", "TABLE {} CLONE", "SNAPSHOT TABLE {} CLONE", "a copy job"]
)
def test_a_copy_has_what_its_source_has(server: Server, original: int, statement: str) -> None:
    server.client.delete_table(f"{D}.copied", not_found_ok=True)
    if statement == "a copy job":
        server.client.copy_table(f"{D}.original", f"{D}.copied").result()
    else:
        server.rows(f"CREATE {statement.format(f'`{D}.copied`')} `{D}.original`")
    assert _described(server, "copied") == _described(server, "original")
    assert server.client.get_table(f"{D}.copied").num_rows == (0 if "LIKE" in statement else original)
    if "SNAPSHOT" in statement:
        return
    with pytest.raises(BadRequest, match="day"):
        server.rows(f"INSERT `{D}.copied` (n) VALUES (1)")
    server.rows(f"INSERT `{D}.copied` (day) VALUES ('2001-02-03')")
    assert server.rows(f"SELECT n FROM `{D}.copied` WHERE day = '2001-02-03'") == [(3,)]


@pytest.mark.usefixtures("original")
def test_a_copy_s_own_options_win_and_a_table_that_exists_keeps_its_own(server: Server) -> None:
    server.client.delete_table(f"{D}.copied", not_found_ok=True)
    own = "PARTITION BY DATE_TRUNC(day, MONTH) CLUSTER BY day"
    options = "OPTIONS (description = 'B.', labels = [('own', 'yes')])"
    server.rows(f"CREATE TABLE `{D}.copied` {own} LIKE `{D}.original` {options}")
    server.rows(f"CREATE TABLE IF NOT EXISTS `{D}.copied` COPY `{D}.original`")
    assert _described(server, "copied") == _described(server, "original") | {
        "description": "B.",
        "labels": {"own": "yes"},
        "timePartitioning": {"type": "MONTH", "field": "day"},
        "clustering": {"fields": ["day"]},
    }
    assert server.client.get_table(f"{D}.copied").num_rows == 0


@pytest.mark.parametrize("verb", ["LIKE", "COPY"])
def test_a_copy_may_replace_its_source(server: Server, original: int, verb: str) -> None:
    before = _described(server, "original")
    server.rows(f"CREATE OR REPLACE TABLE `{D}.original` {verb} `{D}.original`")
    assert _described(server, "original") == before
    assert server.client.get_table(f"{D}.original").num_rows == (original if verb == "COPY" else 0)


def test_a_copy_of_a_required_record_and_of_defaults_that_are_calls(server: Server) -> None:
    columns = "r STRUCT<n INT64> NOT NULL, who STRING DEFAULT SESSION_USER()"
    server.rows(f"CREATE OR REPLACE TABLE `{D}.calls` ({columns})")
    server.rows(f"CREATE OR REPLACE TABLE `{D}.copied` COPY `{D}.calls`")
    assert _described(server, "copied") == _described(server, "calls")
    server.rows(f"INSERT `{D}.calls` (r) VALUES (STRUCT(1))")
    server.rows(f"CREATE OR REPLACE TABLE `{D}.copied` COPY `{D}.calls`")
    assert [field.mode for field in server.client.get_table(f"{D}.copied").schema] == ["NULLABLE", "NULLABLE"]
    server.rows(f"INSERT `{D}.copied` (r) VALUES (STRUCT(2))")
    assert server.rows(f"SELECT r.n, who = SESSION_USER() FROM `{D}.copied` ORDER BY 1") == [(1, True), (2, True)]


@pytest.mark.parametrize("rows", [0, 1])
@pytest.mark.parametrize("verb", ["LIKE", "COPY"])
def test_a_copy_of_a_table_that_is_partitioned_by_ingestion_time(server: Server, verb: str, rows: int) -> None:
    options = "OPTIONS (require_partition_filter = TRUE)"
    server.rows(f"CREATE OR REPLACE TABLE `{D}.ingested` (n INT64) PARTITION BY _PARTITIONDATE {options}")
    if rows:
        server.rows(f"INSERT `{D}.ingested` (n) VALUES (1)")
    server.rows(f"CREATE OR REPLACE TABLE `{D}.copied` {verb} `{D}.ingested`")
    server.rows(f"INSERT `{D}.copied` (n) VALUES (2)")
    assert _described(server, "copied") == _described(server, "ingested")
    found = server.rows(f"SELECT * FROM `{D}.copied` WHERE _PARTITIONDATE <= CURRENT_DATE() ORDER BY n")
    assert found == ([(1,), (2,)] if rows and verb == "COPY" else [(2,)])


@pytest.mark.parametrize("verb", ["LIKE", "COPY"])
def test_a_copy_of_a_temporary_table(server: Server, verb: str) -> None:
    server.client.delete_table(f"{D}.copied", not_found_ok=True)
    server.rows(f"CREATE TEMP TABLE made AS SELECT 1 AS n; CREATE TABLE `{D}.copied` {verb} made")
    assert [field.name for field in server.client.get_table(f"{D}.copied").schema] == ["n"]


@pytest.mark.usefixtures("original")
def test_a_temporary_table_is_like_one_that_requires_a_partition_filter(server: Server) -> None:
    assert server.rows(f"CREATE TEMP TABLE made LIKE `{D}.original`; SELECT n FROM made") == []


def test_a_copy_job_brings_back_a_table_that_was_deleted(server: Server) -> None:
    server.rows(f"CREATE OR REPLACE TABLE `{D}.lost` AS SELECT 1 AS n")
    time.sleep(0.01)
    now = int(time.time() * 1000)
    time.sleep(0.01)
    server.client.delete_table(f"{D}.lost")
    server.client.copy_table(f"{D}.lost@{now}", f"{D}.found").result()
    assert server.rows(f"SELECT n FROM `{D}.found`") == [(1,)]


@pytest.mark.usefixtures("original")
def test_a_copy_job_that_replaces_a_table_takes_over_columns_and_keeps_options(server: Server) -> None:
    server.rows(f"CREATE OR REPLACE TABLE `{D}.copied` (day DATE, own INT64) OPTIONS (description = 'B.')")
    config = bigquery.CopyJobConfig(write_disposition="WRITE_TRUNCATE")
    server.client.copy_table(f"{D}.original", f"{D}.copied", job_config=config).result()
    found = _described(server, "copied")
    assert (found["schema"], found["description"]) == (_described(server, "original")["schema"], "B.")


@pytest.mark.usefixtures("original")
def test_a_query_still_needs_the_partition_filter(server: Server) -> None:
    with pytest.raises(BadRequest, match="without a filter"):
        server.rows(f"CREATE OR REPLACE TABLE `{D}.copied` AS SELECT * FROM `{D}.original`")


def test_deleted_rows_are_not_counted(server: Server) -> None:
    server.rows(f"CREATE OR REPLACE TABLE `{D}.counted` AS SELECT n FROM UNNEST(GENERATE_ARRAY(1, 100)) AS n")
    server.rows(f"DELETE FROM `{D}.counted` WHERE n > 40")
    server.rows(f"INSERT INTO `{D}.counted` VALUES (7), (8)")
    assert server.client.get_table(f"{D}.counted").num_rows == 42


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
