"""ClickHouse's own compressed blocks (`compress=1`, `decompress=1`).

Layout of a frame, little-endian: CityHash128 (version 1.0.2) of all that follows (16 bytes), method (1), size of the frame from the
method on (u32), size of the content (u32), content. Source: ClickHouse, src/Compression/CompressedReadBufferBase.cpp.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import lz4.block
import zstandard
from clickhouse_cityhash.cityhash import CityHash128

from schemas.errors import InvalidRequest

FRAME_BYTES = 1 << 20
"""Content of one frame, at most."""
MOST_CONTENT = 64 << 20
"""Content of one frame that is taken from a client; ClickHouse itself takes 1 GiB."""

_LZ4, _ZSTD, _NONE = 0x82, 0x90, 0x02
_HEAD = struct.Struct("<BII")
_SUM = struct.Struct("<QQ")
_LOW = (1 << 64) - 1
_START = _SUM.size + _HEAD.size


class FrameEncoder:
    """An `Encoder` of LZ4 frames."""

    def encode(self, data: bytes) -> bytes:
        """The bytes as frames."""
        pieces = (data[start : start + FRAME_BYTES] for start in range(0, len(data), FRAME_BYTES))
        return b"".join(_frame(lz4.block.compress(piece, store_size=False), len(piece)) for piece in pieces)

    def finish(self) -> bytes:
        """Frames need no end."""
        return b""

    def failed(self, message: bytes) -> bytes:
        """A frame in which the message can be read as it is: some clients look for it before they decompress, others after."""
        return _frame(_literal(message), len(message))


class FrameDecoder:
    """Takes frames apart as they arrive. Raises InvalidRequest."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The content of the frames that are complete."""
        self._waiting += data
        while len(self._waiting) >= _START:
            method, size, content = _HEAD.unpack_from(self._waiting, _SUM.size)
            if not _HEAD.size <= size <= MOST_CONTENT + (1 << 20) or content > MOST_CONTENT:
                raise InvalidRequest(
                    f"a compressed block has {content} bytes in {size}; at most {MOST_CONTENT} are taken"
                )
            end = _SUM.size + size
            if len(self._waiting) < end:
                return
            frame = bytes(self._waiting[:end])
            del self._waiting[:end]
            yield _content(frame, method, content)

    def finish(self) -> None:
        """Raises InvalidRequest when a frame is cut off."""
        if self._waiting:
            raise InvalidRequest("the body is cut off in the middle of a compressed block")


def _frame(packed: bytes, content: int) -> bytes:
    rest = _HEAD.pack(_LZ4, len(packed) + _HEAD.size, content) + packed
    return _checksum(rest) + rest


def _checksum(rest: bytes) -> bytes:
    number = CityHash128(rest)
    return _SUM.pack(number >> 64, number & _LOW)


def _content(frame: bytes, method: int, size: int) -> bytes:
    if frame[: _SUM.size] != _checksum(frame[_SUM.size :]):
        raise InvalidRequest("the checksum of a compressed block does not match")
    packed = frame[_START:]
    try:
        content = _unpacked(packed, method, size)
    except (zstandard.ZstdError, lz4.block.LZ4BlockError, ValueError) as error:
        raise InvalidRequest(f"a compressed block cannot be read: {error}") from error
    if len(content) != size:
        raise InvalidRequest("a compressed block has another length than it says")
    return content


def _unpacked(packed: bytes, method: int, size: int) -> bytes:
    if method == _LZ4:
        return bytes(lz4.block.decompress(packed, uncompressed_size=size))
    if method == _ZSTD:
        told = zstandard.frame_content_size(packed)
        if told > size:
            raise ValueError("it holds more than it says")
        return zstandard.ZstdDecompressor().decompress(packed, max_output_size=size)
    if method == _NONE:
        return packed
    raise ValueError(f"its method is {method:#x}; LZ4, ZSTD and NONE are known")


def _literal(data: bytes) -> bytes:
    """An LZ4 block of literals only. Source: LZ4 block format, "The last sequence contains only literals"."""
    length = len(data)
    if length < 15:
        return bytes([length << 4]) + data
    more, last = divmod(length - 15, 255)
    return b"\xf0" + b"\xff" * more + bytes([last]) + data
