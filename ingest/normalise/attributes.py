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
from ingest.normalise.values import Irregular, to_json
from ingest.wire import Blobs, Ints

Mask = npt.NDArray[np.bool_]
Octets = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.int32]
STRING, BOOL, INT, DOUBLE, ARRAY, KVLIST, BYTES, EMPTY = 0x0A, 0x10, 0x18, 0x21, 0x2A, 0x32, 0x3A, 0
_KEY, _VALUE = 0x0A, 0x12
_UNKNOWN, _SIZED, _SCALAR, _NOTHING = range(4)
_FAMILY = np.zeros(256, np.uint8)
_FAMILY[[STRING, ARRAY, KVLIST, BYTES]], _FAMILY[[BOOL, INT, DOUBLE]], _FAMILY[EMPTY] = (
    _SIZED,
    _SCALAR,
    _NOTHING,
)
_SMALL = 2_048
"""Bytes of a value that is worth remembering."""
_LENGTHS = ((1, 0, 0x7F), (2, 0x80, 0x3FFF), (3, 0x4000, 0x1FFFFF), (4, 0x200000, 0xFFFFFFF))


class AttributeTable:
    """The attributes of `rows` spans; arrays have one element an attribute, in the order sent."""

    def __init__(self, blobs: Blobs, rows: int) -> None:
        self.rows = rows
        self.owner = blobs.owner
        self._data = blobs.data
        self._offsets = blobs.offsets
        self.tag, self.start, self.end, key_start, key_end = _parse(blobs)
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
            self.start[found] - _heads(self.end[found] - self.start[found]),
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
        return self._data[start - int(_heads(np.array([end - start]))[0]) : end].tobytes()

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
        found = np.nonzero(wanted)[0]
        offsets = np.searchsorted(self.owner[found], np.arange(self.rows + 1)).astype(np.int32)
        labels = pa.array([name or "" for name in names], pa.string())
        keys = labels.take(pa.array(self.code[found])) if len(found) else pa.array([], pa.string())
        return pa.MapArray.from_arrays(pa.array(offsets), keys, self.text(found))


def _heads(size: Ints | Offsets) -> Ints:
    """Bytes of tag and length before a sized value."""
    widths = np.searchsorted([most for _, _, most in _LENGTHS], size, side="left")
    return np.asarray(widths + 2, np.int64)


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


def _varints(data: Octets, start: Offsets, stop: Offsets) -> Offsets:
    """Width of the length varint at each `start` that is followed by exactly that many bytes up to `stop`; 0: there is none."""
    rest = stop - start
    first = data[start]
    width: Offsets = ((first < 0x80) & (first == rest - 1)).astype(np.int32)
    long = np.nonzero(first >= 0x80)[0]
    if len(long):
        width[long] = _long_varints(data, start[long], rest[long])
    return width


def _long_varints(data: Octets, start: Offsets, rest: Offsets) -> Offsets:
    """The same for lengths of 128 and more."""
    width = np.zeros(len(start), np.int32)
    for size, least, most in _LENGTHS[1:]:
        width[(rest >= size + least) & (rest <= size + most)] = size
    value = np.zeros(len(start), np.int64)
    for k in range(int(width.max(initial=0))):
        byte = data[np.where(width > k, start + k, start)].astype(np.int64)
        value |= np.where(width > k, (byte & 0x7F) << (7 * k), 0)
        width[(width > k) & ((byte >= 0x80) != (width > k + 1))] = 0
    width[value != rest - width] = 0
    return width


def _parse(blobs: Blobs) -> tuple[Octets, Offsets, Offsets, Offsets, Offsets]:
    """(value tag, value start, value end, key start, key end) of each KeyValue."""
    begin, end = blobs.offsets[:-1], blobs.offsets[1:]
    if not len(begin):
        none = np.zeros(0, np.int32)
        return np.zeros(0, np.uint8), none, none, none, none
    data = np.concatenate([blobs.data[: end[-1]], np.zeros(16, np.uint8)])
    key_start, key_end = _keys(data, begin, end)
    valued = end > key_end
    if not valued.all():
        return _parse_some(data, valued, end, key_start, key_end)
    tag, start = _value(data, key_end, end)
    return tag, start, end, key_start, key_end


def _parse_some(
    data: Octets, valued: Mask, end: Offsets, key_start: Offsets, key_end: Offsets
) -> tuple[Octets, Offsets, Offsets, Offsets, Offsets]:
    """As `_parse`, where some attributes have no value at all."""
    tag, start = np.zeros(len(end), np.uint8), end.copy()
    tag[valued], start[valued] = _value(data, key_end[valued], end[valued])
    return tag, start, end, key_start, key_end


def _keys(data: Octets, begin: Offsets, end: Offsets) -> tuple[Offsets, Offsets]:
    keyed = (data[begin] == _KEY) & (end > begin)
    size = data[begin + 1].astype(np.int32)
    start = begin + np.where(keyed, np.int32(2), np.int32(0))
    if (long := keyed & (size >= 0x80)).any():
        high = data[begin + 2].astype(np.int32)
        if (high[long] >= 0x80).any():
            raise Irregular("a key of over 16 kB")
        size = np.where(long, (size & 0x7F) | (high << 7), size)
        start += long
    stop = start + np.where(keyed, size, np.int32(0))
    if (stop > end).any():
        raise Irregular("a key runs over its attribute")
    return start, stop


def _value(data: Octets, key_end: Offsets, end: Offsets) -> tuple[Octets, Offsets]:
    """(tag, start of the content) of the AnyValue behind each key."""
    if (data[key_end] != _VALUE).any():
        raise Irregular("an attribute has unusual fields")
    width = _varints(data, key_end + 1, end)
    if (width == 0).any():
        raise Irregular("an attribute's value has an unusual length")
    inner = key_end + 1 + width
    tag = np.where(inner < end, data[inner], np.uint8(EMPTY))
    start = np.minimum(inner + 1, end)
    family = _FAMILY[tag]
    sized = np.nonzero(family == _SIZED)[0]
    width = _varints(data, start[sized], end[sized])
    start[sized] += width
    scalar = np.nonzero(family == _SCALAR)[0]
    if (
        (family == _UNKNOWN).any()
        or (width == 0).any()
        or not _regular(data, tag[scalar], start[scalar], end[scalar])
    ):
        raise Irregular("a value has an unusual encoding")
    return tag, start


def _regular(data: Octets, tag: Octets, start: Offsets, end: Offsets) -> bool:
    """Whether these bools, ints and doubles fill exactly their attribute."""
    size, last = end - start, data[end - 1]
    fits = (tag == INT) & (size >= 1) & (size <= 10) & (last < 0x80)
    for k in range(int(np.where(fits, size, 0).max(initial=0)) - 1):
        fits &= (tag != INT) | (size <= k + 1) | (data[np.minimum(start + k, end - 1)] >= 0x80)
    fits |= ((tag == BOOL) & (size == 1) & (last < 2)) | ((tag == DOUBLE) & (size == 8))
    return bool(fits.all())


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
