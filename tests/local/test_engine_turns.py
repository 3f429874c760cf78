"""Transactions and concurrent statements: an INSERT conflicts with nothing, a cancelled wait ends."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import bigquery

from tests.harness.bigquery import DATASET, PROJECT, Server

if TYPE_CHECKING:
    from collections.abc import Callable

D = f"{PROJECT}.{DATASET}"
ROUNDS = 12


def in_a_session(session: str | None) -> bigquery.QueryJobConfig:
    if session is None:
        return bigquery.QueryJobConfig(create_session=True)
    return bigquery.QueryJobConfig(connection_properties=[bigquery.ConnectionProperty("session_id", session)])


@pytest.fixture
def tables(server: Server) -> Server:
    server.rows(f"CREATE OR REPLACE TABLE `{D}.held` (x INT64); CREATE OR REPLACE TABLE `{D}.runs` (x INT64)")
    server.rows(f"INSERT INTO `{D}.held` VALUES (0); INSERT INTO `{D}.runs` VALUES (0)")
    return server


def test_inserts_of_transactions_do_not_conflict_with_updates_outside(tables: Server) -> None:
    def insert(number: int) -> None:
        tables.rows(
            f"BEGIN TRANSACTION; SELECT COUNT(*) FROM `{D}.held`; INSERT INTO `{D}.runs` VALUES ({number}); COMMIT"
        )

    def update(_: int) -> None:
        tables.rows(f"UPDATE `{D}.runs` SET x = x + 100 WHERE TRUE")

    def merge(number: int) -> None:
        tables.rows(
            f"MERGE `{D}.runs` USING (SELECT {number} AS n) ON x = -1 - n WHEN MATCHED THEN UPDATE SET x = 0 "
            "WHEN NOT MATCHED THEN INSERT (x) VALUES (-1000000)"
        )

    with ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(work, n) for n in range(1, ROUNDS + 1) for work in (insert, update, merge)]
        for job in jobs:
            job.result()
    assert tables.rows(f"SELECT COUNT(*), COUNTIF(x < 0) FROM `{D}.runs`") == [(1 + 2 * ROUNDS, ROUNDS)]


def update(tables: Server) -> None:
    tables.rows(f"UPDATE `{D}.runs` SET x = x + 100 WHERE TRUE")


def truncate(tables: Server) -> None:
    tables.rows(f"TRUNCATE TABLE `{D}.runs`")


def append(tables: Server) -> None:
    config = bigquery.QueryJobConfig(destination=f"{D}.runs", write_disposition="WRITE_APPEND")
    tables.client.query("SELECT 5 AS x", job_config=config).result()


@pytest.mark.parametrize("begin", ["BEGIN TRANSACTION", "BEGIN"])
@pytest.mark.parametrize(
    ("inside", "meanwhile"),
    [
        ("INSERT INTO `{}.runs` VALUES (1)", update),
        ("INSERT INTO `{}.runs` VALUES (1)", truncate),
        ("UPDATE `{}.runs` SET x = -1 WHERE TRUE", append),
    ],
)
def test_a_transaction_commits_while_others_change_its_table(
    tables: Server, begin: str, inside: str, meanwhile: Callable[[Server], None]
) -> None:
    long = "SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 3000)) a, UNNEST(GENERATE_ARRAY(1, 3000)) b WHERE a * b = 0"
    job = tables.client.query(f"{begin}; {inside.format(D)}; {long}; COMMIT", job_retry=None)
    while not job.done():
        meanwhile(tables)
    job.result()


def test_a_transaction_that_a_session_leaves_open_blocks_nobody(tables: Server) -> None:
    job = tables.client.query(f"BEGIN TRANSACTION; INSERT INTO `{D}.held` VALUES (1)", job_config=in_a_session(None))
    job.result()
    tables.rows(f"UPDATE `{D}.runs` SET x = 7 WHERE TRUE")
    assert job.session_info is not None
    tables.client.query("COMMIT TRANSACTION", job_config=in_a_session(job.session_info.session_id)).result()
    assert tables.rows(f"SELECT x, (SELECT COUNT(*) FROM `{D}.held`) FROM `{D}.runs`") == [(7, 2)]


def test_a_cancelled_statement_stops_waiting(tables: Server) -> None:
    endless = tables.client.query(
        f"BEGIN TRANSACTION; INSERT INTO `{D}.held` VALUES (1); WHILE TRUE DO SELECT 1; END WHILE"
    )
    stopped: dict[str, str] | None = None
    while stopped is None:  # until the transaction has begun, the statement does not wait, and ends
        waiting = tables.client.query(f"UPDATE `{D}.runs` SET x = 8 WHERE TRUE", job_retry=None)
        for _ in range(10):
            tables.rows("SELECT 1")
        waiting.cancel()
        with contextlib.suppress(GoogleAPICallError):
            waiting.result(timeout=60)
        stopped = waiting.error_result
    assert stopped["reason"] == "stopped"
    assert "cancelled" in stopped["message"]
    endless.cancel()
    with pytest.raises(Exception, match="cancelled"):
        endless.result(timeout=60)
    tables.rows(f"UPDATE `{D}.runs` SET x = 9 WHERE TRUE")
    assert tables.rows(f"SELECT x, (SELECT COUNT(*) FROM `{D}.held`) FROM `{D}.runs`") == [(9, 1)]
