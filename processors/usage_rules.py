"""Whose usage is the bill. Rules: mapping of instrumentation dialects, sections 4.1 and 4.2. Pure and columnar.

A call counts when no call lies below it. Two records of one call (twins: one below the other, nothing else between or beside)
count once: the upper one when it alone has messages, else the lower one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from processors.hashing import Ints
from processors.trace_forest import depths, nearest
from schemas.spans import USAGE_KINDS

Mask = npt.NDArray[np.bool_]


def counted(facts: pa.Table, kinds: pa.ChunkedArray, parent: Ints, talks: Mask) -> Mask:
    """Which rows count. `kinds`: as the spans themselves say; `parent`: row of the parent; `talks`: rows with messages."""
    calls = _calls(facts, kinds)
    rows = np.nonzero(calls)[0]
    above = nearest(parent, calls)[rows] if len(rows) > 1 else np.full(len(rows), -1)
    if not (above >= 0).any():
        return calls
    related = np.zeros(len(calls), np.bool_)
    related[rows] = above >= 0
    related[above[above >= 0]] = True
    family = np.nonzero(related)[0]
    place = np.full(len(calls), -1, np.int64)
    place[family] = np.arange(len(family))
    upper = above[related[rows]]
    result = calls.copy()
    tree = np.where(upper >= 0, place[upper], -1)
    result[family] = _bill(tree, talks[family], _Calls.of(facts.take(pa.array(family))))
    return result


def _calls(facts: pa.Table, kinds: pa.ChunkedArray) -> Mask:
    """Finished model calls that carry usage."""
    used = pc.or_(pc.is_valid(facts["total_tokens"]), pc.is_valid(facts["cost"]))
    mask = pc.and_(pc.is_in(kinds, pa.array(USAGE_KINDS)), pc.and_not(used, facts["_pending"]))
    return np.array(mask.to_numpy(zero_copy_only=False), np.bool_)


@dataclass(frozen=True, slots=True)
class _Calls:
    """What two records of one call agree on, as codes: equal where the values are. 0 for no response id and for no model."""

    response: Ints
    model: Ints
    tokens: tuple[Ints, Ints]

    @classmethod
    def of(cls, facts: pa.Table) -> _Calls:
        answered = facts["response_model"]
        model = pc.if_else(pc.equal(answered, ""), facts["request_model"], answered)
        tokens = [
            pc.fill_null(facts[name].cast(pa.int64()), -1).to_numpy()
            for name in ("input_tokens", "output_tokens")
        ]
        return cls(_codes(facts["response_id"]), _codes(model), (tokens[0], tokens[1]))

    def twins(self, one: Ints, other: Ints) -> Mask:
        """The same response id, or the same model and token counts."""
        response = (self.response[one] == self.response[other]) & (self.response[one] != 0)
        model = (self.model[one] == self.model[other]) & (self.model[one] != 0)
        first, second = self.tokens
        tokens = (first[one] == first[other]) & (second[one] == second[other])
        return np.asarray(response | (model & tokens), np.bool_)


def _codes(column: pa.ChunkedArray) -> Ints:
    encoded = column.combine_chunks().dictionary_encode()
    codes: Ints = encoded.indices.to_numpy().astype(np.int64) + 1
    codes[pc.equal(column, "").to_numpy(zero_copy_only=False)] = 0
    return codes


def _bill(upper: Ints, talks: Mask, calls: _Calls) -> Mask:
    """The same among calls alone: `upper` is the next call above each. From the deepest up, each hands on what counts below it."""
    counts = np.zeros(len(upper), np.int64)
    only = np.full(len(upper), -1, np.int64)
    result = np.zeros(len(upper), np.bool_)
    depth = depths(upper)
    by_depth = np.argsort(depth, kind="stable")
    ends = np.searchsorted(depth[by_depth], np.arange(depth.max() + 2))
    for level in range(len(ends) - 2, -1, -1):
        rows = by_depth[ends[level] : ends[level + 1]]
        lowest = rows[counts[rows] == 0]
        pairs = rows[counts[rows] == 1]
        below = only[pairs]
        lifted = talks[pairs] & ~talks[below] & calls.twins(pairs, below)
        result[below[lifted]] = False
        for own in (lowest, pairs[lifted]):
            result[own], counts[own], only[own] = True, 1, own
        handing = rows[upper[rows] >= 0]
        np.add.at(counts, upper[handing], counts[handing])
        only[upper[handing]] = only[handing]
    return result
