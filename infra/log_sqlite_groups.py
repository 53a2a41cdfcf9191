"""The groups and tallies of the SQLite event log. Statements only; the caller holds the transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from schemas.errors import NotFound
from schemas.ports import Tally


def positions(connection: sqlite3.Connection) -> list[tuple[str, str, int]]:
    """(group, topic, position up to which it has committed)."""
    return connection.execute("SELECT name, topic, position FROM groups").fetchall()


def position(connection: sqlite3.Connection, group: str, topic: str) -> int:
    """The committed position of a group that exists."""
    (place,) = connection.execute(
        "SELECT position FROM groups WHERE name = ? AND topic = ?", (group, topic)
    ).fetchone()
    return int(place)


def floor(connection: sqlite3.Connection, topic: str) -> int:
    """The position up to which every group has committed a topic; 0 when no group reads it."""
    (lowest,) = connection.execute("SELECT min(position) FROM groups WHERE topic = ?", (topic,)).fetchone()
    return lowest or 0


def join(connection: sqlite3.Connection, group: str, topics: Iterable[str]) -> None:
    """Creates the group on the topics that it does not read yet, before the oldest record."""
    connection.executemany(
        "INSERT OR IGNORE INTO groups VALUES (?, ?, 0)", [(group, topic) for topic in topics]
    )


def advance(connection: sqlite3.Connection, group: str, topics: Iterable[str], position: int) -> None:
    """Commits a group up to a position, never backwards."""
    connection.executemany(
        "UPDATE groups SET position = ?3 WHERE name = ?1 AND topic = ?2 AND position < ?3",
        [(group, topic, position) for topic in topics],
    )


def drop(connection: sqlite3.Connection, group: str) -> None:
    """Forgets a group. Raises NotFound."""
    if connection.execute("DELETE FROM groups WHERE name = ?", (group,)).rowcount == 0:
        raise NotFound(f"The event log has no group {group!r}.")


def add_tallies(connection: sqlite3.Connection, tallies: Sequence[Tally]) -> None:
    """Adds to the counters."""
    connection.executemany(
        "INSERT INTO tallies VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET amount = amount + excluded.amount",
        [(tally.project, tally.counter, tally.amount) for tally in tallies],
    )


def tallies(connection: sqlite3.Connection) -> Mapping[str, Mapping[str, int]]:
    """By project, by counter."""
    sums: dict[str, dict[str, int]] = {}
    for project, counter, amount in connection.execute("SELECT project, counter, amount FROM tallies"):
        sums.setdefault(project, {})[counter] = amount
    return sums
