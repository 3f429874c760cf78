"""A proxy that spoils answers: what a command does when a service fails, hangs, or answers something else."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from google import waiting
from tests.harness.client import http

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STATUSES = {str(status.value) for status in HTTPStatus}


def at_the_deadline() -> None:
    """Let the deadline of the command that runs come now, however fast this machine is."""
    for limit in waiting._limits[1:]:  # noqa: SLF001 - without the one that never ends
        limit.end()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    endpoint: str
    part: str
    fault: str
    on_fault: Callable[[], object]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.over = Event()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.part not in self.path:
            headers = {"Content-Type": "application/json"}
            answer = http().request(self.command, self.server.endpoint + self.path, content=body, headers=headers)
            self._answer(answer.status_code, answer.content)
        else:
            self._spoil()

    do_POST = do_GET  # noqa: N815 - the class calls this name

    def _spoil(self) -> None:
        self.server.on_fault()
        fault = self.server.fault
        match fault:
            case "silent":
                self.server.over.wait(20)
            case "cut":
                self._answer(200, b'{"kind": "bigquery#da', 4000)
            case "page":
                self._answer(200, b"<html>a proxy's page</html>")
            case "drip":
                self._answer(200, b"{", 100_000)
                self._drip(b" ")
            case "dripping head":
                self.wfile.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
                self._drip(b"x")
            case _ if fault in STATUSES:
                error = {"error": {"code": int(fault), "message": "Not now."}}
                self._answer(int(fault), json.dumps(error).encode())
            case _:
                self._answer(200, fault.encode())

    def _answer(self, status: int, body: bytes, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def _drip(self, byte: bytes) -> None:
        with suppress(OSError):
            while not self.server.over.wait(0.1):
                self.wfile.write(byte)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@contextmanager
def faulty(endpoint: str, part: str, fault: str, on_fault: Callable[[], object] = lambda: None) -> Iterator[str]:
    """A proxy before an embedded server that spoils the answers of one part of the API.

    Args:
        endpoint: the server; with a part that is all of the API, nothing needs to listen there.
        part: what the paths of that part contain.
        fault: a status; ``cut`` ends in the middle of an answer, ``page`` is a proxy's own page, ``silent`` never
            answers, ``drip`` and ``dripping head`` send a byte now and then; any other text is the answer itself.
        on_fault: called with each request of that part.
    """
    server = _Server(("127.0.0.1", 0), _Handler)
    server.endpoint, server.part, server.fault = endpoint, part, fault
    server.on_fault = on_fault
    Thread(target=server.serve_forever, args=(0.005,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.over.set()
        server.shutdown()
