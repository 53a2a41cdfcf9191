"""The workers of one process: started together, watched, and stopped in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from api.roots.adapters import Adapters
from processors import worker
from processors.dead_letters import DeadLetterWriter
from processors.scores import ScoreWriter
from processors.span_writer import SpanWriter
from schemas.settings import Settings

_log = logging.getLogger(__name__)
_LINGER = {SpanWriter.group: 0.6}
"""Seconds that a worker waits for more rows once it has some: few large inserts cost the store far less than many small ones."""


class Pipeline:
    """Runs the workers of an embedded server until it is stopped."""

    def __init__(self, adapters: Adapters, settings: Settings) -> None:
        self._adapters, self._settings = adapters, settings
        self._handlers: Sequence[worker.Handler] = (
            SpanWriter(adapters.store),
            ScoreWriter(adapters.store),
            DeadLetterWriter(adapters.store),
        )
        self._stop = asyncio.Event()
        self._ready = {handler.group: asyncio.Event() for handler in self._handlers}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.failed = asyncio.Event()
        """Set when a worker ends by itself: nothing would be written any more, so the process should not go on."""

    async def start(self) -> None:
        """Starts every worker. Every group exists before the first span comes, so that none misses what another has read."""
        for handler in self._handlers:
            subscription = await self._adapters.log.subscribe(handler.group, handler.topics)
            await subscription.close()
        for handler in self._handlers:
            work = worker.run(
                handler,
                self._adapters.log,
                max_rows=self._settings.writer_max_rows,
                ready=self._ready[handler.group],
                stop=self._stop,
                linger=_LINGER.get(handler.group, 0.05),
            )
            task = asyncio.get_running_loop().create_task(work)
            task.add_done_callback(self._ended)
            self._tasks[handler.group] = task

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not self._stop.is_set():
            self.failed.set()

    def problems(self) -> list[str]:
        """Why the workers are not at work: one that is loading still, or one that ended with an error."""
        failed = [name for name, task in self._tasks.items() if task.done() and not self._stop.is_set()]
        loading = [name for name, event in self._ready.items() if not event.is_set() and name not in failed]
        return [f"worker {name} has stopped" for name in failed] + [
            f"worker {name} is loading" for name in loading
        ]

    async def drain(self, seconds: float) -> None:
        """Lets the workers catch up for at most this long; what is left is in the log for the next start."""
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end and await self._behind():  # noqa: ASYNC110  (the log has no event for it)
            await asyncio.sleep(0.05)

    async def _behind(self) -> bool:
        lags = await self._adapters.log.lags()
        return any(lag.records for topics in lags.values() for lag in topics.values())

    async def stop(self) -> None:
        """Ends every worker after the batch in hand."""
        self._stop.set()
        for name, result in zip(
            self._tasks, await asyncio.gather(*self._tasks.values(), return_exceptions=True), strict=True
        ):
            if isinstance(result, Exception):
                _log.error("worker %s ended with %r", name, result)
