"""A GitHub of a few requests on this machine: the comments and issues of one repository, in pages of two."""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlparse

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "example/eros"
PAGE = 2
BOT = "github-actions[bot]"


class GitHub:
    """What exists there, who the token belongs to (None: a workflow, which is not a user), and what is refused."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.user: str | None = None
        self.comments: list[dict[str, Any]] = []
        self.issues: list[dict[str, Any]] = []
        self.refusal: tuple[int, dict[str, str], bytes] | None = None
        self.requests: list[str] = []

    @property
    def variables(self) -> dict[str, str]:
        """The variables that point the commands here."""
        return {"GITHUB_API_URL": self.address, "GITHUB_REPOSITORY": NAME, "GITHUB_TOKEN": "local"}

    @property
    def open_issues(self) -> list[dict[str, Any]]:
        """The issues that are open."""
        return [issue for issue in self.issues if issue["state"] == "open"]

    def comment(self, issue: int, body: str, author: str = BOT) -> dict[str, Any]:
        """Let somebody comment."""
        made = {"id": len(self.comments) + 1, "issue": issue, "body": body, "user": {"login": author}}
        self.comments.append({**made, "html_url": f"https://github.example.com/comment/{made['id']}"})
        return self.comments[-1]

    def issue(self, body: str | None, author: str = BOT, **more: Any) -> dict[str, Any]:
        """Let somebody open an issue."""
        number = len(self.issues) + 1
        made = {"number": number, "title": "t", "body": body, "user": {"login": author}, "state": "open", "labels": []}
        self.issues.append({**made, "html_url": f"https://github.example.com/issue/{number}", **more})
        return self.issues[-1]

    def answer(self, method: str, path: str, query: dict[str, list[str]], content: dict[str, Any]) -> Any:
        """What GitHub says; a list is cut into pages by the caller."""
        author = self.user or BOT
        match method, *re.sub(rf"^/repos/{NAME}/", "", path).strip("/").split("/"):
            case "GET", "user":
                return {"login": self.user} if self.user else None
            case "GET", "issues", number, "comments":
                return [comment for comment in self.comments if comment["issue"] == int(number)]
            case "POST", "issues", number, "comments":
                return self.comment(int(number), content["body"], author)
            case "PATCH", "issues", "comments", number:
                self.comments[int(number) - 1].update(content)
                return self.comments[int(number) - 1]
            case "GET", "issues":
                return [issue for issue in self.issues if issue["state"] == query["state"][0]]
            case "POST", "issues":
                return self.issue(author=author, **content)
            case "PATCH", "issues", number:
                self.issues[int(number) - 1].update(content)
                return self.issues[int(number) - 1]
        raise AssertionError(f"GitHub has no {method} {path}")


class _Server(ThreadingHTTPServer):
    github: GitHub


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PATCH(self) -> None:
        self._answer()

    def _answer(self) -> None:
        github, address = self.server.github, urlparse(self.path)
        content = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        github.requests.append(f"{self.command} {address.path}")
        if github.refusal:
            self._send(*github.refusal)
            return
        query = parse_qs(address.query)
        answer = github.answer(self.command, address.path, query, content)
        if answer is None:
            self._send(403, {}, b'{"message": "Resource not accessible by integration"}')
        elif isinstance(answer, list):
            page = int(query.get("page", ["1"])[0])
            following = f"{github.address}{address.path}?{address.query.partition('&page=')[0]}&page={page + 1}"
            headers = {"Link": f'<{following}>; rel="next"'} if len(answer) > page * PAGE else {}
            self._send(200, headers, json.dumps(answer[(page - 1) * PAGE : page * PAGE]).encode())
        else:
            self._send(200, {}, json.dumps(answer).encode())

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: the tests look at what was asked."""


@contextmanager
def github_server() -> Iterator[GitHub]:
    """Such a GitHub, on a free port, until the block ends."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.github = GitHub(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.github
        server.shutdown()
