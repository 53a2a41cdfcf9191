"""One connection of the OTLP/HTTP server: exchanges in, answers out in order.

A request is answered as soon as the answer is known, also before its body (413, 503, 415 …). A connection works on one
request at a time; what a client pipelines behind it waits, and reading pauses, so that a connection holds little memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol, cast

from ingest.http_errors import BodyTimeout
from ingest.http_parser import Exchange, RequestParser
from ingest.http_reply import CONTINUE, Renderer
from ingest.http_service import OtlpHttp

LINGER = 2.0
"""Seconds in which a client may go on sending after a refusal: closing before it stops could lose it the answer."""


class Server(Protocol):
    """What a connection knows of its server."""

    http: OtlpHttp
    renderer: Renderer
    loop: asyncio.AbstractEventLoop
    stopping: bool
    idle_timeout: float

    def joined(self, connection: HttpConnection) -> None:
        """A client has come."""

    def left(self, connection: HttpConnection) -> None:
        """It has gone."""


class HttpConnection(asyncio.Protocol):
    """The transport's callbacks, the parser's sink, and the queue between them."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._parser = RequestParser(server.http, self)
        self._transport = cast("asyncio.Transport", None)
        self._queue: deque[Exchange] = deque()  # not answered, oldest first
        self._task: asyncio.Task[None] | None = None  # works on what was the oldest
        self._progress = server.loop.time()
        self._linger_until = 0.0
        self._choked_since = 0.0
        self._paused = False
        self._gone = False

    # called by the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self._transport = cast("asyncio.Transport", transport)
        self._server.joined(self)
        if self._server.stopping:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone. A request in work is finished all the same: it may be durable already."""
        self._gone = True
        self._server.left(self)
        self._parser.close()
        while self._queue:
            _release(self._queue.popleft())

    def eof_received(self) -> bool:
        """The client sends no more; over plain TCP it still reads the answers to what it has sent whole."""
        self._parser.dead = True
        if self._queue and not self._queue[-1].arrived and self._queue[-1].reply is None:
            _release(self._queue.pop())
        busy = self._task is not None or bool(self._queue)
        return busy and self._transport.get_extra_info("ssl_object") is None

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if not self._parser.in_head:  # a head must come at once, a body may take its time as long as it moves
            self._progress = self._server.loop.time()
        self._parser.feed(data)
        if self._busy and self._queue and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """The client does not read its answers: it gets no more work done."""
        self._choked_since = self._server.loop.time()

    def resume_writing(self) -> None:
        """It reads again."""
        self._choked_since = 0.0
        self._advance()

    # called by the parser

    def opened(self, exchange: Exchange) -> None:
        """Puts an exchange into the queue, and answers it at once when that is possible."""
        self._queue.append(exchange)
        if exchange.reply is not None or exchange.expects:
            self._advance()

    def arrived(self, exchange: Exchange) -> None:
        """Starts the work on a whole request, or the skipping of it has ended."""
        self._advance()

    def refused(self, exchange: Exchange) -> None:
        """Answers a request whose body is not wanted any more."""
        self._advance()

    # called by the server

    def check(self, now: float) -> None:
        """Ends what has stalled. Called every second or so, with the loop's time."""
        timeout = self._server.http.body_timeout
        if self._choked_since or self._transport.is_closing():  # it does not read what is left for it
            if now - (self._choked_since or self._progress) > timeout:
                self._transport.abort()
        elif self._linger_until:
            if now > self._linger_until:
                self._transport.abort()
        elif self._task is None:
            waited = now - self._progress
            if self._parser.unfinished:
                if waited > timeout:
                    self._parser.refuse(BodyTimeout(f"nothing came for {timeout:g} s; send again"))
            elif waited > self._server.idle_timeout:
                self._transport.close()

    def stop(self) -> None:
        """Closes the connection as soon as it has nothing to do."""
        self._settle()

    def kill(self) -> asyncio.Task[None] | None:
        """Ends the work now; its task, if any, still says so to the client."""
        if self._task is not None:
            self._task.cancel()
        return self._task

    def abort(self) -> None:
        """Closes the connection now."""
        self._transport.abort()

    # the work

    @property
    def _busy(self) -> bool:
        """Whether the next exchange has to wait: for the one in work, or for a client that does not read."""
        return self._task is not None or self._choked_since > 0

    def _advance(self) -> None:
        """Goes on with the oldest exchange, as far as possible."""
        while self._queue and not self._busy:
            exchange = self._queue[0]
            if exchange.reply is not None:
                self._queue.popleft()
                self._send(exchange)
            elif exchange.arrived:
                self._queue.popleft()
                self._task = self._server.loop.create_task(self._work(exchange))
            else:
                if exchange.expects:
                    exchange.expects = False
                    self._transport.write(CONTINUE)
                break
        self._settle()

    async def _work(self, exchange: Exchange) -> None:
        assert exchange.export is not None
        exchange.reply = await self._server.http.answer(exchange.export)
        self._task = None
        self._progress = self._server.loop.time()
        if not (self._gone or self._transport.is_closing()):
            self._send(exchange)
            self._advance()

    def _send(self, exchange: Exchange) -> None:
        assert exchange.reply is not None
        if self._server.stopping and not self._queue:
            exchange.keep_alive, self._parser.dead = False, True
        said = "keep-alive" if exchange.says_keep_alive else ""
        if not exchange.keep_alive:
            said = "close"
        self._transport.write(
            self._server.renderer.render(exchange.reply, said, without_body=exchange.is_head)
        )
        if not exchange.keep_alive and not exchange.arrived:
            self._linger()

    def _linger(self) -> None:
        self._linger_until = self._server.loop.time() + LINGER
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def _settle(self) -> None:
        """Reads on when what came is dealt with; closes when nothing can follow."""
        if self._busy or self._transport.is_closing():
            return
        if self._paused:
            self._paused = False
            self._progress = self._server.loop.time()
            self._transport.resume_reading()
        if self._queue:
            return
        over = self._parser.dead or (self._server.stopping and not self._parser.unfinished)
        if over and not self._linger_until:
            self._transport.close()


def _release(exchange: Exchange) -> None:
    if exchange.export is not None:
        exchange.export.upload.release()
