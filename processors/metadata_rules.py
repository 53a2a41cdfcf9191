"""The part of metadata that holds for the whole trace reaches every span, key by key; a span's own key wins. Columnar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from processors.hashing import Ints
from schemas.spans import TEXT_MAP

PREFIX = "metadata."
"""Before an inherited key in `_inherited`."""


@dataclass(frozen=True, slots=True)
class _Entries:
    """Entries of maps: the row (or trace) that each belongs to, the key's number, key and value."""

    owner: Ints
    code: Ints
    key: pa.Array
    value: pa.Array

    def take(self, index: Ints) -> _Entries:
        at = pa.array(index)
        return _Entries(self.owner[index], self.code[index], self.key.take(at), self.value.take(at))


def inherited_metadata(facts: pa.Table, order: Ints, trace: Ints) -> tuple[pa.Array, pa.ListArray | None]:
    """(the column, the inherited keys of each row as `metadata.key`; None when no row inherits any).

    `order`: rows in the order in which they are asked; `trace`: the number of each row's trace. Of two rows that say
    something else under one key the first counts. Inherited keys follow the own ones, sorted.
    """
    column = facts["metadata"].combine_chunks()
    said = facts["_trace_metadata"].combine_chunks()
    if not len(_flat(said.keys, said)):
        return column, None
    own, offered = _entries(column, said)
    shared = _first_of_each(offered, order, trace)
    added = _added(own, shared, trace)
    if not len(added.owner):
        return column, None
    return _merged(own, added, len(column)), _lists(added, len(column))


def _entries(*maps: pa.MapArray) -> list[_Entries]:
    """The entries of map columns; keys are numbered in their alphabetical order over all of them."""
    keys = [_flat(column.keys, column) for column in maps]
    encoded = pa.concat_arrays(keys).dictionary_encode()
    alphabetical = pc.array_sort_indices(encoded.dictionary).to_numpy()
    number = np.empty(len(alphabetical), np.int64)
    number[alphabetical] = np.arange(len(alphabetical))
    codes = np.split(number[encoded.indices.to_numpy()], np.cumsum([len(k) for k in keys])[:-1])
    return [
        _Entries(
            np.repeat(np.arange(len(column)), np.diff(column.offsets.to_numpy())),
            code,
            key,
            _flat(column.items, column),
        )
        for column, code, key in zip(maps, codes, keys, strict=True)
    ]


def _flat(values: pa.Array, column: pa.MapArray) -> pa.Array:
    """The values of a map column's rows, also where it is a slice of a longer one."""
    offsets = column.offsets
    first, last = (offsets[0].as_py(), offsets[-1].as_py()) if len(offsets) else (0, 0)
    return values.slice(first, last - first)


def _first_of_each(offered: _Entries, order: Ints, trace: Ints) -> _Entries:
    """One entry a (trace, key), of the row that is asked first; `owner` becomes the trace. Sorted by both."""
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    traces = trace[offered.owner]
    sorting = np.lexsort((rank[offered.owner], offered.code, traces))
    at, code = traces[sorting], offered.code[sorting]
    new = np.concatenate([[True], (at[1:] != at[:-1]) | (code[1:] != code[:-1])])
    chosen = offered.take(sorting[new])
    return _Entries(at[new], chosen.code, chosen.key, chosen.value)


def _added(own: _Entries, shared: _Entries, trace: Ints) -> _Entries:
    """The shared entries of each row's trace that the row has not itself, in the order of rows and keys."""
    begin, end = (np.searchsorted(shared.owner, trace, side) for side in ("left", "right"))
    sizes = end - begin
    row = np.repeat(np.arange(len(trace)), sizes)
    within = np.arange(len(row)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    entry = np.repeat(begin, sizes) + within
    keys = int(max(own.code.max(initial=0), shared.code.max(initial=0))) + 1
    missing = ~np.isin(row * keys + shared.code[entry], own.owner * keys + own.code)
    chosen = shared.take(entry[missing])
    return _Entries(row[missing], chosen.code, chosen.key, chosen.value)


def _merged(own: _Entries, added: _Entries, rows: int) -> pa.Array:
    owner = np.concatenate([own.owner, added.owner])
    place = pa.array(np.argsort(owner, kind="stable"))
    keys, values = (
        pa.concat_arrays(pair).take(place) for pair in ((own.key, added.key), (own.value, added.value))
    )
    return pa.MapArray.from_arrays(_offsets(owner, rows), keys, values).cast(TEXT_MAP)


def _lists(added: _Entries, rows: int) -> pa.ListArray:
    names = pc.binary_join_element_wise(PREFIX, added.key, "")
    return pa.ListArray.from_arrays(_offsets(added.owner, rows), names)


def _offsets(owner: Ints, rows: int) -> pa.Array:
    counts: npt.NDArray[np.int64] = np.bincount(owner, minlength=rows)
    return pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))
