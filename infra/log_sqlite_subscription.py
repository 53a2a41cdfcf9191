"""A group's reading place in the SQLite event log."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence

from infra.log_sqlite_read import Reader
from infra.log_sqlite_tail import Tail
from schemas.errors import Unavailable
from schemas.ports import Record, Tally, Undecodable

Commit = Callable[[int | None, Sequence[Tally]], Awaitable[None]]
"""Makes the group's committed position (None: unchanged) and tallies durable."""


class SqliteSubscription:
    """See `schemas.ports.Subscription`. Belongs to the event loop that made it; `close` lets the group be joined again."""

    def __init__(
        self, places: Mapping[str, int], tail: Tail, reader: Reader, commit: Commit, left: Callable[[], None]
    ) -> None:
        self._places = dict(places)
        self._tail = tail
        self._reader = reader
        self._commit = commit
        self._left = left
        self._paused = self._closed = False
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    async def read(self, *, max_rows: int, wait_seconds: float) -> Sequence[Record | Undecodable]:
        """See the port. Raises Unavailable when the file cannot be read or the log was closed."""
        deadline = self._loop.time() + wait_seconds
        while True:
            self._news.clear()
            self._refuse_if_closed()
            if not self._paused and (found := await self._next(max_rows)):
                return found
            if not await self._news_before(deadline):
                return []

    async def commit(self, records: Sequence[Record | Undecodable], tallies: Sequence[Tally] = ()) -> None:
        """See the port. Raises Unavailable; then neither the place nor the tallies have changed."""
        self._refuse_if_closed()
        if records or tallies:
            await self._commit(max((record.position for record in records), default=None), tallies)

    async def pause(self) -> None:
        """See the port."""
        self._paused = True

    async def resume(self) -> None:
        """See the port."""
        self._paused = False
        self._news.set()

    async def rewind(self, position: int) -> None:
        """See the port."""
        self._places = dict.fromkeys(self._places, position - 1)
        self._news.set()

    async def close(self) -> None:
        """Leaves the group, which keeps its place. A read that waits raises Unavailable."""
        if not self._closed:
            self._closed = True
            self.wake()
            self._reader.close()
            self._left()

    def wake(self) -> None:
        """Tells a waiting read that there may be more. Any thread may call it."""
        if self._news.is_set():
            return
        # a loop that was closed meanwhile has nobody left to tell
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._news.set)

    async def _next(self, max_rows: int) -> Sequence[Record | Undecodable]:
        places, through = self._places, self._tail.last
        found: Sequence[Record | Undecodable] | None = self._tail.after(places, max_rows)
        if found is None:
            found = await asyncio.to_thread(self._reader.read, places, max_rows)
        # when nothing was found, all that was published before the search has been searched
        reached = found[-1].position if found else through
        if self._places is not places:
            # rewound meanwhile: what was found is not what comes next any more
            return []
        self._places = {topic: max(place, reached) for topic, place in places.items()}
        return found

    async def _news_before(self, deadline: float) -> bool:
        try:
            async with asyncio.timeout_at(deadline):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise Unavailable("The subscription of the event log is closed.")
