"""Finding the row that a handler can never process, and what is kept of it. No I/O."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import count

import pyarrow as pa

from schemas.errors import EvalstreamError, Overloaded, QueryLimit, Unavailable
from schemas.events import DEAD_LETTER_SCHEMA, DEAD_LETTERS, SPANS
from schemas.ports import Counts, Record, Tally, Undecodable

Letter = dict[str, object]
"""A row of `DEAD_LETTER_SCHEMA`."""
Process = Callable[[Sequence[Record]], list[Tally]]
_log = logging.getLogger(__name__)
_LONGEST_REASON = 2000


def process(step: Process, records: Sequence[Record], letters: list[Letter]) -> list[Tally]:
    """Runs a handler's `process`; when it fails, halves the records, then their rows, down to the bad ones.

    Appends to `letters` what can never be processed, and counts it as dead. Raises Unavailable, Overloaded and QueryLimit (a
    single row that meets no memory now may find some later).
    """
    if not records:
        return []
    try:
        return step(records)
    except (Unavailable, Overloaded):
        raise
    except Exception as error:
        halves = _halves(records)
        if halves is not None:
            return [tally for half in halves for tally in process(step, half, letters)]
        if isinstance(error, QueryLimit):
            raise
        return _bury(records[0], error, letters)


def undecodable(record: Undecodable) -> list[Letter]:
    """The letters for a record that the log could not decode: one keeps its bytes, the others tell each project what it lost.

    A lost span is one letter, as everywhere: that keeps rejected + dead = letters. Bytes in which several projects may be read
    belong to none of them: they are kept under the project ''.
    """
    owner = next(iter(record.counts)) if len(record.counts) == 1 else ""
    keeper = _letter(owner, record.topic, record.reason, record.payload, f"{record.position}")
    reason = f"{record.reason}; all of the record that is left is in letter {keeper['id']}"
    kind, topic = ("rejected", SPANS) if record.topic == DEAD_LETTERS else ("dead", record.topic)
    letters = [
        _letter(project, topic, reason, b"", f"{record.position} {project} {n}") | {"kind": kind}
        for project, rows in record.counts.items()
        for n in range(rows if topic == SPANS else 1)
    ]
    counted = topic == keeper["topic"] and owner in record.counts
    return [keeper, *letters[counted:]]


def dead(topic: str, counts: Counts) -> list[Tally]:
    """What lost rows count for: the counters tell of spans."""
    return [Tally(project, "dead", rows) for project, rows in counts.items()] if topic == SPANS else []


def table_of(letters: Sequence[Letter]) -> pa.Table:
    """The letters as rows of the topic `dead-letters`."""
    return pa.Table.from_pylist(list(letters), DEAD_LETTER_SCHEMA)


def _halves(records: Sequence[Record]) -> tuple[Sequence[Record], Sequence[Record]] | None:
    """Two smaller problems; None for a single row."""
    if len(records) > 1:
        middle = len(records) // 2
        return records[:middle], records[middle:]
    table = records[0].table
    if table.num_rows < 2:
        return None
    middle = table.num_rows // 2
    return [_part(records[0], table.slice(0, middle))], [_part(records[0], table.slice(middle))]


def _part(record: Record, table: pa.Table) -> Record:
    return Record(
        record.position, record.topic, table, Counter(table["project"].to_pylist()), record.appended_at
    )


def _bury(record: Record, error: Exception, letters: list[Letter]) -> list[Tally]:
    _log.error("a record of %s cannot be processed and becomes a dead letter", record.topic, exc_info=error)
    reason = error.detail if isinstance(error, EvalstreamError) else f"{type(error).__name__}: {error}"
    project = next(iter(record.counts), "")
    if not record.table.num_rows:
        return []
    payload, taken = _ipc(record.table), {letter["id"] for letter in letters}
    alike = (_letter(project, record.topic, reason, payload, f"{record.position} {n}") for n in count())
    letters.append(next(letter for letter in alike if letter["id"] not in taken))
    return dead(record.topic, {project: 1})


def _letter(project: str, topic: str, reason: str, payload: bytes, place: str) -> Letter:
    """`place` in the log tells equal rows apart, and is the same when the work is done again."""
    identity = hashlib.sha256(f"{topic} {place}\0".encode() + payload).hexdigest()[:32]
    return {
        "project": project,
        "id": identity,
        "kind": "dead",
        "topic": topic,
        "reason": reason[:_LONGEST_REASON],
        "time": datetime.now(UTC),
        "payload": payload,
    }


def _ipc(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
