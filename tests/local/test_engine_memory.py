"""What the engine keeps in memory: results, translations, estimates, jobs. Never what has become wrong."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import httpx
import pytest
from google.api_core.exceptions import BadRequest, NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from local.engine import offline
from tests.harness.bigquery import DATASET, PROJECT, Server, serving
from tests.harness.deployed import embedded_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

D = f"{PROJECT}.{DATASET}"


class Timed:
    """A server whose clock can be moved, and its data folder."""

    def __init__(self, folder: Path, endpoint: str, project: str) -> None:
        self.folder, self.endpoint, self.project = folder, endpoint, project
        self.client: Any = bigquery.Client(
            project,
            AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": endpoint},
        )

    def move(self, by: timedelta) -> None:
        """Stop the clock so much later than now."""
        now = (datetime.now(UTC) + by).isoformat()
        httpx.put(f"{self.endpoint}/clock", json={"now": now}).raise_for_status()


@pytest.fixture
def timed(tmp_path: Path) -> Iterator[Timed]:
    with embedded_environment(tmp_path) as environment:
        yield Timed(tmp_path / "data", str(environment.endpoint), environment.project)


def _pages(client: Any, job: Any) -> list[Any]:
    """The rows of a job's result, read anew from the server."""
    return [tuple(row.values()) for row in client.get_job(job.job_id).result(page_size=40_000)]


# results

EVERY_TYPE = r"""
SELECT i, i > 1 AS yes, IF(i = 2, NULL, i / 4) AS f, CAST(i AS NUMERIC) AS n, SUM(i) OVER () AS s,
  CAST('a\'é🔥' AS STRING) AS t, b'\x00\xff' AS b, DATE '2026-03-08' AS d, TIME '03:05:00' AS c,
  DATETIME '2026-03-08 03:05:00.000001' AS dt, TIMESTAMP '2026-03-08 10:05:00.5+00' AS ts, JSON '{"a": [1, null]}' AS j,
  [i, 2] AS numbers, STRUCT(i AS x, 'y' AS y) AS st, [STRUCT(i AS x, [TIMESTAMP '2026-01-01'] AS at)] AS nested,
  INTERVAL 1 DAY AS span, GENERATE_ARRAY(1, 0) AS none, CAST(NULL AS DATE) AS missing, 1 AS i
FROM UNNEST([1, 2, 3]) AS i ORDER BY i"""


def test_a_result_is_what_a_table_would_be(server: Server) -> None:
    """Values and schema, of every type: read as a result, as a table of its own, and as the anonymous table."""
    unnamed = server.client.query(EVERY_TYPE)
    rows = [tuple(row.values()) for row in unnamed.result()]
    table = f"{D}.every_type"
    server.client.query(EVERY_TYPE, bigquery.QueryJobConfig(destination=table)).result()
    assert [tuple(row.values()) for row in server.client.list_rows(server.client.get_table(table))] == rows
    anonymous = server.client.get_table(unnamed.destination)
    assert [tuple(row.values()) for row in server.client.list_rows(anonymous)] == rows
    assert anonymous.schema == server.client.get_table(table).schema
    assert rows[2][:5] == (3, True, 0.75, 3, 6)


def test_the_anonymous_table_is_a_source_of_queries_and_copies(server: Server) -> None:
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
        ("SELECT @@nope", r'"\$\$nope AS f0_"'),
    ],
    ids=["late", "late cast", "at once"],
)
def test_errors_are_the_querys_own(server: Server, sql: str, message: str) -> None:
    """Also those that come after many rows; nothing of how the result is made shows in them."""
    with pytest.raises(BadRequest, match=message) as refused:
        server.rows(sql)
    for ours in ("Internal error", "LIMIT 0", "OSError", "native.py"):
        assert ours not in refused.value.message
    caught = f"BEGIN SELECT ({sql} LIMIT 1); EXCEPTION WHEN ERROR THEN SELECT @@error.message; END"
    if sql.startswith("SELECT IF"):
        assert server.rows(caught.replace(" LIMIT 1", " ORDER BY 1 LIMIT 1")) == [("boom",)]


def test_intervals_of_any_length(server: Server) -> None:
    job = server.client.query(
        "SELECT INTERVAL 87840000 HOUR AS a, [STRUCT(INTERVAL -5 YEAR AS b)] AS nested, CAST(NULL AS INTERVAL) AS no"
    )
    raw = server.client._connection.api_request(method="GET", path=f"/projects/{PROJECT}/queries/{_id(job)}")  # type: ignore[no-untyped-call]  # noqa: SLF001 - the client cannot read such an interval
    assert [cell["v"] for cell in raw["rows"][0]["f"]] == [
        "0-0 0 87840000:0:0",
        [{"v": {"f": [{"v": "-5-0 0 0:0:0"}]}}],
        None,
    ]


def _id(job: Any) -> str:
    """The id of a job that has ended."""
    deadline = time.monotonic() + 20
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


