"""What the rooms need of the outside world. Small Protocols; the docstring is the contract, and one suite tests every adapter of a port.

Tables travel as Arrow. Nothing here knows SQLite, Kafka or chDB.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

import pyarrow as pa

Counts = Mapping[str, int]
"""Rows by project."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is appended: one Arrow table for one topic, with its rows counted by project.

    `counts` is kept beside the payload so that what is in flight can be told without decoding it.
    """

    topic: str
    table: pa.Table
    counts: Counts


@dataclass(frozen=True, slots=True)
class Record:
    """What is read: an entry with its place in the log.

    `position` grows along a topic's partition and names the record for ever: replays give it again.
    `appended_at` is when it became durable.
    """

    position: int
    topic: str
    table: pa.Table
    counts: Counts
    appended_at: datetime


@dataclass(frozen=True, slots=True)
class Tally:
    """A counter's increment, made durable together with the commit that it belongs to."""

    project: str
    counter: Literal["stored", "duplicate", "dead", "rejected", "deleted", "logs_stored", "scores_stored"]
    amount: int


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a group is behind on a topic: unread records, their rows by project, and the oldest one's age in seconds."""

    records: int
    rows: Counts
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Undecodable:
    """Stands in a read for a record whose payload cannot be decoded: its place, its bytes and the reason."""

    position: int
    topic: str
    payload: bytes
    reason: str
    counts: Counts = field(default_factory=dict)


class Subscription(Protocol):
    """A named group's place in some topics. Used by one task at a time."""

    async def read(self, *, max_rows: int, wait_seconds: float) -> Sequence[Record | Undecodable]:
        """The next unread records in log order, at least one when there is any, until their rows exceed `max_rows`.

        Waits up to `wait_seconds` for the first one; then returns an empty list. A second read goes on where the first one
        ended, committed or not; what was not committed comes again after a restart. An idle or paused group keeps its place.
        """
        ...

    async def commit(self, records: Sequence[Record | Undecodable], tallies: Sequence[Tally] = ()) -> None:
        """Marks these records (a prefix of what was read) as done, durably and together with the tallies."""
        ...

    async def pause(self) -> None:
        """Stops delivery: reads return empty after their wait. The group keeps its place."""
        ...

    async def resume(self) -> None:
        """Delivers again."""
        ...

    async def rewind(self, position: int) -> None:
        """Reads again from this position (0: from the oldest record kept). Does not change what is committed."""
        ...

    async def close(self) -> None:
        """Leaves the group, which keeps its place; another subscription may take it up."""
        ...


class EventLog(Protocol):
    """A durable, replayable log of Arrow tables by topic, read by named groups.

    Unread records are kept until every group that reads their topic has committed them; records that all have read are trimmed.
    """

    async def append(self, entries: Sequence[Entry]) -> None:
        """Returns when all entries are durable, all or none of them. Concurrent appends share one durable write.

        Raises:
            Overloaded: unread data has reached its limit (`EVALSTREAM_LOG_MAX_BYTES`), or too much is waiting to be written.
            Unavailable: the disk is full or read-only, or the broker does not answer. Nothing was appended.
        """
        ...

    async def subscribe(self, group: str, topics: Sequence[str]) -> Subscription:
        """Joins (creating it at the oldest record kept) a named group on these topics.

        Raises Conflict when a live subscription of this process has the group.
        """
        ...

    async def lags(self) -> Mapping[str, Mapping[str, Lag]]:
        """By group, by topic."""
        ...

    async def tallies(self) -> Mapping[str, Mapping[str, int]]:
        """By project, by counter: the sums of all committed tallies, as of the same moment as the committed places."""
        ...

    async def drop_group(self, group: str) -> None:
        """Forgets an idle group, so that what only it had not read can be trimmed. Raises NotFound, Conflict (in use)."""
        ...

    async def close(self) -> None:
        """Flushes and releases everything."""
        ...


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Bounds of one query by a person: seconds of run time, bytes of memory, rows and bytes of the result."""

    seconds: float = 30.0
    memory_bytes: int = 2 << 30
    result_rows: int = 10_000
    result_bytes: int = 256 << 20
    threads: int = 2


@dataclass(frozen=True, slots=True)
class RawQuery:
    """One statement whose answer is wanted as bytes, in one of the engine's output formats.

    `parameters` fill `{name:Type}` placeholders with texts in the escaped form of ClickHouse's HTTP protocol (`param_name=text`).
    `settings` hold for this statement only; for a person's query they must have been allow-listed before.
    `database` is the current one of a trusted statement; '' for the usual one.
    """

    sql: str
    format: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    database: str = ""


class Answer(Protocol):
    """The bytes of a query, with memory that does not grow with them. Read by one thread at a time; `cancel` from any."""

    def run(self) -> None:
        """Runs the query in this thread, until its end; what waits to be read is bounded, so another thread has to read meanwhile.

        Not needed: the first `read` lets it run in a thread of the store. But a small answer costs two switches of threads less
        when it runs in the caller's. Raises nothing: `read` tells how it ended.
        """
        ...

    def read(self, most: int = 1 << 20) -> bytes:
        """The next bytes, as soon as there are any and at most so many; b"" at the end.

        Raises what `Store.query` raises for the statement; after bytes, too, when it fails half-way.
        """
        ...

    def cancel(self) -> None:
        """Ends the query early; `read` then raises, or comes to its end. Returns soon, and may be called at any time and again."""
        ...

    def close(self) -> None:
        """Releases everything; cancels what still runs and waits for it. May be called again."""
        ...


class Store(Protocol):
    """The columnar database, speaking ClickHouse SQL. Thread-safe; calls block (callers on an event loop use a thread)."""

    def insert(self, name: str, data: pa.Table, *, token: str = "") -> None:
        """Inserts all rows in one block per partition. The same `token` again is ignored (a replay within the table's window).

        Raises Unavailable (retryable) when the database does not take it now, InvalidRequest when it never will.
        """
        ...

    def query(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
    ) -> pa.Table:
        """The whole result of a trusted SELECT. `parameters` fill `{name:Type}` placeholders."""
        ...

    def stream(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[pa.RecordBatch]:
        """The result of a trusted SELECT in batches, with memory that does not grow with it."""
        ...

    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Runs a trusted statement that returns no rows (DDL, DELETE, …)."""
        ...

    def read(
        self,
        project: str,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        limits: ReadLimits | None = None,
    ) -> pa.Table:
        """Runs a vetted query of a person as the reader role: sees only the views and only `project`, cannot write, is bounded by `limits`.

        Raises QueryLimit when a limit is hit, InvalidQuery when the engine refuses the text.
        """
        ...

    def answer(self, project: str, query: RawQuery, limits: ReadLimits) -> Answer:
        """Prepares a vetted SELECT of a person under the rules of `read`, as bytes. `limits.result_rows` is an error when exceeded.

        Raises Unavailable when the database is closing.
        """
        ...

    def answer_trusted(self, query: RawQuery) -> Answer:
        """Prepares a trusted statement of any kind, as bytes; no bytes for one that returns no rows.

        A statement other than SELECT may hold its whole answer in memory. INSERT with data is `load`.
        """
        ...

    def load(self, query: RawQuery, data: Iterator[bytes]) -> int:
        """A trusted INSERT (without FORMAT and data) of data in `query.format`; the rows inserted.

        Raises InvalidRequest when the data do not fit, else as `insert`. An exception of the iterator ends the INSERT, and is passed on.
        """
        ...

    def close(self) -> None:
        """Waits for running queries and releases the database."""
        ...


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """The present moment, UTC-aware."""
        ...
