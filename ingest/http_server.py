"""OTLP over HTTP/1.1 on a socket of its own (port 4318)."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress

from ingest.admission import Budget
from ingest.http_connection import HttpConnection
from ingest.http_reply import Renderer
from ingest.http_service import OtlpHttp, Ready
from ingest.service import Receiver
from schemas.errors import StartupError
from schemas.settings import Settings

IDLE_TIMEOUT = 75.0
"""Seconds that a connection may stay open without a request."""
_BACKLOG = 2_048
_HANDSHAKE_TIMEOUT = 30.0
_LAST_WORDS = 1.0
"""Seconds for the answers of requests that were cut off at the end of the grace."""


class HttpServer:
    """A listening server. Made by `serve_http`."""

    def __init__(self, http: OtlpHttp, idle_timeout: float = IDLE_TIMEOUT) -> None:
        self.http = http
        self.renderer = Renderer()
        self.loop = asyncio.get_running_loop()
        self.connections: set[HttpConnection] = set()
        self.stopping = False
        self._empty = asyncio.Event()
        self.idle_timeout = idle_timeout
        self.port = 0
        self._listener: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    async def listen(self, host: str, port: int, context: ssl.SSLContext | None, setting: str) -> None:
        """Starts to accept. Raises StartupError naming the setting when the address cannot be had."""
        timeout = _HANDSHAKE_TIMEOUT if context is not None else None
        try:
            self._listener = await self.loop.create_server(
                lambda: HttpConnection(self),
                host,
                port,
                ssl=context,
                ssl_handshake_timeout=timeout,
                backlog=_BACKLOG,
            )
        except OSError as error:
            reason = error.strerror or str(error)
            raise StartupError(f"{setting}: cannot listen on {host}, port {port}: {reason}") from error
        self.port = self._listener.sockets[0].getsockname()[1]
        self._sweeper = self.loop.create_task(self._sweep())

    async def stop(self, grace: float) -> None:
        """Accepts no more, finishes the requests in work for up to `grace` seconds, and closes every connection.

        What is still in work then is answered 503 with Retry-After.
        """
        self.stopping = True
        if self._listener is not None:
            self._listener.close()
        for connection in tuple(self.connections):
            connection.stop()
        await self._emptied(grace)
        works = [work for connection in tuple(self.connections) if (work := connection.kill()) is not None]
        if works:
            await asyncio.wait(works, timeout=_LAST_WORDS)
            await self._emptied(_LAST_WORDS)
        for connection in tuple(self.connections):
            connection.abort()
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.wait([self._sweeper])

    def joined(self, connection: HttpConnection) -> None:
        """A client has come."""
        self.connections.add(connection)
        self._empty.clear()

    def left(self, connection: HttpConnection) -> None:
        """It has gone."""
        self.connections.discard(connection)
        if not self.connections:
            self._empty.set()

    async def _emptied(self, seconds: float) -> None:
        if self.connections:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), seconds)

    async def _sweep(self) -> None:
        """Looks for stalled connections: one timer for all of them."""
        pause = min(1.0, self.http.body_timeout / 4, self.idle_timeout / 4)
        while True:
            await asyncio.sleep(pause)
            now = self.loop.time()
            for connection in tuple(self.connections):
                connection.check(now)


async def serve_http(
    receiver: Receiver,
    settings: Settings,
    *,
    budget: Budget,
    host: str,
    port: int,
    ssl_context: ssl.SSLContext | None,
    ready: Ready,
    setting: str = "EVALSTREAM_OTLP_HTTP_PORT",
) -> HttpServer:
    """Serves OTLP/HTTP, /healthz and /readyz. Port 0 takes a free one. Raises StartupError when it cannot listen."""
    server = HttpServer(OtlpHttp(receiver, settings, budget, ready))
    await server.listen(host, port, ssl_context, setting)
    return server
