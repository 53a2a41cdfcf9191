"""A small HTTP server that answers what a test says, for commands under test."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body's document."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Told:
    """An answer: a document, or bytes of any type."""

    document: Any = None
    status: int = 200
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Callable[[Asked], Told]


@dataclass
class FakeServer:
    """Where it is, and what it was asked so far."""

    url: str
    asked: list[Asked]


@contextmanager
def serving(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[FakeServer]:
    """Answers on a free port of 127.0.0.1; by HTTPS with `tls`."""
    fake = FakeServer("", [])

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, parts.path, query, headers, body)
            fake.asked.append(asked)
            told = answer(asked)
            content = told.content if told.content is not None else json.dumps(told.document).encode()
            self.send_response(told.status)
            for name, value in {"content-length": str(len(content)), **told.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - names of the base class

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread.start()
    fake.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}"
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
