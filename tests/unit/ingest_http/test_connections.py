"""The socket server as HTTP/1.1: framing, order, limits, time."""

from __future__ import annotations

import asyncio

import pytest

from schemas.errors import InvalidRequest, StartupError
from schemas.settings import Bytes, Settings
from tests.unit.ingest_http.servers import Client, chunked, connected, request, running


async def test_a_connection_serves_one_request_after_another() -> None:
    async with running() as up, connected(up.port) as client:
        for body in (b"one", b"", b"three"):
            await client.send(request(body))
            assert (await client.response()).status == 200
        assert up.receiver.bodies == [b"one", b"", b"three"]


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with running() as up, connected(up.port) as client:
        wrong = request(path="/v1/nothing")
        await client.send(
            request(b"1") + wrong + request(b"2") + request(b"3", content_type="text/plain") + request(b"4")
        )
        statuses = [(await client.response()).status for _ in range(5)]
        assert statuses == [200, 404, 200, 415, 200]
        assert up.receiver.bodies == [b"1", b"2", b"4"]


async def test_pipelined_requests_wait_for_the_one_in_work() -> None:
    async with running() as up, connected(up.port) as client:
        up.receiver.gate = asyncio.Event()
        up.receiver.faults = [InvalidRequest("first")]
        await client.send(request(b"1") + request(b"2"))
        await up.receiver.entered.wait()
        await client.send(*[request(b"later")] * 50)
        await asyncio.sleep(0.02)
        assert up.receiver.waiting == 1
        up.receiver.gate.set()
        assert [(await client.response()).status for _ in range(52)] == [400] + [200] * 51
        assert up.receiver.bodies == [b"2", *[b"later"] * 50]


@pytest.mark.parametrize("trailers", ["", "x-checksum: abc\r\n"])
async def test_chunks(trailers: str) -> None:
    async with running() as up, connected(up.port) as client:
        await client.send(
            chunked(b"ab", b"c" * 70_000, b"d", trailers=trailers) + chunked() + request(b"last")
        )
        assert [(await client.response()).status for _ in range(3)] == [200, 200, 200]
        assert up.receiver.bodies == [b"ab" + b"c" * 70_000 + b"d", b"", b"last"]
        assert "x-checksum" not in up.receiver.requests[0].headers


async def test_headers_come_in_lower_case_and_the_first_of_two_counts() -> None:
    async with running() as up, connected(up.port) as client:
        await client.send(
            request(headers=["X-API-Key: one", "x-api-key: two", "Empty:", "X-Name: Z\u00fcrich"])
        )
        await client.response()
        headers = up.receiver.requests[0].headers
        assert (headers["x-api-key"], headers["empty"], headers["x-name"]) == ("one", "", "Z\u00fcrich")


async def test_expect_100_continue_is_answered_before_the_body() -> None:
    async with running() as up, connected(up.port) as client:
        head = request(b"", length=5, headers=["Expect: 100-continue"])
        await client.send(head)
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"hello")
        assert (await client.response()).status == 200
        assert up.receiver.bodies == [b"hello"]


async def test_expect_100_continue_is_refused_without_the_body() -> None:
    async with running() as up, connected(up.port) as client:
        await client.send(request(b"", length=5, content_type="text/plain", headers=["Expect: 100-continue"]))
        answer = await client.response()
        assert (answer.status, answer.headers["connection"]) == (415, "close")


async def test_connection_close_is_honoured() -> None:
    async with running() as up, connected(up.port) as client:
        await client.send(request(headers=["Connection: close"]) + request(b"never"))
        assert (await client.response()).headers["connection"] == "close"
        assert await client.ended() == b""
        assert up.receiver.bodies == [b"hello"]


async def test_http_1_0() -> None:
    async with running() as up:
        async with connected(up.port) as client:
            await client.send(request(version="1.0"))
            assert (await client.response()).headers["connection"] == "close"
            assert await client.ended() == b""
        async with connected(up.port) as client:
            for _ in range(2):
                await client.send(request(version="1.0", headers=["Connection: keep-alive"]))
                assert (await client.response()).headers["connection"] == "keep-alive"


async def test_an_offer_of_http_2_is_declined_and_the_request_served() -> None:
    async with running() as up, connected(up.port) as client:
        offer = [
            "Connection: Upgrade, HTTP2-Settings",
            "Upgrade: h2c",
            "HTTP2-Settings: AAEAAEAAAAIAAAAA",
            "X-Api-Key: k",
        ]
        await client.send(request(b"with a body", headers=offer))
        assert (await client.response()).status == 200
        await client.send(request(b"next"))
        assert (await client.response()).status == 200
        assert up.receiver.bodies == [b"with a body", b"next"]
        assert up.receiver.requests[0].headers["x-api-key"] == "k"


