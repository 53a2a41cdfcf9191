"""Decompression: right, bounded, and never more than a clear refusal."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ingest.admission import Budget, Upload
from ingest.compression import coding, decompress
from schemas.errors import EvalstreamError, InvalidRequest, Overloaded, TooLarge, UnsupportedMedia

MIB = 1 << 20


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


def streamed_zstd(data: bytes) -> bytes:
    stream = zstandard.ZstdCompressor().compressobj()  # writes no content size
    return stream.compress(data) + stream.flush()


CODINGS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("zstd", zstandard.ZstdCompressor().compress),
    ("zstd", streamed_zstd),
]
codings = pytest.mark.parametrize(
    ("name", "compress"), CODINGS, ids=["gzip", "zlib", "deflate", "zstd", "zstd-stream"]
)


async def unpacked(data: bytes, name: str, limit: int = 64 * MIB, budget: int = 256 * MIB) -> bytes:
    """Decompresses, and checks that the budget is whole again."""
    held = Budget(budget)
    upload = Upload(held, limit)
    upload.add(data)
    try:
        return await decompress(upload, name)
    finally:
        upload.release()
        assert held.used == 0


@codings
@given(data=st.binary(max_size=5_000))
def test_what_was_compressed_comes_back(name: str, compress: Callable[[bytes], bytes], data: bytes) -> None:
    assert asyncio.run(unpacked(compress(data), name)) == data


@codings
@pytest.mark.parametrize("size", [MIB - 1, MIB, MIB + 1, 9 * MIB])
async def test_bodies_of_many_steps(name: str, compress: Callable[[bytes], bytes], size: int) -> None:
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    assert await unpacked(compress(data), name) == data


async def test_a_body_that_is_large_as_sent() -> None:
    data = b"".join(zlib.crc32(b"%d" % n).to_bytes(4, "big") for n in range(600_000))
    compressed = gzip.compress(data, 1)
    assert len(compressed) > MIB
    assert await unpacked(compressed, "gzip") == data


@codings
async def test_every_way_to_cut_a_body_off_is_refused(name: str, compress: Callable[[bytes], bytes]) -> None:
    whole = compress(b"some text that is some text" * 20)
    for end in range(1, len(whole)):
        with pytest.raises(InvalidRequest, match=name):
            await unpacked(whole[:end], name)


@codings
async def test_a_body_of_exactly_the_limit_is_taken_and_one_byte_more_refused(
    name: str, compress: Callable[[bytes], bytes]
) -> None:
    assert len(await unpacked(compress(bytes(2 * MIB)), name, limit=2 * MIB)) == 2 * MIB
    with pytest.raises(TooLarge, match=str(2 * MIB)):
        await unpacked(compress(bytes(2 * MIB + 1)), name, limit=2 * MIB)


@codings
async def test_a_bomb_is_refused_early_and_costs_no_memory(
    name: str, compress: Callable[[bytes], bytes]
) -> None:
    bomb = compress(bytes(200 * MIB))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            await unpacked(bomb, name, limit=4 * MIB)
        assert tracemalloc.get_traced_memory()[1] < 16 * MIB
    finally:
        tracemalloc.stop()


async def test_the_budget_bounds_decompressed_bytes_too() -> None:
    with pytest.raises(Overloaded):
        await unpacked(gzip.compress(bytes(10 * MIB)), "gzip", budget=4 * MIB)


@pytest.mark.parametrize(
    ("name", "compress"), [("gzip", gzip.compress), ("zstd", zstandard.ZstdCompressor().compress)]
)
async def test_members_follow_each_other(name: str, compress: Callable[[bytes], bytes]) -> None:
    parts = [b"a" * 10, b"", b"b" * 100_000, b"c"]
    assert await unpacked(b"".join(map(compress, parts)), name) == b"".join(parts)
    with pytest.raises(InvalidRequest, match="members"):
        await unpacked(compress(b"") * 5_000, name)


async def test_zeros_after_gzip_are_padding_and_other_bytes_damage() -> None:
    assert await unpacked(gzip.compress(b"text") + bytes(100), "gzip") == b"text"
    for name, compress in CODINGS:
        with pytest.raises(InvalidRequest):
            await unpacked(compress(b"text") + b"\0\0more", name)


async def test_an_empty_body_is_empty_in_every_coding() -> None:
    for name in ("gzip", "deflate", "zstd"):
        assert await unpacked(b"", name) == b""


async def test_a_zstd_window_over_eight_mib_is_refused() -> None:
    wide = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=27)
    ).compressobj()
    with pytest.raises(InvalidRequest, match="zstd"):
        await unpacked(wide.compress(b"x" * 100_000) + wide.flush(), "zstd")


@given(name=st.sampled_from(["gzip", "deflate", "zstd"]), data=st.binary(min_size=1, max_size=300))
def test_any_bytes_are_decoded_or_refused(name: str, data: bytes) -> None:
    try:
        asyncio.run(unpacked(data, name))
    except EvalstreamError as error:
        assert error.status == 400  # noqa: PT017 — either outcome is fine, no other is


@given(data=st.data(), which=st.sampled_from(CODINGS))
def test_a_damaged_body_is_decoded_or_refused(
    data: st.DataObject, which: tuple[str, Callable[[bytes], bytes]]
) -> None:
    name, compress = which
    whole = bytearray(compress(b"some text that is some text" * 20))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        asyncio.run(unpacked(bytes(whole), name, limit=MIB))
    except EvalstreamError as error:
        assert error.status in (400, 413)  # noqa: PT017 — either outcome is fine, no other is


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("", ""),
        ("identity", ""),
        ("GZIP", "gzip"),
        (" x-gzip ", "gzip"),
        ("deflate", "deflate"),
        ("Zstd", "zstd"),
    ],
)
def test_names_of_codings(header: str, name: str) -> None:
    assert coding(header) == name


@pytest.mark.parametrize("header", ["br", "compress", "gzip, gzip", "snappy", "*"])
def test_unknown_codings(header: str) -> None:
    with pytest.raises(UnsupportedMedia, match="gzip, deflate, zstd"):
        coding(header)
