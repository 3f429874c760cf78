"""One process that serves BigQuery, the control plane and the provider stand-in, on 127.0.0.1 only."""

from __future__ import annotations

import logging
import os
import re
import signal
from contextlib import ExitStack
from datetime import datetime
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from declared.output import MaskingFormatter, mask_failures
from local.bigquery import create_bigquery_app
from local.control_plane import Projects, Store, create_control_plane
from local.control_plane.answers import ApiError, json_object
from local.listening import endpoint_of, listen, run
from local.private import keep_private
from local.process import Server, lock, recorded
from local.provider import serve_provider
from local.readiness import READY_PATH
from local.scheduled_query import run_as_job

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from declared.environment import Environment

CLOCK_PATH = "/clock"
#: All other paths are the control plane's: an object of Cloud Storage may be read at any path.
BIGQUERY = ("/bigquery/", "/upload/bigquery/", "/discovery/", "/$discovery/")
#: Years that the clock may show; days before and after must be valid instants too.
YEARS = range(1000, 9900)
#: The real provider strips the version from https:// addresses only, so calls to http:// ones have two.
DOUBLE_VERSION = re.compile(r"/(v\d)/\1/")

log = logging.getLogger(__name__)


def serve(
    environment: Environment, port: int, folder: Path, run_schedules: bool = False, threads: int | None = None
) -> None:
    """Serve an environment until SIGTERM or SIGINT; print a line when it answers.

    Args:
        environment: the environment to serve: its project, project number and dataset.
        port: the TCP port; 0 takes any free one.
        folder: where everything is stored: ``data/`` (BigQuery), ``control_plane.sqlite``, ``server.json``.
        run_schedules: run scheduled queries when they are due.
        threads: the threads of the engine; None is one per core.

    Raises:
        LocalError: the port or the folder cannot be used; nothing in the folder is changed.
    """
    mask_failures()
    messages = logging.StreamHandler()
    messages.setFormatter(MaskingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[messages], level=logging.WARNING)
    lock(folder)
    keep_private()
    with ExitStack() as stack:
        listener = stack.enter_context(listen(port))
        endpoint = endpoint_of(listener)
        bigquery = create_bigquery_app(folder / "data", environment.project, threads)
        store = Store(folder / "control_plane.sqlite")
        stack.callback(store.close)
        projects = Projects(environment.project, environment.project_number)
        control_plane = create_control_plane(store, projects, lambda query: run_as_job(endpoint, query))
        provider = serve_provider(endpoint)
        stack.callback(provider.stop)
        stack.callback(control_plane.state.plane.clock.stop)
        server = Server(
            pid=os.getpid(),
            endpoint=endpoint,
            environment=environment.name,
            project=environment.project,
            dataset=environment.dataset,
            provider=provider.reattach,
            data=str(folder),
        )

        def ready() -> None:
            stack.enter_context(recorded(server, folder))
            if run_schedules:
                control_plane.state.plane.clock.start()

        for ending in (signal.SIGTERM, signal.SIGINT):
            # uvicorn raises the signal again when it ends, before everything here is closed
            signal.signal(ending, lambda *_: None)
        run(application(bigquery, control_plane), listener, ready)


def application(bigquery: ASGIApp, control_plane: ASGIApp) -> ASGIApp:
    """One application: BigQuery's paths go there, all others to the control plane; a failure becomes an answer."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = DOUBLE_VERSION.sub(r"/\1/", scope["path"])
        raw_path = DOUBLE_VERSION.sub(r"/\1/", scope["raw_path"].decode()).encode()
        if path == READY_PATH:
            await JSONResponse({"ready": True})(scope, receive, send)
            return
        if path == CLOCK_PATH and scope["method"] == "PUT":
            await (await _set_clock(receive))(scope, receive, send)
            return
        answered = False

        async def pass_on(message: Message) -> None:
            nonlocal answered
            answered = True
            if message.get("status") == 500:  # noqa: PLR2004 - see below
                # Google's clients would retry a 500 for minutes, without success
                message = {**message, "status": 400}
            await send(message)

        try:
            part = bigquery if path.startswith(BIGQUERY) else control_plane
            await part({**scope, "path": path, "raw_path": raw_path}, receive, pass_on)
        except Exception as error:
            log.exception("%s %s", scope["method"], path)
            if not answered:
                failure = ApiError("INTERNAL", f"The embedded server failed: {error!r}. Its log says more.")
                await JSONResponse(failure.body, failure.code)(scope, receive, send)

    return app


async def _set_clock(receive: Receive) -> JSONResponse:
    """``{"now": "2026-03-08T12:00:00-07:00"}`` stops BigQuery's clock there, ``{"now": null}`` releases it."""
    from local.engine.clock import set_clock  # noqa: PLC0415 - needs the open data folder

    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    try:
        text = json_object(body)["now"]
        now = None if text is None else _instant(text)
    except (ApiError, ValueError, TypeError, KeyError) as error:
        return JSONResponse({"error": f'the clock takes {{"now": an instant with its zone, or null}}: {error}'}, 400)
    set_clock(now)
    return JSONResponse({"now": text})


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    if instant.year not in YEARS:
        raise ValueError(f"{text} is not within the years {YEARS[0]} to {YEARS[-1]}")
    return instant
