"""uvicorn's HTTP protocol with what the endpoint needs besides: a limit of a request's head, a time for it, a hold on the connection."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD = 1 << 18
"""Bytes of request line and headers. A query may stand in the URL, of which the parser takes 64 KiB; a longer one goes into the body."""
_MOST_HEADERS = 200
_HEAD_SECONDS = 30.0


class SqlProtocol(HttpToolsProtocol):
    """One connection. The application finds `close` and `abort` in its scope's extension `evalstream.connection`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        self._head_has_come()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """The first bytes of a request."""
        super().on_message_begin()
        self._head = 0
        if self._head_timer is None:
            self._wait_for_head()
        self.scope["extensions"] = {
            "evalstream.connection": {"close": self.transport.close, "abort": self.transport.abort}
        }

    def on_url(self, url: bytes) -> None:
        """A part of the request line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._count(len(name) + len(value))
        super().on_header(name, value)
        if len(self.headers) > _MOST_HEADERS:
            self._refuse()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._head_has_come()
        super().on_headers_complete()

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > MOST_HEAD:
            self._refuse()

    def _refuse(self) -> None:
        raise ValueError("the head of the request is too large")

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(_HEAD_SECONDS, self.transport.abort)

    def _head_has_come(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
