"""All attributes of all spans of a batch as one table: (span, key, value), parsed from the wire in a dozen array operations.

An attribute is one protobuf KeyValue. Keys become codes into a short list of names; values stay slices of the request's own
bytes until a column asks for them. What is not laid out as every encoder lays it out is refused with `Irregular`; the caller
then lets the protobuf library re-encode the request and tries again.
Source: opentelemetry-proto `common/v1/common.proto`, https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from ingest.normalise.attribute_values import AttributeValues, slices
from ingest.normalise.keys import Keys, Renamed, keys_of
from ingest.normalise.keyvalues import Mask, Offsets, parse
from ingest.wire import Blobs, Ints

_NOWHERE = np.zeros(0, np.int64)


class AttributeTable(AttributeValues):
    """The attributes of `rows` spans; arrays have one element an attribute, in the order sent."""

    def __init__(self, blobs: Blobs, rows: int) -> None:
        self.rows = rows
        self.owner = blobs.owner
        tag, start, end, key_start, key_end = parse(blobs)
        super().__init__(blobs.data, blobs.offsets, tag, start, end)
        self.keys, self.code = self._encoded_keys(key_start, key_end)
        self._positions: dict[str, Ints] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.keys

    def _encoded_keys(self, start: Offsets, end: Offsets) -> tuple[Keys, Offsets]:
        bounds = np.empty(3 * len(start) + 1, np.int32)
        bounds[0:-1:3], bounds[1::3], bounds[2::3], bounds[-1] = (
            self._offsets[:-1],
            start,
            end,
            self._offsets[-1],
        )
        keys = slices(bounds, self._data).take(pa.array(np.arange(1, 3 * len(start), 3)))
        encoded = keys.dictionary_encode()
        return keys_of(tuple(encoded.dictionary.to_pylist())), encoded.indices.to_numpy()

    @cached_property
    def _by_code(self) -> tuple[Ints, Ints]:
        order = np.argsort(
            self.code.astype(np.uint16) if len(self.keys) < 65_536 else self.code, kind="stable"
        )
        return order, np.searchsorted(self.code[order], np.arange(len(self.keys) + 1))

    @cached_property
    def _superseded(self) -> Ints:
        """Attributes whose key comes again on the same span: the last one counts, as `first` has it."""
        order, _ = self._by_code
        owner, code = self.owner[order], self.code[order]
        again: Mask = (owner[1:] == owner[:-1]) & (code[1:] == code[:-1])
        return np.asarray(order[:-1][again], np.int64)

    def positions(self, name: str) -> Ints:
        """Where a key occurs, in order; only attributes that are not empty."""
        found = self._positions.get(name)
        if found is None:
            code = self.keys.code(name)
            if code is None:
                return _NOWHERE
            order, bounds = self._by_code
            found = order[bounds[code] : bounds[code + 1]]
            found = self._positions[name] = found[self.filled[found]]
        return found

    def first(self, names: tuple[str, ...]) -> Ints:
        """For each span the attribute that holds the first of these keys it has; -1 for none."""
        chosen = np.full(self.rows, -1, np.int64)
        self.choose(names, chosen)
        return chosen

    def choose(self, names: tuple[str, ...], chosen: Ints) -> None:
        """Puts the attribute that holds the first of these keys at the places of the spans that have one."""
        for name in reversed(self.keys.present(names)):
            found = self.positions(name)
            chosen[self.owner[found]] = found

    def has(self, name: str) -> Mask:
        """The spans that carry a key (with a value)."""
        mask = np.zeros(self.rows, np.bool_)
        mask[self.owner[self.positions(name)]] = True
        return mask

    @cached_property
    def _row_bounds(self) -> Ints:
        return np.searchsorted(self.owner, np.arange(self.rows + 1))

    def of_row(self, row: int) -> dict[str, Any]:
        """All attributes of one span as Python values (the slow way)."""
        return {self.keys.names[self.code[i]]: self.value(i) for i in self.positions_of_row(row)}

    def positions_of_row(self, row: int) -> range:
        """Where the attributes of one span stand."""
        return range(int(self._row_bounds[row]), int(self._row_bounds[row + 1]))

    def map_of(self, renamed: Renamed, keep: Mask | None = None) -> pa.MapArray:
        """A map column: of each span the attributes that have a new name."""
        wanted = renamed.taken[self.code] if len(self) else np.zeros(0, np.bool_)
        if keep is not None:
            wanted &= keep
        wanted[self._superseded] = False
        found = np.nonzero(wanted)[0]
        counts = np.bincount(self.owner[found], minlength=self.rows)
        offsets = np.zeros(self.rows + 1, np.int32)
        np.cumsum(counts, out=offsets[1:])
        names = renamed.labels.take(pa.array(self.code[found]))
        return pa.MapArray.from_arrays(pa.array(offsets), names, self.text(found))
