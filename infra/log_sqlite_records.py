"""The records of the SQLite event log: append, find, count, trim. Statements only; the caller holds the transaction."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from infra.ipc import Payload
from schemas.ports import Counts

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TRIM_RECORDS, TRIM_BYTES = 512, 64 << 20
"""Most that one transaction trims, so that a long backlog that is dropped does not hold up the appends."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands and what is known without its payload. `bytes` is the payload's size."""

    position: int
    topic: str
    rows: int
    counts: Counts
    appended_at: datetime
    bytes: int


@dataclass(frozen=True, slots=True)
class Trimmed:
    """What a transaction trimmed of a topic: payload bytes, all positions up to `through`, and whether more is left."""

    bytes: int
    through: int
    more: bool


def insert(
    connection: sqlite3.Connection, topic: str, payload: Payload, rows: int, counts: Counts, at: int
) -> int:
    """Appends a record and returns its position."""
    # written in place: binding the bytes would copy them three times
    size = payload.size
    position = connection.execute("INSERT INTO payloads (payload) VALUES (zeroblob(?))", (size,)).lastrowid
    assert position is not None
    with connection.blobopen("payloads", "payload", position) as blob:
        blob.write(payload.head)
        blob.write(payload.body)
    values = (topic, position, rows, json.dumps(dict(counts)), at, size)
    connection.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)", values)
    return position


def places_after(connection: sqlite3.Connection, topic: str, position: int, limit: int) -> list[Place]:
    """The next `limit` records of a topic after a position."""
    rows = connection.execute(
        "SELECT position, topic, rows, counts, appended_at, bytes FROM records"
        " WHERE topic = ? AND position > ? ORDER BY position LIMIT ?",
        (topic, position, limit),
    )
    return [Place(p, t, n, json.loads(c), instant(at), size) for p, t, n, c, at, size in rows]


def instant(microseconds: int) -> datetime:
    """The moment so many microseconds after 1970."""
    return EPOCH + timedelta(microseconds=microseconds)


def payload_of(connection: sqlite3.Connection, position: int) -> bytes:
    """The payload at a position. Raises ValueError when its pages are damaged or gone."""
    try:
        row = connection.execute("SELECT payload FROM payloads WHERE position = ?", (position,)).fetchone()
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise ValueError(f"its pages are damaged: {error}") from error
    if row is None:
        raise ValueError("its payload is missing")
    payload: bytes = row[0]
    return payload


def count(
    connection: sqlite3.Connection, topic: str, after: int, through: int | None = None
) -> tuple[int, Counts]:
    """Records of a topic after one position and up to another (None: to the end), and their rows by project."""
    alike = connection.execute(
        "SELECT counts, count(*) FROM records WHERE topic = ? AND position > ? AND position <= ? GROUP BY counts",
        (topic, after, through if through is not None else 2**63 - 1),
    )
    records, rows = 0, Counter[str]()
    for counts, times in alike:
        records += times
        rows.update({project: number * times for project, number in json.loads(counts).items()})
    return records, rows


def oldest(connection: sqlite3.Connection, topic: str, after: int) -> int | None:
    """When the first record of a topic after a position was appended, in microseconds; None when there is none."""
    row = connection.execute(
        "SELECT appended_at FROM records WHERE topic = ? AND position > ? ORDER BY position LIMIT 1",
        (topic, after),
    ).fetchone()
    return row[0] if row else None


def kept_bytes(connection: sqlite3.Connection) -> int:
    """Payload bytes of all records."""
    (total,) = connection.execute("SELECT coalesce(sum(bytes), 0) FROM records").fetchone()
    return int(total)


def last_position(connection: sqlite3.Connection) -> int:
    """The highest position ever given; 0 at the start."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'payloads'").fetchone()
    return row[0] if row else 0


def trim(connection: sqlite3.Connection, topic: str, through: int) -> Trimmed:
    """Deletes the oldest records of a topic up to a position, as many as one transaction may."""
    cursor = connection.execute(
        "SELECT position, bytes FROM records WHERE topic = ? AND position <= ? ORDER BY position LIMIT ?",
        (topic, through, TRIM_RECORDS + 1),
    )
    chosen: list[tuple[int, int]] = []
    freed, more = 0, False
    for position, size in cursor.fetchall():
        if more := len(chosen) == TRIM_RECORDS or freed > TRIM_BYTES:
            break
        chosen.append((position, size))
        freed += size
    if not chosen:
        return Trimmed(0, through, more=False)
    for position, _ in chosen:
        _delete_payload(connection, position)
    last = chosen[-1][0]
    connection.execute("DELETE FROM records WHERE topic = ? AND position <= ?", (topic, last))
    return Trimmed(freed, last if more else through, more)


def _delete_payload(connection: sqlite3.Connection, position: int) -> None:
    try:
        connection.execute("DELETE FROM payloads WHERE position = ?", (position,))
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        # damaged pages cannot be freed; what stands after them still can, so they stay behind unused
        return
