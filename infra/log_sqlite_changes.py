"""What each operation on the event log writes, and what follows from it in memory once it is durable."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from infra import log_sqlite_groups as groups
from infra import log_sqlite_records as records
from infra.ipc import Payload
from infra.log_sqlite_backlog import Backlog, Unread
from infra.log_sqlite_commit import Change, GroupCommit
from infra.log_sqlite_quota import Quota
from infra.log_sqlite_tail import Tail
from schemas.ports import Counts, Record, Tally


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry ready to be written. `memory` is what its table holds, in bytes."""

    topic: str
    table: pa.Table
    counts: Counts
    payload: Payload
    memory: int


class Changes:
    """Makes the changes that a `GroupCommit` runs, and sets off trimming. `now` gives seconds since 1970."""

    def __init__(
        self,
        commits: GroupCommit,
        backlog: Backlog,
        tail: Tail,
        unread: Quota,
        now: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        self._commits = commits
        self._backlog = backlog
        self._tail = tail
        self._unread = unread
        self._now = now
        self._wake = wake

    def append(self, drafts: Sequence[Draft]) -> Change[list[Record]]:
        """Appends all drafts; readers are woken."""

        def write(connection: sqlite3.Connection) -> list[Record]:
            at = int(self._now() * 1_000_000)
            return [_insert(connection, draft, at) for draft in drafts]

        def applied(appended: list[Record]) -> None:
            self._unread.add(sum(draft.payload.size for draft in drafts))
            for record in appended:
                self._backlog.appended(record.topic, record.counts)
            self._tail.publish(appended, [draft.memory for draft in drafts])
            self._wake()

        return Change(write, applied)

    def join(self, group: str, topics: Iterable[str]) -> Change[dict[str, Unread]]:
        """Creates a group on the topics that it does not read yet."""

        def write(connection: sqlite3.Connection) -> dict[str, Unread]:
            groups.join(connection, group, topics)
            return {
                topic: _unread(connection, topic, groups.position(connection, group, topic))
                for topic in topics
            }

        def applied(unread: dict[str, Unread]) -> None:
            for topic, left in unread.items():
                self._backlog.place(group, topic, left)

        return Change(write, applied)

    def commit(
        self, group: str, topics: Sequence[str], position: int | None, tallies: Sequence[Tally]
    ) -> Change[dict[str, Unread]]:
        """Moves a group on to a position (None: leaves it), never back, together with its tallies.

        What was committed before (a group that was rewound on purpose) is not counted once more.
        """

        def write(connection: sqlite3.Connection) -> dict[str, Unread]:
            places = {topic: groups.position(connection, group, topic) for topic in topics}
            if position is not None and all(place >= position for place in places.values()):
                return {}
            groups.add_tallies(connection, tallies)
            if position is None:
                return {}
            groups.advance(connection, group, topics, position)
            return {
                topic: Unread(position, *records.count(connection, topic, place, position))
                for topic, place in places.items()
                if place < position
            }

        def applied(passed: dict[str, Unread]) -> None:
            for topic, done in passed.items():
                self._backlog.committed(group, topic, done)
            self.trim(passed)

        return Change(write, applied)

    def drop(self, group: str) -> Change[None]:
        """Forgets a group. Raises NotFound."""

        def write(connection: sqlite3.Connection) -> None:
            groups.drop(connection, group)

        def applied(_: None) -> None:
            self.trim(self._backlog.dropped(group))

        return Change(write, applied)

    def trim(self, topics: Iterable[str]) -> None:
        """Deletes, with the next transactions, what every group of these topics has committed."""
        for topic in topics:
            self._commits.enqueue(self._trim(topic))

    def _trim(self, topic: str) -> Change[records.Trimmed]:
        def write(connection: sqlite3.Connection) -> records.Trimmed:
            # read here and not from memory: a group may have joined earlier in this transaction
            return records.trim(connection, topic, groups.floor(connection, topic))

        def applied(trimmed: records.Trimmed) -> None:
            self._unread.add(-trimmed.bytes)
            self._tail.trim(topic, trimmed.through)
            if trimmed.more:
                self.trim([topic])

        return Change(write, applied)


def load_backlog(connection: sqlite3.Connection) -> Backlog:
    """Counts what each group of the file has not committed."""
    backlog = Backlog()
    for group, topic, position in groups.positions(connection):
        backlog.place(group, topic, _unread(connection, topic, position))
    return backlog


def _unread(connection: sqlite3.Connection, topic: str, position: int) -> Unread:
    return Unread(position, *records.count(connection, topic, position))


def _insert(connection: sqlite3.Connection, draft: Draft, at: int) -> Record:
    position = records.insert(connection, draft.topic, draft.payload, draft.table.num_rows, draft.counts, at)
    return Record(position, draft.topic, draft.table, draft.counts, records.instant(at))
