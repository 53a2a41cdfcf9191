"""Many stored spans, quickly: synthetic spans with new ids and times through the product's span writer, as if they had come over a week."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from infra.migrations import migrate
from infra.store_chdb import ChdbStore
from ingest.normalise.spans import hexadecimal
from processors.span_writer import SpanWriter
from schemas.events import SPANS
from schemas.ports import Record
from schemas.settings import Settings
from schemas.spans import TIME
from tests.bench import rows
from tests.bench.payload import SPANS_PER_TRACE
from tests.bench.processes import Cost, cost

DAYS = 7
PROJECTS = ("shop", "support", "search", "internal")
MODELS = ("gpt-4o-mini", "gpt-5", "claude-sonnet-4-5", "gemini-2.5-flash", "mistral-large", "llama-4")
RARE_WORD = "zirconium"
"""Stands in the output of one span in RARE."""
FREQUENT_WORD = "peme"
"""The second most frequent word of the payload: it stands in most spans."""
RARE = 20_000
_RECORD_ROWS, _BLOCK_RECORDS = 2_500, 20
_ERRORS = 0.02

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading took, and which moment the newest span stands for."""

    spans: int
    cost: Cost
    until: datetime


def load(data: Path, spans: int, until: datetime | None = None) -> Loaded:
    """Fills the store of a data folder. Call it apart: it opens the engine."""
    end = until or datetime.now(UTC)
    store = ChdbStore.open(data / "store", Settings())
    try:
        migrate(store)
        spent = cost(lambda: _fill(store, spans, end))
    finally:
        store.close()
    return Loaded(spans, spent, end)


def _fill(store: ChdbStore, spans: int, until: datetime) -> None:
    writer = SpanWriter(store)
    writer.load()
    for block in _blocks(spans, until):
        writer.process(block)


def _blocks(spans: int, until: datetime) -> Iterator[Sequence[Record]]:
    """Records in the order of their arrival, evenly over the days before `until`."""
    template = pa.concat_tables(
        rows.normalised(rows.bodies(_RECORD_ROWS * _BLOCK_RECORDS // 500))
    ).combine_chunks()
    maker = _Maker(template, np.random.default_rng(11))
    records = -(-spans // _RECORD_ROWS)
    step = timedelta(days=DAYS) / records
    block: list[Record] = []
    for number in range(records):
        appended = until - timedelta(days=DAYS) + (number + 1) * step
        block.append(maker.record(number, appended, step))
        if len(block) == _BLOCK_RECORDS:
            yield block
            block = []
    if block:
        yield block


class _Maker:
    """Makes records from slices of a template."""

    def __init__(self, template: pa.Table, random: np.random.Generator) -> None:
        self._template, self._random = template, random

    def record(self, number: int, appended: datetime, step: timedelta) -> Record:
        """A record of new traces that ended within `step` before `appended`."""
        start = number % _BLOCK_RECORDS * _RECORD_ROWS
        table = self._template.slice(start, _RECORD_ROWS)
        project = PROJECTS[number % len(PROJECTS)]
        columns = self._identity() | self._times(appended, step) | self._facts(table)
        columns["project"] = pa.array([project]).take(pa.array(np.zeros(_RECORD_ROWS, np.int64)))
        arrays = [columns[name] if name in columns else table[name] for name in table.column_names]
        return Record(
            number + 1, SPANS, pa.table(arrays, schema=table.schema), {project: _RECORD_ROWS}, appended
        )

    def _identity(self) -> dict[str, pa.Array]:
        place = np.arange(_RECORD_ROWS)
        trace, root = place // SPANS_PER_TRACE, place - place % SPANS_PER_TRACE
        spans = self._hex(_RECORD_ROWS, 8)
        is_root = pa.array(place == root)
        return {
            "trace_id": self._hex(_RECORD_ROWS // SPANS_PER_TRACE, 16).take(pa.array(trace)),
            "span_id": spans,
            "parent_span_id": pc.if_else(is_root, "", spans.take(pa.array(root))),
            "session_id": self._hex(_RECORD_ROWS // SPANS_PER_TRACE, 8).take(pa.array(trace // 2)),
        }

    def _hex(self, count: int, width: int) -> pa.Array:
        return hexadecimal(self._random.integers(0, 256, (count, width), np.uint8))

    def _times(self, appended: datetime, step: timedelta) -> dict[str, pa.Array]:
        """Spans of a trace start one after another within half a second and last up to two seconds."""
        last = int(appended.timestamp() * 1e9) - 2_500_000_000
        traces = self._random.integers(
            0, max(1, int(step.total_seconds() * 1e9)), _RECORD_ROWS // SPANS_PER_TRACE
        )
        place = np.arange(_RECORD_ROWS)
        starts = last - traces[place // SPANS_PER_TRACE] + place % SPANS_PER_TRACE * 100_000_000
        lengths = self._random.integers(1_000_000, 2_000_000_000, _RECORD_ROWS)
        return {
            "start_time": pa.array(starts).cast(TIME),
            "end_time": pa.array(starts + lengths).cast(TIME),
            "duration_ms": pa.array(lengths / 1e6),
            "_received_at": pa.array(np.full(_RECORD_ROWS, last + 2_500_000_000)).cast(TIME),
        }

    def _facts(self, table: pa.Table) -> dict[str, pa.Array]:
        models = pa.array(MODELS).take(pa.array(self._random.integers(0, len(MODELS), _RECORD_ROWS)))
        failed = pa.array(self._random.random(_RECORD_ROWS) < _ERRORS)
        rare = pa.array(self._random.random(_RECORD_ROWS) < 1 / RARE)
        return {
            "request_model": pc.if_else(pc.equal(table["kind"], "llm"), models, "").combine_chunks(),
            "status": pc.if_else(failed, "error", table["status"]),
            "output": pc.if_else(
                rare,
                pc.replace_substring(table["output"], '"content": "', f'"content": "{RARE_WORD} '),
                table["output"],
            ),
        }
