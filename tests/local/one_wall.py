"""A BigQuery server in this process with one of its two walls, and what it answers to queries.

``python -m tests.local.one_wall WALL FOLDER`` reads a JSON list of queries and writes a JSON list of ``[status,
message]``. WALL is the one that remains: ``statements`` or ``duckdb``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from local import engine
from local.bigquery import create_bigquery_app
from tests.harness.bigquery import DATASET, PROJECT


def leave(wall: str) -> None:
    """Take the other wall away, once the differences to BigQuery are closed."""
    close_differences = engine.close_differences

    def close_and_open() -> None:
        close_differences()
        from local_bigquery.sql import rules  # noqa: PLC0415 - reads its settings when it is imported

        from local.engine import grammar, walls  # noqa: PLC0415

        if wall == "statements":
            walls.fence = lambda *_: None
        else:
            rules.STATEMENT_RULES.remove(walls.only_what_the_project_has)
            grammar.check = lambda _text: None

    engine.close_differences = close_and_open


def main(wall: str, folder: Path) -> None:
    """Answer the queries of standard input."""
    leave(wall)
    address = f"/bigquery/v2/projects/{PROJECT}"
    client = TestClient(create_bigquery_app(folder, PROJECT))
    client.post(f"{address}/datasets", json={"datasetReference": {"datasetId": DATASET}}).raise_for_status()
    answers: list[Any] = []
    for query in json.load(sys.stdin):
        answer = client.post(f"{address}/queries", json={"query": query, "useLegacySql": False})
        answers.append([answer.status_code, answer.json().get("error", {}).get("message", answer.text)])
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
