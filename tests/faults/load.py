"""Loads a million rows in ten jobs, and prints how many are written after each; SIGKILL may come at any time."""

from __future__ import annotations

import io
import sys

import requests
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import bigquery

from tests.harness.client import connect

DATASET = "loads"
TABLE = f"{DATASET}.numbers"
JOBS, ROWS = 10, 100_000


def main() -> None:
    """Load into the table at the address that is the first argument, of the project that is the second."""
    endpoint, project = sys.argv[1:]
    client = connect(endpoint, project)
    client.create_dataset(DATASET, exists_ok=True)
    schema = [bigquery.SchemaField("number", "INT64")]
    config = bigquery.LoadJobConfig(schema=schema, source_format="CSV")
    for job in range(JOBS):
        rows = "".join(f"{job * ROWS + number}\n" for number in range(ROWS)).encode()
        client.load_table_from_file(io.BytesIO(rows), f"{project}.{TABLE}", job_config=config, num_retries=0).result()
        print(f"written {(job + 1) * ROWS}", flush=True)  # noqa: T201 - for the process that kills this one


if __name__ == "__main__":
    try:
        main()
    except (requests.ConnectionError, GoogleAPICallError) as error:  # the server was killed
        sys.exit(f"the load ended: {error}")
