"""The values of attributes: slices of the request's own bytes until a column asks for texts, numbers or truths."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from ingest import lenient
from ingest.normalise.keyvalues import ARRAY, BOOL, DOUBLE, EMPTY, INT, STRING, Mask, Octets, Offsets, heads
from ingest.normalise.values import Irregular, text_of
from ingest.wire import Ints

_SMALL = 2_048
"""Bytes of a value that is worth remembering."""


class AttributeValues:
    """Values by position; arrays have one element an attribute. Position -1 is no attribute: its text is '', its number NaN."""

    def __init__(self, data: Octets, offsets: Offsets, tag: Octets, start: Offsets, end: Offsets) -> None:
        """`offsets` bound each attribute in `data`, `start` and `end` the content of its value, whose type is `tag`."""
        self._data, self._offsets = data, offsets
        self.tag, self.start, self.end = tag, start, end

    def __len__(self) -> int:
        return len(self.tag)

    @cached_property
    def filled(self) -> Mask:
        """Attributes that have a value other than an empty text."""
        filled: Mask = (self.tag != EMPTY) & ((self.end > self.start) | (self.tag != STRING))
        return filled

    def heads(self, chosen: Ints) -> npt.NDArray[np.uint64]:
        """The first 48 bytes of these (string) attributes as six words; shorter ones run on into what follows."""
        words = np.ndarray((max(len(self._data) - 7, 0),), "<u8", self._data, strides=(1,))
        start = np.minimum(self.start[chosen][:, None] + np.arange(0, 48, 8), max(len(words) - 1, 0))
        return words[start] if len(words) else np.zeros((len(chosen), 6), np.uint64)

    def text(self, chosen: Ints) -> pa.StringArray:
        """Texts of these attributes: strings as sent, everything else as JSON."""
        texts, place = self._texts
        return utf8(texts.take(pa.array(place[chosen])))

    def numbers(self, chosen: Ints) -> npt.NDArray[np.float64]:
        """Values of these attributes as numbers; NaN where there is none (no number, not finite)."""
        result = self._numbers[chosen]
        texts = np.nonzero((self._tags[chosen] == STRING).ravel())[0]
        if len(texts):
            parsed = [_parsed_number(text) for text in self.text(chosen.ravel()[texts]).to_pylist()]
            result.reshape(-1)[texts] = parsed
        return result

    def truths(self, chosen: Ints) -> Mask:
        """Values as booleans: true, "True", "true", 1; everything else and nothing is false."""
        result = np.zeros(len(chosen), np.bool_)
        at = np.nonzero(chosen >= 0)[0]
        tags = self.tag[chosen[at]]
        result[at[tags == BOOL]] = self._bools(chosen[at[tags == BOOL]])
        others = at[tags != BOOL]
        if len(others):
            result[others] = [t.lower() in ("true", "1") for t in self.text(chosen[others]).to_pylist()]
        return result

    def value(self, index: int) -> Any:
        """One attribute as a Python value (the slow way)."""
        tag, start, end = int(self.tag[index]), int(self.start[index]), int(self.end[index])
        if tag == STRING:
            return self._data[start:end].tobytes().decode("utf-8", "replace")
        if tag == EMPTY:
            return None
        at = np.array([index])
        if tag == INT:
            return int(self._varints(at)[0])
        if tag == DOUBLE:
            return float(self._doubles(at)[0])
        if tag == BOOL:
            return bool(self._bools(at)[0])
        return lenient.plain(_any_value(self._raw(index)))

    @cached_property
    def _tags(self) -> Octets:
        """Tags, with one more for no attribute."""
        return np.append(self.tag, np.uint8(EMPTY))

    @cached_property
    def _ints(self) -> tuple[Ints, Ints]:
        """(positions, values) of all ints."""
        found = np.nonzero(self.tag == INT)[0]
        return found, self._varints(found)

    @cached_property
    def _numbers(self) -> npt.NDArray[np.float64]:
        """The number in each int and finite double; NaN elsewhere, and at the end for no attribute."""
        result = np.full(len(self) + 1, np.nan)
        positions, values = self._ints
        result[positions] = values
        doubles = np.nonzero(self.tag == DOUBLE)[0]
        if len(doubles):
            found = self._doubles(doubles)
            result[doubles] = np.where(np.isfinite(found), found, np.nan)
        return result

    @cached_property
    def _texts(self) -> tuple[pa.Array, Offsets]:
        """Texts of all values and, for each attribute, the place of its text among them; last that of no attribute."""
        count = len(self)
        if count and self._offsets[-1] != len(self._data):
            raise Irregular("attributes do not fill their buffer")
        order, rendered = self._rendered()
        tail_bounds, tail = _buffers(rendered)
        bounds = np.empty(2 * count + 2 + len(rendered), np.int32)
        bounds[0 : 2 * count : 2], bounds[1 : 2 * count : 2] = self._offsets[:-1], self.start
        bounds[2 * count : -1] = tail_bounds + len(self._data)
        bounds[-1] = bounds[-2]
        place = np.arange(1, 2 * count + 2, 2, dtype=np.int32)
        place[order] = np.arange(2 * count, 2 * count + len(rendered), dtype=np.int32)
        place[-1] = len(bounds) - 2
        return slices(bounds, np.concatenate([self._data, tail]) if len(tail) else self._data), place

    def _rendered(self) -> tuple[Ints, pa.BinaryArray]:
        """(positions, texts) of all values that are no strings."""
        order, parts = [np.zeros(0, np.int64)], [pa.array([], pa.binary())]
        for wanted, render in (
            (self.tag == INT, lambda _: pa.array(self._ints[1]).cast(pa.string()).cast(pa.binary())),
            (self.tag == DOUBLE, self._double_texts),
            (self.tag == BOOL, self._bool_texts),
            (self.tag >= ARRAY, self._nested_texts),
        ):
            if len(found := np.nonzero(wanted)[0]):
                order.append(found)
                parts.append(render(found))
        return np.concatenate(order), pa.concat_arrays(parts)

    def _double_texts(self, found: Ints) -> pa.Array:
        distinct = pa.array(self._doubles(found)).dictionary_encode()
        return pa.array([_number_text(v) for v in distinct.dictionary.to_pylist()], pa.binary()).take(
            distinct.indices
        )

    def _bool_texts(self, found: Ints) -> pa.Array:
        return pa.array([b"false", b"true"]).take(pa.array(self._bools(found).view(np.uint8)))

    def _nested_texts(self, found: Ints) -> pa.Array:
        """Lists and maps as JSON: each distinct value is rendered once."""
        bounds = np.empty(2 * len(found) + 1, np.int32)
        bounds[0:-1:2], bounds[1::2], bounds[-1] = (
            self.start[found] - heads(self.end[found] - self.start[found]),
            self.end[found],
            self._offsets[-1],
        )
        raw = slices(bounds, self._data).take(pa.array(np.arange(0, 2 * len(found), 2)))
        distinct = raw.dictionary_encode()
        return pa.array([_json_text(raw) for raw in distinct.dictionary.to_pylist()], pa.binary()).take(
            distinct.indices
        )

    def _varints(self, found: Ints) -> Ints:
        """Values of int attributes (zigzag-free varints, two's complement)."""
        start, size = self.start[found], self.end[found] - self.start[found]
        value = (self._data[start] & 0x7F).astype(np.uint64) if len(found) else np.zeros(0, np.uint64)
        for k in range(1, int(size.max(initial=0))):
            at = np.nonzero(size > k)[0]
            byte = self._data[start[at] + k].astype(np.uint64)
            value[at] |= (byte & np.uint64(0x7F)) << np.uint64(7 * k)
        return value.view(np.int64)

    def _doubles(self, found: Ints) -> npt.NDArray[np.float64]:
        if not len(found):
            return np.zeros(0)
        bytes_ = self._data[self.start[found][:, None] + np.arange(8)]
        return np.ascontiguousarray(bytes_).view("<f8").ravel()

    def _bools(self, found: Ints) -> Mask:
        return self._data[self.start[found]] != 0 if len(found) else np.zeros(0, np.bool_)

    def _raw(self, index: int) -> bytes:
        """The AnyValue of an attribute that is an array, a key-value list or bytes."""
        start, end = int(self.start[index]), int(self.end[index])
        return self._data[start - int(heads(np.array([end - start]))[0]) : end].tobytes()


def slices(bounds: Offsets, data: Octets) -> pa.BinaryArray:
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


def _buffers(texts: pa.BinaryArray) -> tuple[Offsets, Octets]:
    """(offsets, bytes) of an array that was just made."""
    _, offsets, data = texts.buffers()
    return (
        np.frombuffer(offsets, np.int32)[: len(texts) + 1] if len(texts) else np.zeros(1, np.int32),
        np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8),
    )


def _parsed_number(text: str) -> float:
    """NaN for what is no finite number."""
    try:
        value = float(text)
    except ValueError:
        return float("nan")
    return value if np.isfinite(value) else float("nan")


def _number_text(value: float) -> bytes:
    return orjson.dumps(value) if np.isfinite(value) else repr(value).encode()


def _json_text(raw: bytes) -> bytes:
    """A list or map as JSON, bytes as base64; small ones are remembered."""
    return _remembered(raw) if len(raw) <= _SMALL else text_of(lenient.plain(_any_value(raw))).encode()


@lru_cache(maxsize=4096)
def _remembered(raw: bytes) -> bytes:
    return text_of(lenient.plain(_any_value(raw))).encode()


def _any_value(raw: bytes) -> Any:
    try:
        return lenient.AnyValue.FromString(raw)
    except lenient.DecodeError as error:
        raise Irregular(str(error)) from error
