"""Several records of one span become one: the later end wins, then the more attributes, then the one stored first.

Pure: a table of candidates in (stored rows first), the choice out. Versions are what ClickHouse's ReplacingMergeTree compares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from processors.hashing import Ints, Words, hex_numbers

Mask = npt.NDArray[np.bool_]
_MOST_ATTRIBUTES = 2**24 - 1


@dataclass(frozen=True, slots=True)
class Merged:
    """`winners`: one row a span, ascending; `first_position`: where each winner's span was first stored; and for the counters
    the incoming rows that are the first record of their span (`fresh`, a mask over all rows).
    """

    winners: Ints
    first_position: Words
    fresh: Mask


def weights(table: pa.Table) -> tuple[Ints, Ints]:
    """(end in ns, attribute count + 1): what decides between two records; (0, 0) for a marker of work in progress."""
    end = table["end_time"].cast(pa.int64()).to_numpy()
    count = np.minimum(table["_attribute_count"].to_numpy().astype(np.int64) + 1, _MOST_ATTRIBUTES)
    pending = np.asarray(table["_pending"].to_numpy(zero_copy_only=False), np.bool_)
    return np.where(pending, 0, end), np.where(pending, 0, count)


def merge(table: pa.Table, traces: Ints, stored: int, position: Words) -> Merged:
    """Chooses among all candidates; the first `stored` rows are in the store already.

    `traces`: an integer a trace for each row; `position`: where a stored row's span was first stored; of the others the log
    position that they come with.
    """
    rows = len(table)
    spans = hex_numbers(table["span_id"])
    if not stored and not _any_twice(spans):
        return Merged(np.arange(rows), position, np.ones(rows, np.bool_))
    end, count = weights(table)
    age = np.arange(rows)
    order = np.lexsort((-age, count, end, spans, traces))
    changes = (traces[order][1:] != traces[order][:-1]) | (spans[order][1:] != spans[order][:-1])
    begin = np.concatenate([[0], np.nonzero(changes)[0] + 1])
    last = np.append(begin[1:], rows) - 1
    winners = order[last]
    oldest = np.minimum.reduceat(age[order], begin)
    fresh = np.zeros(rows, np.bool_)
    fresh[oldest[oldest >= stored]] = True
    _replayed(order, begin, oldest, stored, position, fresh)
    ascending = np.argsort(winners)
    return Merged(winners[ascending], position[oldest][ascending], fresh)


def _any_twice(spans: Words) -> bool:
    ordered = np.sort(spans)
    return bool((ordered[1:] == ordered[:-1]).any())


def _replayed(order: Ints, begin: Ints, oldest: Ints, stored: int, position: Words, fresh: Mask) -> None:
    """A span that was stored from this very record, before a crash, is no duplicate of itself."""
    sizes = np.diff(np.append(begin, len(order)))
    group = np.repeat(np.arange(len(begin)), sizes)
    same = (order >= stored) & (oldest[group] < stored) & (position[order] == position[oldest[group]])
    by_age = np.argsort(order[same])
    rows, groups = order[same][by_age], group[same][by_age]
    _, first = np.unique(groups, return_index=True)
    fresh[rows[first]] = True


def versions(end: Ints, count: Ints, revision: Ints) -> pa.Array:
    """(end: 63 bits, attribute count + 1: 24 bits, revision: 32 bits) as one number below 2**119, which Decimal(38) holds."""
    words = np.empty((len(end), 2), "<u8")
    late = end.astype(np.uint64)
    words[:, 0] = (
        late << np.uint64(56) | count.astype(np.uint64) << np.uint64(32) | revision.astype(np.uint64)
    )
    words[:, 1] = late >> np.uint64(8)
    return pa.Array.from_buffers(pa.decimal128(38, 0), len(end), [None, pa.py_buffer(words.tobytes())])
