"""A scripted model service on 127.0.0.1 that speaks OpenAI's and Anthropic's HTTP, with streams, tools, caching, faults and a ledger.

    with ScriptedModelServer(seed=7) as server:
        OpenAI(base_url=server.openai_url, api_key="whoever")
        Anthropic(base_url=server.url, api_key="whoever")
        server.ledger  # what was answered and billed, in order

The same seed and requests give the same answers. A request can ask for a fault with the header `x-scripted-fault: NAME` or
`NAME:N` (only the SDK's first N attempts; names: `model_types.FAULTS`). Time passes only in the headers `openai-processing-ms` (until the
answer begins) and `x-scripted-chunk-ms` (between streamed pieces); `slowness` makes the server really wait that share of it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from api.demo import wire_anthropic, wire_openai
from api.demo.model_script import Script
from api.demo.model_types import FAULTS, Api, Ask, Fault, FaultPlan, Reply, Usage, no_faults
from api.demo.wire_openai import END, Event

ROUTES: dict[str, Api] = {
    "/v1/chat/completions": "chat",
    "/v1/embeddings": "embeddings",
    "/v1/messages": "messages",
}
READERS = {
    "chat": wire_openai.read_chat,
    "embeddings": wire_openai.read_embeddings,
    "messages": wire_anthropic.read_messages,
}
ID_PREFIXES = {"chat": "chatcmpl-", "messages": "msg_", "embeddings": "emb-"}
RETRY_AFTER_MS = 20
"""What a failed request is told to wait, so that retries cost no real time."""


@dataclass(frozen=True, slots=True)
class Bill:
    """One request as the service saw it. `usage` is None when the client was told none: a fault, a stream cut off or without usage."""

    client: str
    id: str
    ask: Ask
    status: int
    reply: Reply | None
    usage: Usage | None
    fault: Fault | None


class ScriptedModelServer:
    """The server, from `with` to its end. `ledger` grows with each request, `seed` and `faults` decide the answers.

    `now` (seconds since the epoch) dates the answers; `faults` sees every request that does not ask for a fault by itself.
    """

    def __init__(
        self,
        *,
        seed: int = 7,
        faults: FaultPlan = no_faults,
        slowness: float = 0.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.ledger: list[Bill] = []
        self.script = Script(seed, faults)
        self.slowness = slowness
        self.now = now
        self.lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), self)
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.05,), name="scripted-model", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._http.server_port

    @property
    def url(self) -> str:
        """Base address, as Anthropic's SDK wants it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def openai_url(self) -> str:
        """Base address, as OpenAI's SDK wants it."""
        return f"{self.url}/v1"

    def bills(self, client: str) -> list[Bill]:
        """The ledger of one client (the API key that it sent)."""
        return [bill for bill in self.ledger if bill.client == client]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], owner: ScriptedModelServer) -> None:
        self.owner = owner
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up (as killed test programs do) is no event."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: the ledger is the log."""

    def do_POST(self) -> None:
        """Answers one request."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        api = ROUTES.get(self.path.partition("?")[0])
        if api is None:
            self._send_json(
                404, wire_openai.write_error(Fault(404, "not_found", f"Unknown path {self.path}"))
            )
            return
        try:
            ask = READERS[api](json.loads(body))
        except (ValueError, KeyError, TypeError) as error:
            self._send_json(
                400,
                wire_openai.write_error(Fault(400, "invalid_request", f"Cannot read the request: {error!r}")),
            )
            return
        self._serve(ask)

    def _serve(self, ask: Ask) -> None:
        owner = self.server.owner
        with owner.lock:
            planned = owner.script.fault(ask)
            fault = self._requested_fault() or planned
            failed = fault is not None and not (fault.cut and ask.stream)
            reply = None if failed else owner.script.answer(ask)
            reply_id = "" if failed else ID_PREFIXES[ask.api] + owner.script.new_id()
            told = reply is not None and fault is None and (ask.include_usage or not ask.stream)
            status = fault.status if failed and fault else 200
            owner.ledger.append(
                Bill(
                    self._client(),
                    reply_id,
                    ask,
                    status,
                    reply,
                    reply.usage if reply and told else None,
                    fault,
                )
            )
        if reply is None:
            self._send_fault(ask, fault or FAULTS["server_error"])
        elif ask.stream:
            self._send_stream(ask, reply, reply_id, cut=fault is not None)
        else:
            self._send_whole(ask, reply, reply_id)

    def _client(self) -> str:
        key: str = self.headers.get("x-api-key") or self.headers.get("authorization") or ""
        return key.removeprefix("Bearer ")

    def _requested_fault(self) -> Fault | None:
        name, _, times = str(self.headers.get("x-scripted-fault", "")).partition(":")
        attempt = int(self.headers.get("x-stainless-retry-count", 0))
        return FAULTS.get(name) if attempt < int(times or 1_000) else None

    def _send_fault(self, ask: Ask, fault: Fault) -> None:
        write = wire_anthropic.write_error if ask.api == "messages" else wire_openai.write_error
        waited = (
            {"retry-after-ms": str(RETRY_AFTER_MS), "openai-processing-ms": "900"}
            if fault.status in (429, 500, 529)
            else {}
        )
        self._send_json(fault.status, write(fault), waited)

    def _send_whole(self, ask: Ask, reply: Reply, reply_id: str) -> None:
        self._wait(reply.total_ms)
        if ask.api == "embeddings":
            body = wire_openai.write_embeddings(ask, reply)
        elif ask.api == "messages":
            body = wire_anthropic.write_message(reply, reply_id)
        else:
            body = wire_openai.write_chat(reply, reply_id, int(self.server.owner.now()))
        self._send_json(200, body, {"openai-processing-ms": f"{reply.total_ms:.3f}"})

    def _send_json(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self._send_headers(
            {"content-type": "application/json", "content-length": str(len(data)), **(headers or {})}
        )
        self.wfile.write(data)
        self.wfile.flush()

    def _send_headers(self, headers: dict[str, str]) -> None:
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send_stream(self, ask: Ask, reply: Reply, reply_id: str, *, cut: bool) -> None:
        """Chunked server-sent events. A cut stream ends after half of its events without the chunk that would end the body."""
        created = int(self.server.owner.now())
        events = list(
            wire_anthropic.stream_message(reply, reply_id)
            if ask.api == "messages"
            else wire_openai.stream_chat(ask, reply, reply_id, created)
        )
        self._wait(reply.first_ms)
        self.send_response(200)
        pace = {
            "openai-processing-ms": f"{reply.first_ms:.3f}",
            "x-scripted-chunk-ms": f"{reply.chunk_ms:.3f}",
        }
        self._send_headers({"content-type": "text/event-stream", "transfer-encoding": "chunked", **pace})
        with suppress(ConnectionError):
            for frame in _frames(events[: len(events) // 2] if cut else events):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(frame), frame))
                if self.server.owner.slowness:
                    self.wfile.flush()
                    self._wait(reply.chunk_ms)
            self.wfile.write(b"" if cut else b"0\r\n\r\n")
            self.wfile.flush()
        self.close_connection = cut

    def _wait(self, milliseconds: float) -> None:
        if self.server.owner.slowness:
            time.sleep(milliseconds / 1000 * self.server.owner.slowness)


def _frames(events: list[Event]) -> Iterator[bytes]:
    """Server-sent events as bytes."""
    for name, payload in events:
        head = f"event: {name}\n" if name else ""
        yield f"{head}data: {payload if payload == END else json.dumps(payload)}\n\n".encode()
