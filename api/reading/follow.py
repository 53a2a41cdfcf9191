"""Following new traces: the list of traces as server-sent events (WHATWG HTML, section 9.2), in the order of arrival.

An event's id is the moment (ms since 1970) at which its trace arrived; a client that comes back sends it as Last-Event-ID.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import orjson

from api.reading.rows import Document
from api.reading.trace_matches import matches
from api.reading.traces import Head, heads_where, rows_of
from api.sql.trace_filters import TraceFilter
from api.work import Pool
from schemas.ports import Store

POLL_SECONDS = 0.5
HEARTBEAT_SECONDS = 10.0
OVERLAP_MS = 5_000
"""How far each look goes back behind the newest arrival, for traces of one moment that were written one after another."""
_MOST = 200


@dataclass
class Follower:
    """What one client has seen. `since`: traces that arrived after it (ms since 1970) are new."""

    store: Store
    project: str
    since: int
    filter: TraceFilter | None = None
    _seen: dict[str, int] = field(default_factory=dict)

    def poll(self) -> list[tuple[int, Document]]:
        """(arrival, row) of the traces that are new since the last call, in the order of arrival."""
        horizon = max(self.since - OVERLAP_MS, 0) if self._seen else self.since
        narrowed = matches(self.filter, None)
        heads = heads_where(
            self.store,
            "_bucket > fromUnixTimestamp64Milli({horizon:Int64}, 'UTC') AND trace_id NOT IN {seen:Array(String)}",
            {"project": self.project, "horizon": horizon, "start": 0, "seen": list(self._seen)}
            | narrowed.parameters,
            f"{narrowed.sql} ORDER BY _bucket, trace_id LIMIT {_MOST}",
        )
        self._note(heads)
        arrivals = {head.trace_id: head.bucket for head in heads}
        return [(arrivals[row["trace_id"]], row) for row in rows_of(self.store, self.project, heads)]

    def _note(self, heads: list[Head]) -> None:
        self._seen |= {head.trace_id: head.bucket for head in heads}
        self.since = max([self.since, *(head.bucket for head in heads)])
        self._seen = {id: bucket for id, bucket in self._seen.items() if bucket > self.since - OVERLAP_MS}


async def events(follower: Follower, pool: Pool, now: Callable[[], float]) -> AsyncIterator[bytes]:
    """The stream: an event a trace, a comment when nothing came for a while. `now` is a monotonic clock in seconds."""
    yield b"retry: 1000\n\n"
    last = now()
    while True:
        found = await pool.run(follower.poll)
        for arrival, row in found:
            yield b"event: trace\nid: %d\ndata: %s\n\n" % (arrival, orjson.dumps(row, default=str))
        if found:
            last = now()
        elif now() - last >= HEARTBEAT_SECONDS:
            last = now()
            yield b": nothing new\n\n"
        if len(found) < _MOST:
            await asyncio.sleep(POLL_SECONDS)
