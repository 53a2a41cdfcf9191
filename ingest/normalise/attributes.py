"""All attributes of all spans of a batch as one table: (span, key, value), parsed from the wire in a dozen array operations.

An attribute is one protobuf KeyValue. Keys become codes into a short list of names; values stay slices of the request's own
bytes until a column asks for them. What is not laid out as every encoder lays it out is refused with `Irregular`; the caller
then lets the protobuf library re-encode the request and tries again.
Source: opentelemetry-proto `common/v1/common.proto`, https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from ingest import lenient
from ingest.normalise.keyvalues import (
    ARRAY,
    BOOL,
    DOUBLE,
    EMPTY,
    INT,
    STRING,
    Mask,
    Offsets,
    heads,
    parse,
)
from ingest.normalise.values import Irregular, to_json
from ingest.wire import Blobs, Ints

_SMALL = 2_048
"""Bytes of a value that is worth remembering."""


class AttributeTable:
    """The attributes of `rows` spans; arrays have one element an attribute, in the order sent."""

    def __init__(self, blobs: Blobs, rows: int) -> None:
        self.rows = rows
        self.owner = blobs.owner
        self._data = blobs.data
        self._offsets = blobs.offsets
        self.tag, self.start, self.end, key_start, key_end = parse(blobs)
        self.names, self.code = self._encode_keys(key_start, key_end)
        self._index = {name: code for code, name in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.owner)

    def __contains__(self, name: str) -> bool:
        return name in self._index

    def heads(self, chosen: Ints) -> npt.NDArray[np.uint64]:
        """The first 48 bytes of these (string) attributes as six words; shorter ones run on into what follows."""
        words = np.ndarray((max(len(self._data) - 7, 0),), "<u8", self._data, strides=(1,))
        start = np.minimum(self.start[chosen][:, None] + np.arange(0, 48, 8), max(len(words) - 1, 0))
        return words[start] if len(words) else np.zeros((len(chosen), 6), np.uint64)

    def _encode_keys(self, start: Offsets, end: Offsets) -> tuple[list[str], Offsets]:
        bounds = np.empty(3 * len(start) + 1, np.int32)
        bounds[0:-1:3], bounds[1::3], bounds[2::3], bounds[-1] = (
            self._offsets[:-1],
            start,
            end,
            self._offsets[-1],
        )
        keys = _slices(bounds, self._data).take(pa.array(np.arange(1, 3 * len(start), 3)))
        encoded = keys.dictionary_encode()
        names = [name.decode("utf-8", "replace") for name in encoded.dictionary.to_pylist()]
        return names, encoded.indices.to_numpy()

    @cached_property
    def _by_code(self) -> tuple[Ints, Ints]:
        order = np.argsort(
            self.code.astype(np.uint16) if len(self.names) < 65_536 else self.code, kind="stable"
        )
        bounds = np.searchsorted(self.code[order], np.arange(len(self.names) + 1))
        return order, bounds

    @cached_property
    def filled(self) -> Mask:
        """Attributes that have a value other than an empty text."""
        filled: Mask = (self.tag != EMPTY) & ((self.end > self.start) | (self.tag != STRING))
        return filled

    @cached_property
    def _superseded(self) -> Ints:
        """Attributes whose key comes again on the same span: the last one counts, as `first` has it."""
        order, _ = self._by_code
        owner, code = self.owner[order], self.code[order]
        again: Mask = (owner[1:] == owner[:-1]) & (code[1:] == code[:-1])
        return np.asarray(order[:-1][again], np.int64)

    def positions(self, name: str) -> Ints:
        """Where a key occurs, in order; only attributes that are not empty."""
        code = self._index.get(name)
        if code is None:
            return np.zeros(0, np.int64)
        order, bounds = self._by_code
        found = order[bounds[code] : bounds[code + 1]]
        return found[self.filled[found]]

    def first(self, names: Iterable[str]) -> Ints:
        """For each span the attribute that holds the first of these keys it has; -1 for none."""
        chosen = np.full(self.rows, -1, np.int64)
        for name in reversed(tuple(names)):
            if name in self._index:
                found = self.positions(name)
                chosen[self.owner[found]] = found
        return chosen

    def has(self, name: str) -> Mask:
        """The spans that carry a key (with a value)."""
        mask = np.zeros(self.rows, np.bool_)
        mask[self.owner[self.positions(name)]] = True
        return mask

    @cached_property
    def _texts(self) -> tuple[pa.Array, npt.NDArray[np.int32]]:
        """Texts of all values and, for each attribute, the place of its text among them."""
        others = np.nonzero((self.tag != STRING) & (self.tag != EMPTY))[0]
        rendered = self._render(others)
        extra = pa.concat_arrays(rendered) if rendered else pa.array([], pa.binary())
        tail = (
            np.frombuffer(extra.buffers()[2], np.uint8)
            if len(extra) and extra.buffers()[2]
            else np.zeros(0, np.uint8)
        )
        tail_bounds = (
            np.frombuffer(extra.buffers()[1], np.int32)[: len(extra) + 1]
            if len(extra)
            else np.zeros(1, np.int32)
        )
        bounds = np.empty(2 * len(self) + 2 + len(extra), np.int32)
        bounds[0 : 2 * len(self) : 2], bounds[1 : 2 * len(self) : 2] = self._offsets[:-1], self.start
        bounds[2 * len(self) : -1] = tail_bounds + len(self._data)
        bounds[-1] = bounds[-2]  # the last text is '': what a span without the attribute gets
        if len(self) and self._offsets[-1] != len(self._data):
            raise Irregular("attributes do not fill their buffer")
        place = np.arange(1, 2 * len(self), 2, dtype=np.int32)
        place[self._rendered_order] = 2 * len(self) + np.arange(len(extra), dtype=np.int32)
        return _slices(bounds, np.concatenate([self._data, tail]) if len(tail) else self._data), place

    def _render(self, others: Ints) -> list[pa.Array]:
        """Texts of the non-strings among these attributes, by type; sets the order in which they stand."""
        parts, order = [], []
        tags = self.tag[others]
        for wanted, render in (
            (tags == INT, self._int_texts),
            (tags == DOUBLE, self._double_texts),
            (tags == BOOL, self._bool_texts),
            (tags >= ARRAY, self._nested_texts),
        ):
            if len(found := others[wanted]):
                parts.append(render(found))
                order.append(found)
        self._rendered_order = np.concatenate(order) if order else np.zeros(0, np.int64)
        return parts

    def _int_texts(self, found: Ints) -> pa.Array:
        return pa.array(self.ints(found)).cast(pa.string()).cast(pa.binary())

    def _double_texts(self, found: Ints) -> pa.Array:
        distinct = pa.array(self.doubles(found)).dictionary_encode()
        return pa.array([_number_text(v) for v in distinct.dictionary.to_pylist()], pa.binary()).take(
            distinct.indices
        )

    def _bool_texts(self, found: Ints) -> pa.Array:
        return pa.array(self.bools(found)).cast(pa.string()).cast(pa.binary())

    def _nested_texts(self, found: Ints) -> pa.Array:
        """Lists and maps as JSON: each distinct value is rendered once."""
        bounds = np.empty(2 * len(found) + 1, np.int32)
        bounds[0:-1:2], bounds[1::2], bounds[-1] = (
            self.start[found] - heads(self.end[found] - self.start[found]),
            self.end[found],
            self._offsets[-1],
        )
        distinct = (
            _slices(bounds, self._data).take(pa.array(np.arange(0, 2 * len(found), 2))).dictionary_encode()
        )
        return pa.array([_json_text(raw) for raw in distinct.dictionary.to_pylist()], pa.binary()).take(
            distinct.indices
        )

    def text(self, chosen: Ints) -> pa.StringArray:
        """Texts of these attributes (-1: ''): strings as sent, everything else as JSON."""
        texts, place = self._texts
        if not len(place):
            return utf8(texts.take(pa.array(np.full(len(chosen), len(texts) - 1))))
        return utf8(texts.take(pa.array(np.where(chosen < 0, len(texts) - 1, place[chosen]))))

    def ints(self, found: Ints) -> Ints:
        """Values of int attributes (zigzag-free varints, two's complement)."""
        value = np.zeros(len(found), np.uint64)
        start, size = self.start[found], self.end[found] - self.start[found]
        for k in range(int(size.max(initial=0))):
            more = size > k
            byte = self._data[np.where(more, start + k, 0)].astype(np.uint64)
            value |= np.where(more, (byte & np.uint64(0x7F)) << np.uint64(7 * k), np.uint64(0))
        return value.view(np.int64)

    def doubles(self, found: Ints) -> npt.NDArray[np.float64]:
        """Values of double attributes."""
        if not len(found):
            return np.zeros(0)
        bytes_ = self._data[self.start[found][:, None] + np.arange(8)]
        return np.ascontiguousarray(bytes_).view("<f8").ravel()

    def bools(self, found: Ints) -> Mask:
        """Values of bool attributes."""
        return self._data[self.start[found]] != 0 if len(found) else np.zeros(0, np.bool_)

    def numbers(self, chosen: Ints) -> npt.NDArray[np.float64]:
        """Values of these attributes as numbers; NaN where there is none (-1, no number, not finite)."""
        result = np.full(len(chosen), np.nan)
        at = np.nonzero(chosen >= 0)[0]
        tags = self.tag[chosen[at]]
        for tag, read in ((INT, self.ints), (DOUBLE, self.doubles)):
            found = at[tags == tag]
            result[found] = read(chosen[found])
        texts = at[tags == STRING]
        if len(texts):
            result[texts] = [_parsed_number(t) for t in self.text(chosen[texts]).to_pylist()]
        result[~np.isfinite(result)] = np.nan
        return result

    def truths(self, chosen: Ints) -> Mask:
        """Values as booleans: true, "True", "true", 1; everything else and nothing is false."""
        result = np.zeros(len(chosen), np.bool_)
        at = np.nonzero(chosen >= 0)[0]
        tags = self.tag[chosen[at]]
        result[at[tags == BOOL]] = self.bools(chosen[at[tags == BOOL]])
        others = at[tags != BOOL]
        if len(others):
            result[others] = [t.lower() in ("true", "1") for t in self.text(chosen[others]).to_pylist()]
        return result

    def _raw(self, index: int) -> bytes:
        """The AnyValue of an attribute that is an array, a key-value list or bytes."""
        start, end = int(self.start[index]), int(self.end[index])
        return self._data[start - int(heads(np.array([end - start]))[0]) : end].tobytes()

    def value(self, index: int) -> Any:
        """One attribute as a Python value (the slow way)."""
        tag, start, end = int(self.tag[index]), int(self.start[index]), int(self.end[index])
        if tag == STRING:
            return self._data[start:end].tobytes().decode("utf-8", "replace")
        if tag == EMPTY:
            return None
        at = np.array([index])
        if tag == INT:
            return int(self.ints(at)[0])
        if tag == DOUBLE:
            return float(self.doubles(at)[0])
        if tag == BOOL:
            return bool(self.bools(at)[0])
        return lenient.plain(_any_value(self._raw(index)))

    @cached_property
    def _row_bounds(self) -> Ints:
        return np.searchsorted(self.owner, np.arange(self.rows + 1))

    def of_row(self, row: int) -> dict[str, Any]:
        """All attributes of one span as Python values (the slow way)."""
        return {self.names[self.code[i]]: self.value(i) for i in self.positions_of_row(row)}

    def positions_of_row(self, row: int) -> range:
        """Where the attributes of one span stand."""
        return range(int(self._row_bounds[row]), int(self._row_bounds[row + 1]))

    def map_of(self, names: Sequence[str | None], keep: Mask | None = None) -> pa.MapArray:
        """A map column: of each span the attributes whose key has a name in `names[code]` (None: left out)."""
        wanted = (
            np.array([name is not None for name in names], np.bool_)[self.code]
            if names
            else np.zeros(0, np.bool_)
        )
        if keep is not None:
            wanted &= keep
        wanted[self._superseded] = False
        found = np.nonzero(wanted)[0]
        offsets = np.searchsorted(self.owner[found], np.arange(self.rows + 1)).astype(np.int32)
        labels = pa.array([name or "" for name in names], pa.string())
        keys = labels.take(pa.array(self.code[found])) if len(found) else pa.array([], pa.string())
        return pa.MapArray.from_arrays(pa.array(offsets), keys, self.text(found))


def _slices(bounds: npt.NDArray[np.int32], data: npt.NDArray[np.uint8]) -> pa.Array:
    """A binary array over `data` cut at `bounds`, without copying it."""
    return pa.Array.from_buffers(
        pa.binary(), len(bounds) - 1, [None, pa.py_buffer(bounds), pa.py_buffer(data)]
    )


def utf8(values: pa.Array) -> pa.StringArray:
    """Binary as text; only where there is invalid UTF-8 it is replaced by U+FFFD."""
    texts = pa.Array.from_buffers(
        pa.string(), len(values), values.buffers(), values.null_count, values.offset
    )
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        return pa.array(
            [None if v is None else v.decode("utf-8", "replace") for v in values.to_pylist()], pa.string()
        )
    return texts


def _parsed_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _number_text(value: float) -> bytes:
    return orjson.dumps(value) if np.isfinite(value) else repr(value).encode()


def _json_text(raw: bytes) -> bytes:
    """A list, map or bytes as JSON; small ones are remembered."""
    return _remembered(raw) if len(raw) <= _SMALL else to_json(lenient.plain(_any_value(raw)))


@lru_cache(maxsize=4096)
def _remembered(raw: bytes) -> bytes:
    return to_json(lenient.plain(_any_value(raw)))


def _any_value(raw: bytes) -> Any:
    try:
        return lenient.AnyValue.FromString(raw)
    except lenient.DecodeError as error:
        raise Irregular(str(error)) from error
