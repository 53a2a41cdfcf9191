"""HTTP/1 requests out of a connection's bytes: httptools (llhttp) plus the limits that it does not have."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

import httptools

from ingest.http_errors import HeadTooLarge
from ingest.http_reply import Reply
from ingest.http_service import Export, OtlpHttp
from schemas.errors import EvalstreamError, InvalidRequest

HEAD_LIMIT = 64 << 10
"""Bytes of request line and headers; also of what a body may be wrapped in beyond reason (chunk extensions, trailers)."""
_SMALL = 1 << 20
"""A refused body up to this size is skipped and the connection lives on; for a larger one it is closed."""
_WRAPPING = 8
"""Bytes as sent for one byte of a body in chunks of one byte, generously."""
_HOP_HEADERS = {"connection", "upgrade", "http2-settings"}
_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Exchange:
    """One request and its answer: known from the start, or when the body of its export is in and was answered."""

    export: Export | None = None
    reply: Reply | None = None
    keep_alive: bool = False
    is_head: bool = False
    expects: bool = False
    """The client waits for 100 Continue."""
    says_keep_alive: bool = False
    """HTTP/1.0, where keeping the connection is the exception and must be said."""
    arrived: bool = False
    """The whole message is in."""


class Sink(Protocol):
    """Who takes the exchanges, in the order in which they were sent."""

    def opened(self, exchange: Exchange) -> None:
        """A head was read; `reply` is set when the request is already answered by it."""

    def arrived(self, exchange: Exchange) -> None:
        """The whole message is in."""

    def refused(self, exchange: Exchange) -> None:
        """An open exchange was answered while its body arrived."""


class _Refused(Exception):  # no error: ends the parser's work on bytes that nobody reads
    pass


class RequestParser:
    """Turns bytes into exchanges. The `on_…` methods are httptools' callbacks."""

    def __init__(self, http: OtlpHttp, sink: Sink) -> None:
        self._http = http
        self._sink = sink
        self._parser = httptools.HttpRequestParser(self)
        self._current: Exchange | None = None
        self._target = b""
        self._headers: dict[str, str] = {}
        self._head_size = 0
        self._wrapping = 0
        self._messages = 0
        self._declining = False
        self.in_head = False
        self.dead = False
        """No request can follow: the last was read, or bytes came that are none."""

    @property
    def unfinished(self) -> bool:
        """Whether a message has begun and is not whole."""
        return self.in_head or self._current is not None

    def feed(self, data: bytes) -> None:
        """Takes bytes as they come."""
        if self.dead:
            return
        messages = self._messages
        self._parse(data)
        if messages == self._messages and self.unfinished:  # all of `data` belongs to one unfinished message
            self._wrapping += len(data)
            if self._wrapping > HEAD_LIMIT:
                self.refuse(
                    _head_too_large()
                    if self.in_head
                    else InvalidRequest("the body is mostly wrapping of its chunks")
                )

    def refuse(self, error: EvalstreamError) -> None:
        """Answers the unfinished message, or the bytes that are none, with an error: the last answer here."""
        self.dead = True
        exchange, self._current, self.in_head = self._current, None, False
        if exchange is None:
            self._sink.opened(Exchange(reply=self._http.refusal(error, self._headers)))
            return
        exchange.keep_alive = False
        if exchange.export is not None and exchange.reply is None:
            exchange.export.upload.release()
            exchange.reply = self._http.refusal(error, exchange.export.headers)
        self._sink.refused(exchange)

    def close(self) -> None:
        """Forgets the unfinished message and breaks the cycle of references with httptools' parser."""
        self.dead = True
        if self._current is not None and self._current.export is not None:
            self._current.export.upload.release()
        self._current, self.in_head = None, False
        del self._parser

    def on_message_begin(self) -> None:
        """A request line begins."""
        self._messages += 1
        self._target, self._headers = b"", {}
        self._head_size = self._wrapping = 0
        self.in_head = True

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""
        self._target += url
        self._head_size += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header. Of repeated ones the first counts, as for gRPC metadata; trailers are ignored."""
        if not self.in_head:
            return
        self._head_size += len(name) + len(value) + 4
        if self._head_size > HEAD_LIMIT:
            self.refuse(_head_too_large())
            raise _Refused
        self._headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        """The head is whole: it opens an exchange."""
        if self._parser.should_upgrade():
            self._declining = True
            return
        headers = self._headers
        self.in_head = False
        method = self._parser.get_method()
        opened = self._http.open(method.decode("latin-1"), self._target.decode("latin-1"), headers)
        exchange = Exchange(keep_alive=self._parser.should_keep_alive(), is_head=method == b"HEAD")
        if "connection" in headers:
            exchange.says_keep_alive = exchange.keep_alive and self._parser.get_http_version() == "1.0"
        if "expect" in headers:
            exchange.expects = headers["expect"].lower() == "100-continue"
        self._current = exchange
        if isinstance(opened, Reply):
            exchange.reply = opened
            if not self._skippable(exchange):
                exchange.keep_alive, self.dead, self._current = False, True, None
        else:
            exchange.export = opened
        self._sink.opened(exchange)
        if self.dead:
            raise _Refused

    def on_body(self, chunk: bytes) -> None:
        """A piece of the body; dropped when the request was refused already."""
        self._wrapping -= _WRAPPING * len(chunk)
        if self._current is not None and self._current.reply is None and self._current.export is not None:
            try:
                self._current.export.upload.add(chunk)
            except EvalstreamError as error:
                self.refuse(error)
                raise _Refused from None

    def on_message_complete(self) -> None:
        """The message is whole."""
        if self._declining or self._current is None:
            return
        exchange, self._current = self._current, None
        exchange.arrived = True
        self.dead = not exchange.keep_alive
        self._sink.arrived(exchange)

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError:
            if not self.dead:
                _log.exception("a request could not be read")
                self.refuse(EvalstreamError("internal error; the server's log has the details"))
        except httptools.HttpParserError as error:
            if not self.dead:  # bytes after the last request are nobody's
                self.refuse(InvalidRequest(f"this is no HTTP/1.1 request: {error}"))

    def _decline_upgrade(self, rest: bytes) -> None:
        """Goes on in HTTP/1.1, as RFC 9110 7.8 lets a server: the JDK's client offers h2c with every first request.

        llhttp takes what follows such a head for the new protocol; so the head is parsed again without the offer.
        """
        method = self._parser.get_method()
        if method == b"CONNECT":
            self.refuse(InvalidRequest("CONNECT is not possible here"))
            return
        version = self._parser.get_http_version()
        lines = [f"{name}: {value}\r\n" for name, value in self._headers.items() if name not in _HOP_HEADERS]
        target = self._target.decode("latin-1")
        head = f"{method.decode()} {target} HTTP/{version}\r\n{''.join(lines)}\r\n".encode("latin-1")
        self._declining = False
        self._parser = httptools.HttpRequestParser(self)
        self._parse(head + rest)

    def _skippable(self, exchange: Exchange) -> bool:
        """Whether the body of a request that its head already answered is small enough to read past."""
        length = self._headers.get("content-length", "0")
        too_large = exchange.reply is not None and exchange.reply.status == 413
        chunked = "transfer-encoding" in self._headers
        return (
            not (exchange.expects or chunked or too_large) and length.isdigit() and int(length[:20]) <= _SMALL
        )


def _head_too_large() -> HeadTooLarge:
    return HeadTooLarge(f"the request line and headers have more than {HEAD_LIMIT} bytes")
