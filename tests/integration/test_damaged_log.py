"""Records of the event log whose bytes are gone: the counters still come to what the tables hold."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pyarrow as pa
import pytest

from api.counters import Counters, snapshot
from api.reading.dead_letters import kept_letters
from infra.log_sqlite import FILE, SqliteEventLog
from infra.migrations import migrate
from infra.store_chdb import ChdbStore
from processors import worker
from processors.dead_letters import DeadLetterWriter
from processors.span_writer import SpanWriter
from schemas.events import DEAD_LETTERS, SPANS, refused_spans
from schemas.ports import Entry
from schemas.settings import Settings
from tests.integration.api.harness import letter
from tests.unit.processors import rows

DAMAGED = "UPDATE payloads SET payload = x'00ff' WHERE position IN (SELECT position FROM records WHERE topic = ? LIMIT 1)"


def spans(**by_project: int) -> Entry:
    """One record with so many spans of each project."""
    numbers = iter(range(1, 1000))
    made = [rows.span(1, next(numbers), project=name) for name, n in by_project.items() for _ in range(n)]
    return Entry(SPANS, rows.table(made), by_project)


def refused(project: str, count: int) -> Entry:
    """One record with so many letters of refused spans."""
    table = pa.concat_tables(letter(project, f"refused {n}", "rejected", b"bytes") for n in range(count))
    return Entry(DEAD_LETTERS, table, refused_spans(table))


async def worked_off(log: SqliteEventLog, store: ChdbStore) -> None:
    """Lets both writers do all that the log holds."""
    stop = asyncio.Event()
    tasks = [
        asyncio.create_task(worker.run(handler, log, max_rows=1000, ready=asyncio.Event(), stop=stop))
        for handler in (SpanWriter(store), DeadLetterWriter(store))
    ]
    async with asyncio.timeout(30):
        while any(lag.records for topics in (await log.lags()).values() for lag in topics.values()):  # noqa: ASYNC110 (the log tells nobody)
            await asyncio.sleep(0.05)
    stop.set()
    await asyncio.gather(*tasks)


async def counted(log: SqliteEventLog, project: str) -> Counters:
    return (await snapshot(log)).of(project)


@pytest.mark.parametrize("topic", [SPANS, DEAD_LETTERS])
async def test_a_damaged_record_leaves_the_equations_true(tmp_path: Path, topic: str) -> None:
    log = await SqliteEventLog.open(tmp_path / "log", max_bytes=1 << 30)
    for handler, topics in (("span-writer", SpanWriter.topics), ("dead-letter-writer", (DEAD_LETTERS,))):
        await log.subscribe(handler, topics)
    await log.append([spans(a=3, b=2), spans(a=1), refused("a", 4), refused("b", 1)])
    before = {project: await counted(log, project) for project in ("a", "b")}
    await log.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "log" / FILE)) as file, file:
        assert file.execute(DAMAGED, (topic,)).rowcount == 1
    log = await SqliteEventLog.open(tmp_path / "log", max_bytes=1 << 30)
    store = ChdbStore.open(tmp_path / "store", Settings())
    try:
        migrate(store)
        await worked_off(log, store)
        found = {project: await counted(log, project) for project in ("a", "b")}
        dead = {"a": 3, "b": 2} if topic == SPANS else {"a": 0, "b": 0}
        for project, now in found.items():
            assert (now.accepted, now.received) == (before[project].accepted, before[project].received)
            assert (now.dead, now.in_flight) == (dead[project], 0)
            assert now.rejected + now.dead == kept_letters(store, project)
    finally:
        store.close()
        await log.close()
