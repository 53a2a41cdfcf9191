"""Reading with patience: a store likes few large inserts, so a worker waits a moment for more before it works."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from schemas.errors import Unavailable
from schemas.ports import Record, Subscription, Undecodable

_LONGEST_WAIT = 0.5


async def gather(
    subscription: Subscription, *, max_rows: int, linger: float, stop: asyncio.Event
) -> list[Record | Undecodable]:
    """The next records, up to about `max_rows` rows, among them all that come within `linger` seconds of the first.

    Empty after half a second without any. Nothing that was read is ever dropped: when a later read fails, what is held comes.
    """
    records = list(await subscription.read(max_rows=max_rows, wait_seconds=_LONGEST_WAIT))
    if records and linger and _rows(records) < max_rows:
        await _sleep(linger, stop)
    try:
        while records and linger and (room := max_rows - _rows(records)) > 0:
            more = await subscription.read(max_rows=room, wait_seconds=0)
            if not more:
                break
            records.extend(more)
    except Unavailable:
        pass  # the next read meets it again; what is held must not be lost
    return records


async def _sleep(seconds: float, stop: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


def _rows(records: Sequence[Record | Undecodable]) -> int:
    return sum(record.table.num_rows for record in records if isinstance(record, Record))
