"""The event log on SQLite: one file, WAL, a sync to disk before every acknowledgement.

append: a small pool of threads encodes, then one thread writes all that waits in one transaction (group commit).
read: from memory near the end (the very tables that were appended), else from the file.
trim: what every group has committed is deleted in small transactions, and its pages are used again.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from infra import log_sqlite_file as file
from infra import log_sqlite_records as records
from infra.ipc import Encoder, compact
from infra.log_sqlite_changes import Changes, Draft, load_backlog
from infra.log_sqlite_commit import GroupCommit
from infra.log_sqlite_quota import Quota
from infra.log_sqlite_read import Reader
from infra.log_sqlite_subscription import SqliteSubscription
from infra.log_sqlite_tail import Tail
from schemas.errors import Conflict, StartupError, Unavailable
from schemas.ports import Entry, Lag, Tally

FILE = "log.sqlite"
_ENCODERS = 2
_FULL = "Unread data has reached its limit"
_CROWDED = "Too much is waiting to be written to the event log"


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Most bytes unread in the file, waiting to be written, and kept in memory for readers."""

    unread: int
    waiting: int
    cache: int


class SqliteEventLog:
    """See `schemas.ports.EventLog`. Made by `open`. One process at a time; any number of event loops in it."""

    def __init__(
        self, path: Path, lock: int, writer: sqlite3.Connection, bounds: _Bounds, now: Callable[[], float]
    ) -> None:
        """Blocks. `lock` is the descriptor that holds the folder; it and `writer` are closed by `close`."""
        self._path, self._lock, self._now = path, lock, now
        self._live: dict[str, SqliteSubscription | None] = {}
        self._closed = False
        self._unread = Quota(bounds.unread, _FULL, retry_after=5, used=records.kept_bytes(writer))
        self._waiting = Quota(bounds.waiting, _CROWDED, retry_after=1)
        self._tail = Tail(bounds.cache, records.last_position(writer))
        self._backlog = load_backlog(writer)
        self._reader = Reader(path)
        self._encoder = Encoder()
        self._encoders = ThreadPoolExecutor(_ENCODERS, thread_name_prefix="event-log-encoder")
        self._commits = GroupCommit(writer, str(path))
        self._changes = Changes(self._commits, self._backlog, self._tail, self._unread, now, self._wake)
        self._changes.trim({topic for _, topic in self._backlog.snapshot()})

    @classmethod
    async def open(
        cls,
        folder: Path,
        *,
        max_bytes: int,
        waiting_bytes: int = 256 << 20,
        cache_bytes: int = 64 << 20,
        now: Callable[[], float] = time.time,
    ) -> Self:
        """Opens the log in a folder, which is created when missing.

        `max_bytes` bounds the payloads kept in the file, `waiting_bytes` the tables on their way into it, `cache_bytes` the
        newest tables kept in memory; appends that began below a bound may end above it. `now` gives seconds since 1970.

        Raises StartupError: the folder cannot be made or is in use, the file is locked, damaged or of a newer version.
        """
        bounds = _Bounds(max_bytes, waiting_bytes, cache_bytes)
        return await asyncio.to_thread(cls._open, folder, bounds, now)

    @classmethod
    def _open(cls, folder: Path, bounds: _Bounds, now: Callable[[], float]) -> Self:
        path = folder / FILE
        with contextlib.ExitStack() as undo:
            lock = _lock(folder)
            undo.callback(os.close, lock)
            try:
                writer = undo.enter_context(contextlib.closing(file.open_writer(path)))
                log = cls(path, lock, writer, bounds, now)
            except sqlite3.Error as error:
                raise StartupError(f"event log {path}: {error}") from error
            undo.pop_all()
            return log

    async def append(self, entries: Sequence[Entry]) -> None:
        """See the port. Raises TooLarge too, for an entry of about a gigabyte."""
        self._refuse_if_closed()
        self._unread.check()
        self._waiting.check()
        if not entries:
            return
        sizes = [entry.table.get_total_buffer_size() for entry in entries]
        with self._waiting.holding(sum(sizes)):
            encode = functools.partial(self._drafts, entries, sizes)
            drafts = await asyncio.get_running_loop().run_in_executor(self._encoders, encode)
            await self._commits.submit(self._changes.append(drafts))

    async def subscribe(self, group: str, topics: Sequence[str]) -> SqliteSubscription:
        """See the port. Raises Conflict while the group is being read in this process."""
        self._refuse_if_live(group)
        self._live[group] = None
        try:
            await self._commits.submit(self._changes.join(group, topics))
            reader = await asyncio.to_thread(Reader, self._path)
        except BaseException:
            del self._live[group]
            raise

        async def commit(position: int | None, tallies: Sequence[Tally]) -> None:
            await self._commits.submit(self._changes.commit(group, topics, position, tallies))

        places = self._backlog.positions(group, topics)
        subscription = SqliteSubscription(
            places, self._tail, reader, commit, functools.partial(self._leave, group)
        )
        self._live[group] = subscription
        return subscription

    async def lags(self) -> Mapping[str, Mapping[str, Lag]]:
        """See the port."""
        return await asyncio.to_thread(self._lags)

    async def tallies(self) -> Mapping[str, Mapping[str, int]]:
        """See the port."""
        return await asyncio.to_thread(self._reader.tallies)

    async def drop_group(self, group: str) -> None:
        """See the port. Raises Conflict while the group is being read in this process."""
        self._refuse_if_live(group)
        await self._commits.submit(self._changes.drop(group))

    async def close(self) -> None:
        """See the port. Reads that wait raise Unavailable."""
        if self._closed:
            return
        self._closed = True
        for subscription in list(self._live.values()):
            if subscription is not None:
                await subscription.close()
        await asyncio.to_thread(self._release)

    def _release(self) -> None:
        self._commits.close()
        self._encoders.shutdown()
        self._reader.close()
        os.close(self._lock)

    def _drafts(self, entries: Sequence[Entry], sizes: Sequence[int]) -> list[Draft]:
        tables = [compact(entry.table) for entry in entries]
        return [
            Draft(entry.topic, table, entry.counts, self._encoder.encode(table), size)
            for entry, table, size in zip(entries, tables, sizes, strict=True)
        ]

    def _lags(self) -> dict[str, dict[str, Lag]]:
        lags: dict[str, dict[str, Lag]] = {}
        for (group, topic), unread in self._backlog.snapshot().items():
            rows = {project: number for project, number in unread.rows.items() if number}
            oldest = self._reader.oldest(topic, unread.position) if unread.records else None
            lags.setdefault(group, {})[topic] = Lag(unread.records, rows, self._age(oldest))
        return lags

    def _age(self, moment: datetime | None) -> float:
        return max(0.0, self._now() - moment.timestamp()) if moment else 0.0

    def _wake(self) -> None:
        for subscription in list(self._live.values()):
            if subscription is not None:
                subscription.wake()

    def _leave(self, group: str) -> None:
        self._live.pop(group, None)

    def _refuse_if_live(self, group: str) -> None:
        if group in self._live:
            raise Conflict(f"The group {group!r} is being read in this process.")

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise Unavailable("The event log is closed.")


def _lock(folder: Path) -> int:
    """Takes the folder for this process; the operating system gives it back when the process ends, however it ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "log.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StartupError(f"event log {folder}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise StartupError(f"event log {folder}: in use by another process") from error
    return lock
