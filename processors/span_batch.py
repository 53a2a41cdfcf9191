"""Incoming spans together with what is stored of the same traces: from there to the rows that must be written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from processors import span_store
from processors.hashing import Ints, Words, trace_codes
from processors.log_join import Contents
from processors.marks import bits_of, differs, lists_of, own_metadata
from processors.span_merge import merge, versions, weights
from processors.trace_rules import BITS, CONTENT, derive
from schemas.ports import Store
from schemas.spans import STORED

Mask = npt.NDArray[np.bool_]
Texts = dict[int, dict[str, str]]
"""By row the content columns as log records fill them: the span itself says nothing there."""
_CONTENT_BITS = sum(BITS[name] for name in CONTENT)
_LATEST = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Incoming spans (`NORMALISED`) with the log position of each, and when that became durable, in ms since 1970."""

    spans: pa.Table
    position: Words
    at: Ints

    def filter(self, mask: Mask) -> Arrivals:
        """The rows for which `mask`."""
        return (
            self
            if mask.all()
            else Arrivals(self.spans.filter(pa.array(mask)), self.position[mask], self.at[mask])
        )


@dataclass(frozen=True, slots=True)
class Derivation:
    """What each span must be, one element a winner: derived columns, content from log records, and which spans to look at."""

    columns: dict[str, pa.Array]
    texts: Texts


