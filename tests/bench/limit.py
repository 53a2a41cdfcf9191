"""The bare limit of this machine: decoding the requests with ptars, and inserting ready tables into the same table, nothing around it.

CPU is that of the whole process, merges in the background included.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import ptars
import pyarrow as pa
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from infra.migrations import migrate
from infra.store_chdb import ChdbStore
from schemas.settings import Settings
from tests.bench import rows
from tests.bench.processes import Cost, cost

ROUNDS = 3
GROUP = 8
"""Requests decoded together."""
RECORDS = 6
"""Records inserted together: some 24,000 rows."""
_MERGES = 2.0


@dataclass(frozen=True, slots=True)
class Limit:
    """µs of CPU a span for decoding and for inserting; ready rows that one thread inserts in a second."""

    decode: float
    insert: float
    rows_per_second: float

    @property
    def both(self) -> float:
        """The least that a receiver and a writer of this kind can cost."""
        return self.decode + self.insert


def measure(requests: int = 160) -> Limit:
    """The best of some rounds (the first ones pay for fresh memory). Call it apart: it opens the engine."""
    bodies = rows.bodies(requests)
    tables = rows.stored(bodies, RECORDS)
    spans = sum(table.num_rows for table in tables)
    decode = min((decoding(bodies) for _ in range(ROUNDS)), key=lambda c: c.cpu)
    with TemporaryDirectory(prefix="evalstream-bench-") as folder:
        store = ChdbStore.open(Path(folder, "store"), Settings())
        migrate(store)
        inserts = [_inserting(store, tables) for _ in range(ROUNDS)]
        store.close()
    insert = min(inserts, key=lambda c: c.cpu)
    return Limit(decode.micros(spans), insert.micros(spans), spans / min(c.wall for c in inserts))


def decoding(bodies: Sequence[bytes]) -> Cost:
    """Decoding with OTLP's own full schema."""
    pool = ptars.HandlerPool([ExportTraceServiceRequest.DESCRIPTOR.file])
    handler = pool.get_for_message(ExportTraceServiceRequest.DESCRIPTOR)
    groups = [list(bodies[i : i + GROUP]) for i in range(0, len(bodies), GROUP)]
    return cost(lambda: [handler.list_to_record_batch(group) for group in groups])


def _inserting(store: ChdbStore, tables: Sequence[pa.Table]) -> Cost:
    """All tables into the empty table of spans, with a moment for the merges that follow."""
    store.command("TRUNCATE TABLE spans_raw")
    cpu, wall = time.process_time(), time.perf_counter()
    for table in tables:
        store.insert("spans_raw", table)
    wall = time.perf_counter() - wall
    time.sleep(_MERGES)
    return Cost(time.process_time() - cpu, wall)
