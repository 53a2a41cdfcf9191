"""The newest records of the event log in memory, so that a reader near the end gets the very tables that were appended."""

from __future__ import annotations

import heapq
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from schemas.ports import Record

T = TypeVar("T")


def within(items: Iterable[T], most: int, size: Callable[[T], int]) -> list[T]:
    """The first items whose sizes sum up to at most `most`, and the first one in any case."""
    taken: list[T] = []
    total = 0
    for item in items:
        total += size(item)
        if taken and total > most:
            break
        taken.append(item)
    return taken


class Tail:
    """Holds every untrimmed record after `floor`, as many bytes of them as allowed. Filled with durable records only.

    Thread-safe. `last` is the highest position that was ever published; at the start, the last one in the file.
    """

    def __init__(self, most_bytes: int, last: int) -> None:
        self._most_bytes = most_bytes
        self._floor = self.last = last
        self._bytes = 0
        self._topics: dict[str, list[tuple[Record, int]]] = {}
        self._lock = threading.Lock()

    def publish(self, records: Sequence[Record], sizes: Sequence[int]) -> None:
        """Adds records in the order of their positions, each with the bytes of memory that it holds."""
        with self._lock:
            for record, size in zip(records, sizes, strict=True):
                self._topics.setdefault(record.topic, []).append((record, size))
                self._bytes += size
                self.last = record.position
            while self._bytes > self._most_bytes:
                self._evict()

    def after(self, places: Mapping[str, int], max_rows: int) -> list[Record] | None:
        """The next records after these places by topic, as many as `max_rows` allow; None when some are not in memory."""
        with self._lock:
            if any(place < self._floor for place in places.values()):
                return None
            found = [self._topic_after(topic, place) for topic, place in places.items()]
        return within(heapq.merge(*found, key=_position), max_rows, lambda record: record.table.num_rows)

    def trim(self, topic: str, through: int) -> None:
        """Lets go of the records of a topic up to a position."""
        with self._lock:
            records = self._topics.get(topic, [])
            cut = bisect_right(records, through, key=_held_position)
            self._bytes -= sum(size for _, size in records[:cut])
            del records[:cut]

    def _topic_after(self, topic: str, place: int) -> list[Record]:
        records = self._topics.get(topic, [])
        return [record for record, _ in records[bisect_right(records, place, key=_held_position) :]]

    def _evict(self) -> None:
        oldest = min(
            (records for records in self._topics.values() if records),
            key=lambda records: records[0][0].position,
        )
        record, size = oldest.pop(0)
        self._bytes -= size
        self._floor = record.position


def _position(record: Record) -> int:
    return record.position


def _held_position(held: tuple[Record, int]) -> int:
    return held[0].position
