"""The column `_inherited`: which of a row's values came from elsewhere. As bits and key lists, and back. Pure and columnar."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from processors.hashing import Ints, pair_codes
from processors.metadata_rules import PREFIX
from processors.trace_rules import BITS
from schemas.spans import TEXT_MAP

_NAMES = tuple(sorted(BITS, key=lambda name: BITS[name]))
_LIST = pa.list_(pa.string())


def bits_of(marks: pa.ChunkedArray) -> Ints:
    """The fields named in each row's list, as bits."""
    lists = marks.combine_chunks()
    result = np.zeros(len(lists), np.int64)
    names = lists.flatten().dictionary_encode()
    values = np.array([BITS.get(name, 0) for name in names.dictionary.to_pylist()], np.int64)
    if len(names):
        np.bitwise_or.at(result, _owners(lists), values[names.indices.to_numpy()])
    return result


def lists_of(bits: Ints, metadata_keys: pa.ListArray | None) -> pa.ListArray:
    """The names behind the bits, then the inherited metadata keys."""
    combinations, index = np.unique(bits, return_inverse=True)
    lists = pa.array(
        [[name for name in _NAMES if value & BITS[name]] for value in combinations.tolist()], _LIST
    )
    fields = lists.take(pa.array(index))
    if metadata_keys is None:
        return fields
    owner = np.concatenate([_owners(fields), _owners(metadata_keys)])
    names = pa.concat_arrays([fields.flatten(), metadata_keys.flatten()])
    ends = np.cumsum(np.bincount(owner, minlength=len(bits)))
    offsets = pa.array(np.concatenate([[0], ends]).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, names.take(pa.array(np.argsort(owner, kind="stable"))))


def own_metadata(metadata: pa.ChunkedArray, marks: pa.ChunkedArray) -> pa.Array:
    """The maps without the keys that are marked as inherited: they are asked for anew."""
    column, lists = metadata.combine_chunks(), marks.combine_chunks()
    names = lists.flatten()
    is_key = pc.starts_with(names, PREFIX)
    if not pc.any(is_key).as_py():
        return column
    maps = column.take(pa.array(np.arange(len(column))))  # no slice any more: offsets begin at 0
    owner = np.repeat(np.arange(len(maps)), np.diff(maps.offsets.to_numpy()))
    taken = pc.replace_substring_regex(names.filter(is_key), f"^{PREFIX}", "")
    taken_by = _owners(lists)[is_key.to_numpy(zero_copy_only=False)]
    keys = pa.concat_arrays([maps.keys, taken])
    rows = pa.array(np.concatenate([owner, taken_by])).cast(pa.string())
    codes = pair_codes(pa.chunked_array([rows]), pa.chunked_array([keys]))
    kept = ~np.isin(codes[: len(owner)], codes[len(owner) :])
    ends = np.cumsum(np.bincount(owner[kept], minlength=len(maps)))
    offsets = pa.array(np.concatenate([[0], ends]).astype(np.int32))
    mask = pa.array(kept)
    return pa.MapArray.from_arrays(offsets, maps.keys.filter(mask), maps.items.filter(mask)).cast(TEXT_MAP)


def differs(before: pa.Array, after: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Rows in which two columns of one type differ; NULL equals NULL. Lists and maps compare in their order."""
    if pa.types.is_map(after.type):
        return _nested_differ(before, after, "keys") | _nested_differ(before, after, "items")
    if pa.types.is_list(after.type):
        return _nested_differ(before, after, "values")
    same = pc.or_(
        pc.fill_null(pc.equal(before, after), False), pc.and_(pc.is_null(before), pc.is_null(after))
    )
    return ~np.asarray(same.to_numpy(zero_copy_only=False), np.bool_)


def _nested_differ(
    before: pa.Array, after: pa.Array, part: str
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    sizes = [np.diff(column.offsets.to_numpy()) for column in (before, after)]
    result: np.ndarray[tuple[int], np.dtype[np.bool_]] = sizes[0] != sizes[1]
    alike = np.nonzero(~result)[0]
    one, other = (getattr(column.take(pa.array(alike)), part) for column in (before, after))
    if len(one):
        owner = np.repeat(alike, sizes[0][alike])
        result[owner[pc.not_equal(one, other).to_numpy(zero_copy_only=False)]] = True
    return result


def _owners(lists: pa.ListArray) -> Ints:
    return np.repeat(np.arange(len(lists)), np.diff(lists.offsets.to_numpy()))
