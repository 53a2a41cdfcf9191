"""Group commit: one thread owns the writing connection, takes all changes that wait, and makes them durable in one transaction.

While the disk syncs one transaction, the changes of the next one gather; so many small appends share one durable write.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from infra import log_sqlite_file as file
from schemas.errors import EvalstreamError, Unavailable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """A part of a transaction.

    `write` runs inside it, on the writing thread; it may refuse by raising an EvalstreamError before it writes anything.
    `applied` gets its result once the transaction is durable, in the order of the changes, on the same thread.
    """

    write: Callable[[sqlite3.Connection], T]
    applied: Callable[[T], None]


@dataclass(slots=True)
class _Waiting:
    """A change, who waits for it (nobody: None), and what became of it."""

    change: Change[Any]
    future: asyncio.Future[Any] | None
    result: Any = None
    error: Exception | None = None


class GroupCommit:
    """Runs changes in the order in which they were submitted."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection = connection
        self._path = path
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._closed = False
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="event-log-writer", daemon=True)
        self._thread.start()

    async def submit(self, change: Change[T]) -> T:
        """Returns the change's result when it is durable. Raises Unavailable when the transaction failed as a whole.

        A caller that is cancelled meanwhile does not take the change back.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._closing:
            if self._closed:
                raise Unavailable("The event log is closed.")
            self._queue.put(_Waiting(change, future))
        return await future

    def enqueue(self, change: Change[Any]) -> None:
        """Runs the change with the next transaction; when that fails, nobody is told."""
        self._queue.put(_Waiting(change, None))

    def close(self) -> None:
        """Runs all that waits, then closes the connection. Blocks."""
        with self._closing:
            self._closed = True
            self._queue.put(None)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while self._step():
            if self._queue.empty():
                # a failure is of no consequence: it is tried again after the next transaction
                with contextlib.suppress(sqlite3.Error):
                    file.shrink(self._connection)

    def _step(self) -> bool:
        batch, going = self._take()
        if batch:
            self._commit(batch)
            _resolve(batch)
        return going

    def _take(self) -> tuple[list[_Waiting], bool]:
        """All changes that wait, at least one; and whether more may come."""
        batch: list[_Waiting] = []
        waiting = self._queue.get()
        while waiting is not None:
            batch.append(waiting)
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                return batch, True
        return batch, False

    def _commit(self, batch: Sequence[_Waiting]) -> None:
        try:
            with file.transaction(self._connection):
                for waiting in batch:
                    self._write(waiting)
            for waiting in batch:
                if waiting.error is None:
                    waiting.change.applied(waiting.result)
        except sqlite3.Error as error:
            for waiting in batch:
                waiting.error = file.failure(error, self._path)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must reach those who wait and not end this thread
            for waiting in batch:
                waiting.error = error

    def _write(self, waiting: _Waiting) -> None:
        try:
            waiting.result = waiting.change.write(self._connection)
        except EvalstreamError as refusal:
            waiting.error = refusal


def _resolve(batch: Sequence[_Waiting]) -> None:
    """Tells those who wait: one call a loop, however many wait on it."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
    for waiting in batch:
        if waiting.future is not None:
            by_loop.setdefault(waiting.future.get_loop(), []).append(waiting)
    for loop, done in by_loop.items():
        # a loop that was closed meanwhile has nobody left to tell
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, done)


def _settle(done: Sequence[_Waiting]) -> None:
    for waiting in done:
        future = waiting.future
        if future is None or future.done():
            continue
        if waiting.error is not None:
            future.set_exception(waiting.error)
        else:
            future.set_result(waiting.result)
