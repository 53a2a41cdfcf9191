"""The score writer: topic `scores` to its table. The latest record of an id is the score.

The span writer deletes traces, with their scores, while this one writes: it stores a tombstone first, then deletes. So this one
looks for tombstones before it writes, and again after: a deletion that came in between has not met what was being written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.events import SCORE_SCHEMA, SCORES
from schemas.ports import Record, Store, Tally

Pair = tuple[str, str]
_OF_TRACES = "(project, trace_id) IN {keys:Array(Tuple(String, String))}"


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
        traces = pc.unique(table["trace_id"]).to_pylist()
        gone = self._deleted(traces)
        alive = table.filter(pa.array([pair not in gone for pair in _pairs(table)]))
        if alive.num_rows:
            self._store.insert("scores_raw", alive)
        self._sweep(self._deleted(traces).intersection(_pairs(table)))
        return [
            Tally(project, "scores_stored", n) for project, n in Counter(alive["project"].to_pylist()).items()
        ]

    def _deleted(self, traces: Sequence[str]) -> frozenset[Pair]:
        """Deleted traces of these ids: a late retry does not bring their scores back."""
        found = self._store.query(
            "SELECT DISTINCT project, trace_id FROM deleted_traces WHERE trace_id IN {traces:Array(String)}",
            {"traces": traces},
        )
        return frozenset(_pairs(found))

    def _sweep(self, gone: Collection[Pair]) -> None:
        """Deletes what was written of these traces after their deletion, now or before a crash."""
        names = {"keys": sorted(gone)}
        if gone and self._store.query(f"SELECT 1 FROM scores_raw WHERE {_OF_TRACES} LIMIT 1", names).num_rows:
            self._store.command(f"DELETE FROM scores_raw WHERE {_OF_TRACES}", names)


def _pairs(table: pa.Table) -> list[Pair]:
    return list(zip(table["project"].to_pylist(), table["trace_id"].to_pylist(), strict=True))
