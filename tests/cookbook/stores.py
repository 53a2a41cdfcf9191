"""A store that holds the sample, as projects on one engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from infra.migrations import migrate
from infra.store_chdb import ChdbStore
from schemas.events import LOG_SCHEMA, SCORE_SCHEMA
from schemas.settings import Settings
from tests.cookbook.sample import Sample
from tests.factories import stored

_LOGS = pa.schema([*LOG_SCHEMA, ("joined", pa.bool_())])


@contextmanager
def holding(folder: Path, *samples: Sample) -> Iterator[ChdbStore]:
    """The store with all rows of the samples."""
    store = ChdbStore.open(folder, Settings())
    try:
        migrate(store)
        for made in samples:
            store.insert("spans_raw", stored(made.spans))
            store.insert("scores_raw", pa.Table.from_pylist(made.scores, SCORE_SCHEMA))
            store.insert("logs_raw", pa.Table.from_pylist(made.logs, _LOGS).select(list(made.logs[0])))
        yield store
    finally:
        store.close()
