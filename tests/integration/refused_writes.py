"""A process whose files may not grow: what it inserts must be refused, and nothing of it may stay. Prints one JSON document.

Run by test_refused_writes.py as a process of its own: the limit holds for all of a process.
"""

from __future__ import annotations

import json
import random
import resource
import sys
from pathlib import Path

from infra.migrations import migrate
from infra.store_chdb import ChdbStore
from schemas.errors import Unavailable
from schemas.settings import Settings
from tests.contract.store_rows import span, spans

ROWS, BYTES = 200, 2_000


def main(folder: Path, most: int) -> dict[str, object]:
    """What became of an insert of some 400 kB when no file may have more than `most` bytes, and of the same insert afterwards."""
    store = ChdbStore.open(folder, Settings())
    try:
        migrate(store)
        store.insert("spans_raw", spans(span("p", span_id="kept")), token="first")
        chance = random.Random(most)
        rows = spans(*(span("p", span_id=str(n), input=chance.randbytes(BYTES).hex()) for n in range(ROWS)))
        unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, unlimited[1]))
        refused = _refused(store, rows)
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
        left = _stored(store)
        return {"refused": refused, "left": left, "again": _refused(store, rows), "stored": _stored(store)}
    finally:
        store.close()


def _refused(store: ChdbStore, rows: object) -> str:
    try:
        store.insert("spans_raw", rows, token="second")
    except Unavailable as error:
        return error.detail
    return ""


def _stored(store: ChdbStore) -> list[int]:
    """Rows, and bytes of text that can really be read."""
    found = store.query("SELECT count() AS n, sum(length(input)) AS bytes FROM spans_raw")
    return [int(found["n"][0].as_py()), int(found["bytes"][0].as_py())]


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))
