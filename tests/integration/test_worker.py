"""The workers' loop over the real event log: patience, poison, stopping."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from infra.log_sqlite import FILE, SqliteEventLog
from processors import worker
from schemas.errors import Unavailable
from schemas.events import DEAD_LETTERS, DELETIONS, SPANS
from schemas.ports import Entry, Record, Tally
from tests.unit.processors import rows

SOON = 20.0


class Spy:
    """A handler that notes what it is given; `failures` are raised first, one a call; names in `poison` are never taken."""

    group = "spy"
    topics = (SPANS, DELETIONS)
    apart = frozenset({DELETIONS})

    def __init__(self) -> None:
        self.loads = 0
        self.calls: list[list[str]] = []
        self.failures: list[Exception] = []
        self.poison: set[str] = set()

    def load(self) -> None:
        self.loads += 1
        if self.loads == 1 and self.failures:
            raise self.failures.pop(0)

    def process(self, records: Sequence[Record]) -> list[Tally]:
        if self.failures:
            raise self.failures.pop(0)
        names = [
            name for record in records if record.topic == SPANS for name in record.table["name"].to_pylist()
        ]
        if self.poison & set(names):
            raise ValueError("poison")
        self.calls.append(names)
        return [Tally("default", "stored", len(names))]

    @property
    def taken(self) -> list[str]:
        return sorted(name for call in self.calls for name in call)


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteEventLog]:
    opened = await SqliteEventLog.open(tmp_path, max_bytes=1 << 30)
    yield opened
    await opened.close()


def spans(*names: str, **values: Any) -> Entry:
    table = rows.table([rows.span(1, n, name=name, **values) for n, name in enumerate(names, 1)])
    return Entry(SPANS, table, {"default": len(names)})


@contextlib.asynccontextmanager
async def working(
    spy: Spy, log: SqliteEventLog, *, portion_bytes: int = 1 << 30, first_pause: float = 0.01
) -> AsyncIterator[asyncio.Event]:
    ready, stop = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(
        worker.run(
            spy,
            log,
            max_rows=100,
            ready=ready,
            stop=stop,
            portion_bytes=portion_bytes,
            first_pause=first_pause,
        )
    )
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.wait_for(task, SOON)


async def until(met: Callable[[], bool]) -> None:
    """Looks again and again."""
    async with asyncio.timeout(SOON):
        while not met():  # noqa: ASYNC110 (what is waited for tells nobody)
            await asyncio.sleep(0.01)


async def total(log: SqliteEventLog, counter: str, wanted: int) -> None:
    """Waits for a counter."""
    async with asyncio.timeout(SOON):
        while (await log.tallies()).get("default", {}).get(counter, 0) != wanted:  # noqa: ASYNC110 (as above)
            await asyncio.sleep(0.01)


async def unread(log: SqliteEventLog) -> int:
    return (await log.lags())["spy"][SPANS].records


async def letters(log: SqliteEventLog) -> pa.Table:
    subscription = await log.subscribe("letters", [DEAD_LETTERS])
    found = await subscription.read(max_rows=100, wait_seconds=5)
    return pa.concat_tables([record.table for record in found if isinstance(record, Record)])


async def test_what_is_unavailable_is_tried_again_and_nothing_is_committed(
    log: SqliteEventLog, caplog: pytest.LogCaptureFixture
) -> None:
    spy = Spy()
    spy.failures = [Unavailable("no store yet")]
    with caplog.at_level(logging.WARNING):
        async with working(spy, log):
            await log.append([spans("a")])
            await total(log, "stored", 1)
            spy.failures = [Unavailable("disk full")] * 4
            await log.append([spans("b")])
            await asyncio.sleep(0.05)
            assert spy.taken == ["a"]
            assert await unread(log) == 1
            await total(log, "stored", 2)
    assert spy.loads == 2
    assert spy.taken == ["a", "b"]
    assert await unread(log) == 0
    assert [record.getMessage() for record in caplog.records] == [
        "spy waits: no store yet",
        *["spy waits: disk full"] * 4,
    ]


async def test_pauses_grow(log: SqliteEventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    wait_for = asyncio.wait_for

    async def impatient(waiting: Coroutine[Any, Any, Any], seconds: float) -> Any:
        pauses.append(seconds)
        return await wait_for(waiting, 0.001)

    spy = Spy()
    spy.failures = [Unavailable("down")] * 9
    async with working(spy, log, first_pause=0.2):
        monkeypatch.setattr(asyncio, "wait_for", impatient)
        await log.append([spans("a")])
        await total(log, "stored", 1)
        monkeypatch.undo()
    assert pauses == [0.2, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 15.0]


async def test_a_bad_row_is_set_aside_and_its_neighbours_are_stored(log: SqliteEventLog) -> None:
    spy = Spy()
    spy.poison = {"bad"}
    await log.subscribe("letters-first", [DEAD_LETTERS])
    await log.append([spans("a"), spans("b", "bad", "c"), spans("d")])
    async with working(spy, log):
        await total(log, "stored", 4)
    assert (await log.tallies())["default"] == {"stored": 4, "dead": 1}
    assert spy.taken == ["a", "b", "c", "d"]
    [letter] = (await letters(log)).to_pylist()
    assert (letter["project"], letter["kind"], letter["topic"], letter["reason"]) == (
        "default",
        "dead",
        SPANS,
        "ValueError: poison",
    )
    assert pa.ipc.open_stream(letter["payload"]).read_all()["name"].to_pylist() == ["bad"]


async def test_bytes_that_are_no_table_are_set_aside(tmp_path: Path) -> None:
    log = await SqliteEventLog.open(tmp_path, max_bytes=1 << 30)
    await log.subscribe("spy", [SPANS, DELETIONS])
    await log.append([spans("a"), spans("b", "c"), spans("d")])
    await log.close()
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as file, file:
        file.execute("UPDATE payloads SET payload = x'00ff' WHERE position = 2")
    log = await SqliteEventLog.open(tmp_path, max_bytes=1 << 30)
    spy = Spy()
    async with working(spy, log):
        await total(log, "stored", 2)
    assert (await log.tallies())["default"] == {"stored": 2, "dead": 2}
    assert spy.taken == ["a", "d"]
    found = await letters(log)
    assert sorted(found["payload"].to_pylist()) == [b"", b"\x00\xff"]
    assert set(zip(*(found[name].to_pylist() for name in ("project", "kind", "topic")), strict=True)) == {
        ("default", "dead", SPANS)
    }
    await log.close()


async def test_stopping_while_it_waits(log: SqliteEventLog) -> None:
    spy = Spy()
    await log.subscribe("keeper", [SPANS])
    async with working(spy, log, first_pause=1000):
        await log.append([spans("a")])
        await total(log, "stored", 1)
        spy.failures = [Unavailable("down for long")] * 2
        await log.append([spans("b")])
        await until(lambda: len(spy.failures) < 2)
    assert spy.taken == ["a"]
    assert await unread(log) == 1


async def test_cancellation_ends_it_at_once(log: SqliteEventLog) -> None:
    spy = Spy()
    spy.failures = [Unavailable("down for long")]
    task = asyncio.create_task(
        worker.run(spy, log, max_rows=1, ready=asyncio.Event(), stop=asyncio.Event(), first_pause=1000)
    )
    await until(lambda: spy.loads > 0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, SOON)


async def test_large_reads_are_written_in_portions_and_deletions_alone(log: SqliteEventLog) -> None:
    spy = Spy()
    deletion = Entry(DELETIONS, rows.deletion(1), {"default": 1})
    big = "x" * 10_000
    await log.append(
        [
            spans("a", input=big),
            spans("b", input=big),
            spans("c"),
            deletion,
            spans("d"),
            spans("e", input=big),
        ]
    )
    async with working(spy, log, portion_bytes=15_000):
        await total(log, "stored", 5)
    assert spy.calls == [["a"], ["b", "c"], [], ["d", "e"]]
