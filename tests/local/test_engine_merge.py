"""MERGE in all its shapes, each from the same rows: what it changes, counts and refuses."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core.exceptions import BadRequest

from tests.harness.bigquery import DATASET, PROJECT, Server

TABLE = f"`{PROJECT}.{DATASET}.prices`"
FIRST = [(1, "mid"), (2, "budget"), (3, None)]
UPDATED = "WHEN MATCHED THEN UPDATE SET tier = s.tier"


@pytest.fixture(autouse=True)
def prices(server: Server) -> None:
    server.rows(
        f"CREATE OR REPLACE TABLE {TABLE} (id INT64, tier STRING); "
        f"INSERT {TABLE} VALUES (1, 'mid'), (2, 'budget'), (3, NULL)"
    )


def rows(server: Server) -> list[Any]:
    return server.rows(f"SELECT id, tier FROM {TABLE} ORDER BY id")


@pytest.mark.parametrize(
    ("merge", "counts", "after"),
    [
        (
            "USING (SELECT 4 AS id) AS s ON t.id = s.id WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'new')",
            (1, 0, 0),
            [*FIRST, (4, "new")],
        ),
        (
            f"""USING (SELECT 1 AS id, 'top' AS tier UNION ALL SELECT 9, 'new') AS s ON t.id = s.id
            {UPDATED} WHEN NOT MATCHED THEN INSERT ROW""",
            (1, 1, 0),
            [(1, "top"), (2, "budget"), (3, None), (9, "new")],
        ),
        (
            """USING (SELECT 1 AS id, 'x' AS tier UNION ALL SELECT 2, 'y' UNION ALL SELECT 8, 'z') AS s ON t.id = s.id
            WHEN MATCHED AND t.tier = 'budget' THEN DELETE
            WHEN MATCHED THEN UPDATE SET tier = CONCAT(t.tier, s.tier)
            WHEN NOT MATCHED BY SOURCE AND t.tier IS NULL THEN UPDATE SET tier = 'none'
            WHEN NOT MATCHED BY TARGET AND s.id > 100 THEN INSERT (id) VALUES (-1)
            WHEN NOT MATCHED BY TARGET THEN INSERT (id) VALUES (s.id)""",
            (1, 2, 1),
            [(1, "midx"), (3, "none"), (8, None)],
        ),
        (
            """USING (SELECT 100 AS id, 'all' AS tier) AS s ON FALSE
            WHEN NOT MATCHED THEN INSERT ROW WHEN NOT MATCHED BY SOURCE THEN DELETE""",
            (1, 0, 3),
            [(100, "all")],
        ),
        # NULL matches nothing; rows of the source that are alike are inserted each
        (
            f"""USING (SELECT CAST(NULL AS INT64) AS id, 'x' AS tier UNION ALL SELECT NULL, 'x') AS s ON t.id = s.id
            {UPDATED} WHEN NOT MATCHED THEN INSERT (tier) VALUES (tier)""",
            (2, 0, 0),
            [(None, "x"), (None, "x"), *FIRST],
        ),
        (f"USING (SELECT 7 AS id, 'x' AS tier) AS s ON t.id = s.id {UPDATED}", (0, 0, 0), FIRST),
        (
            f"USING (SELECT * FROM UNNEST([STRUCT(2 AS id, 'deal' AS tier)])) AS s ON t.id = s.id {UPDATED}",
            (0, 1, 0),
            [(1, "mid"), (2, "deal"), (3, None)],
        ),
        # the table itself, seen as it was before
        (
            f"""USING {TABLE} AS s ON t.id = s.id + 1
            {UPDATED} WHEN NOT MATCHED BY TARGET THEN INSERT (id) VALUES (s.id + 1)""",
            (1, 2, 0),
            [(1, "mid"), (2, "mid"), (3, "budget"), (4, None)],
        ),
    ],
    ids=["without columns", "upsert", "every clause", "on false", "nulls", "no match", "unnest", "itself"],
)
def test_shapes(server: Server, merge: str, counts: tuple[int, int, int], after: list[Any]) -> None:
    """Once, again as a known query, and in a transaction that is rolled back."""
    statement = f"MERGE {TABLE} AS t {merge}"
    server.rows(f"BEGIN TRANSACTION; {statement}; ROLLBACK TRANSACTION")
    assert rows(server) == FIRST
    job = server.client.query(statement)
    job.result()
    stats = job.dml_stats
    assert stats is not None
    assert (stats.inserted_row_count, stats.updated_row_count, stats.deleted_row_count) == counts
    assert job.num_dml_affected_rows == sum(counts)
    assert rows(server) == after


def test_two_source_rows_for_one_target_row_are_refused_and_change_nothing(server: Server) -> None:
    merge = (
        f"MERGE {TABLE} AS t USING (SELECT 1 AS id, 'x' AS tier UNION ALL SELECT 1, 'y') AS s ON t.id = s.id {UPDATED}"
    )
    with pytest.raises(BadRequest, match="must match at most one source row for each target row"):
        server.rows(merge)
    assert rows(server) == FIRST
    server.rows(f"BEGIN BEGIN TRANSACTION; {merge}; EXCEPTION WHEN ERROR THEN ROLLBACK TRANSACTION; END")
    assert rows(server) == FIRST


def test_variables_of_a_script(server: Server) -> None:
    """One text, run three times with other values."""
    server.rows(f"""DECLARE v_id INT64 DEFAULT 2;
    WHILE v_id < 5 DO
      MERGE {TABLE} AS t USING (SELECT v_id AS id) AS s ON t.id = s.id
      WHEN MATCHED THEN UPDATE SET tier = FORMAT('%d', v_id)
      WHEN NOT MATCHED THEN INSERT (id, tier) VALUES (v_id, 'new');
      SET v_id = v_id + 1;
    END WHILE""")
    assert rows(server) == [(1, "mid"), (2, "2"), (3, "3"), (4, "new")]


def test_a_condition_sees_its_own_side_by_plain_names(server: Server) -> None:
    """As in BigQuery's documentation: both tables have the columns."""
    server.rows(f"""MERGE {TABLE} AS t
    USING (SELECT 5 AS id, 'new' AS tier UNION ALL SELECT 50, 'new') AS s ON t.id = s.id
    WHEN NOT MATCHED AND id < 20 THEN INSERT (id, tier) VALUES (id, tier)
    WHEN NOT MATCHED BY SOURCE AND id < 2 THEN UPDATE SET id = id + 100
    WHEN NOT MATCHED BY SOURCE AND tier IS NULL THEN DELETE""")
    assert rows(server) == [(2, "budget"), (5, "new"), (101, "mid")]


