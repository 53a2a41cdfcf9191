"""Content codings of answers and of requests: lz4, zstd, br, gzip and deflate, piece by piece.

Sources: RFC 9110 8.4 and 12.5.3, RFC 1952, RFC 8878, RFC 7932, the LZ4 frame format.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import brotli
import lz4.frame
import zstandard

from schemas.errors import InvalidRequest, UnsupportedMedia

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PREFERRED = ("lz4", "zstd", "br", "gzip", "deflate")
"""The codings, the cheapest first."""
_STEP = 1 << 20
"""Most bytes that one step of decompression gives."""
_SLICE = 1 << 16
_ZSTD_WINDOW_LOG = 23
_ALIASES = {"x-gzip": "gzip", "identity": ""}


class Encoder(Protocol):
    """Writes an answer in another form, piece by piece."""

    def encode(self, data: bytes) -> bytes:
        """What there is to send after these bytes; may be nothing yet."""
        ...

    def finish(self) -> bytes:
        """What is left to send at the end."""
        ...

    def failed(self, message: bytes) -> bytes:
        """What is left to send when the answer breaks off, with a message that the client finds in the decoded answer."""
        ...


class Identity:
    """As it is."""

    def encode(self, data: bytes) -> bytes:
        """The same bytes."""
        return data

    def finish(self) -> bytes:
        """Nothing."""
        return b""

    def failed(self, message: bytes) -> bytes:
        """The message."""
        return message


class _Compressor:
    """A compressor of two functions."""

    def __init__(
        self, encode: Callable[[bytes], bytes], flush: Callable[[], bytes], head: bytes = b""
    ) -> None:
        self._encode = encode
        self._flush = flush
        self._head = head

    def encode(self, data: bytes) -> bytes:
        """The compressed bytes that are complete."""
        head, self._head = self._head, b""
        return head + self._encode(data)

    def finish(self) -> bytes:
        """The end of the compressed stream."""
        return self._head + self._flush()

    def failed(self, message: bytes) -> bytes:
        """The message, compressed, and the end of the stream."""
        return self.encode(message) + self.finish()


def _lz4() -> Encoder:
    frame = lz4.frame.LZ4FrameCompressor()
    return _Compressor(frame.compress, frame.flush, frame.begin())


def _zstd() -> Encoder:
    stream = zstandard.ZstdCompressor(level=1).compressobj()
    return _Compressor(stream.compress, stream.flush)


def _br() -> Encoder:
    stream = brotli.Compressor(quality=1)
    return _Compressor(stream.process, stream.finish)


def _zlib(wbits: int) -> Encoder:
    stream = zlib.compressobj(1, zlib.DEFLATED, wbits)
    return _Compressor(stream.compress, stream.flush)


_ENCODERS: dict[str, Callable[[], Encoder]] = {
    "": Identity,
    "lz4": _lz4,
    "zstd": _zstd,
    "br": _br,
    "gzip": lambda: _zlib(16 + zlib.MAX_WBITS),
    "deflate": lambda: _zlib(zlib.MAX_WBITS),
}


def encoder(coding: str) -> Encoder:
    """An encoder for one of `PREFERRED`; the identity for ''."""
    return _ENCODERS[coding]()


def accepted(header: str) -> str:
    """The coding for an Accept-Encoding header: the one with the highest weight, the cheapest of equals; '' for none."""
    if not header:
        return ""
    weights = dict(_weighted(part) for part in header.lower().split(","))
    anything = weights.get("*", 0.0)
    best = max(PREFERRED, key=lambda name: weights.get(name, anything))
    return best if weights.get(best, anything) > 0 else ""


def _weighted(part: str) -> tuple[str, float]:
    name, _, parameter = part.partition(";")
    key, _, value = parameter.strip().partition("=")
    try:
        weight = float(value) if key.strip() == "q" else 1.0
    except ValueError:
        weight = 0.0
    return _ALIASES.get(name.strip(), name.strip()), weight


class _Stream(Protocol):
    """A decompressor of one member."""

    @property
    def eof(self) -> bool:
        """Whether the member has ended."""
        ...

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """A step's output, and the input that is left."""
        ...


class _Zlib:
    def __init__(self, wbits: int) -> None:
        self._stream = zlib.decompressobj(wbits)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        out = self._stream.decompress(data, _STEP)
        return out, self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail


class _Lz4:
    """Keeps the input that it has not used yet."""

    def __init__(self) -> None:
        self._stream = lz4.frame.LZ4FrameDecompressor()

    @property
    def eof(self) -> bool:
        return bool(self._stream.eof)

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        out: bytes = self._stream.decompress(data, _STEP)
        return out, (self._stream.unused_data or b"") if self._stream.eof else b""


class _Zstd:
    """Keeps the input that it has not used yet."""

    def __init__(self) -> None:
        self._stream = zstd.ZstdDecompressor(
            options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
        )

    @property
    def eof(self) -> bool:
        return self._stream.eof

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        out = self._stream.decompress(data, _STEP)
        return out, self._stream.unused_data if self._stream.eof else b""


class _Brotli:
    """Keeps the input that it has not used yet."""

    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    @property
    def eof(self) -> bool:
        return bool(self._stream.is_finished())

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        return self._stream.process(data, output_buffer_limit=_STEP), b""


_MEMBERS: dict[str, Callable[[], _Stream]] = {
    "gzip": lambda: _Zlib(16 + zlib.MAX_WBITS),
    "deflate": lambda: _Zlib(zlib.MAX_WBITS),
    "lz4": _Lz4,
    "zstd": _Zstd,
    "br": _Brotli,
}
_FAULTS = (zlib.error, zstd.ZstdError, brotli.error, RuntimeError, EOFError)
_MOST_MEMBERS = 4_096


class Decoder:
    """Decompresses a request's body as it arrives. Raises InvalidRequest for what is none, UnsupportedMedia for an unknown coding."""

    def __init__(self, header: str) -> None:
        name = header.strip().lower()
        name = _ALIASES.get(name, name)
        if name and name not in _MEMBERS:
            raise UnsupportedMedia(
                f"Content-Encoding {header[:60]!r} is not supported; use one of {', '.join(PREFERRED)}"
            )
        self._name = name
        self._member = _MEMBERS[name]() if name else None
        self._members = 1

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The decompressed bytes, in pieces of at most 1 MiB."""
        if self._member is None:
            yield data
            return
        for start in range(0, len(data), _SLICE):
            yield from self._fed(data[start : start + _SLICE])

    def finish(self) -> None:
        """Raises InvalidRequest when the stream is cut off."""
        if self._member is not None and not self._member.eof:
            raise InvalidRequest(f"the body is cut off: its {self._name} stream does not end")

    def _fed(self, data: bytes) -> Iterator[bytes]:
        assert self._member is not None
        while True:
            if self._member.eof:
                if not data:
                    return
                self._next_member()
            try:
                out, data = self._member.feed(data)
            except _FAULTS as error:
                raise InvalidRequest(f"the body is not valid {self._name}: {error}") from error
            if out:
                yield out
            if not data and len(out) < _STEP:
                return

    def _next_member(self) -> None:
        self._members += 1
        if self._members > _MOST_MEMBERS or self._name in ("deflate", "br"):
            raise InvalidRequest(f"the body has bytes after the end of its {self._name} stream")
        self._member = _MEMBERS[self._name]()
