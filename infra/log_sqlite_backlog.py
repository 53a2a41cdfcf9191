"""What each group has not committed yet, counted as it changes, so that asking for it reads no records."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from schemas.ports import Counts


@dataclass(frozen=True, slots=True)
class Unread:
    """A group's committed position in a topic, and the records and rows by project after it."""

    position: int
    records: int
    rows: Counts


class Backlog:
    """Thread-safe; changed by the writing thread only, after each durable transaction."""

    def __init__(self) -> None:
        self._unread: dict[tuple[str, str], Unread] = {}
        self._lock = threading.Lock()

    def place(self, group: str, topic: str, unread: Unread) -> None:
        """Sets what a group has not read of a topic."""
        with self._lock:
            self._unread[group, topic] = unread

    def appended(self, topic: str, counts: Counts) -> None:
        """One more record of a topic."""
        with self._lock:
            for (group, of), unread in self._unread.items():
                if of == topic:
                    rows = Counter(unread.rows)
                    rows.update(counts)
                    self._unread[group, of] = Unread(unread.position, unread.records + 1, rows)

    def committed(self, group: str, topic: str, passed: Unread) -> None:
        """A group went on to a position, past so many records and rows."""
        with self._lock:
            unread = self._unread[group, topic]
            left = Counter(unread.rows)
            left.subtract(passed.rows)
            self._unread[group, topic] = Unread(passed.position, unread.records - passed.records, left)

    def dropped(self, group: str) -> list[str]:
        """Forgets a group; returns its topics."""
        with self._lock:
            topics = [topic for name, topic in self._unread if name == group]
            for topic in topics:
                del self._unread[group, topic]
        return topics

    def positions(self, group: str, topics: Iterable[str]) -> dict[str, int]:
        """The committed positions of a group."""
        with self._lock:
            return {topic: self._unread[group, topic].position for topic in topics}

    def snapshot(self) -> dict[tuple[str, str], Unread]:
        """By (group, topic), all of the same moment."""
        with self._lock:
            return dict(self._unread)
