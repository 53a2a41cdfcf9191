"""Blocking calls beside the event loop: one pool for short reads, another for a person's long queries.

The two never wait for each other, so that a list answers at once while a long SQL query runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from schemas.errors import Overloaded

P = ParamSpec("P")
T = TypeVar("T")

SHORT_THREADS, LONG_THREADS = 8, 2
MOST_WAITING = 16
"""Calls of one pool, running and waiting, over its threads; more are refused with 503."""


class Pool:
    """Threads with a bounded queue."""

    def __init__(self, name: str, threads: int, waiting: int = MOST_WAITING) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self.room = threads + waiting
        """How many more calls are taken."""

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a blocking call. Raises Overloaded when too many are waiting already.

        The call of a cancelled caller is dropped when it still waits for a thread; else its place is free only when it has ended.
        """
        if self.room <= 0:
            raise Overloaded("too many queries are running; try again shortly")
        self.room -= 1
        call = self._executor.submit(work, *args, **kwargs)
        future = asyncio.wrap_future(call)
        future.add_done_callback(self._leave)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            call.cancel()
            raise

    def close(self) -> None:
        """Waits for running calls, and takes no more."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _leave(self, future: asyncio.Future[T]) -> None:
        self.room += 1
        if not future.cancelled():
            future.exception()  # seen: the caller may have gone


class Work:
    """The pools of one application: `short` for the API's own reads, `long` for SQL, exports and status scans."""

    def __init__(self) -> None:
        self.short = Pool("read", SHORT_THREADS, 64)
        self.long = Pool("query", LONG_THREADS)

    def close(self) -> None:
        """Ends both pools."""
        self.short.close()
        self.long.close()
