"""One span a request: over 100 keep-alive HTTP connections (with wrk where it is installed), and over gRPC."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.bench import product
from tests.bench.machine import REPOSITORY
from tests.bench.model import Figure, Options, Result, at_least, at_most, figures
from tests.bench.payload import Payload
from tests.server import Server

CONNECTIONS = 100
GRPC_PROCESSES = 2
GOAL_RATE, GOAL_P99 = 8000.0, 50.0


@dataclass(frozen=True, slots=True)
class Run:
    """What the clients of one run saw: answers, seconds, milliseconds to the acknowledgement, and the server's CPU in µs a request."""

    client: str
    requests: int
    seconds: float
    failed: int
    p50: float
    p99: float
    micros: float
    stored: int

    @property
    def rate(self) -> float:
        """Acknowledged requests a second."""
        return (self.requests - self.failed) / self.seconds


def run(options: Options) -> Result:
    """The benchmark."""
    seconds = options.length(20, 4)
    with product.product() as server:
        _http(server, min(seconds, 3), "warm")
        http = _http(server, seconds, "http")
        grpc = _grpc(server, seconds)
    return Result((figures(*_figures("HTTP", http, goals=True), *_figures("gRPC", grpc, goals=False)),))


def _figures(transport: str, found: Run, *, goals: bool) -> list[Figure]:
    rate, p99 = (
        f"{transport}: durable, {CONNECTIONS} connections, {found.client}",
        f"{transport}: acknowledgement p99",
    )
    exact = found.requests - found.failed <= found.stored <= found.requests + CONNECTIONS
    return [
        at_least(rate, found.rate, GOAL_RATE, "requests/s")
        if goals
        else Figure(rate, f"{found.rate:,.0f} requests/s"),
        Figure(f"{transport}: acknowledgement p50", f"{found.p50:.1f} ms"),
        at_most(p99, found.p99, GOAL_P99, "ms") if goals else Figure(p99, f"{found.p99:.1f} ms"),
        Figure(f"{transport}: CPU of the server a request", f"{found.micros:.0f} µs"),
        Figure(
            f"{transport}: failed; acknowledged spans stored once",
            f"{found.failed}; {'yes' if exact else 'no'}",
            "0; yes",
            exact and not found.failed,
        ),
    ]


def _http(server: Server, seconds: float, name: str) -> Run:
    path = server.data.parent / "request.bin"
    port = server.ports["otlp_http"]
    places = _write_template(
        path,
        f"POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/x-protobuf\r\n",
    )
    if wrk := shutil.which("wrk"):
        script = [
            "-s",
            str(Path(__file__).with_name("small.lua")),
            f"http://127.0.0.1:{port}/v1/traces",
            "--",
        ]
        command = [
            wrk,
            "-t1",
            f"-c{CONNECTIONS}",
            f"-d{max(1, round(seconds))}s",
            "--timeout",
            "10s",
            *script,
            str(path),
            *places,
            name,
        ]
    else:
        command = _client("http", port, CONNECTIONS, seconds, path, places, name)
    return _measured(server, [command], name)


def _grpc(server: Server, seconds: float) -> Run:
    path = server.data.parent / "request.bin"
    places = _write_template(path, None)
    each = CONNECTIONS // GRPC_PROCESSES
    port = server.ports["otlp_grpc"]
    commands = [_client("grpc", port, each, seconds, path, places, f"grp{i}") for i in range(GRPC_PROCESSES)]
    return _measured(server, commands, "grp")


def _client(
    transport: str, port: int, connections: int, seconds: float, file: Path, places: Sequence[str], name: str
) -> list[str]:
    return [
        sys.executable,
        "-m",
        "tests.bench.small_client",
        transport,
        str(port),
        str(connections),
        str(seconds),
        str(file),
        *places,
        name,
    ]


def _write_template(path: Path, head: str | None) -> tuple[str, str]:
    """Writes a request of one span, with an HTTP head if one is given; the places of its trace id and span id."""
    body = Payload(1, distinct=1).request(0).body
    span = ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans[0]
    whole = (f"{head}Content-Length: {len(body)}\r\n\r\n".encode() if head else b"") + body
    path.write_bytes(whole)
    return str(whole.index(span.trace_id)), str(whole.index(span.span_id))


def _measured(server: Server, commands: Sequence[Sequence[str]], name: str) -> Run:
    """Runs the clients side by side until all that they sent is stored."""
    cpu = product.cpu_seconds(server)
    started = [
        subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) for command in commands
    ]
    said = [process.communicate()[0] for process in started]
    cpu = product.cpu_seconds(server) - cpu
    found = [json.loads(next(line for line in out.splitlines() if line.startswith("{"))) for out in said]
    requests, failed = (int(sum(f[key] for f in found)) for key in ("requests", "failed"))
    return Run(
        client="wrk" if Path(commands[0][0]).name == "wrk" else "asyncio",
        requests=requests,
        seconds=max(f["seconds"] for f in found),
        failed=failed,
        p50=max(f["p50"] for f in found),
        p99=max(f["p99"] for f in found),
        micros=cpu / max(1, requests) * 1e6,
        stored=_stored(server, name, requests - failed),
    )


def _stored(server: Server, name: str, expected: int, seconds: float = 60.0) -> int:
    """Rows of the run once as many are there as were acknowledged; each must be a span of its own."""
    query = f"SELECT count() AS rows, uniqExact(span_id) AS spans FROM spans WHERE startsWith(span_id, '{name.encode().hex()}')"
    end = time.monotonic() + seconds
    while True:
        found = server.rows(product.PROJECT, query)
        rows, spans = (int(found[0]["rows"]), int(found[0]["spans"])) if found else (0, 0)
        if rows != spans:
            raise AssertionError(f"{spans} spans stand in {rows} rows")
        if rows >= expected or time.monotonic() > end:
            return rows
        time.sleep(0.5)
