"""Transactions and concurrent statements: an INSERT conflicts with nothing, a cancelled wait ends."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import bigquery

from tests.harness.bigquery import DATASET, PROJECT, Server
from tests.harness.waiting import until

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
    create_tables(server)
    return server


def create_tables(server: Server) -> None:
    for name in ("held", "runs"):
        server.rows(f"CREATE OR REPLACE TABLE `{D}.{name}` AS SELECT 0 AS x")


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


#: A transaction, what is done beside it again and again, and the rows after so many times.
BESIDE: list[tuple[str, Callable[[Server], None], Callable[[int], list[int]]]] = [
    ("BEGIN; INSERT INTO `{}.runs` VALUES (1)", update, lambda times: [101, 100 * times]),
    ("BEGIN TRANSACTION; INSERT INTO `{}.runs` VALUES (1)", update, lambda times: [101, 100 * times]),
    ("BEGIN TRANSACTION; INSERT INTO `{}.runs` VALUES (1)", truncate, lambda _times: []),
    ("BEGIN TRANSACTION; UPDATE `{}.runs` SET x = -1 WHERE TRUE", append, lambda times: [5, *[-1] * times]),
]


@pytest.mark.parametrize(("begun", "beside", "left"), BESIDE)
def test_what_changes_a_transaction_s_table_beside_it_waits_for_its_commit(
    server: Server, begun: str, beside: Callable[[Server], None], left: Callable[[int], list[int]]
) -> None:
    """The last one began before the commit and ended after it."""
    for rounds in (50, 200, 800):  # more, when the whole transaction came between two of those beside
        create_tables(server)
        idle = f"WHILE i < {rounds} DO SET i = i + 1; END WHILE"
        script = f"DECLARE i INT64 DEFAULT 0; {begun}; {idle}; INSERT INTO `{D}.held` VALUES (1); COMMIT"
        times, waited = 0, False
        with ThreadPoolExecutor(1) as pool:  # an answer comes when a job has ended, or after a second
            job = pool.submit(server.rows, script.format(D))
            while not is_committed(server):
                if job.done():
                    job.result()  # raises the error with which it ended
                beside(server)
                times, waited = times + 1, is_committed(server)
            job.result()
        if waited:
            found = server.rows(f"SELECT x FROM `{D}.runs` ORDER BY x")
            assert found == [(x,) for x in sorted(left(times))]
            return
    pytest.fail("nothing began while the transaction was open")


def is_committed(server: Server) -> bool:
    return server.rows(f"SELECT COUNT(*) FROM `{D}.held`") == [(2,)]


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
    stopped: list[dict[str, str]] = []

    def one_is_stopped() -> bool:
        """Until the transaction has begun, the statement does not wait, and ends."""
        waiting = tables.client.query(f"UPDATE `{D}.runs` SET x = 8 WHERE TRUE", job_retry=None)
        for _ in range(10):
            tables.rows("SELECT 1")
        waiting.cancel()
        with contextlib.suppress(GoogleAPICallError):
            waiting.result(timeout=60)
        stopped.extend(filter(None, [waiting.error_result]))
        return bool(stopped)

    until(one_is_stopped, "a statement that waits")
    assert stopped[0]["reason"] == "stopped"
    assert "cancelled" in stopped[0]["message"]
    endless.cancel()
    with pytest.raises(Exception, match="cancelled"):
        endless.result(timeout=60)
    tables.rows(f"UPDATE `{D}.runs` SET x = 9 WHERE TRUE")
    assert tables.rows(f"SELECT x, (SELECT COUNT(*) FROM `{D}.held`) FROM `{D}.runs`") == [(9, 1)]
