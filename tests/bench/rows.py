"""The rows that the product would store for synthetic requests, made by its own receiver and span writer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from ingest.normalise.spans import Options
from ingest.prepare import Submission, prepare
from processors.span_writer import SpanWriter
from schemas.events import SPANS
from schemas.ports import Answer, RawQuery, ReadLimits, Record
from tests.bench.payload import Payload


class Collected:
    """A Store for spans that are all new: keeps what is inserted, knows nothing."""

    def __init__(self) -> None:
        self.tables: list[pa.Table] = []

    def insert(self, name: str, data: pa.Table, *, token: str = "") -> None:
        """Keeps rows of spans."""
        if name == "spans_raw":
            self.tables.append(data)

    def query(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
    ) -> pa.Table:
        """New spans need no look-up."""
        raise AssertionError(f"the span writer asked for {sql[:200]}")

    def stream(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[pa.RecordBatch]:
        """Nothing is stored."""
        yield from ()

    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """New spans need none."""
        raise AssertionError(f"the span writer ran {sql[:200]}")

    def read(
        self,
        project: str,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        limits: ReadLimits | None = None,
    ) -> pa.Table:
        """The span writer is no reader."""
        raise AssertionError(f"the span writer read {sql[:200]}")

    def answer(self, project: str, query: RawQuery, limits: ReadLimits) -> Answer:
        """The span writer is no reader."""
        raise AssertionError(f"the span writer read {query.sql[:200]}")

    def answer_trusted(self, query: RawQuery) -> Answer:
        """New spans need no look-up."""
        raise AssertionError(f"the span writer asked for {query.sql[:200]}")

    def load(self, query: RawQuery, data: Iterator[bytes]) -> int:
        """The span writer inserts tables."""
        raise AssertionError(f"the span writer loaded {query.sql[:200]}")

    def close(self) -> None:
        """Nothing is held."""


def bodies(requests: int, seed: int = 7) -> list[bytes]:
    """So many requests of 500 spans, no two spans alike in their ids."""
    payload = Payload(distinct=min(requests, 20), seed=seed)
    return [payload.request(number).body for number in range(requests)]


def submissions(requests: Sequence[bytes]) -> list[Submission]:
    """Requests as the receiver takes them from a transport."""
    return [Submission("traces", "protobuf", body, None) for body in requests]


def normalised(requests: Sequence[bytes], at_once: int = 8) -> list[pa.Table]:
    """What the receiver appends for these requests, so many taken together."""
    groups = [submissions(requests[i : i + at_once]) for i in range(0, len(requests), at_once)]
    prepared = [prepare(group, datetime.now(UTC), Options()) for group in groups]
    return [entry.table for found in prepared for entry in found.entries if entry.topic == SPANS]


def records(tables: Sequence[pa.Table]) -> list[Record]:
    """The tables as the log hands them to the span writer, appended now."""
    now = datetime.now(UTC)
    return [
        Record(position, SPANS, table, {"default": table.num_rows}, now)
        for position, table in enumerate(tables, 1)
    ]


def stored(requests: Sequence[bytes], at_once: int) -> list[pa.Table]:
    """The tables that the span writer inserts when it takes so many records at once."""
    store = Collected()
    writer = SpanWriter(store)
    writer.load()
    found = records(normalised(requests))
    for start in range(0, len(found), at_once):
        writer.process(found[start : start + at_once])
    return store.tables
