"""Noise for the receivers of a running server: `python -m tests.chaos.fuzz_receivers SECONDS [SEED]`.

Real requests, mutated in their bytes, their compression, their headers and their framing, over HTTP protobuf, HTTP JSON, gRPC and a
bare socket. Every answer must be one that the protocol knows, and none of them 500; afterwards a good span must go through.
"""

from __future__ import annotations

import gzip
import random
import socket
import sys
import tempfile
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import httpx

from tests import otlp
from tests.integration.transports import as_json
from tests.server import Server, running

PROJECT = "fuzz"
ALLOWED = {200, 400, 404, 405, 408, 411, 413, 414, 415, 417, 431, 501, 505}
"""HTTP statuses for bad requests; none of them invites the client to send the same again, except 408."""
ALLOWED_CODES = {"OK", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "UNIMPLEMENTED", "INTERNAL"}
"""gRPC codes. INTERNAL is gRPC's own for a message that does not decompress; ours would say "internal error"."""
HEADERS = {
    "content-type": ["application/x-protobuf", "application/json", "text/plain", "application/json; charset=latin-1", "", "/"],
    "content-encoding": ["gzip", "deflate", "zstd", "identity", "br", "gzip, gzip", ""],
    "x-evalstream-project": [PROJECT, "", "ü", "a b", "x" * 5000, "../.."],
    "authorization": ["Bearer x", "Basic !!!", "Basic", "nonsense"],
    "expect": ["100-continue", "something"],
}  # fmt: skip


@dataclass
class Fuzz:
    """A running fuzz: what was answered how often, by transport."""

    server: Server
    chance: random.Random
    seen: Counter[str] = field(default_factory=Counter)

    def run(self, seconds: float) -> None:
        """Sends noise for so long. Raises AssertionError with what was sent."""
        bodies = [*samples(), b"", b"{}"]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            signal, body = (
                self.chance.choice(["traces", "traces", "logs", "metrics"]),
                self.chance.choice(bodies),
            )
            noise = mutated(body, self.chance) if self.chance.random() < 0.9 else body
            step = self.chance.choice([self.over_http, self.over_http, self.over_grpc, self.over_socket])
            step(signal, noise)
        self.alive()

    def over_http(self, signal: str, body: bytes) -> None:
        """One POST with headers that may lie."""
        headers = {
            name: self.chance.choice(values) for name, values in HEADERS.items() if self.chance.random() < 0.3
        }
        headers.setdefault("content-type", self.chance.choice(["application/x-protobuf", "application/json"]))
        body = packed(headers.get("content-encoding", ""), body, self.chance)
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        try:
            answer = self.server.otlp.post(f"/v1/{signal}", content=body, headers=encoded)
        except httpx.RemoteProtocolError:
            self.seen["http closed"] += 1
            return
        self.seen[f"http {answer.status_code}"] += 1
        assert answer.status_code in ALLOWED, (answer.status_code, answer.content, headers, body)

    def over_grpc(self, signal: str, body: bytes) -> None:
        """One call, perhaps compressed."""
        export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self.server.channel.unary_unary(
            otlp.SERVICES[signal]
        )
        compression = self.chance.choice([None, grpc.Compression.Gzip, grpc.Compression.Deflate])
        try:
            export(body, timeout=30, compression=compression, metadata=(("x-evalstream-project", PROJECT),))
            code, details = "OK", ""
        except grpc.RpcError as error:
            code, details = error.code().name, error.details() or ""
        self.seen[f"grpc {code}"] += 1
        assert code in ALLOWED_CODES, (code, details, body)
        assert "internal error" not in details, (details, body)

    def over_socket(self, signal: str, body: bytes) -> None:
        """Bytes that need not be HTTP; the server answers an error or closes, and does not hang."""
        head = f"POST /v1/{signal} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        raw = mutated(head.encode() + body[:2_000], self.chance)
        port = self.chance.choice([self.server.ports["otlp_http"], self.server.ports["otlp_grpc"]])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            try:
                connection.sendall(raw)
                connection.shutdown(socket.SHUT_WR)
                answer = connection.recv(65_536)
            except ConnectionError:
                answer = b""
        self.seen["socket answered" if answer else "socket closed"] += 1
        assert b" 500 " not in answer[:20], (answer, raw)

    def alive(self) -> None:
        """After all that: ready, and a good span goes through."""
        assert self.server.api.get("/readyz").status_code == httpx.codes.OK
        start = time.time_ns()
        body = otlp.traces(otlp.span("after the noise", trace_id="f" * 32, span_id="f" * 16, start=start))
        answer = otlp.post(self.server.otlp, "traces", body, {"x-evalstream-project": PROJECT})
        assert answer.status_code == httpx.codes.OK
        deadline = time.monotonic() + 30
        while not (
            rows := self.server.rows(PROJECT, "SELECT name FROM spans WHERE span_id = repeat('f', 16)")
        ):
            assert time.monotonic() < deadline, self.server.said()
            time.sleep(0.1)
        assert rows == [{"name": "after the noise"}]


def samples() -> list[bytes]:
    """Requests to begin from: recorded ones of every signal in both encodings, and one built by hand."""
    recorded = otlp.fixtures(root=otlp.KEPT)
    built = otlp.traces(otlp.span(start=time.time_ns(), attributes={"a": [1, {"b": 2.5}], "s": "x" * 300}))
    small = [fixture.body for fixture in recorded if len(fixture.body) < 50_000]
    return [*small, built, as_json(built)]


def packed(coding: str, body: bytes, chance: random.Random) -> bytes:
    """The body in the coding that its header names, mostly; sometimes harmed."""
    if coding == "gzip":
        body = gzip.compress(body, 1)
    elif coding == "deflate":
        body = zlib.compress(body, 1)
    return mutated(body, chance) if coding and chance.random() < 0.3 else body


def mutated(body: bytes, chance: random.Random) -> bytes:
    """Some bytes changed, removed, doubled, put in, or everything cut off."""
    result = bytearray(body)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(result) + 1)
        match chance.randrange(6):
            case 0 | 1:
                result[at : at + 1] = chance.randbytes(1)
            case 2:
                del result[at : at + chance.randint(1, 20)]
            case 3:
                result[at:at] = chance.randbytes(chance.randint(1, 20))
            case 4:
                result[at:at] = result[at : at + chance.randint(1, 400)]
            case _ if chance.random() < 0.2:
                del result[at:]
    return bytes(result)


def main(arguments: list[str]) -> int:
    """Starts a server of its own and fuzzes it."""
    seconds = float(arguments[0]) if arguments else 60.0
    seed = int(arguments[1]) if len(arguments) > 1 else time.time_ns()
    print(f"seed {seed}")
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "data") as server:
        fuzz = Fuzz(server, random.Random(seed))
        fuzz.run(seconds)
        print(dict(fuzz.seen))
        assert "Traceback" not in server.errors.read_text(encoding="utf-8", errors="replace"), server.said()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
