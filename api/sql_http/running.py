"""The queries that run: how many at once, and how one of them is found again to be ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from threading import Event
from uuid import uuid4

from api.sql_http.formats import DEFAULT_FORMAT
from api.sql_http.problems import ProtocolError
from schemas.errors import Overloaded
from schemas.ports import Answer

_SAME_ID, _TOO_MANY = 216, 202
_MOST_WAITING = 256
"""Queries of one share that may wait for their turn."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a statement came to: an answer in a format; None for an empty one."""

    format: str = DEFAULT_FORMAT
    answer: Answer | None = None
    written_rows: int = 0


@dataclass(slots=True)
class Running:
    """One query, from its arrival on. `killed` says that somebody wants it to end."""

    id: str
    project: str
    text: str
    user: str
    killed: bool = False
    _prepared: Prepared | None = None
    _known: Event = field(default_factory=Event)

    def run(self, prepare: Callable[[], Prepared]) -> Prepared:
        """Prepares the query and runs it, in this thread. Raises what `prepare` raises; the answer tells how the query ended."""
        try:
            prepared = self._prepared = prepare()
        finally:
            self._known.set()
        if prepared.answer is not None:
            if self.killed:
                prepared.answer.cancel()
            prepared.answer.run()
        return prepared

    def prepared(self) -> Prepared | None:
        """What it was prepared to, as soon as that is known; None when that failed. Blocks."""
        self._known.wait()
        return self._prepared

    def kill(self) -> None:
        """Ends the query. Blocks for some milliseconds; any thread may call it."""
        self.killed = True
        if self._prepared is not None and self._prepared.answer is not None:
            self._prepared.answer.cancel()

    def release(self) -> None:
        """Lets go of the answer; ends the query when it still runs, and waits for it."""
        prepared = self.prepared()
        if prepared is not None and prepared.answer is not None:
            prepared.answer.close()


@dataclass(slots=True)
class _Share:
    slots: asyncio.Semaphore
    users: int = 0
    waiting: int = field(default=0)


class Queries:
    """All queries of this endpoint. Lives on one event loop.

    So many run at once in all, and of one share (a key in a project); the others wait in turn, and are refused after a while.
    """

    def __init__(self, most: int, most_of_one: int, patience: float) -> None:
        self._most_of_one = most_of_one
        self._patience = patience
        self._slots = asyncio.Semaphore(most)
        self._shares: dict[str, _Share] = {}
        self._running: dict[tuple[str, str], Running] = {}

    @asynccontextmanager
    async def running(self, share: str, query: Running) -> AsyncIterator[Running]:
        """The query's time in the table. Raises ProtocolError (its id is in use), Overloaded."""
        key = (query.project, query.id)
        if key in self._running:
            raise ProtocolError(_SAME_ID, f"A query with the id {query.id} is running already")
        self._running[key] = query
        try:
            async with self._slot(share):
                yield query
        finally:
            del self._running[key]

    def found(self, project: str, ids: Collection[str]) -> list[Running]:
        """The running queries of a project with these ids."""
        return [query for id in ids if (query := self._running.get((project, id))) is not None]

    @property
    def alone(self) -> bool:
        """Whether no more than one query is here."""
        return len(self._running) <= 1

    def all(self) -> list[Running]:
        """Every running query."""
        return list(self._running.values())

    @asynccontextmanager
    async def _slot(self, name: str) -> AsyncIterator[None]:
        share = self._shares.setdefault(name, _Share(asyncio.Semaphore(self._most_of_one)))
        share.users += 1
        try:
            await self._acquire(share.slots, share)
            try:
                await self._acquire(self._slots, share)
                try:
                    yield
                finally:
                    self._slots.release()
            finally:
                share.slots.release()
        finally:
            share.users -= 1
            if not share.users:
                self._shares.pop(name, None)

    async def _acquire(self, slots: asyncio.Semaphore, share: _Share) -> None:
        if not slots.locked():
            await slots.acquire()  # at once
            return
        if share.waiting >= _MOST_WAITING:
            raise _too_many()
        share.waiting += 1
        try:
            async with asyncio.timeout(self._patience):
                await slots.acquire()
        except TimeoutError:
            raise _too_many() from None
        finally:
            share.waiting -= 1


def _too_many() -> Overloaded:
    error = Overloaded("Too many simultaneous queries; try again shortly")
    error.engine_code = _TOO_MANY
    return error


def query_id(given: str) -> str:
    """The id that a client chose, when it can stand in a header, else a new one."""
    usable = 0 < len(given) <= 128 and given.isascii() and given.isprintable()
    return given if usable else str(uuid4())
