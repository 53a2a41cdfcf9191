"""The OpenTelemetry Collector, compiled, as the reference for receiving alone: it decodes each request and drops it.

Evalstream beside it keeps, normalises, writes and indexes every span.
"""

from __future__ import annotations

from tests.bench import environments, peer
from tests.bench.client import Order
from tests.bench.model import Options, Result, Table
from tests.bench.throughput import ours

CLIENTS = 4


def run(options: Options) -> Result:
    """The benchmark. Raises Skipped where the Collector cannot be built."""
    seconds = options.length(20, 4)
    with peer.collector() as running:
        peer.measure(running, Order(running.port, number=CLIENTS, seconds=1), 1)
        theirs = peer.measure(running, Order(running.port, seconds=seconds), CLIENTS)
    own = ours(seconds)
    rows = [
        ("Evalstream, durable and queryable", f"{own.queryable_rate:,.0f}", f"{own.micros:,.1f}", "1 ×"),
        (
            f"Collector {environments.COLLECTOR}, otlp → nop",
            f"{theirs.rate:,.0f}",
            f"{theirs.micros:,.1f}",
            f"{own.micros / theirs.micros:,.1f} ×",
        ),
    ]
    notes = (
        "With `nop` the Collector keeps nothing; with its durable queue it cost 22 µs a span where this was tried, 27 µs with fsync.",
    )
    return Result((Table(("server", "spans/s", "CPU µs a span", "CPU, ours / theirs"), rows),), notes)
