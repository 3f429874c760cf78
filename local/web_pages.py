"""Keeps web pages out: in a browser on this machine, a page from anywhere can send requests to 127.0.0.1.

Google's clients send no ``Origin``, the address as ``Host``, and one of a few content types. A browser sends its page's
origin and, without asking first, only forms' content types or none. A rebound DNS name is the ``Host``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from local.control_plane.answers import ApiError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

JSON = "application/json"
UPLOADS = "/upload/"
#: The content types of a POST to an upload path, by its ``uploadType``.
UPLOAD_TYPES = {
    "multipart": {"multipart/related"},
    "resumable": {JSON},
    "media": {JSON, "application/octet-stream"},
}
#: ``Sec-Fetch-Site`` of requests that no other page caused. A page on another port is ``same-site``.
NOT_FROM_A_PAGE = {"same-origin", "none"}
HTTP_PORT = 80


def without_web_pages(app: ASGIApp, hosts: frozenset[str]) -> ASGIApp:
    """The application, which gets only requests that a client library may have sent; others are answered unread.

    Args:
        app: what answers the other requests.
        hosts: what ``Host`` may be, as ``served_hosts`` gives it.
    """

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        refused = _foreign(headers, hosts) or _unexpected_body(scope, headers)
        await (JSONResponse(refused.body, refused.code) if refused else app)(scope, receive, send)

    return guarded


def served_hosts(port: int) -> frozenset[str]:
    """What a client of this machine sends as ``Host``."""
    names = ("127.0.0.1", "localhost")
    return frozenset(f"{name}:{port}" for name in names) | frozenset(names if port == HTTP_PORT else ())


def _foreign(headers: Headers, hosts: frozenset[str]) -> ApiError | None:
    host = headers.get("host", "")
    if host.lower() not in hosts:
        return _forbidden(f"the host {host!r} is not served here, only {' and '.join(sorted(hosts))}")
    for origin in headers.getlist("origin"):
        if origin != f"http://{host}":
            return _forbidden(f"it comes from a web page of {origin}")
    for site in set(headers.getlist("sec-fetch-site")) - NOT_FROM_A_PAGE:
        return _forbidden(f"it comes from a web page of another address (Sec-Fetch-Site: {site})")
    return None


def _forbidden(reason: str) -> ApiError:
    return ApiError("PERMISSION_DENIED", f"The embedded server refuses this request: {reason}.")


def _unexpected_body(scope: Scope, headers: Headers) -> ApiError | None:
    given = headers.getlist("content-type")
    if not given and headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return None
    expected = _content_types(scope)
    if expected is None or (given and {one.partition(";")[0].strip().lower() for one in given} <= expected):
        return None
    said = f"the content type {', '.join(given)!r}" if given else "no content type"
    return ApiError(
        "UNSUPPORTED_MEDIA_TYPE",
        f"The body of {scope['method']} {scope['path']} has {said}; write {' or '.join(sorted(expected))}.",
    )


def _content_types(scope: Scope) -> set[str] | None:
    """The content types that a request's body may have; None for any."""
    if not scope["path"].startswith(UPLOADS):
        return {JSON}
    if scope["method"] == "PUT":
        # a chunk has the type of the data, or */*; its upload was begun by a POST, and no page sends a PUT unasked
        return None
    kind = parse_qs(scope["query_string"].decode("latin-1")).get("uploadType", ["media"])[-1]
    return UPLOAD_TYPES.get(kind, {JSON})
