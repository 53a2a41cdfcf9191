"""The score writer: topic `scores` to its table. The latest record of an id is the score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from schemas.events import SCORE_SCHEMA, SCORES
from schemas.ports import Record, Store, Tally


class ScoreWriter:
    """Writes scores under their log position as version, so that a replay never undoes a later change."""

    topics = (SCORES,)
    group = "score-writer"

    def __init__(self, store: Store) -> None:
        self._store = store

    def load(self) -> None:
        """Nothing to prepare."""

    def process(self, records: Sequence[Record]) -> list[Tally]:
        """Stores the scores; the same ones again change nothing."""
        table = pa.concat_tables([record.table for record in records]).select(SCORE_SCHEMA.names)
        position = np.repeat(np.array([r.position for r in records], np.uint64), [r.table.num_rows for r in records])
        self._store.insert("scores_raw", table.append_column("_version", pa.array(position)))
        return [Tally(project, "scores_stored", n) for project, n in Counter(table["project"].to_pylist()).items()]
