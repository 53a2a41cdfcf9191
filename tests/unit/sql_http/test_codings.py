"""Content codings and native frames: what is encoded is decoded, in whatever pieces it comes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.sql_http.codings import PREFERRED, Decoder, accepted, encoder
from api.sql_http.frames import FRAME_BYTES, FrameDecoder, FrameEncoder
from schemas.errors import InvalidRequest, UnsupportedMedia

PIECES = st.lists(st.binary(max_size=200), max_size=8)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@given(st.sampled_from(["", *PREFERRED]), PIECES, st.integers(1, 50))
def test_there_and_back(coding: str, pieces: list[bytes], size: int) -> None:
    out = encoder(coding)
    packed = b"".join(out.encode(piece) for piece in pieces) + out.finish()
    decoder = Decoder(coding)
    content = b"".join(found for piece in cut(packed, size) for found in decoder.feed(piece))
    decoder.finish()
    assert content == b"".join(pieces)


@given(PIECES, st.integers(1, 50))
def test_frames_there_and_back(pieces: list[bytes], size: int) -> None:
    out = FrameEncoder()
    packed = b"".join(out.encode(piece) for piece in pieces) + out.finish() + out.failed(b"why" * 100)
    decoder = FrameDecoder()
    content = b"".join(found for piece in cut(packed, size) for found in decoder.feed(piece))
    decoder.finish()
    assert content == b"".join(pieces) + b"why" * 100


def test_large_data_are_several_frames() -> None:
    data = bytes(range(256)) * (FRAME_BYTES // 256 + 1)
    assert b"".join(FrameDecoder().feed(FrameEncoder().encode(data))) == data


@given(st.binary(min_size=25, max_size=200))
def test_noise_is_no_frame(noise: bytes) -> None:
    decoder = FrameDecoder()
    with pytest.raises(InvalidRequest):
        list(decoder.feed(noise))
        decoder.finish()


@given(st.sampled_from(PREFERRED), st.binary(min_size=1, max_size=200))
def test_noise_is_refused_or_decoded(coding: str, noise: bytes) -> None:
    decoder = Decoder(coding)
    with contextlib.suppress(InvalidRequest):
        content = b"".join(decoder.feed(noise))
        decoder.finish()
        assert len(content) < 1 << 20


def test_an_unknown_coding() -> None:
    with pytest.raises(UnsupportedMedia):
        Decoder("snappy")


@given(st.text(max_size=60))
def test_any_header_has_an_answer(header: str) -> None:
    assert accepted(header) in ("", *PREFERRED)
