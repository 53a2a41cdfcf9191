"""What only the SQLite event log does: its file, its bounds, its memory, and how it fails."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import sqlite3
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from infra import log_sqlite_file as file
from infra.log_sqlite import FILE, SqliteEventLog
from infra.log_sqlite_commit import Change
from infra.log_sqlite_tail import Tail
from schemas.errors import Conflict, EvalstreamError, Overloaded, StartupError, Unavailable
from schemas.ports import Entry, Record, Tally, Undecodable
from tests.contract.event_log_suite import entry, ids, oldest_kept, read_all

BIG = 1 << 30


def noise(topic: str, size: int, name: str = "noise") -> Entry:
    """An entry of one row whose payload is about so many bytes, for nothing in it can be compressed."""
    text = random.Random(size).randbytes(size)
    return Entry(topic, pa.table({"id": [name], "bytes": [text]}), {"shop": 1})


async def on_writer(log: SqliteEventLog, statement: str) -> object:
    """Runs a statement on the connection that writes."""

    def write(connection: sqlite3.Connection) -> object:
        return connection.execute(statement).fetchone()

    return await log._commits.submit(Change(write, lambda _: None))


def on_disk(folder: Path) -> int:
    """Bytes of all files of a log."""
    return sum(path.stat().st_size for path in folder.iterdir())


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteEventLog]:
    """An empty log."""
    log = await SqliteEventLog.open(tmp_path, max_bytes=BIG)
    yield log
    await log.close()


async def test_it_syncs_every_commit(log: SqliteEventLog) -> None:
    assert await on_writer(log, "PRAGMA journal_mode") == ("wal",)
    assert await on_writer(log, "PRAGMA synchronous") == (2,)


async def test_appends_share_transactions(log: SqliteEventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    transactions = []
    transaction = file.transaction

    def counted(connection: sqlite3.Connection) -> contextlib.AbstractContextManager[None]:
        transactions.append(connection)
        return transaction(connection)

    monkeypatch.setattr(file, "transaction", counted)
    await asyncio.gather(*(log.append([entry("spans", str(n))]) for n in range(200)))
    assert 0 < len(transactions) < 100


# -- places and groups


async def test_a_group_is_read_once_in_a_process(log: SqliteEventLog) -> None:
    subscription = await log.subscribe("writer", ["spans"])
    await log.append([entry("spans", "a")])
    with pytest.raises(Conflict):
        await log.subscribe("writer", ["spans"])
    with pytest.raises(Conflict):
        await log.drop_group("writer")
    await subscription.close()
    with pytest.raises(Unavailable):
        await subscription.read(max_rows=1, wait_seconds=0)
    assert await oldest_kept(log, ["spans"], "writer") == ["a"]


async def test_times_come_from_the_clock_given(tmp_path: Path) -> None:
    moment = [1_800_000_000.25]
    log = await SqliteEventLog.open(tmp_path, max_bytes=BIG, now=lambda: moment[0])
    subscription = await log.subscribe("writer", ["spans"])
    await log.append([entry("spans", "a")])
    moment[0] += 90
    await log.append([entry("spans", "b")])
    assert (await log.lags())["writer"]["spans"].oldest_seconds == 90
    first, _ = await read_all(subscription)
    assert isinstance(first, Record)
    assert first.appended_at.timestamp() == 1_800_000_000.25
    await log.close()


async def test_a_group_that_joins_while_another_commits_misses_nothing_that_it_counts(
    log: SqliteEventLog,
) -> None:
    writer = await log.subscribe("writer", ["spans"])
    for number in range(20):
        await log.append([entry("spans", str(number))])
        records = await read_all(writer)
        _, late = await asyncio.gather(writer.commit(records), log.subscribe(f"late {number}", ["spans"]))
        assert (await log.lags())[f"late {number}"]["spans"].records == len(await read_all(late))
        await late.close()
        await log.drop_group(f"late {number}")


# -- memory


async def test_a_reader_near_the_end_gets_the_very_table(log: SqliteEventLog) -> None:
    subscription = await log.subscribe("writer", ["spans"])
    appended = entry("spans", "a")
    await log.append([appended])
    (record,) = await read_all(subscription)
    assert isinstance(record, Record)
    assert record.table is appended.table


async def test_a_reader_far_behind_reads_the_file_and_then_memory(tmp_path: Path) -> None:
    one = entry("spans", "x" * 100).table.get_total_buffer_size()
    log = await SqliteEventLog.open(tmp_path, max_bytes=BIG, cache_bytes=3 * one)
    entries = [entry("spans", f"{n:0100d}") for n in range(12)]
    for each in entries:
        await log.append([each])
    records = [r for r in await read_all(await log.subscribe("writer", ["spans"])) if isinstance(r, Record)]
    assert [record.table for record in records] == [each.table for each in entries]
    kept = [record.table is each.table for record, each in zip(records, entries, strict=True)]
    assert not any(kept[:9]), "over its bound, memory lets go of the oldest"
    await log.close()


def test_the_tail_is_bounded_and_knows_what_it_lacks() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    tail = Tail(100, last=7)
    records = [
        Record(n, "spans" if n % 2 else "logs", entry("spans", str(n)).table, {"shop": 1}, moment)
        for n in range(8, 14)
    ]
    assert tail.after({"spans": 6}, 10) is None, "what came before the start is not in memory"
    tail.publish(records[:4], [25] * 4)
    assert tail.after({"spans": 7, "logs": 9}, 10) == [records[1], records[2], records[3]]
    tail.publish(records[4:], [25] * 2)
    assert tail.after({"spans": 8}, 10) is None, "9 was let go for 13"
    assert tail.after({"spans": 9, "logs": 9}, 3) == records[2:5]
    tail.trim("spans", 11)
    assert tail.after({"spans": 9, "logs": 9}, 10) == [records[2], records[4], records[5]]
    tail.publish([Record(14, "logs", records[0].table, {}, moment)], [1_000])
    assert tail.after({"logs": 13}, 10) is None, "larger than all the memory"
    assert tail.after({"logs": 14}, 10) == []


# -- bounds


async def test_unread_data_has_a_limit(tmp_path: Path) -> None:
    log = await SqliteEventLog.open(tmp_path, max_bytes=250_000)
    await log.subscribe("writer", ["spans"])
    appended = 0
    with pytest.raises(Overloaded, match="limit") as refusal:
        while appended < 10:
            await log.append([noise("spans", 100_000, str(appended))])
            appended += 1
    assert refusal.value.retry_after
    assert appended == 3
    await log.close()

    log = await SqliteEventLog.open(tmp_path, max_bytes=250_000)
    with pytest.raises(Overloaded):
        await log.append([entry("spans", "refused")])
    subscription = await log.subscribe("writer", ["spans"])
    records = await read_all(subscription)
    assert ids(records) == ["0", "1", "2"]
    await subscription.commit(records[:1])
    await on_writer(log, "SELECT 1")
    await log.append([entry("spans", "taken")])
    await log.close()


async def test_what_waits_in_memory_has_a_limit(tmp_path: Path) -> None:
    log = await SqliteEventLog.open(tmp_path, max_bytes=BIG, waiting_bytes=300_000)
    appends = [log.append([noise("spans", 100_000, str(number))]) for number in range(20)]
    outcomes = await asyncio.gather(*appends, return_exceptions=True)
    taken = [str(number) for number, outcome in enumerate(outcomes) if outcome is None]
    refused = [outcome for outcome in outcomes if outcome is not None]
    assert len(taken) == 3
    assert all(isinstance(outcome, Overloaded) for outcome in refused)
    await log.append([noise("spans", 1_000_000, "alone")])
    assert sorted(await oldest_kept(log, ["spans"], "probe")) == sorted([*taken, "alone"])
    await log.close()


async def test_trimmed_space_is_used_again(tmp_path: Path) -> None:
    log = await SqliteEventLog.open(tmp_path, max_bytes=BIG)
    subscription = await log.subscribe("writer", ["spans"])
    for _ in range(100):
        await log.append([noise("spans", 1_500_000)])
        await subscription.commit(await read_all(subscription))
    assert on_disk(tmp_path) < 90 << 20, "150 MB went through"
    await log.close()
    assert on_disk(tmp_path) < 12 << 20


async def test_the_file_shrinks_when_most_of_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "SHRINK_FREE", 4 << 20)
    log = await SqliteEventLog.open(tmp_path, max_bytes=BIG)
    await log.append([noise("spans", 10_000_000), entry("logs", "kept")])
    await log.append([noise("spans", 10_000_000)])
    subscription = await log.subscribe("writer", ["spans"])
    await subscription.commit(await read_all(subscription))
    for _ in range(200):
        if on_disk(tmp_path) < 1 << 20:
            break
        await asyncio.sleep(0.05)
    else:
        raise AssertionError(f"the log still takes {on_disk(tmp_path)} bytes")
    await log.append([entry("spans", "after")])
    assert ids(await read_all(subscription)) == ["after"]
    assert await oldest_kept(log, ["logs"], "probe") == ["kept"]
    await log.close()


# -- faults


async def expect_refused(log: SqliteEventLog, match: str) -> None:
    """Appends and commits fail as a whole, and clearly; what was there can still be read."""
    subscription = await log.subscribe("writer", ["spans"])
    records = await subscription.read(max_rows=10, wait_seconds=0)
    assert ids(records) == ["before"]
    with pytest.raises(Unavailable, match=match) as refusal:
        await log.append([entry("spans", "half"), entry("logs", "half"), noise("spans", 3_000_000)])
    assert "\n" not in refusal.value.detail
    await subscription.close()


async def expect_recovered(log: SqliteEventLog) -> None:
    """The log works, and nothing of what was refused is in it."""
    await log.append([entry("spans", "after"), entry("logs", "after")])
    assert await oldest_kept(log, ["spans"], "writer") == ["before", "after"]
    assert await oldest_kept(log, ["logs"], "other") == ["after"]
    assert (await log.lags())["writer"]["spans"].records == 2


async def test_a_full_disk(log: SqliteEventLog) -> None:
    await log.append([entry("spans", "before")])
    await log.subscribe("keeper", ["spans"])
    await on_writer(log, "PRAGMA max_page_count = 20")
    await expect_refused(log, "disk .* is full")
    await on_writer(log, "PRAGMA max_page_count = 1000000")
    await expect_recovered(log)


async def test_a_file_that_may_not_grow(log: SqliteEventLog, tmp_path: Path) -> None:
    await log.append([entry("spans", "before")])
    await log.subscribe("keeper", ["spans"])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / f"{FILE}-wal").stat().st_size + 500_000, hard))
    try:
        await expect_refused(log, "cannot be used: disk I/O error")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await expect_recovered(log)


async def test_a_read_only_file(log: SqliteEventLog) -> None:
    await log.append([entry("spans", "before")])
    subscription = await log.subscribe("keeper", ["spans"])
    records = await read_all(subscription)
    log._commits._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(Unavailable, match="read-only"):
        await log.append([entry("spans", "half")])
    with pytest.raises(Unavailable, match="read-only"):
        await subscription.commit(records, [Tally("shop", "stored", 1)])
    assert (await log.lags())["keeper"]["spans"].records == 1
    assert await log.tallies() == {}
    log._commits._connection.execute("PRAGMA query_only = OFF")
    await subscription.commit(records, [Tally("shop", "stored", 1)])
    assert (await log.lags())["keeper"]["spans"].records == 0
    assert await log.tallies() == {"shop": {"stored": 1}}


async def test_a_refusal_does_not_reach_its_neighbours(log: SqliteEventLog) -> None:
    outcomes = await asyncio.gather(
        log.append([entry("spans", "a")]),
        log.drop_group("none"),
        log.append([entry("spans", "b")]),
        return_exceptions=True,
    )
    assert [isinstance(outcome, EvalstreamError) for outcome in outcomes] == [False, True, False]
    assert sorted(await oldest_kept(log, ["spans"], "probe")) == ["a", "b"]


async def expect_startup_error(folder: Path, match: str) -> None:
    """The log does not open and says why in one line."""
    with pytest.raises(StartupError, match=match) as refusal:
        await SqliteEventLog.open(folder, max_bytes=BIG)
    assert "\n" not in refusal.value.detail
    assert str(folder) in refusal.value.detail


async def test_a_folder_in_use(log: SqliteEventLog, tmp_path: Path) -> None:
    await expect_startup_error(tmp_path, "in use by another process")


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    log = await SqliteEventLog.open(tmp_path, max_bytes=BIG)
    await expect_startup_error(tmp_path / FILE / "log", "Not a directory")
    await log.close()


@pytest.fixture
def forbidden(tmp_path: Path) -> Iterator[Path]:
    """A folder in which this process may not write, whoever runs it."""
    folder = tmp_path / "forbidden"
    folder.mkdir(mode=0o500)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield folder
    os.seteuid(user)


async def test_a_folder_without_permission(forbidden: Path) -> None:
    await expect_startup_error(forbidden / "log", "Permission denied")


async def test_a_damaged_file(tmp_path: Path) -> None:
    await asyncio.to_thread((tmp_path / FILE).write_bytes, b"not a database " * 1_000)
    await expect_startup_error(tmp_path, "file is not a database")


async def test_a_file_that_another_program_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await (await SqliteEventLog.open(tmp_path, max_bytes=BIG)).close()
    monkeypatch.setattr(file, "BUSY_SECONDS", 0.05)
    with contextlib.closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        await expect_startup_error(tmp_path, "database is locked")
    await (await SqliteEventLog.open(tmp_path, max_bytes=BIG)).close()


async def test_a_file_of_a_newer_version(tmp_path: Path) -> None:
    await (await SqliteEventLog.open(tmp_path, max_bytes=BIG)).close()
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as other:
        other.execute(f"PRAGMA user_version = {file.VERSION + 1}")
    await expect_startup_error(tmp_path, "newer version")


def flip(path: Path, inside: bytes) -> None:
    """Changes one bit where these bytes stand in a file."""
    content = bytearray(path.read_bytes())
    content[content.index(inside)] ^= 1
    path.write_bytes(content)


def break_chain(path: Path, inside: bytes) -> None:
    """Points the page on which these bytes stand to a next page that is not there."""
    content = bytearray(path.read_bytes())
    page = content.index(inside) // 16_384 * 16_384
    content[page : page + 4] = b"\x7f\xff\xff\xff"
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [flip, break_chain])
async def test_a_damaged_payload_does_not_stop_the_others(tmp_path: Path, damage: object) -> None:
    log = await SqliteEventLog.open(tmp_path, max_bytes=BIG)
    rotten = noise("spans", 100_000, "rotten")
    await log.append([entry("spans", "a"), rotten, entry("spans", "b")])
    await log.close()
    assert callable(damage)
    damage(tmp_path / FILE, rotten.table["bytes"][0].as_py()[50_000:50_050])

    log = await SqliteEventLog.open(tmp_path, max_bytes=BIG)
    subscription = await log.subscribe("writer", ["spans"])
    first, second, third = await read_all(subscription)
    assert ids([first, third]) == ["a", "b"]
    assert isinstance(second, Undecodable)
    assert first.position < second.position < third.position
    assert (second.topic, dict(second.counts)) == ("spans", {"shop": 1})
    assert second.reason
    await subscription.commit([first, second, third])
    await log.append([entry("spans", "c")])
    assert ids(await read_all(subscription)) == ["c"]
    assert (await log.lags())["writer"]["spans"].records == 1
    await log.close()
