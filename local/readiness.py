"""Whether a server answers: one that is stopped or hangs still holds its folder."""

from __future__ import annotations

import http.client
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.process import Server

READY_PATH = "/ready"
ANSWER_SECONDS = 3.0


def answers(server: Server) -> bool:
    """Ask a server whether it is ready, and wait a few seconds for its answer."""
    connection = http.client.HTTPConnection(server.endpoint.removeprefix("http://"), timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", READY_PATH)
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
