"""The bodies of requests: none is larger than what the server can hold, also once it is decompressed."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse

from declared.sizes import MEGABYTE
from local.control_plane.answers import ApiError, invalid

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST = 256 * MEGABYTE
GZIP = 16 + zlib.MAX_WBITS  # for zlib: a gzip header comes first


def limited(app: ASGIApp) -> ASGIApp:
    """The application, which gets bodies of up to 256 MiB, decompressed; others are answered with an error."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        headers = MutableHeaders(raw=list(scope["headers"]))
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > LARGEST:
                raise _too_large()
            return message

        try:
            if int(headers.get("content-length", "0")) > LARGEST:
                raise _too_large()
            if headers.get("content-encoding", "").lower() != "gzip":
                await app(scope, counted, send)
                return
            body = await _decompressed(counted)
        except ApiError as error:
            await JSONResponse(error.body, error.code)(scope, receive, send)
            return
        del headers["content-encoding"]
        headers["content-length"] = str(len(body))
        whole: list[Message] = [{"type": "http.request", "body": body}]

        async def replayed() -> Message:
            return whole.pop() if whole else await receive()

        await app({**scope, "headers": headers.raw}, replayed, send)

    return guarded


async def _decompressed(receive: Receive) -> bytes:
    reader, body, more = zlib.decompressobj(GZIP), bytearray(), True
    while more:
        message = await receive()
        try:
            body += reader.decompress(message.get("body", b""), LARGEST + 1 - len(body))
        except zlib.error:
            raise invalid("The body is not compressed with gzip, as its Content-Encoding says.") from None
        if len(body) > LARGEST or reader.unconsumed_tail:
            raise _too_large()
        more = message.get("more_body", False)
    if not reader.eof or reader.unused_data:
        raise invalid("The body is not one whole gzip stream.")
    return bytes(body)


def _too_large() -> ApiError:
    return ApiError("TOO_LARGE", f"The request's body is larger than {LARGEST // MEGABYTE} MiB.")
