"""Statements for an embedded engine, and a client that times them over plain HTTP."""

from __future__ import annotations

import json
import time
from http.client import HTTPConnection, HTTPResponse
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness.embedded import Embedded

#: 5 pages that have sent 200 captions, and 50 schedules of 20 slots.
FILL = (
    "INSERT INTO `{d}.leases` (lease_name) VALUES ('work'), ('sweep'), ('report'), ('update'), ('export')",
    """INSERT INTO `{d}.caption_bank`
      (caption_id, caption_text, content_category, price_tier, has_urgency, overall_performance_score, avg_revenue,
       usage_status)
    SELECT n, FORMAT('New today: offer %d for subscribers', n), 'tutorial', 'mid', FALSE, 0.5, 20.0, 'available'
    FROM UNNEST(GENERATE_ARRAY(1, 200)) AS n""",
    """INSERT INTO `{d}.captions` (caption_id, caption_text, price_tier, content_category, has_urgency)
    SELECT n, FORMAT('From the archive: offer %d', n), 'budget', 'archive', FALSE
    FROM UNNEST(GENERATE_ARRAY(191, 220)) AS n""",
    """INSERT INTO `{d}.caption_bandit_stats`
      (caption_id, page_name, successes, failures, total_observations, avg_conversion_rate, confidence_lower_bound,
       confidence_upper_bound, last_updated)
    SELECT 1 + MOD(n, 200), FORMAT('creator_%02d', DIV(n, 200)), 3, 4, 5, 0.05, 0.1, 0.7, CURRENT_TIMESTAMP()
    FROM UNNEST(GENERATE_ARRAY(0, 999)) AS n""",
    """INSERT INTO `{d}.schedule_recommendations`
      (schedule_id, page_name, day_of_week, scheduled_send_time, message_type, caption_id, created_at, is_active,
       time_slot_rank)
    SELECT FORMAT('schedule %d', DIV(n, 20)), FORMAT('creator_%02d', MOD(DIV(n, 20), 5)), 'Monday',
      CURRENT_TIMESTAMP(), 'ppv', 1 + MOD(n, 220), CURRENT_TIMESTAMP(), TRUE, 1 + MOD(n, 20)
    FROM UNNEST(GENERATE_ARRAY(0, 999)) AS n""",
)

SELECT = "SELECT 1"
COUNT = "COUNT(*) of a small table"
VIEW = "view of one schedule"
QUERIES = {
    SELECT: "SELECT 1",
    COUNT: "SELECT COUNT(*) AS leases FROM `{d}.leases`",
    VIEW: "SELECT * FROM `{d}.schedule_recommendations_messages` WHERE schedule_id = 'schedule 7'",
}
WARM_UP = 5


class QueryFailedError(Exception):
    """A statement that failed."""


def fill(server: Embedded) -> None:
    """Insert a few rows into the small tables, and a thousand where the view reads."""
    for statement in FILL:
        server.job(statement)


def connect(server: Embedded) -> HTTPConnection:
    """A connection that stays open from one statement to the next."""
    address = urlsplit(server.endpoint)
    return HTTPConnection(str(address.hostname), address.port, timeout=120)


def ask(connection: HTTPConnection, server: Embedded, sql: str) -> float:
    """Run a statement or script to its end.

    Returns:
        The milliseconds from the request to the whole answer.

    Raises:
        QueryFailedError: the statement failed; with BigQuery's answer.
    """
    body = {"query": sql.replace("{d}", server.dataset), "useLegacySql": False, "timeoutMs": 100_000}
    request = json.dumps(body).encode()
    path = f"/bigquery/v2/projects/{server.catalog.project}/queries"

    def post() -> HTTPResponse:
        connection.request("POST", path, request, {"Content-Type": "application/json"})
        return connection.getresponse()

    started = time.perf_counter()
    try:
        response = post()
    except ConnectionError:  # the server has closed it after five idle seconds
        connection.close()
        started = time.perf_counter()
        response = post()
    with response:
        answer = response.read()
    elapsed = 1000 * (time.perf_counter() - started)
    if response.status != 200 or not json.loads(answer)["jobComplete"]:  # noqa: PLR2004 - HTTP's OK
        raise QueryFailedError(answer.decode())
    return elapsed


def repeated(call: Callable[[], float], times: int) -> list[float]:
    """The results of a call, after a warm-up."""
    for _ in range(WARM_UP):
        call()
    return [call() for _ in range(times)]
