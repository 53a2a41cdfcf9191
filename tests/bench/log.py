"""Stages of the event log in µs of CPU a span: encoding, the durable append, reading near the end and from the file."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from infra import ipc
from infra.log_sqlite import SqliteEventLog
from schemas.events import SPANS
from schemas.ports import Entry
from tests.bench import rows
from tests.bench.limit import ROUNDS
from tests.bench.model import Options, Result, Table, quantile
from tests.bench.processes import Cost, apart, cost

_GROUP = "bench"
_AT_ONCE = 4
"""Appends under way at the same time."""


def run(options: Options) -> Result:
    """The benchmark."""
    return apart(measure, options.size(160, 32), options.size(2000, 200))


def measure(requests: int, appends: int) -> Result:
    """Call it apart: CPU is counted by process."""
    tables = rows.normalised(rows.bodies(requests))
    spans = sum(table.num_rows for table in tables)
    encoder = ipc.Encoder()
    payloads = [_bytes(encoder.encode(table)) for table in tables]
    encode = _best(lambda: [encoder.encode(table) for table in tables])
    decode = _best(lambda: [ipc.decode(payload) for payload in payloads])
    with TemporaryDirectory(prefix="evalstream-bench-") as folder:
        append, near, far, latencies = asyncio.run(_through(Path(folder), tables, appends))
    rate, size = spans / append.wall, sum(map(len, payloads)) / spans
    stages = Table(
        ("stage", "µs of CPU a span"),
        [
            ("encode (Arrow IPC, LZ4)", f"{encode.micros(spans):.2f}"),
            ("append: encode, write, sync", f"{append.micros(spans):.2f}"),
            ("read from memory and commit", f"{near.micros(spans):.2f}"),
            ("read from the file and commit", f"{far.micros(spans):.2f}"),
            ("decode", f"{decode.micros(spans):.2f}"),
        ],
    )
    note = (
        f"Appends of {tables[0].num_rows:,} spans, {_AT_ONCE} at once: "
        f"{rate:,.0f} spans/s, {size:,.0f} bytes a span in the log."
    )
    single = (
        f"Appends of one span, {_AT_ONCE} at once: "
        f"p50 {quantile(latencies, 0.5):.1f} ms, p99 {quantile(latencies, 0.99):.1f} ms until durable."
    )
    return Result((stages,), (note, single))


def _bytes(payload: ipc.Payload) -> bytes:
    return b"".join((payload.head, payload.body))


def _best(work: Callable[[], object]) -> Cost:
    return min((cost(work) for _ in range(ROUNDS)), key=lambda c: c.cpu)


async def _through(
    folder: Path, tables: Sequence[pa.Table], appends: int
) -> tuple[Cost, Cost, Cost, list[float]]:
    """Costs of appending everything, reading it near the end, reading it after a restart; milliseconds of small appends."""
    log = await SqliteEventLog.open(folder, max_bytes=10 << 30)
    await (await log.subscribe(_GROUP, (SPANS,))).close()
    append = await _cost(_append_all(log, tables))
    near = await _cost(_read_all(log, len(tables)))
    await _append_all(log, tables)
    await log.close()
    log = await SqliteEventLog.open(folder, max_bytes=10 << 30)
    far = await _cost(_read_all(log, len(tables)))
    latencies = await _small(log, tables[0].slice(0, 1), appends)
    await log.close()
    return append, near, far, latencies


async def _cost(work: Awaitable[None]) -> Cost:
    cpu, wall = time.process_time(), time.perf_counter()
    await work
    return Cost(time.process_time() - cpu, time.perf_counter() - wall)


async def _append_all(log: SqliteEventLog, tables: Sequence[pa.Table]) -> None:
    """Some appends at a time, as the receiver does."""
    waiting = iter(tables)

    async def some() -> None:
        for table in waiting:
            await log.append([Entry(SPANS, table, {"default": table.num_rows})])

    await asyncio.gather(*(some() for _ in range(_AT_ONCE)))


async def _read_all(log: SqliteEventLog, records: int) -> None:
    subscription = await log.subscribe(_GROUP, (SPANS,))
    seen = 0
    while seen < records:
        found = await subscription.read(max_rows=50_000, wait_seconds=5)
        if not found:
            raise RuntimeError(f"the log gave {seen} of {records} records")
        await subscription.commit(found)
        seen += len(found)
    await subscription.close()


async def _small(log: SqliteEventLog, table: pa.Table, appends: int) -> list[float]:
    """Milliseconds until each of so many appends of one span was durable."""
    latencies: list[float] = []

    async def some() -> None:
        for _ in range(appends // _AT_ONCE):
            began = time.perf_counter()
            await log.append([Entry(SPANS, table, {"default": 1})])
            latencies.append((time.perf_counter() - began) * 1000)

    await asyncio.gather(*(some() for _ in range(_AT_ONCE)))
    return latencies
