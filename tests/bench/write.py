"""Stages of the span writer, in µs of CPU a span: merging and deriving, inserting, and the whole when spans of known traces arrive."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from infra.migrations import migrate
from infra.store_chdb import ChdbStore
from processors.span_writer import SpanWriter
from schemas.ports import Record, Store
from schemas.settings import Settings
from tests.bench import rows
from tests.bench.limit import RECORDS, ROUNDS
from tests.bench.model import Options, Result, Table
from tests.bench.payload import SPANS_PER_TRACE
from tests.bench.processes import Cost, apart, cost

_MERGES = 2.0
"""Seconds after the last insert in which merges are counted too."""


def run(options: Options) -> Result:
    """The benchmark."""
    return apart(measure, options.size(160, 32))


def measure(requests: int) -> Result:
    """Call it apart: it opens the engine."""
    tables = rows.normalised(rows.bodies(requests))
    spans = sum(table.num_rows for table in tables)
    derive = min((_derived(tables) for _ in range(ROUNDS)), key=lambda c: c.cpu)
    with TemporaryDirectory(prefix="evalstream-bench-") as folder:
        store = ChdbStore.open(Path(folder, "store"), Settings())
        migrate(store)
        fresh = min((_written(store, rows.records(tables)) for _ in range(ROUNDS)), key=lambda c: c.cpu)
        parts = _written(store, _apart(tables), _nothing)
        again = _written(store, rows.records(tables), lambda _: None)
        store.close()
    found = [
        ("merge and derive", derive),
        ("merge, derive, insert, background merges", fresh),
        ("the same when roots come after their children, in another batch", parts),
        ("the same when all are duplicates of stored spans", again),
    ]
    lines = [(name, f"{c.micros(spans):.2f}", f"{spans / c.wall:,.0f}") for name, c in found]
    return Result((Table(("stage", "µs of CPU a span", "spans/s, one writer"), lines),))


def _derived(tables: Sequence[pa.Table]) -> Cost:
    return _written(rows.Collected(), rows.records(tables), lambda _: None, pause=0.0)


def _nothing(store: Store) -> None:
    """Empties the table of spans."""
    store.command("TRUNCATE TABLE spans_raw")


def _written(
    store: Store,
    records: Sequence[Record],
    before: Callable[[Store], None] = _nothing,
    pause: float = _MERGES,
) -> Cost:
    """A new span writer writes all records, some at a time."""
    before(store)
    writer = SpanWriter(store)
    writer.load()

    def work() -> None:
        for start in range(0, len(records), RECORDS):
            writer.process(records[start : start + RECORDS])

    cpu = time.process_time()
    wall = cost(work).wall
    time.sleep(pause)
    return Cost(time.process_time() - cpu, wall)


def _apart(tables: Sequence[pa.Table]) -> list[Record]:
    """Records in which the children of some traces come in one batch, and their roots in the next."""
    parted: list[pa.Table] = []
    for start in range(0, len(tables), RECORDS):
        group = tables[start : start + RECORDS]
        roots = [np.arange(table.num_rows) % SPANS_PER_TRACE == 0 for table in group]
        parted += [table.filter(pa.array(~root)) for table, root in zip(group, roots, strict=True)]
        parted += [table.filter(pa.array(root)) for table, root in zip(group, roots, strict=True)]
    return rows.records(parted)
