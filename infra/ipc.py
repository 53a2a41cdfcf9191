"""Arrow tables as bytes for the event log: an Arrow IPC stream, compressed whole as one LZ4 block, with a checksum.

One block over the whole stream, and not Arrow's own compression buffer by buffer, because a span has some 65 columns: a table of
60 rows costs a third less CPU and half the bytes that way, a table of one row a third of the bytes, and large tables the same.

Layout, little-endian: `EVS1`, CRC-32 of all that follows (u32), length of the stream (u64), LZ4 block.
"""

from __future__ import annotations

import struct
import threading
import zlib
from dataclasses import dataclass

import pyarrow as pa

from schemas.errors import TooLarge

MAGIC = b"EVS1"
MAX_PAYLOAD = 1_000_000_000 - 64
"""Most bytes of one payload: SQLite's default limit of a value, less a little for the rest of its row."""

_HEAD = struct.Struct("<4sI")
_LENGTH = struct.Struct("<Q")
_START = _HEAD.size + _LENGTH.size
_FIRST_SCRATCH = 1 << 20
_LARGEST_SCRATCH = 64 << 20
_ROWS_WORTH_A_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Payload:
    """An encoded table in two parts, so that nobody has to join them: write `head`, then `body`. `size` is in bytes."""

    head: bytes
    body: pa.Buffer

    @property
    def size(self) -> int:
        """Bytes of head and body."""
        body: int = self.body.size
        return len(self.head) + body


class Encoder:
    """Encodes tables. Thread-safe: each thread writes into memory of its own that is kept between calls.

    Fresh memory for each table would cost more in page faults than the copying does (1.6 against 0.15 µs a span).
    """

    def __init__(self) -> None:
        self._codec = pa.Codec("lz4_raw")
        self._local = threading.local()

    def encode(self, table: pa.Table) -> Payload:
        """The table as a payload. Raises TooLarge when it is over `MAX_PAYLOAD` bytes."""
        stream = self._stream(table)
        body = self._codec.compress(stream)
        length = _LENGTH.pack(stream.size)
        payload = Payload(_HEAD.pack(MAGIC, _checksum(length, body)) + length, body)
        if payload.size > MAX_PAYLOAD:
            raise TooLarge(
                f"A batch of {payload.size} bytes is too large for the event log (at most {MAX_PAYLOAD})."
            )
        return payload

    def _stream(self, table: pa.Table) -> pa.Buffer:
        """The IPC stream; valid until this thread encodes again."""
        scratch: pa.Buffer = getattr(self._local, "scratch", None) or pa.allocate_buffer(_FIRST_SCRATCH)
        while (written := _write(table, scratch)) is None:
            scratch = pa.allocate_buffer(2 * scratch.size)
        if scratch.size <= _LARGEST_SCRATCH:
            self._local.scratch = scratch
        return scratch.slice(0, written)


def compact(table: pa.Table) -> pa.Table:
    """The same table in few record batches: many small ones cost more to write, read and insert than one copy does."""
    crowded = len(table.to_batches()) > 1 + table.num_rows // _ROWS_WORTH_A_BATCH
    return table.combine_chunks() if crowded else table


def decode(payload: bytes) -> pa.Table:
    """The table of a payload; its columns share one buffer. Raises ValueError that says what is wrong with the payload."""
    if len(payload) < _START:
        raise ValueError(f"{len(payload)} bytes are too short for a payload")
    magic, checksum = _HEAD.unpack_from(payload)
    if magic != MAGIC:
        raise ValueError(f"it starts with {magic!r} instead of {MAGIC!r}")
    view = memoryview(payload)
    if _checksum(view[_HEAD.size : _START], view[_START:]) != checksum:
        raise ValueError("its checksum does not match its bytes")
    (length,) = _LENGTH.unpack_from(payload, _HEAD.size)
    try:
        stream = pa.Codec("lz4_raw").decompress(pa.py_buffer(view[_START:]), decompressed_size=length)
        with pa.ipc.open_stream(stream, options=pa.ipc.IpcReadOptions(use_threads=False)) as reader:
            return reader.read_all()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"it is not an Arrow stream: {error}") from error


def _write(table: pa.Table, scratch: pa.Buffer) -> int | None:
    """Writes the IPC stream and returns its length; None when the scratch is too small."""
    sink = pa.FixedSizeBufferWriter(scratch)
    options = pa.ipc.IpcWriteOptions(use_threads=False)
    try:
        with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
            writer.write_table(table)
    except OSError:
        return None
    written: int = sink.tell()
    return written


def _checksum(length: bytes | memoryview, body: pa.Buffer | memoryview) -> int:
    return zlib.crc32(body, zlib.crc32(length))
