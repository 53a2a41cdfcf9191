"""The API in the test's own process, over the real engine, event log and database; and ways to fill and drive it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx
import pyarrow as pa
from fastapi import FastAPI

from api.context import ApiContext
from ingest.receive import OtlpReceiver
from ingest.service import Signal
from schemas.events import SCHEMAS
from schemas.ports import Record, Subscription, Tally
from tests.factories import stored
from tests.integration.people import TurnedClock

JSON = dict[str, Any]
JSON_TYPE = {"Content-Type": "application/json"}


class Worker(Protocol):
    """A handler of the processors."""

    group: str

    @property
    def topics(self) -> tuple[str, ...]:
        """What it reads."""
        ...

    def process(self, records: Sequence[Record]) -> list[Tally]:
        """Does the work."""
        ...


@dataclass
class Resubmitted:
    """A receiver that notes what it gets and refuses so many spans of it, or hands it to a real one."""

    refuses: int = 0
    seen: list[tuple[str, Signal, bytes]] = field(default_factory=list)
    receiver: OtlpReceiver | None = None

    async def __call__(self, project: str, signal: Signal, payload: bytes) -> int:
        """Notes the call."""
        self.seen.append((project, signal, payload))
        if self.receiver is not None:
            return await self.receiver.resubmit(project, signal, payload, "test")
        return self.refuses


@dataclass
class Api:
    """A client of the API in one project of its own."""

    app: FastAPI
    context: ApiContext
    client: httpx.AsyncClient
    project: str
    clock: TurnedClock
    resubmitted: Resubmitted
    _places: dict[str, Subscription] = field(default_factory=dict)

    def path(self, path: str) -> str:
        """A path under the project."""
        return f"/api/v1/projects/{self.project}{path}"

    def insert(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Stores spans in the project."""
        self.context.store.insert("spans_raw", stored([{**row, "project": self.project} for row in rows]))

    async def get(self, path: str, status: int = 200, **parameters: Any) -> JSON:
        """The document at a path under the project."""
        answer = await self.client.get(self.path(path), params=parameters)
        assert answer.status_code == status, answer.text
        found: JSON = answer.json()
        return found

    async def post(self, path: str, body: Any, status: int = 200, **headers: str) -> JSON:
        """The answer to a JSON body."""
        answer = await self.client.post(
            self.path(path), content=json.dumps(body), headers=JSON_TYPE | headers
        )
        assert answer.status_code == status, answer.text
        found: JSON = answer.json()
        return found

    async def pages(self, path: str, **parameters: Any) -> list[list[JSON]]:
        """All pages of a list."""
        found, cursor = [], ""
        while True:
            page = await self.get(path, **parameters, cursor=cursor)
            found.append(page["data"])
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    async def rows(self, path: str, **parameters: Any) -> list[JSON]:
        """All rows of a list."""
        return [row for page in await self.pages(path, **parameters) for row in page]

    async def work(self, worker: Worker) -> list[Record]:
        """Lets a worker do all that waits for it; what it did."""
        if worker.group not in self._places:
            self._places[worker.group] = await self.context.log.subscribe(worker.group, worker.topics)
        subscription = self._places[worker.group]
        done: list[Record] = []
        while records := await subscription.read(max_rows=10_000, wait_seconds=0.05):
            good = [record for record in records if isinstance(record, Record)]
            assert len(good) == len(records)
            await subscription.commit(records, worker.process(good))
            done += good
        return done


@dataclass
class Keeper:
    """A worker that only keeps what it reads, and writes it to a table when told which."""

    group: str
    topics: tuple[str, ...]
    counter: Any = "stored"

    def process(self, records: Sequence[Record]) -> list[Tally]:
        """Counts the rows."""
        return [Tally(project, self.counter, n) for r in records for project, n in r.counts.items()]


def rows_of(records: list[Record]) -> list[JSON]:
    """The rows of records, whose schemas must be those of their topics."""
    assert all(record.table.schema.equals(SCHEMAS[record.topic]) for record in records)
    return [row for record in records for row in record.table.to_pylist()]


def letter(
    project: str, id: str, kind: str, payload: bytes, topic: str = "spans", at: datetime | None = None
) -> pa.Table:
    """A dead letter as its writer stores it."""
    row = {"project": project, "id": id, "kind": kind, "topic": topic, "reason": "broken", "payload": payload}
    return pa.Table.from_pylist(
        [row | {"time": at or datetime(2026, 11, 20, 11, tzinfo=UTC)}],
        SCHEMAS["dead-letters"],
    )