def test_the_join_may_ask_another_query(server: Server) -> None:
    server.rows(f"""MERGE {TABLE} AS t
    USING (SELECT 2 AS id) AS s ON t.id = s.id AND t.id IN (SELECT MAX(id) - 1 FROM {TABLE})
    WHEN MATCHED THEN UPDATE SET tier = 'top' WHEN NOT MATCHED BY SOURCE THEN UPDATE SET tier = 'rest'
    WHEN NOT MATCHED BY TARGET THEN INSERT (id) VALUES (-1)""")
    assert rows(server) == [(1, "rest"), (2, "top"), (3, "rest")]


@pytest.mark.parametrize(
    "clause",
    [
        "WHEN MATCHED THEN UPDATE SET nowhere = 1",
        "WHEN MATCHED THEN UPDATE SET tier = s.nowhere",
        "WHEN NOT MATCHED AND t.id > 3 THEN INSERT (id) VALUES (s.id)",
        "WHEN NOT MATCHED BY SOURCE AND s.id > 3 THEN DELETE",
        "WHEN MATCHED THEN DELETE WHEN NOT MATCHED AND FALSE THEN INSERT (nowhere) VALUES (1)",
        "WHEN MATCHED THEN DELETE WHEN NOT MATCHED AND FALSE THEN INSERT ROW",
    ],
)
def test_a_clause_is_checked_also_where_it_has_no_rows(server: Server, clause: str) -> None:
    for _ in range(2):
        with pytest.raises(BadRequest):
            server.rows(f"MERGE {TABLE} AS t USING (SELECT 70 AS id) AS s ON t.id = s.id {clause}")
    assert rows(server) == FIRST
