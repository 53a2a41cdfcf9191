"""Tokens that nobody counts: traces whose tokens stand only on spans that are not the bill."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from api.reading.rows import MINE, query
from api.work import Pool
from schemas.ports import Clock, Store

FRESH = timedelta(seconds=30)
"""How old an answer may be."""

_UNCOUNTED = f"{MINE} AND total_tokens > 0 AND NOT usage_counted AND NOT _pending"
_COUNTED = f"SELECT trace_id FROM spans_raw FINAL WHERE {MINE} AND usage_counted"


def uncounted_usage(store: Store, project: str) -> int:
    """The sum over such traces of the tokens on spans below which no other reports any: outer spans repeat their children's."""
    spans = f"SELECT trace_id, span_id, parent_span_id, total_tokens FROM spans_raw FINAL WHERE {_UNCOUNTED}"
    traces = (
        "SELECT groupArray(span_id) AS ids, groupArray(parent_span_id) AS parents, groupArray(assumeNotNull(total_tokens)) AS tokens "
        f"FROM ({spans}) WHERE trace_id NOT IN ({_COUNTED}) GROUP BY trace_id"
    )
    table = query(
        store,
        "SELECT sum(arraySum(arrayMap((id, n) -> if(has(parents, id), 0, n), ids, tokens))) AS tokens "
        f"FROM ({traces})",
        {"project": project},
    )
    return int(table["tokens"][0].as_py() or 0)


class RecentUsage:
    """Remembers `uncounted_usage` by project for `FRESH`; callers at the same time share one scan. Lives on one event loop."""

    def __init__(self, store: Store, pool: Pool, clock: Clock) -> None:
        self._store, self._pool, self._clock = store, pool, clock
        self._found: dict[str, tuple[datetime, asyncio.Task[int]]] = {}

    async def of(self, project: str) -> int:
        """The sum as it was at most `FRESH` ago. Raises Overloaded, Unavailable."""
        now = self._clock.now()
        known = self._found.get(project)
        if known is None or now - known[0] >= FRESH or _failed(known[1]):
            scan = asyncio.create_task(self._pool.run(uncounted_usage, self._store, project))
            known = self._found[project] = (now, scan)
        return await asyncio.shield(known[1])


def _failed(task: asyncio.Task[int]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
