"""Deleting a trace: a row in the log, between the spans that came before it and those that come after."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pyarrow as pa

from schemas.events import DELETION_SCHEMA, DELETIONS
from schemas.ports import Entry, EventLog

WRITER = "span-writer"
PATIENCE = 10.0
"""Seconds that a request waits for its deletion."""
_PAUSE = 0.05


async def delete_trace(log: EventLog, project: str, trace_id: str, now: datetime) -> bool:
    """Appends the deletion; returns whether the span writer has done it within `PATIENCE`. It will in any case."""
    row = {"project": project, "trace_id": trace_id, "deleted_at": now.astimezone(UTC)}
    await log.append([Entry(DELETIONS, pa.Table.from_pylist([row], DELETION_SCHEMA), {project: 1})])
    try:
        async with asyncio.timeout(PATIENCE):
            # the log tells nobody of its commits, so it is asked
            while await _pending(log, project):  # noqa: ASYNC110
                await asyncio.sleep(_PAUSE)
    except TimeoutError:
        return False
    return True


async def _pending(log: EventLog, project: str) -> bool:
    """Whether a deletion in this project is still unread; yes, too, while there is no writer yet."""
    topics = (await log.lags()).get(WRITER, {})
    return DELETIONS not in topics or topics[DELETIONS].rows.get(project, 0) > 0
