"""Reading with patience: a store likes few large inserts, so a worker waits a moment for more before it works."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from schemas.ports import Record, Subscription, Undecodable

Records = list[Record | Undecodable]
_LONGEST_WAIT = 0.5


async def gather(subscription: Subscription, *, max_rows: int, max_bytes: int, linger: float) -> Records:
    """The next records: up to `max_rows` or `max_bytes`, whatever has come `linger` seconds after the first; [] after 0.5 s of none."""
    records: Records = list(await subscription.read(max_rows=max_rows, wait_seconds=_LONGEST_WAIT))
    if records and _rows(records) < max_rows:
        await asyncio.sleep(linger)
    while records and _rows(records) < max_rows and _bytes(records) < max_bytes:
        more = await subscription.read(max_rows=max_rows - _rows(records), wait_seconds=0)
        if not more:
            break
        records.extend(more)
    return records


def _rows(records: Sequence[Record | Undecodable]) -> int:
    return sum(record.table.num_rows for record in records if isinstance(record, Record))


def _bytes(records: Sequence[Record | Undecodable]) -> int:
    return sum(record.table.get_total_buffer_size() for record in records if isinstance(record, Record))