class Batch:
    """Candidates (stored spans first, then incoming ones) and the winners among them, one a span."""

    def __init__(self, arrivals: Arrivals, stored: pa.Table | None) -> None:
        """`stored`: the facts of every stored span of the traces at hand, or None."""
        self._incoming, self._stored = arrivals.spans, stored
        self._count = stored.num_rows if stored is not None else 0
        facts, position, at = arrivals.spans.select(span_store.SHARED), arrivals.position, arrivals.at
        if stored is not None:
            place = facts.schema.get_field_index("metadata")
            before = stored.select(span_store.SHARED)
            before = before.set_column(
                place, facts.schema.field(place), own_metadata(before["metadata"], stored["_inherited"])
            )
            facts = pa.concat_tables([before, facts])
            position = np.concatenate([stored["_first_position"].to_numpy(), position])
            at = np.concatenate([stored["_bucket"].cast(pa.int64()).to_numpy(), at])
        traces = trace_codes(facts)
        merged = merge(facts, traces, self._count, position)
        self.fresh: Mask = merged.fresh[self._count :]
        """Incoming rows that are the first record of their span."""
        self._winners = merged.winners
        self._old = self._winners < self._count
        self._first_position = pa.array(merged.first_position)
        self._bucket = self._buckets(traces, at)
        self._facts = facts if len(self._winners) == len(facts) else facts.take(pa.array(self._winners))

    def rows(self, contents: Contents | None, store: Store) -> pa.Table:
        """The rows to insert (`STORED`): winners that are new, and stored ones of which something changed."""
        derivation = self._derive(contents)
        suspects = self._old & self._touched(derivation.texts)
        changed = self._changed(derivation.columns)
        parts = []
        fresh, again = np.nonzero(~self._old)[0], np.nonzero(changed | suspects)[0]
        if len(fresh):
            whole = len(fresh) == self._incoming.num_rows
            source = (
                self._incoming if whole else self._incoming.take(pa.array(self._winners[fresh] - self._count))
            )
            parts.append(self._filled(source, fresh, derivation, np.zeros(len(fresh), np.int64)))
        if len(again):
            assert self._stored is not None
            known = self._stored.take(pa.array(self._winners[again]))
            source = span_store.rows_of(store, known, most=2 * len(known) > self._count)
            filled = self._filled(
                source, again, derivation, known["_revision"].to_numpy().astype(np.int64) + 1
            )
            parts.append(filled.filter(pa.array(changed[again] | _content_differs(source, filled))))
        return pa.concat_tables(parts) if parts else STORED.empty_table()

    def _derive(self, contents: Contents | None) -> Derivation:
        bits = np.zeros(len(self._facts), np.int64)
        if self._stored is not None:
            bits[self._old] = bits_of(self._stored["_inherited"])[self._winners[self._old]]
        texts = self._texts(contents, bits)
        borrowed = bits & _CONTENT_BITS
        for row, said in texts.items():
            borrowed[row] = sum(BITS[name] for name, text in said.items() if text)
        derived = derive(self._facts, bits, self._talks(bits, borrowed))
        columns = {
            **derived.columns,
            "_inherited": lists_of(derived.inherited | borrowed, derived.metadata_keys),
            "_bucket": self._bucket,
            "_first_position": self._first_position,
        }
        return Derivation(columns, texts)

    def _talks(self, before: Ints, borrowed: Ints) -> Mask:
        """Rows with messages, their own or from log records."""
        result = np.zeros(len(before), np.bool_)
        for side in ("input", "output"):
            result |= (self._said(side) & (before & BITS[side] == 0)) | (borrowed & BITS[side] != 0)
        return result

    def _texts(self, contents: Contents | None, bits: Ints) -> Texts:
        """Content from log records by row, for the columns in which the span itself says nothing."""
        found = contents.texts(self._facts) if contents is not None else {}
        if not found:
            return {}
        own = {name: self._said(name) & (bits & BITS[name] == 0) for name in CONTENT}
        return {
            row: {name: text for name, text in texts.items() if not own[name][row]}
            for row, texts in found.items()
        }

    def _said(self, name: str) -> Mask:
        """Winners with something in a content column, whoever said it."""
        mask = np.asarray(pc.not_equal(self._incoming[name], "").to_numpy(zero_copy_only=False), np.bool_)
        if self._stored is not None:
            mask = np.concatenate(
                [self._stored[span_store.SAID[name]].to_numpy(zero_copy_only=False).astype(np.bool_), mask]
            )
        return mask if len(mask) == len(self._winners) else mask[self._winners]

    def _buckets(self, traces: Ints, at: Ints) -> pa.Array:
        """The stored place of each winner's trace, else the arrival of the first of its spans here."""
        place = np.full(int(traces.max(initial=0)) + 1, _LATEST)
        np.minimum.at(place, traces[self._count :], at[self._count :])
        place[traces[: self._count]] = at[: self._count]
        return pa.array(place[traces[self._winners]]).cast(STORED.field("_bucket").type)

    def _touched(self, texts: Texts) -> Mask:
        result = np.zeros(len(self._winners), np.bool_)
        result[list(texts)] = True
        return result

    def _changed(self, columns: dict[str, pa.Array]) -> Mask:
        """Stored winners whose derived columns differ from what is stored."""
        result = np.zeros(len(self._winners), np.bool_)
        if self._stored is None:
            return result
        rows = np.nonzero(self._old)[0]
        now = self._stored.take(pa.array(self._winners[rows]))
        for name, column in columns.items():
            if name not in ("_bucket", "_first_position"):
                result[rows] |= differs(now[name].combine_chunks(), column.take(pa.array(rows)))
        return result

    def _filled(self, source: pa.Table, rows: Ints, derivation: Derivation, revision: Ints) -> pa.Table:
        """Source rows with their derived columns, as `STORED`. `rows`: the winners that they are."""
        whole = len(rows) == len(self._winners)
        own = {
            name: column if whole else column.take(pa.array(rows))
            for name, column in derivation.columns.items()
        }
        own["_revision"] = pa.array(revision.astype(np.uint32))
        own["_version"] = versions(*weights(source), revision)
        if derivation.texts:
            own.update(_with_texts(source, rows, derivation.texts))
        arrays = [own[field.name] if field.name in own else source[field.name] for field in STORED]
        return pa.table(arrays, schema=STORED)


def _with_texts(source: pa.Table, rows: Ints, texts: Texts) -> dict[str, pa.Array]:
    """The content columns with what log records say."""
    places = [(place, texts[row]) for place, row in enumerate(rows.tolist()) if row in texts]
    columns = {}
    for name in CONTENT:
        new = [(place, said[name]) for place, said in places if name in said]
        index = np.arange(len(rows))
        index[[place for place, _ in new]] = np.arange(len(new)) + len(rows)
        column = pa.concat_arrays(
            [source[name].combine_chunks(), pa.array([text for _, text in new], pa.string())]
        )
        columns[name] = column.take(pa.array(index))
    return columns


def _content_differs(before: pa.Table, after: pa.Table) -> Mask:
    result = np.zeros(len(before), np.bool_)
    for name in CONTENT:
        result |= differs(before[name].combine_chunks(), after[name].combine_chunks())
    return result
