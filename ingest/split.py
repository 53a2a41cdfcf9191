"""An export request cut into requests of one span (or log record) each, by its wire format alone.

What the protobuf library refuses as a whole may hold one bad span among good ones: this tells them apart. Traces and logs have the
same outline (resource → scope → item, fields 1 and 2 on each level).
Source: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ingest.normalise.values import Irregular

_VARINT, _FIXED64, _SIZED, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10


@dataclass(frozen=True, slots=True)
class Item:
    """One span or log record as sent; `resource` and `scope` are the fields that stand around it, as bytes."""

    resource: bytes
    scope: bytes
    body: bytes


def items(body: bytes) -> list[Item]:
    """The items of a request in document order. Raises Irregular when not even its outline can be read."""
    found: list[Item] = []
    for resource_spans in _members(body, 1):
        resource = _without(resource_spans, 2)
        for scope_spans in _members(resource_spans, 2):
            scope = _without(scope_spans, 2)
            found.extend(Item(resource, scope, item) for item in _members(scope_spans, 2))
    return found


def joined(chosen: Iterable[Item]) -> bytes:
    """The request that holds these items and nothing else."""
    result = bytearray()
    for resource, of_resource in groupby(chosen, key=lambda item: item.resource):
        inner = bytearray(resource)
        for scope, of_scope in groupby(of_resource, key=lambda item: item.scope):
            inner += _field(2, scope + b"".join(_field(2, item.body) for item in of_scope))
        result += _field(1, inner)
    return bytes(result)


def halves(chosen: Sequence[Item]) -> tuple[Sequence[Item], Sequence[Item]]:
    """Two smaller problems."""
    middle = len(chosen) // 2
    return chosen[:middle], chosen[middle:]


def _members(message: bytes, number: int) -> Iterator[bytes]:
    """The contents of a repeated message field."""
    for field, content_start, _, end in _fields(message):
        if field == (number << 3 | _SIZED):
            yield message[content_start:end]


def _without(message: bytes, number: int) -> bytes:
    """The message without one of its fields."""
    kept = (message[start:end] for field, _, start, end in _fields(message) if field >> 3 != number)
    return b"".join(kept)


def _fields(message: bytes) -> Iterator[tuple[int, int, int, int]]:
    """(tag, start of the content, start, end) of each field. Raises Irregular."""
    at = 0
    while at < len(message):
        start = at
        tag, at = _varint(message, at)
        if tag < 8:  # field 0: no encoder writes it, and a body of zeros would be walked byte by byte
            raise Irregular(f"field number 0 at byte {start}")
        kind = tag & 7
        content = at
        if kind == _VARINT:
            _, at = _varint(message, at)
        elif kind == _SIZED:
            size, content = _varint(message, at)
            at = content + size
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise Irregular(f"wire type {kind} at byte {start}")
        if at > len(message):
            raise Irregular(f"a field at byte {start} runs over the end")
        yield tag, content, start, at


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """(value, where it ends)."""
    value = 0
    for k in range(_LONGEST_VARINT):
        if at + k >= len(message):
            break
        byte = message[at + k]
        value |= (byte & 0x7F) << (7 * k)
        if byte < 0x80:
            return value, at + k + 1
    raise Irregular(f"a number at byte {at} does not end")


def _field(number: int, content: bytes | bytearray) -> bytes:
    size, head = len(content), bytearray([number << 3 | _SIZED])
    while size >= 0x80:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head + content)
