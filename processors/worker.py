"""The loop that every worker runs: read, process, commit. What fails for now is tried again, what can never work is set aside.

Two kinds of failure steer it: `Unavailable`, `Overloaded` and a query that found no memory slow it down; anything else is the
fault of a record, which is found by bisection and becomes a dead letter. A commit follows the write, so a crash at any point
only repeats work.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from processors.gather import gather
from processors.poison import Letter, dead, process, table_of, undecodable
from schemas.errors import EvalstreamError, Overloaded, QueryLimit, Unavailable
from schemas.events import DEAD_LETTERS, refused_spans
from schemas.ports import Entry, EventLog, Record, Subscription, Tally, Undecodable

PORTION_BYTES = 64 << 20
"""Most bytes of table data that are written at once; a larger record goes alone."""
_log = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 15.0
_PASSING = (Unavailable, Overloaded, QueryLimit)
T = TypeVar("T")


class Handler(Protocol):
    """What a worker does with records. Called in a thread, one call at a time; running it twice must change nothing.

    Records of the topics in `apart` are processed and committed by themselves: nothing before them is done again after them.
    """

    @property
    def group(self) -> str:
        """The group in the event log."""
        ...

    @property
    def topics(self) -> tuple[str, ...]:
        """What it reads."""
        ...

    @property
    def apart(self) -> frozenset[str]:
        """Topics whose records are never processed together with others."""
        ...

    def load(self) -> None:
        """Prepares state from the store; may be repeated."""
        ...

    def process(self, records: Sequence[Record]) -> list[Tally]:
        """Writes what the records say. Raises Unavailable when that is not possible now."""
        ...


_ROW_BYTES = 512
_BULKY = ("input", "output", "documents", "tool_definitions", "attributes", "events", "body", "payload")


class _Stopped(Exception):
    """The worker was told to stop while it waited for the outside world."""


async def run(
    handler: Handler,
    log: EventLog,
    *,
    max_rows: int,
    ready: asyncio.Event,
    stop: asyncio.Event,
    linger: float = 0.0,
    portion_bytes: int = PORTION_BYTES,
    first_pause: float = _FIRST_PAUSE,
) -> None:
    """Works until `stop` is set and what is being written is committed. Sets `ready` when the handler is prepared.

    A read has about `max_rows` rows, or what has come `linger` seconds after its first record (a store likes few large inserts);
    it is written in portions of about `portion_bytes` of table data. Failures that pass are tried again after `first_pause`
    seconds, then ever more.
    """

    async def patiently(step: Callable[[], Awaitable[T]]) -> T:
        return await _patiently(step, handler.group, stop, first_pause)

    try:
        await patiently(lambda: asyncio.to_thread(handler.load))
        subscription = await log.subscribe(handler.group, handler.topics)
        ready.set()
        while not stop.is_set():
            records = await patiently(
                lambda: gather(subscription, max_rows=max_rows, linger=linger, stop=stop)
            )
            for portion in portions(records, handler.apart, portion_bytes):
                await patiently(functools.partial(_handle, handler, log, subscription, portion))
    except _Stopped:
        _log.info("%s stopped while it waited; what it had in hand comes again", handler.group)


def portions(
    records: Sequence[Record | Undecodable], apart: frozenset[str], most_bytes: int
) -> Iterator[Sequence[Record | Undecodable]]:
    """Cuts a read where its tables' bytes reach the bound, and around the topics that are kept `apart`."""
    portion: list[Record | Undecodable] = []
    size = 0
    for record in records:
        bytes_ = weight(record)
        lone = record.topic in apart or (portion and portion[-1].topic in apart)
        if portion and (lone or size + bytes_ > most_bytes):
            yield portion
            portion, size = [], 0
        portion.append(record)
        size += bytes_
    if portion:
        yield portion


def weight(record: Record | Undecodable) -> int:
    """About its bytes: the columns that can be large, and a flat amount a row (to ask all of them costs more than it is worth)."""
    if isinstance(record, Undecodable):
        return len(record.payload)
    bulky: int = sum(record.table[name].nbytes for name in _BULKY if name in record.table.schema.names)
    return bulky + _ROW_BYTES * int(record.table.num_rows)


async def _patiently(step: Callable[[], Awaitable[T]], group: str, stop: asyncio.Event, pause: float) -> T:
    """Repeats a step until the outside world lets it succeed, with growing pauses. Raises _Stopped when told to stop meanwhile."""
    while True:
        try:
            return await step()
        except _PASSING as error:
            _warn(group, error)
        try:
            await asyncio.wait_for(stop.wait(), pause)
        except TimeoutError:
            pause = min(2 * pause, _LONGEST_PAUSE)
        else:
            raise _Stopped


def _warn(group: str, error: EvalstreamError) -> None:
    _log.warning("%s waits: %s", group, error.detail)


async def _handle(
    handler: Handler, log: EventLog, subscription: Subscription, records: Sequence[Record | Undecodable]
) -> None:
    """Processes and commits one portion; poison goes to the dead letters."""
    good = [record for record in records if isinstance(record, Record)]
    bad = [record for record in records if isinstance(record, Undecodable)]
    letters: list[Letter] = [letter for record in bad for letter in undecodable(record)]
    tallies = [tally for record in bad for tally in dead(record.topic, record.counts)]
    tallies += await asyncio.to_thread(process, handler.process, good, letters)
    if letters:
        table = table_of(letters)
        await log.append([Entry(DEAD_LETTERS, table, refused_spans(table))])
    await subscription.commit(records, tallies)