def test_settings_of_a_destination_are_checked_without_one(server: Server) -> None:
    for config, reason in (
        (bigquery.QueryJobConfig(clustering_fields=["nowhere"]), "clustering cannot be found in the schema"),
        (bigquery.QueryJobConfig(schema_update_options=["ALLOW_FIELD_ADDITION"]), "WRITE_APPEND"),
        (bigquery.QueryJobConfig(create_disposition="CREATE_NEVER"), "Not found: Table"),
    ):
        with pytest.raises((BadRequest, NotFound), match=reason):
            server.client.query("SELECT 1 AS a", config).result()


def test_a_result_is_kept_for_a_day_and_then_not_found(timed: Timed) -> None:
    small = timed.client.query("SELECT 'New today' AS caption")
    large = timed.client.query("SELECT i, CONCAT('offer ', i) AS caption FROM UNNEST(GENERATE_ARRAY(1, 150000)) AS i")
    expected = [(i, f"offer {i}") for i in range(1, 150_001)]
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
    """Bytes of memory that a server holds, without those of files."""
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon"))


def test_small_results_take_little_memory(server: Server) -> None:
    """300 results of one row and 60 columns, and 60 values of half a megabyte."""
    columns = ", ".join(f"{{i}} AS c{n}" for n in range(60))
    for i in range(20):
        server.rows(f"SELECT {columns.format(i=i)}")
    before = resident_anonymous(server)
    for i in range(300):
        server.rows(f"SELECT {columns.format(i=i)}")
    for i in range(60):
        value = bigquery.ScalarQueryParameter("value", "STRING", f"{i:0500000}")
        assert server.rows("SELECT LENGTH(@value)", bigquery.QueryJobConfig(query_parameters=[value])) == [(500_000,)]
    grown = resident_anonymous(server) - before
    assert grown < 100_000_000, f"{grown:,} bytes"  # 30 MB are kept; the rest is room that was given back


def test_a_million_rows_are_not_in_memory_twice(server: Server) -> None:
    """The result is a file, which is not counted; in memory are at most the parts that are being written and read."""
    before = resident_anonymous(server)
    job = server.client.query("SELECT i, REPEAT('x', 200) AS text FROM UNNEST(GENERATE_ARRAY(1, 1000000)) AS i")
    assert job.result(page_size=1000, max_results=1000).total_rows == 1_000_000
    size = 1_000_000 * (8 + 200)
    grown = resident_anonymous(server) - before
    server.client.delete_job_metadata(job.job_id)
    assert grown < 0.75 * size, f"{grown:,} bytes more for a result of {size:,}"


# translations and estimates


def test_a_text_means_what_its_names_mean_now(server: Server) -> None:
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


def test_a_table_that_expires_is_gone_for_a_text_that_was_translated(server: Server) -> None:
    table = bigquery.Table(f"{D}.short", [bigquery.SchemaField("a", "INT64")])
    table.expires = datetime.now(UTC) + timedelta(seconds=2)
    server.client.create_table(table)
    query = f"SELECT COUNT(*) FROM `{D}.short`"
    assert server.rows(query) == [(0,)]
    deadline = time.monotonic() + 20
    while time.time() < table.expires.timestamp():
        assert time.monotonic() < deadline
        with contextlib.suppress(NotFound):
            assert server.rows(query) == [(0,)]
    with pytest.raises(NotFound):
        server.rows(query)


def test_rules_of_a_table_hold_for_a_text_that_was_translated(server: Server) -> None:
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
    """One text in a loop, with values of each type, NULL, and @@ variables that change."""
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
def test_as_many_values_as_variables(server: Server, values: str) -> None:
    with pytest.raises(BadRequest, match="cannot be assigned to 2 variables: a, b"):
        server.rows(f"DECLARE a, b INT64; SET (a, b) = {values}")


def test_temporary_tables_of_two_sessions_are_two(server: Server) -> None:
    """The same texts, with other columns in each session."""
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


# jobs


def test_jobs_outlive_a_restart_and_are_kept_for_a_week(tmp_path: Path) -> None:
    with embedded_environment(tmp_path) as environment:
        timed = Timed(tmp_path / "data", str(environment.endpoint), environment.project)
        labels = {"goog-terraform-provisioned": "true"}
        seeding = timed.client.query("SELECT 1", bigquery.QueryJobConfig(labels=labels))
        script = timed.client.query("DECLARE x INT64; SET x = 1; SELECT x")
        seeding.result()
        assert [tuple(row.values()) for row in script.result()] == [(1,)]
    with embedded_environment(tmp_path) as environment:
        timed = Timed(tmp_path / "data", str(environment.endpoint), environment.project)
        assert timed.client.get_job(script.job_id).num_child_jobs == 1
        assert len(list(timed.client.list_jobs(parent_job=script.job_id))) == 1
        jobs = "SELECT job_id FROM `region-us`.INFORMATION_SCHEMA.JOBS WHERE state = 'DONE'"
        known = {row.job_id for row in timed.client.query_and_wait(jobs)}
        assert {seeding.job_id, script.job_id} < known

        timed.move(timedelta(days=8))
        deadline = time.monotonic() + 20
        while {row.job_id for row in timed.client.query_and_wait(jobs)} & known != {seeding.job_id}:
            assert time.monotonic() < deadline, "the jobs of a week ago are still there, or the seed job is not"
        with pytest.raises(NotFound, match="Not found: Job"):
            timed.client.get_job(script.job_id)
        assert timed.client.get_job(seeding.job_id).state == "DONE"


