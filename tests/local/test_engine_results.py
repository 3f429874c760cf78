"""Results of queries: what they hold, how long they are kept, and how little memory they take."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import BadRequest, NotFound
from google.cloud import bigquery

from tests.harness.bigquery import DATASET, PROJECT, Server

if TYPE_CHECKING:
    from tests.local.timed import Timed

D = f"{PROJECT}.{DATASET}"


def _pages(client: Any, job: Any) -> list[Any]:
    """The rows of a job's result, read from the server again."""
    return [tuple(row.values()) for row in client.get_job(job.job_id).result(page_size=40_000)]


EVERY_TYPE = r"""
SELECT i, i > 1 AS yes, IF(i = 2, NULL, i / 4) AS f, CAST(i AS NUMERIC) AS n, SUM(i) OVER () AS s,
  CAST('a\'é🔥' AS STRING) AS t, b'\x00\xff' AS b, DATE '2026-03-08' AS d, TIME '03:05:00' AS c,
  DATETIME '2026-03-08 03:05:00.000001' AS dt, TIMESTAMP '2026-03-08 10:05:00.5+00' AS ts, JSON '{"a": [1, null]}' AS j,
  [i, 2] AS numbers, STRUCT(i AS x, 'y' AS y) AS st, [STRUCT(i AS x, [TIMESTAMP '2026-01-01'] AS seen)] AS nested,
  INTERVAL 1 DAY AS span, GENERATE_ARRAY(1, 0) AS none, CAST(NULL AS DATE) AS missing, 1 AS i
FROM UNNEST([1, 2, 3]) AS i ORDER BY i"""


def test_a_result_reads_like_a_table(server: Server) -> None:
    """Values and schema of every type: as a result, as a table, and as the anonymous table."""
    unnamed = server.client.query(EVERY_TYPE)
    rows = [tuple(row.values()) for row in unnamed.result()]
    table = f"{D}.every_type"
    server.client.query(EVERY_TYPE, bigquery.QueryJobConfig(destination=table)).result()
    assert [tuple(row.values()) for row in server.client.list_rows(server.client.get_table(table))] == rows
    anonymous = server.client.get_table(unnamed.destination)
    assert [tuple(row.values()) for row in server.client.list_rows(anonymous)] == rows
    assert anonymous.schema == server.client.get_table(table).schema
    assert rows[2][:5] == (3, True, 0.75, 3, 6)


def test_the_anonymous_table_can_be_queried_and_copied(server: Server) -> None:
    job = server.client.query("SELECT 'Last chance: 20 % off tonight' AS caption UNION ALL SELECT 'New today'")
    job.result()
    source = job.destination
    name = f"`{source.project}.{source.dataset_id}.{source.table_id}`"
    assert server.rows(f"SELECT COUNT(*) FROM {name} WHERE caption LIKE '%off%'") == [(1,)]
    server.client.copy_table(source, f"{D}.copied").result()
    assert server.rows(f"SELECT COUNT(*) FROM `{D}.copied`") == [(2,)]
    server.client.delete_job_metadata(job.job_id)
    with pytest.raises(NotFound):
        server.rows(f"SELECT COUNT(*) FROM {name}")


def test_an_array_with_a_null_is_refused_when_the_query_runs(server: Server) -> None:
    with pytest.raises(BadRequest, match="Array cannot have a null element; error in writing field numbers"):
        server.rows("SELECT [1, NULL] AS numbers")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT IF(i = 250000, ERROR('boom'), 'fine') FROM UNNEST(GENERATE_ARRAY(1, 300000)) AS i", "boom"),
        (
            "SELECT CAST(IF(i = 250000, 'x', '1') AS INT64) FROM UNNEST(GENERATE_ARRAY(1, 300000)) AS i",
            "Could not convert string 'x' to INT64",
        ),
        ("SELECT @@nope", "Unrecognized name: @@nope"),
    ],
    ids=["late", "late cast", "immediate"],
)
def test_an_error_is_the_query_s_own(server: Server, sql: str, message: str) -> None:
    """Errors after many rows too; no error shows how the result was produced."""
    with pytest.raises(BadRequest, match=message) as refused:
        server.rows(sql)
    for ours in ("Internal error", "LIMIT 0", "OSError", "native.py"):
        assert ours not in refused.value.message
    caught = f"BEGIN SELECT ({sql} LIMIT 1); EXCEPTION WHEN ERROR THEN SELECT @@error.message; END"
    if sql.startswith("SELECT IF"):
        assert server.rows(caught.replace(" LIMIT 1", " ORDER BY 1 LIMIT 1")) == [("boom",)]


