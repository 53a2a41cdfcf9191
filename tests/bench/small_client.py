"""Many connections with one request in flight each, in one process: HTTP where there is no wrk, and gRPC.

`python -m tests.bench.small_client http|grpc PORT CONNECTIONS SECONDS FILE TRACE_PLACE SPAN_PLACE NAME` prints what small.lua prints.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import grpc.aio
import uvloop

from tests.bench.model import quantile
from tests.otlp import SERVICES

CHANNELS = 4
_END_OF_HEAD = b"\r\n\r\n"


@dataclass
class Bench:
    """What all connections share: the request to stamp, when to end, what was seen (milliseconds)."""

    port: int
    connections: int
    seconds: float
    stamp: Callable[[], bytes]
    latencies: list[float] = field(default_factory=list)
    failed: int = 0
    end: float = 0.0

    async def over_http(self) -> None:
        """All connections over HTTP/1.1."""
        await asyncio.gather(*(self._http() for _ in range(self.connections)))

    async def _http(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while time.monotonic() < self.end:
            sent = time.perf_counter()
            writer.write(self.stamp())
            head = await reader.readuntil(_END_OF_HEAD)
            length = next(
                (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0"
            )
            await reader.readexactly(int(length.partition(b":")[2]))
            self._answered(sent, ok=head.startswith(b"HTTP/1.1 2"))
        writer.close()
        await writer.wait_closed()

    async def over_grpc(self) -> None:
        """All calls over a few channels."""
        options = [("grpc.use_local_subchannel_pool", 1)]
        channels = [
            grpc.aio.insecure_channel(f"127.0.0.1:{self.port}", options=options) for _ in range(CHANNELS)
        ]
        await asyncio.gather(*(self._grpc(channels[i % CHANNELS]) for i in range(self.connections)))
        for channel in channels:
            await channel.close()

    async def _grpc(self, channel: grpc.aio.Channel) -> None:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(SERVICES["traces"])
        while time.monotonic() < self.end:
            sent = time.perf_counter()
            try:
                await call(self.stamp())
                self._answered(sent, ok=True)
            except grpc.aio.AioRpcError:
                self._answered(sent, ok=False)

    def _answered(self, sent: float, *, ok: bool) -> None:
        self.latencies.append((time.perf_counter() - sent) * 1000)
        self.failed += not ok

    async def run(self, transport: str) -> dict[str, float]:
        """Runs until the time is over, and sums up."""
        began = time.monotonic()
        self.end = began + self.seconds
        await (self.over_http() if transport == "http" else self.over_grpc())
        return {
            "requests": len(self.latencies),
            "seconds": time.monotonic() - began,
            "failed": self.failed,
            "p50": quantile(self.latencies, 0.5),
            "p99": quantile(self.latencies, 0.99),
        }


def stamper(template: bytes, trace: int, span: int, name: bytes) -> Callable[[], bytes]:
    """Makes requests with ids of their own: four bytes of `name` and a number, twice in the trace id."""
    head, middle, tail = template[:trace], template[trace + 16 : span], template[span + 8 :]
    numbers = itertools.count(1)

    def stamp() -> bytes:
        own = name + next(numbers).to_bytes(4, "big")
        return b"".join((head, own, own, middle, own, tail))

    return stamp


def main() -> None:
    """Reads the arguments, prints one line."""
    transport, port, connections, seconds, file, trace, span, name = sys.argv[1:9]
    stamp = stamper(Path(file).read_bytes(), int(trace), int(span), name.encode())
    bench = Bench(int(port), int(connections), float(seconds), stamp)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(bench.run(transport))))


if __name__ == "__main__":
    main()
