"""Jobs, sessions and connections: how long they are kept, also across a restart."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import duckdb
import httpx
import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError, NotFound
from google.cloud import bigquery

from local.engine import offline
from tests.harness.bigquery import DATASET, PROJECT, Server, serving
from tests.harness.deployed import embedded_environment
from tests.local.timed import timed_server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.local.timed import Timed

D = f"{PROJECT}.{DATASET}"


def test_jobs_outlive_a_restart_and_are_kept_for_a_week(tmp_path: Path) -> None:
    with embedded_environment(tmp_path) as environment:
        timed = timed_server(tmp_path, environment)
        labels = {"goog-terraform-provisioned": "true"}
        seeding = timed.client.query("SELECT 1", bigquery.QueryJobConfig(labels=labels))
        script = timed.client.query("DECLARE x INT64; SET x = 1; SELECT x")
        seeding.result()
        assert [tuple(row.values()) for row in script.result()] == [(1,)]
    with embedded_environment(tmp_path) as environment:
        timed = timed_server(tmp_path, environment)
        assert timed.client.get_job(script.job_id).num_child_jobs == 1
        assert len(list(timed.client.list_jobs(parent_job=script.job_id))) == 1
        jobs = "SELECT job_id FROM `region-us`.INFORMATION_SCHEMA.JOBS WHERE state = 'DONE'"
        known = {row.job_id for row in timed.client.query_and_wait(jobs)}
        assert {seeding.job_id, script.job_id} < known

        timed.move(timedelta(days=8))
        deadline = time.monotonic() + 60
        while {row.job_id for row in timed.client.query_and_wait(jobs)} & known != {seeding.job_id}:
            assert time.monotonic() < deadline, "the jobs of a week ago still exist, or the seed job does not"
        with pytest.raises(NotFound, match="Not found: Job"):
            timed.client.get_job(script.job_id)
        assert timed.client.get_job(seeding.job_id).state == "DONE"


def test_a_view_of_jobs_sees_later_jobs(server: Server) -> None:
    server.rows(
        f"CREATE VIEW `{D}.my_jobs` AS SELECT job_id FROM `{PROJECT}`.`region-us`.INFORMATION_SCHEMA.JOBS_BY_PROJECT"
    )
    for _ in range(2):
        job = server.client.query("SELECT 'New today' AS caption")
        job.result()
        assert server.rows(f"SELECT COUNT(*) FROM `{D}.my_jobs` WHERE job_id = '{job.job_id}'") == [(1,)]
    server.rows(f"DROP VIEW `{D}.my_jobs`")


def test_transactions_and_temporary_tables_are_recognised_behind_comments(server: Server) -> None:
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


def test_jobs_of_an_older_server_are_imported(tmp_path: Path) -> None:
    """The older server kept them in DuckDB, where its views of JOBS read them."""
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


def test_the_clock_refuses_instants_at_the_ends_of_time(timed: Timed) -> None:
    for instant in ("9999-12-31T12:00:00Z", "0001-01-01T00:00:00Z"):
        refused = httpx.put(f"{timed.endpoint}/clock", json={"now": instant})
        assert refused.status_code == 400
        assert "is not within the years 1000 to 9899" in refused.json()["error"]
    assert [row.a for row in timed.client.query_and_wait("SELECT 1 AS a")] == [1]


@pytest.mark.parametrize("attempt", range(3))
def test_a_query_that_is_cancelled_before_it_begins_ends(server: Server, attempt: int) -> None:
    """DuckDB forgets an interrupt that comes while the query is still being translated."""
    numbers = "UNNEST(GENERATE_ARRAY(1, 300000))"
    job = server.client.query(f"SELECT COUNT(*) FROM {numbers} a, {numbers} b WHERE a * b = 0", job_retry=None)
    job.cancel()
    with pytest.raises(GoogleAPICallError, match="cancelled"):
        job.result(timeout=60)
    job.reload()  # the answer that raised need not hold the job
    assert job.error_result is not None
    assert job.error_result["reason"] == "stopped"
