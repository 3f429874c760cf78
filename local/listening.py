"""HTTP on 127.0.0.1: the socket, and the server that answers on it."""

from __future__ import annotations

import os
import socket
import time
from threading import Thread
from typing import TYPE_CHECKING

import uvicorn

from local import LocalError
from local.bodies import limited
from local.process import READY_LINE
from local.web_pages import served_hosts, without_web_pages

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

HOST = "127.0.0.1"
#: How long a stopping server waits for requests in progress.
GRACE_SECONDS = 3
#: How long all of its end may take.
ENDING_SECONDS = 5.0


def listen(port: int) -> socket.socket:
    """A socket that listens on a TCP port of this machine only; 0 takes any free one.

    Raises:
        LocalError: the port cannot be used.
    """
    # asyncio disables Nagle's algorithm only on sockets that name their protocol: 40 ms per answer
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was just released is free
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise LocalError(
            f"port {port} of {HOST} cannot be used: {reason}. Stop what uses it, or write another port into "
            "the environment file's `endpoint`."
        ) from None
    return listener


def endpoint_of(listener: socket.socket) -> str:
    """The base address of what is served on a socket."""
    return f"http://{HOST}:{listener.getsockname()[1]}"


def run(app: ASGIApp, listener: socket.socket, ready: Callable[[], None] = lambda: None) -> None:
    """Serve an application until SIGTERM or SIGINT; print a line when it answers.

    Args:
        app: answers the requests that client libraries send; those of web pages are refused before it.
        listener: the socket.
        ready: called once the server answers, before the line is printed.
    """

    class AnnouncingServer(uvicorn.Server):
        """Prints that it is up once it answers, and ends in time."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()
            print(f"{READY_LINE}{endpoint_of(listener)}", flush=True)  # noqa: T201 - the caller waits for this line

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            from local.engine.cancelling import cancel_all  # noqa: PLC0415 - needs the open data folder

            Thread(target=_end, daemon=True).start()
            cancel_all()
            await super().shutdown(sockets)

    config = uvicorn.Config(
        without_web_pages(limited(app), served_hosts(listener.getsockname()[1])),
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    AnnouncingServer(config).run(sockets=[listener])


def _end() -> None:
    """End the process although a job goes on: nothing interrupts JavaScript. What was acknowledged is stored."""
    time.sleep(ENDING_SECONDS)
    os._exit(0)
