"""Bytes read and billed: of dry runs, of jobs, and against a maximum."""

from __future__ import annotations

import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import bigquery

from declared.sizes import MEGABYTE
from tests.harness.bigquery import DATASET, PROJECT, Server

D = f"{PROJECT}.{DATASET}"


def _bytes(server: Server, sql: str) -> int:
    dry = server.client.query(sql, job_config=bigquery.QueryJobConfig(dry_run=True))
    return int(dry.total_bytes_processed)


@pytest.fixture(scope="module")
def measured(server: Server) -> str:
    """A table of ten days, 24 rows each, of a string of 8 bytes and an integer."""
    server.rows(f"CREATE TABLE `{D}.measured` (seen TIMESTAMP, page STRING, n INT64) PARTITION BY DATE(seen)")
    server.rows(f"""INSERT `{D}.measured` SELECT TIMESTAMP_ADD(TIMESTAMP '2026-01-01 00:00:00+00', INTERVAL i HOUR),
    FORMAT('page%04d', MOD(i, 100)), i FROM UNNEST(GENERATE_ARRAY(0, 239)) AS i""")
    return f"`{D}.measured`"


@pytest.mark.parametrize(
    ("sql", "size"),
    [
        ("SELECT n FROM {}", 240 * 8),
        ("SELECT page FROM {} WHERE n > 5", 240 * (2 + 8 + 8)),
        ("SELECT n FROM {} WHERE DATE(seen) = '2026-01-05'", 24 * (8 + 8)),
        (
            "SELECT n FROM {} WHERE seen >= '2026-01-05' AND seen < '2026-01-07' AND page = 'page0001'",
            48 * (8 + 8 + 10),
        ),
        ("SELECT COUNT(*) FROM {}", 0),
        # what the data happens to be leaves nothing out
        ("SELECT n FROM {} WHERE page >= 'a'", 240 * (8 + 10)),
        ("SELECT n FROM {} WHERE page = 'z'", 240 * (8 + 10)),
        ("SELECT n FROM {} WHERE seen = '2026-01-05'", 24 * (8 + 8)),
        ("SELECT y, COUNT(m.n) FROM UNNEST([2025, 2026]) AS y LEFT JOIN {} AS m ON m.n = y GROUP BY y", 240 * 8),
        # a column counts once, even if it is read several times, in the partitions of any of its scans
        ("SELECT a.n FROM {0} AS a JOIN {0} AS b ON a.n = b.n", 240 * 8),
        (
            """SELECT n FROM {0} WHERE DATE(seen) = '2026-01-05'
            UNION ALL SELECT n FROM {0} WHERE DATE(seen) = '2026-01-06'""",
            48 * (8 + 8),
        ),
        # what changes rows also reads all other columns, in the partitions that it scans; what only inserts does not
        ("INSERT {0} (n) SELECT n FROM {0}", 240 * 8),
        ("INSERT {} (n) VALUES (1)", 0),
        ("UPDATE {} SET n = 0 WHERE page = 'page0001'", 240 * (10 + 26)),
        ("UPDATE {} SET n = 0 WHERE DATE(seen) = '2026-01-05' AND page = 'page0001'", 24 * (18 + 26)),
        ("DELETE {} WHERE n = 5", 240 * (8 + 26)),
        (
            "MERGE {} AS m USING (SELECT 5 AS n) AS o ON m.n = o.n WHEN NOT MATCHED THEN INSERT (n) VALUES (o.n)",
            240 * 8,
        ),
        (
            """MERGE {} AS m USING (SELECT 5 AS n) AS o ON m.n = o.n AND DATE(m.seen) = '2026-01-05'
            WHEN MATCHED AND m.page = 'x' THEN DELETE""",
            24 * (26 + 26),
        ),
    ],
)
def test_bytes_of_a_dry_run(server: Server, measured: str, sql: str, size: int) -> None:
    assert _bytes(server, sql.format(measured)) == size


def test_referenced_tables_of_a_dry_run(server: Server, measured: str) -> None:
    """Tables that are read: through views and table functions too; the target of an INSERT is not read."""
    server.rows(f"CREATE VIEW `{D}.measured_days` AS SELECT DISTINCT DATE(seen) AS day FROM {measured}")
    server.rows(f"CREATE TABLE FUNCTION `{D}.measured_of`(p_n INT64) AS (SELECT seen FROM {measured} WHERE n = p_n)")
    dry_run = bigquery.QueryJobConfig(dry_run=True)
    for sql, expected in (
        (f"SELECT n FROM {measured}", ["measured"]),
        (f"SELECT day FROM `{D}.measured_days`", ["measured"]),
        (f"SELECT seen FROM `{D}.measured_of`(5)", ["measured"]),
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
