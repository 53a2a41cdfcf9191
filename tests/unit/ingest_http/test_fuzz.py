"""Nothing that a socket can carry kills the server, is answered 500, or leaves bytes in the budget."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from schemas.settings import Bytes, Settings
from tests.unit.ingest_http.servers import Running, chunked, connected, request, running

SETTINGS = Settings(otlp_max_bytes=Bytes(4_000), ingest_max_bytes=Bytes(20_000), body_timeout=0.3)
VALID = (
    request(b"hello"),
    request(
        b'{"resourceSpans": []}',
        content_type="application/json",
        headers=["Origin: http://x", "X-Api-Key: k"],
    ),
    chunked(b"he", b"llo", trailers="x: y\r\n"),
    request(b"x" * 300, path="/otel/v1/logs"),
    request(b"", method="OPTIONS"),
    request(b"", path="/nowhere", content_type=""),
    request(b"no", content_type="text/plain"),
    request(b"hello", headers=["Connection: Upgrade", "Upgrade: h2c"]),
    request(b"\x1f\x8b damaged", headers=["Content-Encoding: gzip"]),
)
FRAGMENTS = (
    *(
        b"POST",
        b"GET",
        b" ",
        b"/v1/traces",
        b" HTTP/1.1\r\n",
        b" HTTP/1.0\r\n",
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\0",
    ),
    *(
        b"Host: x\r\n",
        b"Content-Length: 3\r\n",
        b"Content-Length: 5000\r\n",
        b"Transfer-Encoding: chunked\r\n",
    ),
    *(
        b"Content-Type: application/json\r\n",
        b"Expect: 100-continue\r\n",
        b"Connection: close\r\n",
        b"abc",
        b"0\r\n\r\n",
    ),
    *(
        b"Connection: Upgrade\r\n",
        b"Upgrade: h2c\r\n",
        b"3\r\nabc\r\n",
        b"ffffffffffffffff\r\n",
        b"Content-Encoding: zstd\r\n",
    ),
)


@pytest.fixture
async def up() -> AsyncIterator[Running]:
    async with running(SETTINGS) as server:
        yield server


async def exchanged(up: Running, pieces: Sequence[bytes]) -> bytes:
    """All that comes back when `pieces` are sent one by one and the client then sends no more. Dates are blanked."""
    async with connected(up.port) as client:
        try:
            await client.send(*pieces)
            if client.writer.can_write_eof():
                client.writer.write_eof()
            answer = await client.ended()
        except ConnectionError:
            return b""
    return b"\r\n".join(line for line in answer.split(b"\r\n") if not line.startswith(b"date: "))


async def healthy(up: Running) -> bool:
    """Whether the next client is served, and nothing is held."""
    answer = await exchanged(up, [request(b"still there")])
    return (
        answer.startswith(b"HTTP/1.1 200 OK")
        and up.receiver.bodies[-1] == b"still there"
        and up.budget.used == 0
    )


@pytest.mark.parametrize("message", VALID)
async def test_a_request_in_two_pieces_is_the_same_request(up: Running, message: bytes) -> None:
    whole = await exchanged(up, [message])
    assert whole.startswith(b"HTTP/1.1 ")
    expected = up.receiver.requests[:]
    for at in range(1, len(message)):
        up.receiver.requests.clear()
        assert await exchanged(up, [message[:at], message[at:]]) == whole
        assert up.receiver.requests == expected


@pytest.mark.parametrize("message", VALID)
async def test_a_request_byte_by_byte_is_the_same_request(up: Running, message: bytes) -> None:
    assert await exchanged(up, [message[at : at + 1] for at in range(len(message))]) == await exchanged(
        up, [message]
    )


async def test_pipelined_requests_in_random_pieces(up: Running) -> None:
    chance = random.Random(7)
    for _ in range(60):
        messages = chance.choices(VALID, k=6)
        alone = b"".join([await exchanged(up, [message]) for message in messages])
        stream = b"".join(messages)
        cuts = sorted(chance.sample(range(1, len(stream)), 8))
        pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
        assert await exchanged(up, pieces) == alone


def fuzz(streams: Sequence[Sequence[bytes]]) -> list[bytes]:
    """The answers to some clients one after the other, over a server that must be healthy afterwards."""

    async def run() -> list[bytes]:
        async with running(SETTINGS) as up:
            answers = [await exchanged(up, pieces) for pieces in streams]
            assert await healthy(up)
            return answers

    return asyncio.run(run())


@given(
    st.lists(st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=4), min_size=1, max_size=10)
)
def test_random_bytes(streams: list[list[bytes]]) -> None:
    for answer in fuzz(streams):
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4")


@hypothesis_settings(max_examples=300)
@given(st.lists(st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=16), min_size=5, max_size=10))
def test_words_of_http_in_any_order(streams: list[list[bytes]]) -> None:
    for answer in fuzz([[b"".join(words)] for words in streams]):
        assert b"HTTP/1.1 5" not in answer


@hypothesis_settings(max_examples=200)
@given(
    message=st.sampled_from(VALID),
    edits=st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=4)), min_size=1, max_size=4),
)
def test_damaged_requests(message: bytes, edits: list[tuple[int, bytes]]) -> None:
    damaged = bytearray(message)
    for at, replacement in edits:
        damaged[at : at + len(replacement) + 1] = replacement
    for answer in fuzz([[bytes(damaged) or b"\n"]]):
        assert b"HTTP/1.1 5" not in answer
