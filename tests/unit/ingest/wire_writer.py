"""Protobuf written as no encoder writes it, but as every decoder must read it.

Fields in any order, unknown fields between them, numbers with needless leading zeros, single fields sent twice (the last counts).
Source: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from random import Random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_UNKNOWN_FIELD = 99


@dataclass(frozen=True)
class Style:
    """How odd it gets; `random` decides each time."""

    random: Random
    odds: float = 0.15

    def odd(self) -> bool:
        """Whether to do it here."""
        return self.random.random() < self.odds


def rewritten(message: Message, style: Style) -> bytes:
    """The message in other words."""
    fields = [_field(descriptor, value, style) for descriptor, value in message.ListFields()]
    if style.odd():
        style.random.shuffle(fields)
    if style.odd():
        fields.insert(style.random.randint(0, len(fields)), sized(_UNKNOWN_FIELD, b"later", style))
    return b"".join(fields)


def sized(number: int, content: bytes, style: Style | None = None) -> bytes:
    """A length-delimited field."""
    return varint(number << 3 | 2, style) + varint(len(content), style) + content


def varint(value: int, style: Style | None = None) -> bytes:
    """A base-128 number, perhaps longer than need be."""
    value &= 2**64 - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    if style is not None and len(out) < 4 and style.odd():
        out[-1] |= 0x80
        out.append(0)
    return bytes(out)


def _field(descriptor: FieldDescriptor, value: Any, style: Style) -> bytes:
    if descriptor.is_repeated:
        return b"".join(_single(descriptor, item, style) for item in value)
    once = _single(descriptor, value, style)
    is_message = descriptor.type == FieldDescriptor.TYPE_MESSAGE
    return once + once if not is_message and style.odd() else once


def _single(descriptor: FieldDescriptor, value: Any, style: Style) -> bytes:
    number = descriptor.number
    match descriptor.type:
        case FieldDescriptor.TYPE_MESSAGE:
            return sized(number, rewritten(value, style), style)
        case FieldDescriptor.TYPE_STRING:
            return sized(number, value.encode(), style)
        case FieldDescriptor.TYPE_BYTES:
            return sized(number, value, style)
        case FieldDescriptor.TYPE_FIXED64:
            return varint(number << 3 | 1, style) + struct.pack("<Q", value)
        case FieldDescriptor.TYPE_FIXED32:
            return varint(number << 3 | 5, style) + struct.pack("<I", value)
        case FieldDescriptor.TYPE_DOUBLE:
            return varint(number << 3 | 1, style) + struct.pack("<d", value)
    return varint(number << 3, style) + varint(int(value), style)
