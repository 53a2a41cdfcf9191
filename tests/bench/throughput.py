"""Four clients, requests of 500 spans of 1.1 kB, as fast as they are acknowledged: spans/s, CPU a span, memory and disk over time."""

from __future__ import annotations

import os
from dataclasses import dataclass

from tests.bench import product
from tests.bench.client import Order
from tests.bench.limit import Limit, measure
from tests.bench.load import Load, clients, finished, go, send
from tests.bench.model import Figure, Options, Result, Table, at_least, at_most, figures, quantile
from tests.bench.processes import Watch, apart
from tests.server import Server

CLIENTS = 4
GOAL_SPANS, GOAL_CPU, GOAL_MEMORY = 100_000, 15.0, 1024.0
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Run:
    """A measured run: `cpu` is the server's, in seconds, until all was queryable at `queryable` (seconds since 1970)."""

    load: Load
    watch: Watch
    cpu: float
    queryable: float
    exact: bool

    @property
    def acknowledged_rate(self) -> float:
        """Spans acknowledged a second."""
        return self.load.spans / (self.load.last_acknowledged - self.load.started)

    @property
    def queryable_rate(self) -> float:
        """Spans a second, from the first request until all could be queried."""
        return self.load.spans / (self.queryable - self.load.started)

    @property
    def micros(self) -> float:
        """The server's CPU a span."""
        return self.cpu / self.load.spans * 1e6


def run(options: Options) -> Result:
    """The benchmark."""
    limit = apart(measure, options.size(160, 60))
    found = ours(options.length(60, 8))
    return Result((figures(*_figures(found, limit)), _over_time(found)), _notes(found, limit))


def ours(seconds: float) -> Run:
    """A run against a fresh server that is warm."""
    with product.product() as server:
        warm = send(Order(server.ports["otlp_http"], number=CLIENTS, seconds=1.0), 1)
        product.drained(server, warm.spans)
        before = product.sums(server)
        return _measured(server, seconds, before)


def _measured(server: Server, seconds: float, before: tuple[int, int, int]) -> Run:
    order = Order(server.ports["otlp_http"], seconds=seconds)
    folders = (server.data / "log", server.data / "store")
    with clients(order, CLIENTS) as processes, Watch(server.process.pid, folders) as watch:
        cpu = product.cpu_seconds(server)
        go(processes)
        load = finished(processes, seconds + 300)
        queryable = product.drained(server, before[0] + load.spans)
        cpu = product.cpu_seconds(server) - cpu
    expected = tuple(map(sum, zip(before, (load.spans, *load.tokens), strict=True)))
    return Run(load, watch, cpu, queryable, product.sums(server) == expected)


def _figures(found: Run, limit: Limit) -> list[Figure]:
    load, watch = found.load, found.watch
    wall = found.queryable - load.started
    return [
        at_least("acknowledged", found.acknowledged_rate, GOAL_SPANS, "spans/s"),
        at_least("until queryable", found.queryable_rate, GOAL_SPANS, "spans/s"),
        Figure(
            "from the last acknowledgement to all queryable",
            f"{found.queryable - load.last_acknowledged:.2f} s",
        ),
        at_most("CPU of the server a span", found.micros, GOAL_CPU, "µs"),
        Figure(
            "bare limit: decode + insert", f"{limit.decode:.1f} + {limit.insert:.1f} = {limit.both:.1f} µs"
        ),
        Figure("server / bare limit", f"{found.micros / limit.both:.2f} ×"),
        Figure("bare insert of ready tables", f"{limit.rows_per_second:,.0f} rows/s"),
        Figure("CPU of the clients a span", f"{load.cpu_seconds / load.spans * 1e6:.1f} µs"),
        Figure(
            "cores used by server, clients",
            f"{found.cpu / wall:.2f}, {load.cpu_seconds / wall:.2f} of {os.cpu_count()}",
        ),
        Figure(
            "acknowledgement p50, p99",
            f"{quantile(load.latencies_ms, 0.5):.0f}, {quantile(load.latencies_ms, 0.99):.0f} ms",
        ),
        at_most("peak resident memory", watch.peak_memory / _MIB, GOAL_MEMORY, "MiB", 0),
        Figure(
            "peak disk: log, store", f"{watch.peak_disk(0) / _MIB:,.0f}, {watch.peak_disk(1) / _MIB:,.0f} MiB"
        ),
        Figure(
            "every acknowledged span stored once, tokens equal",
            "yes" if found.exact else "no",
            "yes",
            found.exact,
        ),
    ]


def _over_time(found: Run) -> Table:
    """Memory at five moments: flat when the last ones are no higher than the second."""
    shares = (0.0, 0.25, 0.5, 0.75, 1.0)
    cells = [f"{found.watch.memory_at(share) / _MIB:,.0f}" for share in shares]
    return Table(("resident memory at", *(f"{share:.0%}" for share in shares)), [("MiB", *cells)])


def _notes(found: Run, limit: Limit) -> list[str]:
    load = found.load
    refused = ", ".join(f"{count} × {kind}" for kind, count in load.refused.items()) or "none"
    return [
        f"{load.spans:,} spans in {load.last_acknowledged - load.started:.0f} s; answers other than 200: {refused}."
    ]
