"""From the acknowledgement of a trace to its place in the list of traces, under a steady background."""

from __future__ import annotations

import threading
import time

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.bench import product
from tests.bench.client import Order
from tests.bench.load import clients, finished, go
from tests.bench.model import Figure, Options, Result, at_most, figures, quantile
from tests.bench.payload import Payload, Request
from tests.server import Server

BACKGROUND, AT_ONCE = 2000, 100
"""Spans a second, and how many of them a request holds."""
GOAL = 2.0
_EVERY, _POLL, _GIVE_UP, _WARM_UP = 0.5, 0.02, 30.0, 3.0


def run(options: Options) -> Result:
    """The benchmark."""
    probes = max(3, round(options.length(60, 8) / _EVERY))
    with product.product() as server:
        order = Order(
            server.ports["otlp_http"],
            spans=AT_ONCE,
            rate=BACKGROUND / AT_ONCE,
            seconds=_WARM_UP + probes * _EVERY + 2,
        )
        with clients(order, 1) as processes:
            go(processes)
            time.sleep(_WARM_UP)
            times = _probed(server, probes)
            load = finished(processes, order.seconds + 120)
    rate = load.spans / (load.last_acknowledged - load.started)
    return Result(
        (
            figures(
                at_most("acknowledged → listed, p99", quantile(times, 0.99), GOAL, "s", 2),
                Figure("acknowledged → listed, p50", f"{quantile(times, 0.5):.2f} s"),
                Figure("slowest", f"{max(times):.2f} s"),
                Figure(
                    "background",
                    f"{rate:,.0f} spans/s, acknowledgement p99 {quantile(load.latencies_ms, 0.99):.0f} ms",
                ),
                Figure("traces looked for", f"{len(times)}"),
            ),
        )
    )


def _probed(server: Server, count: int) -> list[float]:
    """Seconds until each of so many single traces was listed, sent at a fixed pace whatever the ones before do."""
    payload = Payload(1, distinct=1, seed=9)
    times: list[float] = []
    threads = []
    for number in range(count):
        due = time.monotonic() + _EVERY
        thread = threading.Thread(
            target=lambda request: times.append(_visible(server, request)), args=(payload.request(number),)
        )
        thread.start()
        threads.append(thread)
        time.sleep(max(0.0, due - time.monotonic()))
    for thread in threads:
        thread.join()
    if len(times) < count:
        raise RuntimeError(f"{count - len(times)} of {count} traces were not seen")
    return times


def _visible(server: Server, request: Request) -> float:
    """Sends a trace; seconds from its acknowledgement to the first list that shows it."""
    span = ExportTraceServiceRequest.FromString(request.body).resource_spans[0].scope_spans[0].spans[0]
    trace = span.trace_id.hex()
    with httpx.Client(timeout=60) as client:
        answer = client.post(
            server.url("otlp_http") + request.path,
            content=request.body,
            headers={"Content-Type": request.content_type},
        )
        answer.raise_for_status()
        acknowledged = time.monotonic()
        url = f"{server.url()}/api/v1/projects/{product.PROJECT}/traces"
        while time.monotonic() - acknowledged < _GIVE_UP:
            listed = client.get(url, params={"filter": f"trace_id = '{trace}'", "limit": "10"})
            if listed.status_code == httpx.codes.OK and any(
                row["trace_id"] == trace for row in listed.json()["data"]
            ):
                return time.monotonic() - acknowledged
            time.sleep(_POLL)
    raise TimeoutError(f"trace {trace} is not listed {_GIVE_UP:.0f} s after its acknowledgement")
