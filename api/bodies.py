"""Request bodies within bounds: the API never holds more of one than the limit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingest.admission import Budget, Upload
from ingest.compression import coding, decompress


class BoundedBodies:
    """ASGI middleware: a body over `limit` bytes is answered 413 as soon as that is known."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on with a counting `receive`."""
        await self._app(scope, self._counted(receive) if scope["type"] == "http" else receive, send)

    def _counted(self, receive: Receive) -> Receive:
        total = 0

        async def counted() -> Message:
            nonlocal total
            message = await receive()
            total += len(message.get("body", b""))
            if total > self._limit:
                raise HTTPException(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is over {self._limit} bytes"
                )
            return message

        return counted


@asynccontextmanager
async def unpacked(request: Request, budget: Budget, limit: int) -> AsyncIterator[bytes]:
    """The body of a request without its Content-Encoding; what it holds, as sent and unpacked, is charged to `budget` meanwhile.

    Raises UnsupportedMedia, InvalidRequest for a damaged body, TooLarge for one over `limit` bytes, and Overloaded.
    """
    encoding = coding(request.headers.get("content-encoding", ""))
    upload = Upload(budget, limit)
    try:
        async for chunk in request.stream():
            upload.add(chunk)
        yield await decompress(upload, encoding) if encoding else upload.body()
    finally:
        upload.release()