def test_a_view_of_jobs_sees_those_that_ran_since(server: Server) -> None:
    server.rows(
        f"CREATE VIEW `{D}.my_jobs` AS SELECT job_id FROM `{PROJECT}`.`region-us`.INFORMATION_SCHEMA.JOBS_BY_PROJECT"
    )
    for _ in range(2):
        job = server.client.query("SELECT 'New today' AS caption")
        job.result()
        assert server.rows(f"SELECT COUNT(*) FROM `{D}.my_jobs` WHERE job_id = '{job.job_id}'") == [(1,)]
    server.rows(f"DROP VIEW `{D}.my_jobs`")


# connections


def test_comments_hide_no_transaction_and_no_temporary_table(server: Server) -> None:
    server.rows(f"CREATE TABLE `{D}.commented` (a INT64)")
    server.rows(f"""/* one */ BEGIN /* two */ TRANSACTION; INSERT `{D}.commented` VALUES (1);
    -- three
    ROLLBACK /* four */ TRANSACTION""")
    assert server.rows(f"SELECT * FROM `{D}.commented`") == []
    created = server.client.query(
        "CREATE /* five */ TEMP TABLE hidden AS SELECT 5 AS a", bigquery.QueryJobConfig(create_session=True)
    )
    created.result()
    assert created.session_info is not None
    session = bigquery.ConnectionProperty("session_id", str(created.session_info.session_id))
    config = bigquery.QueryJobConfig(connection_properties=[session])
    assert server.rows("SELECT a FROM hidden", config) == [(5,)]
    with pytest.raises(BadRequest, match="cannot start a transaction within a transaction"):
        server.rows("BEGIN TRANSACTION; BEGIN TRANSACTION")


def test_a_session_ends_after_a_day_without_a_query(timed: Timed) -> None:
    created = timed.client.query(
        "CREATE TEMP TABLE mine AS SELECT 1 AS a", bigquery.QueryJobConfig(create_session=True)
    )
    created.result()
    session = bigquery.ConnectionProperty("session_id", created.session_info.session_id)
    config = bigquery.QueryJobConfig(connection_properties=[session])
    timed.move(timedelta(hours=23))
    assert [row.a for row in timed.client.query_and_wait("SELECT a FROM mine", job_config=config)] == [1]
    timed.move(timedelta(hours=48))
    with pytest.raises(BadRequest, match="Invalid input session id"):
        list(timed.client.query_and_wait("SELECT a FROM mine", job_config=config))


def test_jobs_of_an_older_server_are_taken_over(tmp_path: Path) -> None:
    """It kept them in DuckDB, where its views over JOBS read them."""
    with serving(tmp_path) as first:
        job = first.client.query("SELECT 'New today' AS caption")
        job.result()
        first.rows(f"CREATE VIEW `{D}.my_jobs` AS SELECT job_id FROM `region-us`.INFORMATION_SCHEMA.JOBS")
    offline.import_extensions()
    with contextlib.closing(sqlite3.connect(tmp_path / "jobs.sqlite")) as jobs, duckdb.connect() as older:
        columns = "project_id, job_id, parent_job_id, state, creation_time, resource"
        rows = jobs.execute(f"SELECT {columns} FROM jobs").fetchall()
        older.execute(f"ATTACH '{tmp_path}/emulator.duckdb' AS emulator")
        older.execute(f"ATTACH 'ducklake:{tmp_path}/{PROJECT}.ducklake' AS lake (DATA_PATH '{tmp_path}/{PROJECT}/')")
        older.executemany("INSERT INTO emulator.jobs VALUES (?, ?, ?, ?, ?, ?)", rows)
        older.execute(f"CREATE OR REPLACE VIEW lake.{DATASET}.my_jobs AS SELECT job_id FROM emulator.main.jobs")
    for file in tmp_path.glob("jobs.sqlite*"):
        file.unlink()
    with serving(tmp_path) as server:
        assert server.client.get_job(job.job_id).state == "DONE"
        for _ in range(2):
            assert (job.job_id,) in server.rows(f"SELECT job_id FROM `{D}.my_jobs`")
            newer = server.client.query("SELECT 1")
            newer.result()
            assert (newer.job_id,) in server.rows(f"SELECT job_id FROM `{D}.my_jobs`")


def test_the_clock_takes_no_instant_at_the_end_of_time(timed: Timed) -> None:
    for instant in ("9999-12-31T12:00:00Z", "0001-01-01T00:00:00Z"):
        refused = httpx.put(f"{timed.endpoint}/clock", json={"now": instant})
        assert refused.status_code == 400
        assert "is not within the years 1000 to 9899" in refused.json()["error"]
    assert [row.a for row in timed.client.query_and_wait("SELECT 1 AS a")] == [1]
