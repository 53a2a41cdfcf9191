"""The same OTLP/HTTP inside an ASGI server: under `up` the API's port takes exports too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ingest.http_errors import BodyTimeout
from ingest.http_reply import Reply
from ingest.http_service import Export, OtlpHttp
from schemas.errors import EvalstreamError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class OtlpMiddleware:
    """Answers OTLP's paths and hands everything else to `app`: `application.add_middleware(OtlpMiddleware, http=…)`."""

    def __init__(self, app: App, http: OtlpHttp) -> None:
        self._app = app
        self._http = http

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI connection."""
        if scope["type"] != "http" or not self._http.owns(scope["path"]):
            await self._app(scope, receive, send)
            return
        headers = _headers(scope)
        opened = self._http.open(scope["method"], scope["path"], headers)
        reply = opened if isinstance(opened, Reply) else await self._answered(opened, receive)
        if reply is not None:
            await _respond(reply, send, without_body=scope["method"] == "HEAD")

    async def _answered(self, export: Export, receive: Receive) -> Reply | None:
        """The answer when the body is in; None when the client went away before."""
        try:
            whole = await self._read(export, receive)
        except EvalstreamError as error:
            return self._http.refusal(error, export.headers)
        except BaseException:
            export.upload.release()
            raise
        if whole:
            return await self._http.answer(export)
        export.upload.release()
        return None

    async def _read(self, export: Export, receive: Receive) -> bool:
        more = True
        while more:
            message = await self._next(export, receive)
            if message["type"] == "http.disconnect":
                return False
            if chunk := message.get("body", b""):
                export.upload.add(chunk)
            more = message.get("more_body", False)
        return True

    async def _next(self, export: Export, receive: Receive) -> Message:
        try:
            async with asyncio.timeout(self._http.body_timeout):
                return await receive()
        except TimeoutError:
            export.upload.release()
            raise BodyTimeout(f"nothing came for {self._http.body_timeout:g} s; send again") from None


def _headers(scope: Scope) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1"), value.decode("latin-1"))
    return headers


async def _respond(reply: Reply, send: Send, *, without_body: bool) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.all_headers()]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if without_body else reply.body})
