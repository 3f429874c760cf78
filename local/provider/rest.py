"""Google's REST APIs, called at the provider's configured addresses."""

from __future__ import annotations

import http.client
import json
import re
import threading
import urllib.parse
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from declared.masking import masked

if TYPE_CHECKING:
    from collections.abc import Mapping

ENDPOINTS = {
    "bigquery": ("big_query_custom_endpoint", "bigquery/v2/"),
    "transfer": ("bigquery_data_transfer_custom_endpoint", "bigquerydatatransfer/v1/"),
    "iam": ("iam_custom_endpoint", "iam/v1/"),
    "iam_beta": ("iam_beta_custom_endpoint", "iam/v1/"),
    "monitoring": ("monitoring_custom_endpoint", "monitoring/"),
    "resource_manager": ("resource_manager_custom_endpoint", "cloudresourcemanager/v1/"),
    "storage": ("storage_custom_endpoint", "storage/v1/"),
}
"""For each API the provider's attribute that holds its address, and its path in the embedded environment."""

_TIMEOUT_SECONDS = 600
_GONE = 404
_FIRST_ERROR = 300
_connections = threading.local()


class ApiError(Exception):
    """An error answer, in the words of Google's Go client."""

    def __init__(self, status: int, message: str, reason: str = "") -> None:
        self.status = status
        super().__init__(f"googleapi: Error {status}: {message}" + (f", {reason}" if reason else ""))


class Refused(Exception):  # noqa: N818 - a refusal by our own rules, not a failure
    """The provider itself refuses something, such as deleting a protected table."""


@dataclass(frozen=True)
class Session:
    """One configured provider: where the APIs are, the project, and what is added to labels."""

    endpoints: Mapping[str, str]
    project: str | None = None
    token: str = "local"  # noqa: S105 - the server does not check it
    default_labels: Mapping[str, str] = field(default_factory=dict)
    attribution_label: bool = True
    attribution_always: bool = False

    def call(self, api: str, method: str, path: str, body: Any = None) -> Any:
        """Make one request.

        Args:
            api: A key of ENDPOINTS.
            method: The HTTP method.
            path: The path below the API's address, with the query.
            body: What is sent, as JSON.

        Returns:
            The answer's JSON; {} where it is empty.

        Raises:
            ApiError: The server answers with an error.
            ConnectionError: The server cannot be reached.
        """
        url = self.endpoints[api].rstrip("/") + "/" + path
        status, raw = _exchange(method, url, None if body is None else json.dumps(body).encode(), self.token)
        if status >= _FIRST_ERROR:
            raise _api_error(status, raw)
        return json.loads(raw) if raw.strip() else {}

    def find(self, api: str, path: str) -> Any:
        """GET an object; None if it does not exist."""
        try:
            return self.call(api, "GET", path)
        except ApiError as error:
            if error.status == _GONE:
                return None
            raise


def local_endpoints(base: str) -> dict[str, str]:
    """The address of each API in the embedded environment."""
    return {api: f"{base.rstrip('/')}/{path}" for api, (_, path) in ENDPOINTS.items()}


def _exchange(method: str, url: str, body: bytes | None, token: str) -> tuple[int, bytes]:
    """Send one request on this thread's connection to that host, a new one if the old one is closed."""
    parts = urllib.parse.urlsplit(url)
    kept: dict[tuple[str, str], http.client.HTTPConnection] = _connections.__dict__.setdefault("by_host", {})
    host = (parts.scheme, parts.netloc)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    for reused in (True, False):
        connection = kept.pop(host, None) if reused else None
        if connection is None:
            if reused:
                continue
            kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
            connection = kind(parts.netloc, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            raw = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if reused and not isinstance(error, TimeoutError):  # a kept connection that the server has closed
                continue
            raise ConnectionError(f'{method.title()} "{url}": {_reason(error, parts.netloc)}') from error
        kept[host] = connection
        return answer.status, raw
    raise AssertionError("unreachable: the second round returns or raises")


def _reason(error: Exception, host: str) -> str:
    if isinstance(error, ConnectionRefusedError):
        return f"dial tcp {host}: connect: connection refused. Is the local environment up? `python -m local up`"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _api_error(status: int, raw: bytes) -> ApiError:
    try:
        error = json.loads(raw)["error"]
        reasons = [str(entry.get("reason", "")) for entry in error.get("errors") or []]
        return ApiError(status, str(error["message"]), reasons[0] if len(reasons) == 1 else "")
    except (ValueError, KeyError, TypeError, AttributeError):
        text = re.sub(r"\s+", " ", raw.decode(errors="replace")).strip()
        return ApiError(status, f"got HTTP response code {status} with body: {masked(text)[:500]}")
