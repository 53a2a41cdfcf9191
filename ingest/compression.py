"""Content codings of request bodies: gzip, deflate and zstd, decompressed in steps within a bound.

Sources: RFC 1952 (gzip, members may follow each other), RFC 9110 8.4.1 (deflate is the zlib format; raw deflate is met too),
RFC 8878 and 9659 (zstd, with a window of at most 8 MiB).
"""

from __future__ import annotations

import asyncio
import sys
import zlib
from collections.abc import Callable

from ingest.admission import Upload
from schemas.errors import InvalidRequest, TooLarge, UnsupportedMedia

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ENCODINGS = "gzip, deflate, zstd"

_ALIASES = {"": "", "identity": "", "gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate", "zstd": "zstd"}
_STEP = 1 << 20
"""Bytes decompressed at once: about 2 ms, the longest that the event loop is held up."""
_LARGE = 1 << 20
"""A body with more bytes as sent is decompressed in a thread from the start."""
_SLICE = 1 << 16
"""Bytes handed to a decoder at once: it copies what it leaves over."""
_MOST_MEMBERS = 4_096
"""Parts (gzip members, zstd frames) of one body; more is an attack."""
_ZSTD_WINDOW_LOG = 23


def coding(header: str) -> str:
    """The name of a Content-Encoding header's coding, '' for none. Raises UnsupportedMedia."""
    name = _ALIASES.get(header.strip().lower())
    if name is None:
        raise UnsupportedMedia(f"Content-Encoding {header[:80]!r} is not supported; use one of {ENCODINGS}")
    return name


async def decompress(upload: Upload, encoding: str) -> bytes:
    """The decompressed body of an upload, charged to it as it grows.

    Raises InvalidRequest for a damaged stream, TooLarge as soon as it is over the limit, and Overloaded.
    """
    body = upload.body()
    if not body:
        return b""
    reader = Reader(body, encoding)
    inline = len(body) <= _LARGE
    pieces: list[bytes] = []
    size = 0
    while not reader.done:
        step = min(_STEP, upload.limit - size + 1)
        piece = reader.read(step) if inline else await asyncio.to_thread(reader.read, step)
        inline = False  # what is left after one step may be anything
        size += len(piece)
        if size > upload.limit:
            raise TooLarge(f"the decompressed body has more than {upload.limit} bytes; send smaller batches")
        upload.charge(len(piece))
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class Reader:
    """A compressed body, read in pieces of bounded size."""

    def __init__(self, data: bytes | bytearray, encoding: str) -> None:
        self._data = memoryview(data)
        self._at = 0
        self._encoding = encoding
        self._open = _OPENERS[encoding]
        self._member = self._open(data)
        self._members = 1
        self.done = False

    def read(self, size: int) -> bytes:
        """The next bytes, at most `size`; b"" only at the end, and then `done` is true. Raises InvalidRequest."""
        while not self.done:
            out = self._decode(size)
            if self._member.eof:
                self._next_member()
            elif not out and self._at == len(self._data) and self._member.hungry:
                raise InvalidRequest(f"the body is cut off: its {self._encoding} stream does not end")
            if out:
                return out
        return b""

    def _decode(self, size: int) -> bytes:
        try:
            out, taken = self._member.feed(self._data[self._at : self._at + _SLICE], size)
        except (zlib.error, zstd.ZstdError) as error:
            raise InvalidRequest(f"the body is not valid {self._encoding}: {error}") from error
        self._at += taken
        return out

    def _next_member(self) -> None:
        rest = self._data[self._at :]
        if not rest or (self._encoding == "gzip" and rest[0] == 0 and not bytes(rest).strip(b"\0")):
            self.done = True  # zeros after gzip are padding
            return
        if self._encoding == "deflate":
            raise InvalidRequest("the body has bytes after the end of its deflate stream")
        if self._members == _MOST_MEMBERS:
            raise InvalidRequest(f"the body has more than {_MOST_MEMBERS} {self._encoding} members")
        self._members += 1
        self._member = self._open(b"")


class _ZlibMember:
    """One gzip member or deflate stream."""

    def __init__(self, wbits: int) -> None:
        self._stream = zlib.decompressobj(wbits)
        self.hungry = True

    @property
    def eof(self) -> bool:
        return self._stream.eof

    def feed(self, data: memoryview, size: int) -> tuple[bytes, int]:
        """Up to `size` bytes of output, and how much of `data` it took."""
        out = self._stream.decompress(data, size)
        return out, len(data) - len(self._stream.unconsumed_tail) - len(self._stream.unused_data)


class _ZstdMember:
    """One zstd frame. Its decoder keeps the input that it could not use yet."""

    def __init__(self) -> None:
        self._stream = zstd.ZstdDecompressor(
            options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
        )

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def hungry(self) -> bool:
        return self._stream.needs_input

    def feed(self, data: memoryview, size: int) -> tuple[bytes, int]:
        """Up to `size` bytes of output, and how much of `data` it took."""
        given = data if self._stream.needs_input else data[:0]
        out = self._stream.decompress(given, size)
        return out, len(given) - len(self._stream.unused_data)


def _deflate(data: bytes | bytearray) -> _ZlibMember:
    # a raw stream never looks like this: it would start with a stored block whose padding bits are not zero
    is_zlib = len(data) >= 2 and data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
    return _ZlibMember(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)


_OPENERS: dict[str, Callable[[bytes | bytearray], _ZlibMember | _ZstdMember]] = {
    "gzip": lambda _: _ZlibMember(16 + zlib.MAX_WBITS),
    "deflate": _deflate,
    "zstd": lambda _: _ZstdMember(),
}
