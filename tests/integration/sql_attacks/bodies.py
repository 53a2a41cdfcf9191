"""Attacks by what is posted: bombs and broken pieces of every compression, frames that lie, texts that are none, forms."""

from __future__ import annotations

import gzip
import struct
import zlib
from typing import Any

import brotli
import lz4.frame
import zstandard
from clickhouse_cityhash.cityhash import CityHash128

from tests.integration.sql_attacks.kinds import Body

MIB = 1 << 20
BOMB_MIB = 512
"""What a bomb holds: far more than the server may grow by."""
_QUERY = b"SELECT name FROM spans"


def frame(
    method: int, content: bytes, *, claimed: int | None = None, size: int | None = None, good_sum: bool = True
) -> bytes:
    """A block of ClickHouse's native compression, right or wrong."""
    body = (
        struct.pack(
            "<BII",
            method,
            9 + len(content) if size is None else size,
            len(content) if claimed is None else claimed,
        )
        + content
    )
    number = CityHash128(body)
    return struct.pack("<QQ", number >> 64, (number & 0xFFFFFFFFFFFFFFFF) ^ (not good_sum)) + body


def _spaces(compressor: Any, feed: str = "compress", end: str = "flush") -> bytes:
    """Spaces, compressed piece by piece: the test itself shall not grow."""
    piece = b" " * MIB
    return b"".join(
        [*(getattr(compressor, feed)(piece) for _ in range(BOMB_MIB)), getattr(compressor, end)()]
    )


def _lz4() -> bytes:
    maker = lz4.frame.LZ4FrameCompressor()
    beginning: bytes = maker.begin()
    return beginning + _spaces(maker)


