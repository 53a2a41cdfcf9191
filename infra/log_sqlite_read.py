"""Reading the SQLite event log from the file: records for a group that is behind, ages of the oldest, tallies."""

from __future__ import annotations

import heapq
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from infra import log_sqlite_file as file
from infra import log_sqlite_groups as groups
from infra import log_sqlite_records as records
from infra.ipc import decode
from infra.log_sqlite_tail import within
from schemas.ports import Record, Undecodable

_MOST_RECORDS = 512
_MOST_BYTES = 64 << 20
"""Most payload bytes that one read brings into memory, beyond its first record."""


class Reader:
    """One reading connection. Blocks; used by one thread at a time (others wait). Each method sees one moment of the log."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._connection = file.open_reader(path)
        self._lock = threading.Lock()

    def read(self, places: Mapping[str, int], max_rows: int) -> list[Record | Undecodable]:
        """The next records after these places by topic, in the order of their positions. Raises Unavailable."""
        with self._snapshot() as connection:
            found = [
                records.places_after(connection, topic, place, _MOST_RECORDS)
                for topic, place in places.items()
            ]
            merged = heapq.merge(*found, key=lambda place: place.position)
            chosen = within(merged, max_rows, lambda place: place.rows)
            # a topic whose part of the list is cut off must not be overtaken by the others
            chosen = within(chosen[:_MOST_RECORDS], _MOST_BYTES, lambda place: place.bytes)
            return [_record(connection, place) for place in chosen]

    def oldest(self, topic: str, after: int) -> datetime | None:
        """When the first record of a topic after a position was appended."""
        with self._snapshot() as connection:
            at = records.oldest(connection, topic, after)
        return None if at is None else records.instant(at)

    def tallies(self) -> Mapping[str, Mapping[str, int]]:
        """By project, by counter."""
        with self._snapshot() as connection:
            return groups.tallies(connection)

    def close(self) -> None:
        """Releases the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock, file.snapshot(self._connection):
                yield self._connection
        except sqlite3.Error as error:
            raise file.failure(error, self._path) from error


def _record(connection: sqlite3.Connection, place: records.Place) -> Record | Undecodable:
    payload = b""
    try:
        payload = records.payload_of(connection, place.position)
        table = decode(payload)
    except ValueError as error:
        return Undecodable(place.position, place.topic, payload, str(error), place.counts)
    return Record(place.position, place.topic, table, place.counts, place.appended_at)
