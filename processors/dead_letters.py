"""Dead letters: what was accepted and can never be written, and what was refused at the door, kept with its bytes and reason."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from schemas.events import DEAD_LETTER_SCHEMA, DEAD_LETTERS, refused_spans
from schemas.ports import Record, Store, Tally


class DeadLetterWriter:
    """Writes the topic `dead-letters` into its table and counts the spans that were rejected."""

    topics = (DEAD_LETTERS,)
    apart: frozenset[str] = frozenset()
    group = "dead-letter-writer"

    def __init__(self, store: Store) -> None:
        self._store = store

    def load(self) -> None:
        """Nothing to prepare."""

    def process(self, records: Sequence[Record]) -> list[Tally]:
        """Stores the letters; the same letter again replaces itself."""
        letters = pa.concat_tables([record.table for record in records]).select(DEAD_LETTER_SCHEMA.names)
        self._store.insert("dead_letters", letters)
        return [Tally(project, "rejected", n) for project, n in refused_spans(letters).items() if n]
