"""One process that serves BigQuery, the control plane and the provider stand-in, on 127.0.0.1 only."""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import uvicorn

from local import LocalError
from local.bigquery import DataFolderError, create_bigquery_app
from local.control_plane import create_control_plane
from local.control_plane.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

HOST = "127.0.0.1"
READY_PATH = "/ready"
CONTROL_PLANE = ("/bigquerydatatransfer/", "/iam/", "/cloudresourcemanager/")
DOUBLE_VERSION = re.compile(r"/(v\d)/\1/")  # the real provider does not strip the version of http:// addresses


class PortInUseError(LocalError):
    """Somebody listens on the port already; the message says what to do."""


@dataclass(frozen=True)
class ServerFile:
    """What a running server says of itself in server.json: process id, address, TF_REATTACH_PROVIDERS value."""

    pid: int
    endpoint: str
    project: str
    dataset: str
    provider: str

    def write(self, data: Path) -> None:
        """Write the file in one step."""
        part = data / "server.json.part"
        part.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        part.replace(data / "server.json")


def serve(port: int, data: Path, project: str, project_number: int, dataset: str) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        port: the TCP port of 127.0.0.1.
        data: the folder of everything that is kept.
        project: the project that exists from the start.
        project_number: its number.
        dataset: the dataset that the environment uses, for those who ask where they are.

    Raises:
        PortInUseError: the port is taken.
        DataFolderError: the folder is locked, corrupt or not writable; nothing in it is touched.
    """
    listener = _listen(port)
    with listener:
        port = listener.getsockname()[1]
        endpoint = f"http://{HOST}:{port}"
        bigquery = create_bigquery_app(data / "data", project)
        store = _open_store(data)

        def run_query(query: str, run: str, run_time: datetime) -> None:
            run_scheduled_query(endpoint, project, query, run, run_time)

        control_plane = create_control_plane(store, project_number, run_query)
        from local.provider import serve_provider  # noqa: PLC0415 - grpc must not be loaded before DuckDB's extensions

        provider = serve_provider(endpoint)
        server_file = ServerFile(os.getpid(), endpoint, project, dataset, provider.reattach)

        class Server(uvicorn.Server):
            """Says that it is up once it answers."""

            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                server_file.write(data)

        config = uvicorn.Config(
            route(bigquery, control_plane), log_level="warning", lifespan="off", timeout_graceful_shutdown=5
        )
        try:
            Server(config).run(sockets=[listener])
        finally:
            provider.stop()
            store.close()
            with suppress(FileNotFoundError):
                (data / "server.json").unlink()


def route(bigquery: ASGIApp, control_plane: ASGIApp) -> ASGIApp:
    """One application: the control plane's paths go there, all others to BigQuery."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = DOUBLE_VERSION.sub(r"/\1/", scope["path"])
            scope = {
                **scope,
                "path": path,
                "raw_path": DOUBLE_VERSION.sub(r"/\1/", scope["raw_path"].decode()).encode(),
            }
            if path == READY_PATH:
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b"ready\n"})
                return
            if path.startswith(CONTROL_PLANE):
                await control_plane(scope, receive, send)
                return
        await bigquery(scope, receive, send)

    return app


def run_scheduled_query(endpoint: str, project: str, query: str, run: str, run_time: datetime) -> None:
    """Execute a scheduled query as a job of the embedded BigQuery, as the transfer service does.

    Raises:
        google.api_core.exceptions.GoogleAPICallError: what the query raised.
    """
    from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415 - half a second, needed by runs only
    from google.cloud import bigquery  # noqa: PLC0415

    client = bigquery.Client(
        project=project,
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": endpoint},
    )
    parameters = [
        bigquery.ScalarQueryParameter("run_time", "TIMESTAMP", run_time),
        bigquery.ScalarQueryParameter("run_date", "DATE", run_time.astimezone(UTC).date()),
    ]
    job = bigquery.QueryJobConfig(
        query_parameters=[parameter for parameter in parameters if f"@{parameter.name}" in query],
        labels={"data_source_id": "scheduled_query"},
    )
    identity = "scheduled_query_" + run.rsplit("/", 1)[1]
    client.query(query, job_config=job, job_id=identity, retry=None, job_retry=None).result(retry=None, job_retry=None)


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise PortInUseError(
            f"port {port} of {HOST} is in use by another program: stop it, or give another port in the environment "
            "file's `endpoint`"
        ) from None
    return listener


def _open_store(data: Path) -> Store:
    try:
        return Store(data / "control_plane.sqlite")
    except sqlite3.Error as error:
        raise DataFolderError(
            f"{data / 'control_plane.sqlite'}: cannot be opened: {error}\n"
            "Nothing was changed. Move the file away to begin anew, or put a copy of it back."
        ) from None
