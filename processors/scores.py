"""The score writer: topic `scores` to its table. The latest record of an id is the score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.events import SCORE_SCHEMA, SCORES
from schemas.ports import Record, Store, Tally


class ScoreWriter:
    """Writes scores under their log position as version, so that a replay never undoes a later change."""

    topics = (SCORES,)
    apart: frozenset[str] = frozenset()
    group = "score-writer"

    def __init__(self, store: Store) -> None:
        self._store = store

    def load(self) -> None:
        """Nothing to prepare."""

    def process(self, records: Sequence[Record]) -> list[Tally]:
        """Stores the scores, but for those of deleted traces; the same ones again change nothing."""
        table = pa.concat_tables([record.table for record in records]).select(SCORE_SCHEMA.names)
        position = np.repeat(
            np.array([r.position for r in records], np.uint64), [r.table.num_rows for r in records]
        )
        table = table.append_column("_version", pa.array(position))
        table = table.filter(pa.array(self._alive(table)))
        if table.num_rows:
            self._store.insert("scores_raw", table)
        return [
            Tally(project, "scores_stored", n) for project, n in Counter(table["project"].to_pylist()).items()
        ]

    def _alive(self, table: pa.Table) -> list[bool]:
        """Rows whose trace was not deleted: a late retry does not bring its scores back."""
        traces = pc.unique(table["trace_id"]).to_pylist()
        deleted = self._store.query(
            "SELECT DISTINCT project, trace_id FROM deleted_traces WHERE trace_id IN {traces:Array(String)}",
            {"traces": traces},
        )
        gone = set(zip(deleted["project"].to_pylist(), deleted["trace_id"].to_pylist(), strict=True))
        return [
            pair not in gone
            for pair in zip(table["project"].to_pylist(), table["trace_id"].to_pylist(), strict=True)
        ]
