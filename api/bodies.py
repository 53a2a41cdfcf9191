"""Request bodies within bounds: the API never holds more of one than the limit."""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.errors import UnsupportedMedia


class BoundedBodies:
    """ASGI middleware: a body over `limit` bytes is answered 413 as soon as that is known; an encoded one 415."""

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


def refuse_encoding(encoding: str | None) -> None:
    """Raises UnsupportedMedia for a Content-Encoding: the API takes bodies as they are."""
    if encoding and encoding.strip().lower() != "identity":
        raise UnsupportedMedia(
            f"Content-Encoding {encoding[:40]!r} is not taken here; send the body as it is"
        )
