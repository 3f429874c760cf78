"""A BigQuery server in this process with one of its two walls or none, and what it answers to queries.

``python -m tests.local.one_wall WALL FOLDER`` reads a JSON list of two lists: queries, and statements for DuckDB. It
writes a JSON list of ``[status, message]``, one for each. WALL is the one that remains: ``statements``, ``duckdb`` or
``none``. What succeeds has its answer as the message; an error of DuckDB itself has the status 0 and its class.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import duckdb
from starlette.testclient import TestClient

from local import engine
from local.bigquery import create_bigquery_app
from tests.harness.bigquery import DATASET, PROJECT


def leave(wall: str) -> None:
    """Take the other walls away, once the differences to BigQuery are closed."""
    close_differences = engine.close_differences

    def close_and_open() -> None:
        close_differences()
        from local_bigquery.sql import rules  # noqa: PLC0415 - reads its settings when it is imported

        from local.engine import grammar, walls  # noqa: PLC0415

        if wall != "duckdb":
            walls.fence = lambda *_: None
        if wall != "statements":
            rules.STATEMENT_RULES.remove(walls.only_what_the_project_has)
            grammar.check = lambda _text: None

    engine.close_differences = close_and_open


def main(wall: str, folder: Path) -> None:
    """Answer the queries and statements of standard input."""
    leave(wall)
    address = f"/bigquery/v2/projects/{PROJECT}"
    client = TestClient(create_bigquery_app(folder, PROJECT))
    client.post(f"{address}/datasets", json={"datasetReference": {"datasetId": DATASET}}).raise_for_status()
    from local_bigquery.engine import database  # noqa: PLC0415 - reads its settings when it is imported

    queries, statements = json.load(sys.stdin)
    answers: list[Any] = []
    for query in queries:
        answer = client.post(f"{address}/queries", json={"query": query, "useLegacySql": False})
        answers.append([answer.status_code, answer.json().get("error", {}).get("message", answer.text)])
    for statement in statements:
        try:
            database.connection().execute(statement)
            answers.append([200, ""])
        except duckdb.Error as error:
            answers.append([0, type(error).__name__])
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
