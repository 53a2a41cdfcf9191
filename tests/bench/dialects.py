"""The real exports of each SDK set-up, and all of them mixed: no dialect may fall off a cliff.

Each is sent in requests of at least 500 spans, so that what is compared is the dialect and not the size of its requests; the mix
also as the exporters cut it.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from tests.bench import product, replay
from tests.bench.client import Order
from tests.bench.load import clients, finished, go
from tests.bench.model import Options, Result, Skipped, Table, at_most, figures
from tests.server import Server

CLIENTS = 2
SMALL_CLIENTS = 8
"""So many exporters send the requests as captured, most of which hold one span."""
GOAL = 5.0


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one kind of export costs: bytes a span on the wire, spans/s until queryable, the server's CPU in µs a span."""

    name: str
    spans: int
    bytes: float
    rate: float
    micros: float


def run(options: Options) -> Result:
    """The benchmark. Raises Skipped without the captured exports."""
    names = replay.sdks()
    if not names:
        raise Skipped("shared/ is not beside the checkout")
    requests = options.size(10, 2)
    with product.product() as server:
        _measured(server, "warm", replay.ALL, requests=2)
        dialects = [_measured(server, name, name, requests) for name in names[:: options.size(1, 5)]]
        mixed = _measured(server, "all, requests of 500", replay.ALL, requests)
        seconds = options.length(10, 2)
        small = _measured(server, "all, requests as captured", replay.ALL, 0, seconds=seconds, as_sent=True)
    return Result((_table([mixed, small, *sorted(dialects, key=lambda d: -d.micros)]), _spread(dialects)))


def _measured(
    server: Server, name: str, sdk: str, requests: int, *, seconds: float = 120.0, as_sent: bool = False
) -> Dialect:
    """Copies of an SDK's exports into a project of their own, until all are queryable."""
    project = f"bench-{''.join(c if c.isalnum() or c in '-.' else '-' for c in name)}"
    order = Order(
        server.ports["otlp_http"], requests=requests, seconds=seconds, sdk=sdk, as_sent=as_sent,
        headers={"X-Evalstream-Project": project},
    )  # fmt: skip
    with clients(order, SMALL_CLIENTS if as_sent else CLIENTS) as processes:
        cpu = product.cpu_seconds(server)
        go(processes)
        load = finished(processes, seconds + 300)
        end = product.drained(server, load.spans, project)
        cpu = product.cpu_seconds(server) - cpu
    if load.refused:
        raise RuntimeError(f"{name}: answers other than 200: {load.refused}")
    return Dialect(
        name, load.spans, load.bytes / load.spans, load.spans / (end - load.started), cpu / load.spans * 1e6
    )


def _table(dialects: list[Dialect]) -> Table:
    rows = [
        (
            d.name,
            f"{d.spans:,}",
            f"{d.bytes:,.0f}",
            f"{d.rate:,.0f}",
            f"{d.micros:,.1f}",
            f"{d.micros / d.bytes * 1000:,.1f}",
        )
        for d in dialects
    ]
    return Table(
        ("exports of", "spans", "bytes a span", "spans/s until queryable", "CPU µs a span", "CPU µs a kB"),
        rows,
    )


def _spread(dialects: list[Dialect]) -> Table:
    worst, middle = max(dialects, key=lambda d: d.micros), median(d.micros for d in dialects)
    return figures(at_most(f"worst ({worst.name}) / median, CPU a span", worst.micros / middle, GOAL, "×"))
