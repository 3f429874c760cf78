"""What every client of an embedded server does: Google's client led to it, its clock, rows of plain answers."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import httpx
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from catalog.zone import ZONE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

#: The date in Los Angeles, in SQL.
TODAY = f"CURRENT_DATE('{ZONE}')"


@functools.cache
def http() -> httpx.Client:
    """The client of all plain requests: reading the machine's certificates takes longer than ten requests."""
    return httpx.Client(timeout=60, trust_env=False)


def connect(endpoint: str, project: str) -> bigquery.Client:
    """Google's client, led to an embedded server."""
    return bigquery.Client(
        project=project,
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": endpoint},
    )


def put_clock(endpoint: str, now: datetime | str | None) -> None:
    """Stop a server's clock at an instant (with its zone), or let it follow the machine's again.

    Raises:
        httpx.HTTPError: the server does not answer, or refuses.
    """
    text = now if now is None or isinstance(now, str) else now.isoformat()
    http().put(f"{endpoint}/clock", json={"now": text}).raise_for_status()


def rows_of(answer: Mapping[str, Any]) -> list[list[Any]]:
    """The rows of an answer of BigQuery's REST API to a query; each value is text, as it is there."""
    return [[cell["v"] for cell in row["f"]] for row in answer.get("rows", [])]
