"""What a deletion means for records without ids, which reach their span by the response's id."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from infra.migrations import migrate
from infra.store_chdb import ChdbStore
from processors.span_writer import SpanWriter
from schemas.events import DELETIONS, LOGS, SPANS
from schemas.settings import Settings
from tests.unit.processors import rows


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChdbStore]:
    opened = ChdbStore.open(tmp_path, Settings())
    migrate(opened)
    yield opened
    opened.close()


@pytest.fixture
def writer(store: ChdbStore) -> SpanWriter:
    made = SpanWriter(store)
    made.load()
    return made


def _said() -> pa.Table:
    return rows.logs([rows.log(response="r", input=[rows.message("hi")])])


def test_a_record_joins_the_only_carrier_that_is_left(store: ChdbStore, writer: SpanWriter) -> None:
    carriers = rows.table([rows.call(1, 1, response_id="r"), rows.call(2, 2, response_id="r")])
    writer.process([rows.record(1, SPANS, carriers), rows.record(2, LOGS, _said())])
    assert store.query("SELECT countIf(input != '') AS n FROM spans_raw FINAL")["n"].to_pylist() == [0]

    writer.process([rows.record(3, DELETIONS, rows.deletion(1))])

    (left,) = store.query("SELECT input FROM spans_raw FINAL").to_pylist()
    assert '"hi"' in left["input"]
    assert store.query("SELECT joined FROM logs_raw FINAL")["joined"].to_pylist() == [True]


def test_a_record_goes_with_the_span_that_it_had_reached(store: ChdbStore, writer: SpanWriter) -> None:
    carrier = rows.table([rows.call(1, 1, response_id="r")])
    writer.process([rows.record(1, SPANS, carrier), rows.record(2, LOGS, _said())])
    assert store.query("SELECT joined FROM logs_raw FINAL")["joined"].to_pylist() == [True]

    writer.process([rows.record(3, DELETIONS, rows.deletion(1))])

    assert store.query("SELECT count() AS n FROM spans_raw FINAL")["n"].to_pylist() == [0]
    assert store.query("SELECT count() AS n FROM logs_raw FINAL")["n"].to_pylist() == [0]