def test_intervals_of_any_length(server: Server) -> None:
    job = server.client.query(
        "SELECT INTERVAL 87840000 HOUR AS a, [STRUCT(INTERVAL -5 YEAR AS b)] AS nested, CAST(NULL AS INTERVAL) AS none"
    )
    raw = server.client._connection.api_request(method="GET", path=f"/projects/{PROJECT}/queries/{_id(job)}")  # type: ignore[no-untyped-call]  # noqa: SLF001 - the client cannot read such an interval
    assert [cell["v"] for cell in raw["rows"][0]["f"]] == [
        "0-0 0 87840000:0:0",
        [{"v": {"f": [{"v": "-5-0 0 0:0:0"}]}}],
        None,
    ]


def _id(job: Any) -> str:
    """The id of a job that has ended."""
    deadline = time.monotonic() + 60
    while not job.done():
        assert time.monotonic() < deadline
    return str(job.job_id)


def test_a_function_of_the_default_dataset_is_not_another_datasets(server: Server) -> None:
    types = []
    for dataset, body in (("one", "x + 1"), ("two", "CONCAT('s', CAST(x AS STRING))")):
        server.client.create_dataset(dataset)
        server.rows(f"CREATE FUNCTION `{PROJECT}.{dataset}.f`(x INT64) AS ({body})")
        config = bigquery.QueryJobConfig(default_dataset=f"{PROJECT}.{dataset}")
        types.append(server.client.query("SELECT f(1) AS v", config).result().schema[0].field_type)
    assert types == ["INTEGER", "STRING"]


def test_destination_settings_are_checked_without_a_destination(server: Server) -> None:
    for config, reason in (
        (bigquery.QueryJobConfig(clustering_fields=["nowhere"]), "clustering cannot be found in the schema"),
        (bigquery.QueryJobConfig(schema_update_options=["ALLOW_FIELD_ADDITION"]), "WRITE_APPEND"),
        (bigquery.QueryJobConfig(create_disposition="CREATE_NEVER"), "Not found: Table"),
    ):
        with pytest.raises((BadRequest, NotFound), match=reason):
            server.client.query("SELECT 1 AS a", config).result()


def test_a_result_is_kept_for_a_day_and_then_not_found(timed: Timed) -> None:
    small = timed.client.query("SELECT 'New today' AS caption")
    large = timed.client.query("SELECT i, CONCAT('offer ', i) AS caption FROM UNNEST(GENERATE_ARRAY(1, 60000)) AS i")
    expected = [(i, f"offer {i}") for i in range(1, 60_001)]
    assert sorted(_pages(timed.client, large)) == expected
    assert len(list((timed.folder / "_results").glob("*.arrow"))) == 1  # the large one is a file

    timed.move(timedelta(hours=23, minutes=59))
    assert _pages(timed.client, small) == [("New today",)]
    assert sorted(_pages(timed.client, large)) == expected

    timed.move(timedelta(hours=24, minutes=1))
    for job in (large, small):
        with pytest.raises(NotFound, match=f"Not found: Table {timed.project}:"):
            _pages(timed.client, job)
        assert timed.client.get_job(job.job_id).state == "DONE"
    list(timed.client.query_and_wait("SELECT 1"))
    assert list((timed.folder / "_results").glob("*.arrow")) == []


def resident_anonymous(server: Server) -> int:
    """Bytes of memory that a server uses, without mapped files."""
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon"))


def test_small_results_take_little_memory(server: Server) -> None:
    """150 results of one row and 60 columns, and 60 values of half a megabyte."""
    sixty = f"SELECT {', '.join(f'{n} AS c{n}' for n in range(60))}"
    for _ in range(20):
        server.rows(sixty)
    before = resident_anonymous(server)
    for _ in range(150):
        server.rows(sixty)
    for i in range(60):
        value = bigquery.ScalarQueryParameter("value", "STRING", f"{i:0500000}")
        assert server.rows("SELECT LENGTH(@value)", bigquery.QueryJobConfig(query_parameters=[value])) == [(500_000,)]
    grown = resident_anonymous(server) - before
    assert grown < 100_000_000, f"{grown:,} bytes"  # 30 MB are kept; DuckDB's own buffers would take 150 MB more


def test_a_million_rows_are_not_in_memory_twice(server: Server) -> None:
    """The result is a file, which is not counted. At most the parts being written and read are in memory."""
    before = resident_anonymous(server)
    job = server.client.query("SELECT i, REPEAT('x', 200) AS text FROM UNNEST(GENERATE_ARRAY(1, 1000000)) AS i")
    assert job.result(page_size=1000, max_results=1000).total_rows == 1_000_000
    size = 1_000_000 * (8 + 600)
    grown = resident_anonymous(server) - before
    server.client.delete_job_metadata(job.job_id)
    assert grown < 0.75 * size, f"{grown:,} bytes more for a result of {size:,}"
