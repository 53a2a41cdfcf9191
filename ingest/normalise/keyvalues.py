"""KeyValues on the wire: where key and value of each stand, found in a dozen array operations.

What is not laid out as every encoder lays it out is refused with `Irregular`.
Source: opentelemetry-proto `common/v1/common.proto`, https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ingest.normalise.values import Irregular
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
_LENGTHS = ((1, 0, 0x7F), (2, 0x80, 0x3FFF), (3, 0x4000, 0x1FFFFF), (4, 0x200000, 0xFFFFFFF))


def heads(size: Ints | Offsets) -> Ints:
    """Bytes of tag and length before a sized value."""
    widths = np.searchsorted([most for _, _, most in _LENGTHS], size, side="left")
    return np.asarray(widths + 2, np.int64)


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


def parse(blobs: Blobs) -> tuple[Octets, Offsets, Offsets, Offsets, Offsets]:
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
