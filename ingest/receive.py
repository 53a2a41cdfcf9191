"""The receiver: many requests, one pipeline. Decode → validate → normalise → one durable append → acknowledge.

Requests that arrive while the pipeline works are taken together by its next turn, so that small requests share their fixed
costs and one durable write. A busy pipeline waits a few milliseconds more for company; an idle one answers at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ingest.auth import authenticate, request_project
from ingest.normalise.spans import Options
from ingest.prepare import Prepared, Submission, prepare
from ingest.service import OtlpAnswer, OtlpRequest, Signal
from schemas.errors import EvalstreamError
from schemas.people import KeyCheck, Projects
from schemas.ports import Clock, Entry, EventLog

_log = logging.getLogger(__name__)
_GROUP_BYTES = 4 << 20
_GROUP_REQUESTS = 2048
_BUSY_SECONDS, _TICK_SECONDS, _COMPANY_SECONDS = 0.05, 0.002, 0.012
_ENOUGH_REQUESTS, _ENOUGH_BYTES = 256, 256 << 10
"""A group of this size hardly gets cheaper by more company."""


@dataclass(slots=True)
class _Waiting:
    submission: Submission
    actor: str
    done: asyncio.Future[OtlpAnswer]


class OtlpReceiver:
    """Implements `ingest.service.Receiver` over an event log. Lives on one event loop."""

    def __init__(
        self, log: EventLog, keys: KeyCheck, projects: Projects, clock: Clock, options: Options | None = None
    ) -> None:
        self._log, self._keys, self._projects, self._clock = log, keys, projects, clock
        self._options = options or Options()
        self._queue: list[_Waiting] = []
        self._turns = 0
        self._rested_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._preparing = ThreadPoolExecutor(1, "prepare")

    async def receive(self, request: OtlpRequest) -> OtlpAnswer:
        """See `Receiver.receive`."""
        principal = await authenticate(self._keys, request.headers)
        project = request_project(principal, request.headers)
        return await self._submit(
            Submission(request.signal, request.encoding, request.body, project), principal.actor
        )

    async def resubmit(self, project: str, signal: Signal, body: bytes, actor: str) -> int:
        """Takes the request of a rejected span or log record once more; returns how many were rejected again."""
        return (await self._submit(Submission(signal, "protobuf", body, project), actor)).rejected

    async def _submit(self, submission: Submission, actor: str) -> OtlpAnswer:
        done: asyncio.Future[OtlpAnswer] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(submission, actor, done))
        self._start()
        return await done

    async def close(self) -> None:
        """Finishes what was taken in."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self._preparing.shutdown()

    def _start(self) -> None:
        """Begins another turn unless one is being prepared: what waits meanwhile goes together."""
        if self._queue and self._turns == 0:
            self._turns += 1
            task = asyncio.get_running_loop().create_task(self._turn())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _take(self) -> list[_Waiting]:
        """The next group: up to a number of bytes, at least one request."""
        size = count = 0
        for count, waiting in enumerate(self._queue[:_GROUP_REQUESTS], 1):  # noqa: B007  (used after the loop)
            size += len(waiting.submission.body)
            if size >= _GROUP_BYTES:
                break
        group, self._queue = self._queue[:count], self._queue[count:]
        return group

    async def _company(self) -> None:
        """A busy pipeline whose next group is small waits while more requests keep coming, a few milliseconds at most."""
        time = asyncio.get_running_loop().time
        began, seen = time(), 0
        if began - self._rested_at > _BUSY_SECONDS:
            return
        while seen < len(self._queue) and not self._plenty() and time() - began < _COMPANY_SECONDS:
            seen = len(self._queue)
            await asyncio.sleep(_TICK_SECONDS)

    def _plenty(self) -> bool:
        queue = self._queue
        return len(queue) >= _ENOUGH_REQUESTS or sum(len(w.submission.body) for w in queue) >= _ENOUGH_BYTES

    async def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        await self._company()
        group = self._take()
        preparing = True
        try:
            entries = await self._prepare(group)
            preparing = False
            self._rested_at = loop.time()
            self._turns -= 1
            self._start()
            if entries:
                await self._log.append(entries)
            for waiting in group:
                _answer(waiting)
        except EvalstreamError as error:
            _fail(group, error)
        except Exception as error:  # noqa: BLE001  (a fault of ours must not leave requests without an answer)
            _log.exception("a group of %d requests failed", len(group))
            _fail(group, error)
        finally:
            if preparing:
                self._turns -= 1
                self._start()

    async def _prepare(self, group: Sequence[_Waiting]) -> list[Entry]:
        submissions = [waiting.submission for waiting in group]
        prepared = await self._in_thread(submissions, ())
        refused = await self._projects.ensure(prepared.projects, group[0].actor) if prepared.projects else {}
        if refused:
            for submission in submissions:
                submission.answer, submission.error = OtlpAnswer(), None
            prepared = await self._in_thread(submissions, tuple(refused))
        return prepared.entries

    async def _in_thread(self, submissions: list[Submission], refused: tuple[str, ...]) -> Prepared:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._preparing, prepare, submissions, self._clock.now(), self._options, refused
        )


def _answer(waiting: _Waiting) -> None:
    if waiting.done.done():
        return
    if waiting.submission.error is not None:
        waiting.done.set_exception(waiting.submission.error)
    else:
        waiting.done.set_result(waiting.submission.answer)


def _fail(group: Sequence[_Waiting], error: Exception) -> None:
    for waiting in group:
        if not waiting.done.done():
            waiting.done.set_exception(waiting.submission.error or error)
