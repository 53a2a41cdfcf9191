"""A receiver that records, servers around it, and a client that speaks bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httptools

from ingest.admission import Budget
from ingest.http_server import HttpServer, serve_http
from ingest.service import OtlpAnswer, OtlpRequest
from schemas.settings import Settings

CERTIFICATES = Path(__file__).with_name("certificates")
"""An authority and two certificates of it (server: localhost, 127.0.0.1), made for these tests."""
PROTOBUF = "application/x-protobuf"


class Recorder:
    """A `Receiver` that keeps what it was sent, and answers what the test says."""

    def __init__(self) -> None:
        self.requests: list[OtlpRequest] = []
        self.faults: list[BaseException] = []
        """Raised one after the other, before anything is recorded."""
        self.answer = OtlpAnswer()
        self.gate: asyncio.Event | None = None
        """When set, a request waits here."""
        self.waiting = 0
        self.entered = asyncio.Event()
        """Set once a request waits, or has passed."""

    async def receive(self, request: OtlpRequest) -> OtlpAnswer:
        self.entered.set()
        if self.gate is not None:
            self.waiting += 1
            await self.gate.wait()
        if self.faults:
            raise self.faults.pop(0)
        self.requests.append(request)
        return self.answer

    @property
    def bodies(self) -> list[bytes]:
        """The bodies in the order in which they came."""
        return [request.body for request in self.requests]


@dataclass
class Running:
    """A server of a test."""

    server: HttpServer
    receiver: Recorder
    budget: Budget
    reasons: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.server.port


@asynccontextmanager
async def running(settings: Settings | None = None, **options: Any) -> AsyncIterator[Running]:
    """A socket server on a free port of 127.0.0.1; afterwards nothing may be left in its budget."""
    settings = settings or Settings()
    receiver, budget, reasons = Recorder(), Budget(settings.ingest_max_bytes), list[str]()
    server = await serve_http(
        receiver,
        settings,
        budget=budget,
        host="127.0.0.1",
        port=0,
        ssl_context=options.pop("ssl_context", None),
        ready=lambda: reasons,
    )
    server.idle_timeout = options.pop("idle_timeout", server.idle_timeout)
    try:
        yield Running(server, receiver, budget, reasons)
    finally:
        await server.stop(0.2)
    assert budget.used == 0
    assert server.connections == set()


@dataclass
class Response:
    """An answer as it came."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    whole: bool = False


class _Responses:
    """httptools' callbacks: collects answers."""

    def __init__(self, bodiless: bool) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.all: list[Response] = []
        self._bodiless = bodiless

    def on_message_begin(self) -> None:
        self.all.append(Response())

    def on_header(self, name: bytes, value: bytes) -> None:
        self.all[-1].headers[name.decode().lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.all[-1].status = self.parser.get_status_code()
        if self._bodiless:
            self.all[-1].whole = True

    def on_body(self, body: bytes) -> None:
        self.all[-1].body += body

    def on_message_complete(self) -> None:
        self.all[-1].whole = True


class Client:
    """One connection that sends exactly the bytes it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._responses = _Responses(bodiless=False)
        self._taken = 0
        self.closed = False

    async def send(self, *pieces: bytes, pause: float = 0.0) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            if pause or len(pieces) > 1:
                await asyncio.sleep(pause)

    async def response(self, seconds: float = 5.0) -> Response:
        """The next answer. Raises EOFError when the connection ends before."""
        async with asyncio.timeout(seconds):
            while not (len(self._responses.all) > self._taken and self._responses.all[self._taken].whole):
                data = await self.reader.read(65_536)
                if not data:
                    self.closed = True
                    raise EOFError
                self._responses.parser.feed_data(data)
        self._taken += 1
        return self._responses.all[self._taken - 1]

    async def ended(self, seconds: float = 5.0) -> bytes:
        """Everything up to the end of the connection, undecoded."""
        async with asyncio.timeout(seconds):
            return await self.reader.read(-1)


@asynccontextmanager
async def connected(port: int, **options: Any) -> AsyncIterator[Client]:
    """A connection to a server of this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, **options)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


def request(
    body: bytes = b"hello",
    *,
    method: str = "POST",
    path: str = "/v1/traces",
    version: str = "1.1",
    content_type: str = PROTOBUF,
    headers: Iterable[str] = (),
    length: int | None = None,
) -> bytes:
    """One request with a Content-Length."""
    lines = [
        f"{method} {path} HTTP/{version}",
        "Host: localhost",
        f"Content-Length: {len(body) if length is None else length}",
    ]
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + body


def chunked(*chunks: bytes, trailers: str = "", headers: Iterable[str] = ()) -> bytes:
    """One request in chunks."""
    lines = [
        "POST /v1/traces HTTP/1.1",
        "Host: localhost",
        "Transfer-Encoding: chunked",
        f"Content-Type: {PROTOBUF}",
        *headers,
    ]
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return "\r\n".join([*lines, "", ""]).encode() + body + b"0\r\n" + trailers.encode() + b"\r\n"