_BOMB = {
    "gzip": _spaces(zlib.compressobj(1, wbits=31)),
    "deflate": _spaces(zlib.compressobj(1)),
    "br": _spaces(brotli.Compressor(quality=1), "process", "finish"),
    "zstd": _spaces(zstandard.ZstdCompressor(level=1).compressobj()),
    "lz4": _lz4(),
}
_FRAME_BOMB = zstandard.compress(b" " * (60 * MIB), 1)
BODIES = {
    **{f"{name}: a bomb": Body(data, {"Content-Encoding": name}) for name, data in _BOMB.items()},
    **{f"{name}: cut off": Body(data[: len(data) // 2], {"Content-Encoding": name}) for name, data in _BOMB.items()},
    **{f"{name}: not that": Body(_QUERY, {"Content-Encoding": name}) for name in _BOMB},
    **{f"{name}: an open end": Body(data[:-4] + b"\xff" * 4, {"Content-Encoding": name}) for name, data in _BOMB.items()},
    "gzip: members without end": Body(gzip.compress(b"") * 20_000, {"Content-Encoding": "gzip"}),
    "gzip in gzip": Body(gzip.compress(_BOMB["gzip"]), {"Content-Encoding": "gzip, gzip"}),
    "zstd: a huge window": Body(b"\x28\xb5\x2f\xfd\x00\xff" + b"\x00" * 20, {"Content-Encoding": "zstd"}),
    "zstd: skippable frames": Body(b"\x50\x2a\x4d\x18\x00\x00\x00\x00" * 10_000, {"Content-Encoding": "zstd"}),
    "lz4: a legacy frame": Body(b"\x02\x21\x4c\x18" + b"\xff" * 100, {"Content-Encoding": "lz4"}),
    "frames: wrong sum": Body(frame(0x02, _QUERY, good_sum=False), parameters={"decompress": "1"}),
    "frames: no sum": Body(b"\0" * 16 + frame(0x02, _QUERY)[16:], parameters={"decompress": "1"}),
    "frames: unknown method": Body(frame(0x91, _QUERY), parameters={"decompress": "1"}),
    "frames: claims 4 GiB": Body(frame(0x82, b"\x10x", claimed=0xFFFFFFFF), parameters={"decompress": "1"}),
    "frames: claims nothing": Body(frame(0x02, _QUERY, claimed=0), parameters={"decompress": "1"}),
    "frames: size of 4 GiB": Body(frame(0x82, b"\x10x", size=0xFFFFFFFF), parameters={"decompress": "1"}),
    "frames: size 0": Body(frame(0x82, b"\x10x", size=0), parameters={"decompress": "1"}),
    "frames: size less than a head": Body(frame(0x82, b"\x10x", size=8), parameters={"decompress": "1"}),
    "frames: cut off": Body(frame(0x02, _QUERY)[:-3], parameters={"decompress": "1"}),
    "frames: only a sum": Body(b"\x01" * 16, parameters={"decompress": "1"}),
    "frames: LZ4 that reads before its start": Body(frame(0x82, b"\x0f\xff\xff\x00", claimed=100), parameters={"decompress": "1"}),
    "frames: LZ4 longer than said": Body(
        frame(0x82, b"\x1fx\x01\x00" + b"\xff" * 400 + b"\x00", claimed=10),
        parameters={"decompress": "1"},
    ),
    "frames: ZSTD bomb": Body(frame(0x90, _FRAME_BOMB, claimed=MIB), parameters={"decompress": "1"}),
    "frames: ten thousand empty": Body(frame(0x02, b"") * 10_000, parameters={"decompress": "1"}),
    "frames: a bomb in each": Body(frame(0x90, _FRAME_BOMB, claimed=60 * MIB) * 8, parameters={"decompress": "1"}),
    "frames: the query split up": Body(
        b"".join(frame(0x02, bytes([b])) for b in b"SELECT * FROM spans_raw"),
        parameters={"decompress": "1"},
    ),
    "frames within gzip": Body(gzip.compress(frame(0x02, b"DROP TABLE spans_raw")), {"Content-Encoding": "gzip"}, {"decompress": "1"}),
    "no UTF-8": Body(b"SELECT '\xff\xfe'"),
    "UTF-16": Body("SELECT * FROM spans_raw".encode("utf-16")),
    "byte order mark": Body(b"\xef\xbb\xbfSELECT * FROM spans_raw"),
    "NULs": Body(b"SELECT 1\0; DROP TABLE spans_raw"),
    "overlong UTF-8": Body(b"SELECT * FROM spans\xc1\x9fraw"),
    "two MiB of spaces": Body(b" " * (2 * MIB) + b"SELECT 1"),
    "half in the URL": Body(b"; DROP TABLE spans_raw", parameters={"query": "SELECT 1"}),
    "half a comment in the URL": Body(b"*/ UNION ALL SELECT count() FROM spans_raw", parameters={"query": "SELECT 1 /*"}),
    "an INSERT in the URL": Body(b'{"project": "bank"}', parameters={"query": "INSERT INTO spans_raw FORMAT JSONEachRow"}),
    "an empty form": Body(b"", {"Content-Type": "multipart/form-data; boundary="}),
    "a form without an end": Body(
        b"--x\r\nContent-Disposition: form-data; name=query\r\n\r\nSELECT 1",
        {"Content-Type": "multipart/form-data; boundary=x"},
    ),
    "a form of thousands": Body(
        b"".join(b'--x\r\nContent-Disposition: form-data; name="param_%d"\r\n\r\nv\r\n' % n for n in range(3_000)) + b"--x--\r\n",
        {"Content-Type": "multipart/form-data; boundary=x"},
    ),
    "a form that names a project": Body(
        b'--x\r\nContent-Disposition: form-data; name="query"\r\n\r\nSELECT name FROM spans\r\n'
        b'--x\r\nContent-Disposition: form-data; name="database"\r\n\r\nbank\r\n'
        b'--x\r\nContent-Disposition: form-data; name="log_comment"\r\n\r\nbank\r\n--x--\r\n',
        {"Content-Type": "multipart/form-data; boundary=x"},
    ),
    "a form with a file": Body(
        b'--x\r\nContent-Disposition: form-data; name="t"; filename="<file>"\r\n\r\n1\r\n--x--\r\n',
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"query": "SELECT * FROM t", "t_structure": "a String", "t_format": "CSV"},
    ),
    "forms in forms": Body(
        b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n" * 200, {"Content-Type": "multipart/form-data; boundary=x"}
    ),
}  # fmt: skip
