"""The contract of `schemas.ports.EventLog` as tests. An adapter binds it in a subclass whose `opener` opens its log.

Only the port is used here. To close a log and open it again on the same data is a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from schemas.errors import NotFound, Unavailable
from schemas.ports import Entry, EventLog, Record, Subscription, Tally, Undecodable
from schemas.spans import NORMALISED

Opener = Callable[[], Awaitable[EventLog]]
"""Opens the log of this test, each time on the same data."""


def entry(topic: str, *ids: str, project: str = "shop") -> Entry:
    """An entry of one row an id."""
    table = pa.table({"id": list(ids), "text": [f"text of {name}" for name in ids]})
    return Entry(topic, table, {project: len(ids)})


def ids(records: Sequence[Record | Undecodable]) -> list[str]:
    """The ids of all rows, in the order in which they were read."""
    assert all(isinstance(record, Record) for record in records), records
    return [
        name for record in records if isinstance(record, Record) for name in record.table["id"].to_pylist()
    ]


async def read_all(subscription: Subscription, max_rows: int = 1_000) -> list[Record | Undecodable]:
    """All that is unread now."""
    found: list[Record | Undecodable] = []
    while records := await subscription.read(max_rows=max_rows, wait_seconds=0):
        found.extend(records)
    return found


async def oldest_kept(log: EventLog, topics: Sequence[str], group: str) -> list[str]:
    """The ids of all that the log keeps, as a group sees it that never was there before."""
    return ids(await read_all(await log.subscribe(group, topics), max_rows=1))


def full_span(number: int) -> dict[str, Any]:
    """A row with a value in every kind of column of a normalised span."""
    values: dict[str, Any] = {"tags": ["a", "b"], "metadata": [("plan", "pro")], "usage": [("input", number)]}
    values |= {
        "trace_id": f"{number:032x}",
        "start_time": datetime(2026, 1, 1, tzinfo=UTC),
        "input": "Grüße, 世界",
    }
    return {field.name: values.get(field.name) for field in NORMALISED}


class EventLogSuite:
    """What every event log does."""

    @pytest.fixture
    def opener(self) -> Opener:
        """Overridden by the adapter's binding."""
        raise NotImplementedError

    @pytest.fixture
    async def log(self, opener: Opener) -> AsyncIterator[EventLog]:
        """An empty log."""
        log = await opener()
        yield log
        await log.close()

    async def test_what_is_appended_is_read(self, log: EventLog) -> None:
        table = pa.Table.from_pylist([full_span(1), full_span(2)], schema=NORMALISED)
        before = datetime.now(UTC) - timedelta(seconds=1)
        await log.append([Entry("spans", table, {"shop": 1, "bank": 1})])
        subscription = await log.subscribe("writer", ["spans"])
        (record,) = await subscription.read(max_rows=10, wait_seconds=5)
        assert isinstance(record, Record)
        assert record.table.equals(table)
        assert (record.topic, dict(record.counts)) == ("spans", {"shop": 1, "bank": 1})
        assert before < record.appended_at < datetime.now(UTC) + timedelta(seconds=1)

    async def test_it_is_the_same_after_a_restart(self, opener: Opener) -> None:
        table = pa.Table.from_pylist([full_span(n) for n in range(50)], schema=NORMALISED)
        log = await opener()
        await log.append([Entry("spans", table, {"shop": 50})])
        (before,) = await (await log.subscribe("writer", ["spans"])).read(max_rows=10, wait_seconds=5)
        await log.close()
        log = await opener()
        (after,) = await (await log.subscribe("writer", ["spans"])).read(max_rows=10, wait_seconds=5)
        await log.close()
        assert isinstance(before, Record)
        assert isinstance(after, Record)
        assert after.table.equals(table)
        assert (after.position, after.counts, after.appended_at) == (
            before.position,
            before.counts,
            before.appended_at,
        )

    async def test_a_table_without_rows_and_one_of_many_chunks(self, log: EventLog) -> None:
        chunks = pa.concat_tables([entry("spans", f"s{n}").table for n in range(40)])
        await log.append(
            [entry("spans"), Entry("spans", chunks, {"shop": 40}), Entry("spans", chunks[5:7], {"shop": 2})]
        )
        subscription = await log.subscribe("writer", ["spans"])
        assert ids(await read_all(subscription)) == [f"s{n}" for n in range(40)] + ["s5", "s6"]

    async def test_entries_come_in_order_and_by_topic(self, log: EventLog) -> None:
        await log.append([entry("spans", "a"), entry("logs", "b"), entry("scores", "c"), entry("spans", "d")])
        await log.append([entry("logs", "e")])
        both = await read_all(await log.subscribe("both", ["logs", "spans"]))
        assert ids(both) == ["a", "b", "d", "e"]
        assert [record.position for record in both] == sorted({record.position for record in both})
        assert await oldest_kept(log, ["scores"], "scores") == ["c"]

    async def test_an_append_of_nothing(self, log: EventLog) -> None:
        await log.append([])
        assert await oldest_kept(log, ["spans"], "writer") == []

    async def test_max_rows_bounds_a_read(self, log: EventLog) -> None:
        for batch in (["a", "b"], ["c", "d"], ["e"], ["f", "g", "h", "i"], ["j"]):
            await log.append([entry("spans", *batch)])
        subscription = await log.subscribe("writer", ["spans"])
        reads = []
        while records := await subscription.read(max_rows=3, wait_seconds=0):
            assert sum(sum(record.counts.values()) for record in records) <= 3 or len(records) == 1
            reads.append(ids(records))
        assert [name for read in reads for name in read] == list("abcdefghij")
        assert len(reads) < 5

    async def test_a_read_waits_for_an_append(self, log: EventLog) -> None:
        subscription = await log.subscribe("writer", ["spans"])
        reading = asyncio.create_task(subscription.read(max_rows=10, wait_seconds=30))
        await asyncio.sleep(0.05)
        await log.append([entry("logs", "other"), entry("spans", "a")])
        async with asyncio.timeout(10):
            assert ids(await reading) == ["a"]

    async def test_a_read_of_nothing_ends_after_its_wait(self, log: EventLog) -> None:
        subscription = await log.subscribe("writer", ["spans"])
        start = asyncio.get_running_loop().time()
        assert await subscription.read(max_rows=10, wait_seconds=0.1) == []
        assert asyncio.get_running_loop().time() - start >= 0.09

    async def test_a_read_that_is_cancelled_loses_nothing(self, log: EventLog) -> None:
        subscription = await log.subscribe("writer", ["spans"])
        found: list[Record | Undecodable] = []
        for number in range(20):
            reading = asyncio.create_task(subscription.read(max_rows=10, wait_seconds=30))
            appending = asyncio.create_task(log.append([entry("spans", f"s{number}")]))
            await asyncio.sleep(0.0005 * (number % 8))
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                found.extend(await reading)
            await appending
        found.extend(await read_all(subscription))
        assert ids(found) == [f"s{number}" for number in range(20)]

    async def test_an_append_from_another_thread_wakes_a_reader(self, log: EventLog) -> None:
        subscription = await log.subscribe("writer", ["spans"])
        reading = asyncio.create_task(subscription.read(max_rows=10, wait_seconds=30))
        await asyncio.sleep(0.05)
        thread = threading.Thread(target=lambda: asyncio.run(log.append([entry("spans", "a")])))
        thread.start()
        async with asyncio.timeout(10):
            assert ids(await reading) == ["a"]
        thread.join()

    async def test_many_appends_at_once(self, log: EventLog) -> None:
        await asyncio.gather(
            *(log.append([entry("spans", f"s{n}"), entry("logs", f"l{n}")]) for n in range(300))
        )
        assert sorted(await oldest_kept(log, ["spans"], "a")) == sorted(f"s{n}" for n in range(300))
        assert sorted(await oldest_kept(log, ["logs"], "b")) == sorted(f"l{n}" for n in range(300))

    async def test_what_was_not_committed_comes_again_after_a_restart(self, opener: Opener) -> None:
        log = await opener()
        for name in "abcd":
            await log.append([entry("spans", name)])
        subscription = await log.subscribe("writer", ["spans"])
        first = await subscription.read(max_rows=2, wait_seconds=5)
        rest = await subscription.read(max_rows=2, wait_seconds=5)
        assert (ids(first), ids(rest)) == (["a", "b"], ["c", "d"])
        await subscription.commit(first)
        await log.close()
        log = await opener()
        again = await read_all(await log.subscribe("writer", ["spans"]))
        await log.close()
        assert ids(again) == ["c", "d"]
        assert [record.position for record in again] == [record.position for record in rest]

    async def test_a_commit_of_a_part_of_what_was_read(self, opener: Opener) -> None:
        log = await opener()
        await log.append([entry("spans", "a"), entry("logs", "b"), entry("spans", "c"), entry("logs", "d")])
        subscription = await log.subscribe("writer", ["spans", "logs"])
        records = await read_all(subscription)
        await subscription.commit(records[:3])
        await log.close()
        log = await opener()
        assert await oldest_kept(log, ["spans", "logs"], "writer") == ["d"]
        await log.close()

    async def test_groups_do_not_disturb_each_other(self, log: EventLog) -> None:
        first, second = await log.subscribe("first", ["spans"]), await log.subscribe("second", ["spans"])
        await log.append([entry("spans", "a")])
        await first.commit(await read_all(first))
        await log.append([entry("spans", "b")])
        assert ids(await read_all(first)) == ["b"]
        assert ids(await read_all(second)) == ["a", "b"]

    async def test_what_all_groups_have_read_is_trimmed(self, log: EventLog) -> None:
        fast, slow = await log.subscribe("fast", ["spans"]), await log.subscribe("slow", ["spans"])
        await log.append([entry("spans", "a"), entry("logs", "b"), entry("spans", "c")])
        await fast.commit(await read_all(fast))
        await slow.commit(await slow.read(max_rows=1, wait_seconds=5))
        assert await oldest_kept(log, ["spans", "logs"], "probe") == ["b", "c"]

    async def test_a_new_group_starts_at_the_oldest_record_kept(self, opener: Opener) -> None:
        log = await opener()
        subscription = await log.subscribe("writer", ["spans"])
        await log.append([entry("spans", "a"), entry("spans", "b"), entry("logs", "never read")])
        await subscription.commit(await subscription.read(max_rows=1, wait_seconds=5))
        await log.close()
        log = await opener()
        assert await oldest_kept(log, ["spans", "logs"], "late") == ["b", "never read"]
        await log.close()

    async def test_positions_are_never_given_twice(self, opener: Opener) -> None:
        seen: list[int] = []
        for _ in range(4):
            log = await opener()
            subscription = await log.subscribe("writer", ["spans"])
            await log.append([entry("spans", "a"), entry("spans", "b")])
            records = await read_all(subscription)
            seen += [record.position for record in records]
            await subscription.commit(records)
            await log.close()
            log = await opener()
            await log.drop_group("writer")
            await log.close()
        assert seen == sorted(set(seen))
        assert len(seen) == 8

    async def test_rewind_reads_the_same_records_again(self, log: EventLog) -> None:
        keeper = await log.subscribe("keeper", ["spans"])
        subscription = await log.subscribe("writer", ["spans"])
        for name in "abc":
            await log.append([entry("spans", name)])
        records = await read_all(subscription)
        await subscription.commit(records)
        await subscription.rewind(records[1].position)
        again = await read_all(subscription)
        assert ids(again) == ["b", "c"]
        assert [record.position for record in again] == [record.position for record in records[1:]]
        await subscription.rewind(0)
        assert ids(await read_all(subscription)) == ["a", "b", "c"]
        assert ids(await read_all(keeper)) == ["a", "b", "c"]

    async def test_rewind_does_not_change_what_is_committed(self, opener: Opener) -> None:
        log = await opener()
        await log.subscribe("keeper", ["spans"])
        subscription = await log.subscribe("writer", ["spans"])
        for name in "abc":
            await log.append([entry("spans", name)])
        await subscription.commit((await read_all(subscription))[:2])
        await subscription.rewind(0)
        await subscription.commit(await subscription.read(max_rows=1, wait_seconds=5))
        assert (await log.lags())["writer"]["spans"].records == 1
        await log.close()
        log = await opener()
        assert await oldest_kept(log, ["spans"], "writer") == ["c"]
        await log.close()

    async def test_rewind_wakes_a_waiting_read(self, log: EventLog) -> None:
        subscription = await log.subscribe("writer", ["spans"])
        await log.append([entry("spans", "a")])
        assert ids(await read_all(subscription)) == ["a"]
        reading = asyncio.create_task(subscription.read(max_rows=10, wait_seconds=30))
        await asyncio.sleep(0.02)
        await subscription.rewind(0)
        async with asyncio.timeout(10):
            assert ids(await reading) == ["a"]

    async def test_a_paused_group_keeps_its_place(self, log: EventLog) -> None:
        subscription = await log.subscribe("writer", ["spans"])
        await log.append([entry("spans", "a")])
        await subscription.pause()
        assert await subscription.read(max_rows=10, wait_seconds=0.05) == []
        reading = asyncio.create_task(subscription.read(max_rows=10, wait_seconds=30))
        await asyncio.sleep(0.02)
        await subscription.resume()
        async with asyncio.timeout(10):
            assert ids(await reading) == ["a"]

    async def test_tallies_add_up(self, opener: Opener) -> None:
        log = await opener()
        subscription = await log.subscribe("writer", ["spans"])
        await log.append([entry("spans", "a")])
        await subscription.commit(
            await read_all(subscription), [Tally("shop", "stored", 3), Tally("bank", "dead", 1)]
        )
        await subscription.commit([], [Tally("shop", "stored", 4), Tally("shop", "duplicate", 2)])
        expected = {"shop": {"stored": 7, "duplicate": 2}, "bank": {"dead": 1}}
        assert await log.tallies() == expected
        await log.close()
        log = await opener()
        assert await log.tallies() == expected
        await log.close()

    async def test_lags_count_what_is_unread(self, opener: Opener) -> None:
        log = await opener()
        subscription = await log.subscribe("writer", ["spans", "logs"])
        bank = 'Bank "Süd"\\\0'
        await log.append([entry("spans", "a", "b"), entry("spans", "c", project=bank), entry("logs", "d")])
        await asyncio.sleep(0.02)
        lags = (await log.lags())["writer"]
        assert {topic: (lag.records, dict(lag.rows)) for topic, lag in lags.items()} == {
            "spans": (2, {"shop": 2, bank: 1}),
            "logs": (1, {"shop": 1}),
        }
        assert 0.01 < lags["spans"].oldest_seconds < 60
        await subscription.commit(await subscription.read(max_rows=2, wait_seconds=5))
        for _ in range(2):
            lags = (await log.lags())["writer"]
            assert (lags["spans"].records, dict(lags["spans"].rows)) == (1, {bank: 1})
            await log.close()
            log = await opener()
        subscription = await log.subscribe("writer", ["spans", "logs"])
        await subscription.commit(await read_all(subscription))
        lags = (await log.lags())["writer"]
        assert {(lag.records, len(lag.rows), lag.oldest_seconds) for lag in lags.values()} == {(0, 0, 0.0)}
        await log.close()

    async def test_a_group_may_come_to_read_another_topic(self, opener: Opener) -> None:
        log = await opener()
        await log.append([entry("logs", "a"), entry("spans", "b"), entry("logs", "c"), entry("spans", "d")])
        await log.subscribe("keeper", ["spans"])
        subscription = await log.subscribe("writer", ["spans"])
        await subscription.commit((await read_all(subscription))[:1])
        await log.close()
        log = await opener()
        assert await oldest_kept(log, ["spans", "logs"], "writer") == ["a", "c", "d"]
        await log.close()

    async def test_a_dropped_group_holds_nothing_back(self, opener: Opener) -> None:
        log = await opener()
        await log.subscribe("idle", ["spans"])
        subscription = await log.subscribe("writer", ["spans"])
        await log.append([entry("spans", "a"), entry("spans", "b")])
        await subscription.commit((await read_all(subscription))[:1])
        await log.close()
        log = await opener()
        await log.drop_group("idle")
        assert set(await log.lags()) == {"writer"}
        assert await oldest_kept(log, ["spans"], "late") == ["b"]
        with pytest.raises(NotFound):
            await log.drop_group("idle")
        await log.close()

    async def test_closing_flushes(self, opener: Opener) -> None:
        log = await opener()
        appends = [asyncio.create_task(log.append([entry("spans", f"s{n}")])) for n in range(50)]
        await asyncio.sleep(0)
        await log.close()
        outcomes = await asyncio.gather(*appends, return_exceptions=True)
        assert all(outcome is None or isinstance(outcome, Unavailable) for outcome in outcomes)
        acknowledged = [f"s{n}" for n, outcome in enumerate(outcomes) if outcome is None]
        log = await opener()
        assert sorted(await oldest_kept(log, ["spans"], "probe")) == sorted(acknowledged)
        await log.close()

    async def test_a_closed_log_is_unavailable(self, opener: Opener) -> None:
        log = await opener()
        subscription = await log.subscribe("writer", ["spans"])
        reading = asyncio.create_task(subscription.read(max_rows=10, wait_seconds=30))
        await asyncio.sleep(0.02)
        await log.close()
        await log.close()
        async with asyncio.timeout(10):
            with pytest.raises(Unavailable):
                await reading
        with pytest.raises(Unavailable):
            await log.append([entry("spans", "a")])
