"""The span writer: the one place that writes `spans`. From the log's batches to rows that are exact at every moment.

Each batch is merged with what is stored of the same traces, so that duplicates never add a row, usage is counted once from the
first moment, and what belongs to the trace stands on all its spans. All rows of a trace live in one partition and are inserted
in one block, so a reader sees all of a change or nothing of it. Running a batch twice changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
import pyarrow as pa

from processors import span_store
from processors.hashing import Words, trace_hashes
from processors.log_join import Concerned, LogJoin
from processors.span_batch import Arrivals, Batch, Mask
from processors.trace_index import TraceIndex
from schemas.events import DELETIONS, LOG_SCHEMA, LOGS, SPANS
from schemas.ports import Record, Store, Tally
from schemas.spans import NORMALISED

CounterName = Literal["stored", "duplicate", "deleted", "logs_stored"]
Tallies = Counter[tuple[str, CounterName]]


class SpanWriter:
    """Turns records of the topics `spans`, `logs` and `deletions` into rows. Not thread-safe: one writer a partition."""

    topics = (SPANS, LOGS, DELETIONS)
    apart = frozenset({DELETIONS})
    group = "span-writer"

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen = TraceIndex()
        self._gone = TraceIndex()
        self._deleted: set[tuple[str, str]] = set()
        self._logs = LogJoin(store)

    def load(self) -> None:
        """Learns from the store which traces exist, which have log content, and which were deleted. Call before `process`."""
        for project, trace in span_store.pairs(self._store, span_store.KNOWN_TRACES):
            self._seen.add(trace_hashes(project, trace))
        for project, trace in span_store.pairs(self._store, span_store.DELETED_TRACES):
            self._forget(project, trace)
        self._logs.load()

    def process(self, records: Sequence[Record]) -> list[Tally]:
        """Writes the records; returns what they count for. Raises Unavailable when the store does not take them now."""
        tallies: Tallies = Counter()
        for run in _runs(records):
            if run[0].topic == DELETIONS:
                self._delete(run, tallies)
            else:
                self._write(run, tallies)
        return [Tally(project, counter, n) for (project, counter), n in tallies.items() if n]

    def _write(self, records: Sequence[Record], tallies: Tallies) -> None:
        logs = self._take_logs(records, tallies)
        arrivals = _arrivals(records)
        hashes = trace_hashes(arrivals.spans["project"], arrivals.spans["trace_id"])
        late = self._is_deleted(arrivals.spans, hashes)
        if late.any():
            _count(arrivals.spans["project"], late, "duplicate", tallies)
            arrivals, hashes = arrivals.filter(~late), hashes[~late]
        if arrivals.spans.num_rows or logs.num_rows:
            concerned = self._logs.concerned(arrivals.spans, hashes, logs, self._seen)
            self._write_spans(arrivals, hashes, concerned, tallies)

    def _take_logs(self, records: Sequence[Record], tallies: Tallies) -> pa.Table:
        """Stores the log records, but for those of deleted traces; returns them."""
        tables = [record.table for record in records if record.topic == LOGS]
        if not tables:
            return LOG_SCHEMA.empty_table()
        logs = pa.concat_tables(tables)
        logs = logs.filter(pa.array(~self._is_deleted(logs, trace_hashes(logs["project"], logs["trace_id"]))))
        self._logs.take(logs)
        _count(logs["project"], np.ones(len(logs), np.bool_), "logs_stored", tallies)
        return logs

    def _write_spans(self, arrivals: Arrivals, hashes: Words, concerned: Concerned, tallies: Tallies) -> None:
        spans = arrivals.spans
        known = self._seen.contains(hashes)
        traces = (
            _pairs(spans.select(["project", "trace_id"]).filter(pa.array(known)))
            | concerned.traces
            | concerned.carriers
        )
        stored = span_store.facts_of(self._store, traces)
        if stored is None and not spans.num_rows:
            return
        batch = Batch(arrivals, stored)
        contents = self._logs.contents(concerned)
        rows = batch.rows(contents, self._store)
        if rows.num_rows:
            self._store.insert("spans_raw", rows)
        self._seen.add(hashes[~known])
        self._logs.done(contents)
        _count(spans["project"], batch.fresh, "stored", tallies)
        _count(spans["project"], ~batch.fresh, "duplicate", tallies)

    def _is_deleted(self, table: pa.Table, hashes: Words) -> Mask:
        """Rows of deleted traces: a late retry does not bring them back."""
        result = self._gone.contains(hashes)
        for row in np.nonzero(result)[0].tolist():
            result[row] = (table["project"][row].as_py(), table["trace_id"][row].as_py()) in self._deleted
        return result

    def _delete(self, records: Sequence[Record], tallies: Tallies) -> None:
        for record in records:
            orphans = self._logs.orphans(_pairs(record.table))
            for row in record.table.to_pylist():
                tallies[row["project"], "deleted"] += span_store.delete_trace(self._store, row)
            self._forget(record.table["project"], record.table["trace_id"])
            self._write_spans(_arrivals([]), np.zeros(0, np.uint64), self._logs.without(orphans), tallies)

    def _forget(self, project: pa.ChunkedArray, trace: pa.ChunkedArray) -> None:
        self._gone.add(trace_hashes(project, trace))
        self._deleted.update(zip(project.to_pylist(), trace.to_pylist(), strict=True))


def _count(projects: pa.ChunkedArray, which: Mask, counter: CounterName, tallies: Tallies) -> None:
    """Adds the rows for which `which` to a counter of their projects."""
    encoded = projects.combine_chunks().dictionary_encode()
    numbers = np.bincount(encoded.indices.to_numpy()[which], minlength=len(encoded.dictionary))
    for project, number in zip(encoded.dictionary.to_pylist(), numbers.tolist(), strict=True):
        tallies[project, counter] += number


def _runs(records: Iterable[Record]) -> Iterable[list[Record]]:
    """Consecutive records that may be written together: deletions keep their place among the others."""
    run: list[Record] = []
    for record in records:
        if run and (record.topic == DELETIONS) != (run[0].topic == DELETIONS):
            yield run
            run = []
        run.append(record)
    if run:
        yield run


def _arrivals(records: Sequence[Record]) -> Arrivals:
    spans = [record for record in records if record.topic == SPANS]
    tables = [record.table for record in spans]
    sizes = [table.num_rows for table in tables]
    position = np.repeat(np.array([r.position for r in spans], np.uint64), sizes)
    at = np.repeat(np.array([int(r.appended_at.timestamp() * 1000) for r in spans], np.int64), sizes)
    return Arrivals(pa.concat_tables(tables) if tables else NORMALISED.empty_table(), position, at)


def _pairs(table: pa.Table) -> frozenset[tuple[str, str]]:
    return frozenset(zip(table["project"].to_pylist(), table["trace_id"].to_pylist(), strict=True))
