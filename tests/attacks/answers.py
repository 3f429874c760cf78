"""A server whose every answer is bad, in one of many ways."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.attacks.mutation import DEEP

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON = "application/json"
BODIES = (
    *("", "null", "[]", '"x"', "3", "true", "{}", "NaN"),
    *('{"kind": ', '{"rows": 3}', '{"datasets": "x"}', '[null, "x"]'),
)
#: Status, content type and body of each answer.
ANSWERS: dict[str, tuple[int, str, bytes]] = {
    **{body or "nothing": (200, JSON, body.encode()) for body in BODIES},
    "tables null": (200, JSON, b'{"tables": [null], "routines": [3], "datasets": [[]], "transferConfigs": ["x"]}'),
    "schema text": (200, JSON, b'{"schema": "x", "tableReference": 3, "id": null, "etag": []}'),
    "done job without rows": (200, JSON, b'{"jobComplete": true, "jobReference": null, "schema": {"fields": 3}}'),
    "job that is null": (
        200,
        JSON,
        b'{"jobComplete": true, "jobReference": {}, "rows": [{"f": null}]}',
    ),
    "deep": (200, JSON, b"[" * DEEP + b"]" * DEEP),
    "deep object": (200, JSON, b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    "binary": (200, JSON, bytes(range(256))),
    "HTML": (200, "text/html", b"<html><body>Sign in</body></html>"),
    "HTML error": (502, "text/html", b"<html>Bad gateway</html>"),
    "404 text": (404, "text/plain", b"no"),
    "400 null": (400, JSON, b"null"),
    "403 list": (403, JSON, b"[]"),
    "409 error text": (409, JSON, b'{"error": "x"}'),
    "404 error null": (404, JSON, b'{"error": null}'),
    "500 error deep": (500, JSON, b'{"error": {"errors": [[]], "message": {}}}'),
    "gzip that is none": (200, "gzip", b"nonsense"),
    "302 to itself": (302, JSON, b""),
    "204": (204, JSON, b""),
    "a megabyte": (200, JSON, b'"' + b"x" * 1_000_000 + b'"'),
}
#: The port of the running server, and the name of its answer.
PORT: list[Any] = [0, "null"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, kind, body = ANSWERS[PORT[1]]
        self.send_response(status)
        if kind == "gzip":
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", JSON if kind == "gzip" else kind)
        if status == 302:
            self.send_header("Location", self.path)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - the library's names

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def bad_server() -> Iterator[None]:
    """Serve, on the port that ``PORT`` then holds."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    PORT[0] = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