@pytest.mark.parametrize(
    "garbage",
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /v1/traces HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
        b"POST /v1/traces HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\nContent-Type: application/x-protobuf\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_no_http_is_answered_400_and_closed(garbage: bytes) -> None:
    async with running() as up, connected(up.port) as client:
        await client.send(request(b"before") + garbage)
        assert (await client.response()).status == 200
        answer = await client.response()
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert await client.ended() == b""
        assert up.receiver.bodies == [b"before"]


async def test_a_head_over_64_kib_is_answered_431() -> None:
    long = ["X-Long: " + "x" * 70_000]
    many = [f"X-{number}: {'y' * 1_000}" for number in range(70)]
    for headers in (long, many):
        async with running() as up, connected(up.port) as client:
            await client.send(request(headers=headers))
            assert (await client.response()).status == 431
            assert up.receiver.bodies == []


async def test_a_head_without_end_is_answered_431() -> None:
    async with running() as up, connected(up.port) as client:
        await client.send(b"POST /v1/traces HTTP/1.1\r\nX-Long: ")
        with pytest.raises(ConnectionError):  # it is told, and then cut off when it does not stop
            for _ in range(10_000):
                await client.send(b"x" * 4_096, pause=0.001)
        assert up.budget.used == 0


async def test_a_body_that_is_mostly_wrapping_is_answered_400() -> None:
    async with running() as up, connected(up.port) as client:
        await client.send(chunked(b"a")[: -len(b"0\r\n\r\n")] + b"1;")
        await client.send(*[b"extension" * 1_000] * 20)
        assert (await client.response()).status == 400


async def test_many_tiny_chunks_are_no_attack() -> None:
    body = bytes(range(256)) * 300
    async with running() as up, connected(up.port) as client:
        message = chunked(*[body[at : at + 1] for at in range(len(body))])
        await client.send(*[message[at : at + 20_000] for at in range(0, len(message), 20_000)])
        assert (await client.response()).status == 200
        assert up.receiver.bodies == [body]


async def test_a_length_over_the_limit_is_refused_before_the_body() -> None:
    async with running(Settings(otlp_max_bytes=Bytes(1_000))) as up, connected(up.port) as client:
        await client.send(request(b"", length=1_001))
        answer = await client.response()
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert await client.ended() == b""


async def test_chunks_over_the_limit_are_refused_in_the_middle() -> None:
    async with running(Settings(otlp_max_bytes=Bytes(1_000))) as up:
        async with connected(up.port) as client:
            await client.send(chunked(b"x" * 600, b"y" * 600)[:-5])
            assert (await client.response()).status == 413
        async with connected(up.port) as client:
            await client.send(chunked(b"x" * 600, b"y" * 400))
            assert (await client.response()).status == 200


async def test_a_client_that_goes_on_sending_still_gets_its_refusal() -> None:
    async with running(Settings(otlp_max_bytes=Bytes(1 << 20))) as up, connected(up.port) as client:
        await client.send(request(b"", length=8 << 20))
        await client.send(*[b"x" * 65_536] * 32, pause=0.001)
        assert (await client.response()).status == 413


async def test_overload_is_refused_before_the_body_and_passes() -> None:
    settings = Settings(ingest_max_bytes=Bytes(1_000))
    async with running(settings) as up, connected(up.port) as first, connected(up.port) as second:
        up.receiver.gate = asyncio.Event()
        await first.send(request(b"x" * 800))
        await up.receiver.entered.wait()
        await second.send(request(b"", length=300))
        answer = await second.response()
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert "connection" not in answer.headers  # a small body is skipped
        await second.send(b"y" * 300)
        up.receiver.gate.set()
        assert (await first.response()).status == 200
        await second.send(request(b"z" * 300))
        assert (await second.response()).status == 200
        assert up.receiver.bodies == [b"x" * 800, b"z" * 300]


async def test_overload_in_the_middle_of_a_body() -> None:
    settings = Settings(ingest_max_bytes=Bytes(1_000))
    async with running(settings) as up, connected(up.port) as client:
        await client.send(chunked(b"x" * 900, b"y" * 200)[:-5])
        answer = await client.response()
        assert (answer.status, answer.headers["connection"]) == (503, "close")
        assert up.budget.used == 0


async def test_a_stalled_body_is_answered_408_and_a_slow_one_served() -> None:
    async with (
        running(Settings(body_timeout=0.2)) as up,
        connected(up.port) as slow,
        connected(up.port) as stalled,
    ):
        await stalled.send(request(b"hel", length=5))
        await slow.send(request(b"", length=8), *[b"x"] * 8, pause=0.08)
        assert (await slow.response()).status == 200
        answer = await stalled.response()
        assert (answer.status, answer.headers["connection"]) == (408, "close")


async def test_a_head_that_drips_is_answered_408() -> None:
    async with running(Settings(body_timeout=0.2)) as up, connected(up.port) as client:
        head = request(b"")
        await client.send(*[head[at : at + 1] for at in range(6)], pause=0.08)
        assert (await client.response()).status == 408


async def test_an_idle_connection_is_closed() -> None:
    async with running(Settings(body_timeout=0.2), idle_timeout=0.1) as up, connected(up.port) as client:
        await client.send(request())
        assert (await client.response()).status == 200
        assert await client.ended() == b""


async def test_a_client_that_reads_nothing_is_cut_off() -> None:
    async with running(Settings(body_timeout=0.2)) as up, connected(up.port, limit=1_024) as client:
        head = request(path="/" + "x" * 150)
        with pytest.raises(ConnectionError):
            for _ in range(4_000):
                await client.send(head * 200)
                await asyncio.sleep(0)


async def test_half_closed_clients_get_their_answers() -> None:
    async with running() as up, connected(up.port) as client:
        up.receiver.gate = asyncio.Event()
        await client.send(request(b"1") + request(b"2") + request(b"cut off")[:-3])
        client.writer.write_eof()
        await asyncio.sleep(0.02)
        up.receiver.gate.set()
        assert [(await client.response()).status for _ in range(2)] == [200, 200]
        assert await client.ended() == b""
        assert up.receiver.bodies == [b"1", b"2"]


async def test_a_client_that_goes_away_changes_nothing() -> None:
    async with running() as up:
        up.receiver.gate = asyncio.Event()
        async with connected(up.port) as client:
            await client.send(request(b"whole") + request(b"half", length=900))
            await up.receiver.entered.wait()
        await asyncio.sleep(0.02)
        up.receiver.gate.set()
        await asyncio.sleep(0.02)
        assert up.receiver.bodies == [b"whole"]
        assert up.budget.used == 0


async def test_stop_finishes_what_is_in_work() -> None:
    async with running() as up, connected(up.port) as busy, connected(up.port) as idle:
        up.receiver.gate = asyncio.Event()
        await busy.send(request(b"in work"))
        await up.receiver.entered.wait()
        stopping = asyncio.create_task(up.server.stop(5.0))
        assert await idle.ended() == b""
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", up.port)
        up.receiver.gate.set()
        answer = await busy.response()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        await stopping


async def test_stop_answers_503_to_what_does_not_finish() -> None:
    async with running() as up, connected(up.port) as client:
        up.receiver.gate = asyncio.Event()
        await client.send(request(b"in work"))
        await up.receiver.entered.wait()
        await up.server.stop(0.05)
        assert (await client.response()).status == 503


async def test_a_port_in_use_is_named() -> None:
    from ingest.http_server import serve_http

    async with running() as up:
        with pytest.raises(StartupError, match=f"EVALSTREAM_OTLP_HTTP_PORT: .*127.0.0.1, port {up.port}"):
            await serve_http(
                up.receiver,
                Settings(),
                budget=up.budget,
                host="127.0.0.1",
                port=up.port,
                ssl_context=None,
                ready=lambda: (),
            )


async def test_many_connections_at_once() -> None:
    async with running() as up:

        async def one(number: int) -> int:
            async with connected(up.port) as client:
                await client.send(request(b"%d" % number))
                return (await client.response()).status

        assert await asyncio.gather(*[one(number) for number in range(200)]) == [200] * 200
        assert sorted(up.receiver.bodies) == sorted(b"%d" % number for number in range(200))


async def test_head_has_no_body() -> None:
    async with running() as up, connected(up.port) as client:
        await client.send(request(b"", method="HEAD", path="/healthz") + request(b"", method="HEAD"))
        head = b""
        while head.count(b"\r\n\r\n") < 2:
            head += await client.reader.read(4_096)
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert b"\r\n\r\nHTTP/1.1 405 Method Not Allowed" in head
        assert head.endswith(b"\r\n\r\n")
        assert isinstance(client, Client)


async def test_a_request_that_begins_behind_one_in_work_is_read_on() -> None:
    async with running() as up, connected(up.port) as client:
        up.receiver.gate = asyncio.Event()
        second = request(b"x" * 300_000)
        await client.send(request(b"1") + second[:500])
        await up.receiver.entered.wait()
        up.receiver.gate.set()
        await client.send(second[500:])
        assert [(await client.response()).status for _ in range(2)] == [200, 200]
        assert up.receiver.bodies == [b"1", b"x" * 300_000]
