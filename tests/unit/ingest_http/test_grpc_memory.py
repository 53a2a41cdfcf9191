"""Many large messages at once: the server holds few of them, and nobody is locked out by those that do not come."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest
from google.rpc.status_pb2 import Status

from ingest.admission import Budget
from ingest.grpc_server import RECEIVED_AT_ONCE, serve_grpc
from schemas.settings import Settings
from tests.otlp import SERVICES
from tests.server import REPOSITORY
from tests.unit.ingest_http.grpc_child import AT_ONCE, LARGEST
from tests.unit.ingest_http.servers import Recorder
from tests.unit.ingest_http.test_grpc import method

CONNECTIONS, EACH = 5, 20
MOST = AT_ONCE + 3 * RECEIVED_AT_ONCE * LARGEST
"""Bytes: the budget, and what is being received, as the core has it and as Python gets it, with some waste."""
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]


@pytest.fixture
def child() -> Iterator[tuple[int, int]]:
    """(process id, port) of a server."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "tests.unit.ingest_http.grpc_child"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=REPOSITORY
    ) as process:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline())


def memory(pid: int, name: str) -> int:
    """A memory figure of a process in bytes: VmRSS now, VmHWM at most so far."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))


async def test_large_messages_wait_in_their_clients(child: tuple[int, int]) -> None:
    pid, port = child
    before, body, codes = memory(pid, "VmRSS"), bytes(LARGEST - 1000), Counter[str]()
    assert CONNECTIONS * EACH * len(body) > 1.5 * MOST

    async def send(channel: grpc.aio.Channel) -> None:
        try:
            await method(channel, SERVICES["traces"])(body, timeout=60)
            codes["OK"] += 1
        except grpc.aio.AioRpcError as error:
            codes[error.code().name] += 1

    async with AsyncExitStack() as stack:
        address = f"127.0.0.1:{port}"
        channels = [
            await stack.enter_async_context(grpc.aio.insecure_channel(address, options=OWN_CONNECTION))
            for _ in range(CONNECTIONS)
        ]
        await asyncio.gather(*(send(channel) for channel in channels for _ in range(EACH)))
        assert memory(pid, "VmHWM") - before < MOST
        assert set(codes) <= {"OK", "UNAVAILABLE"}
        assert codes["OK"] >= AT_ONCE // LARGEST
        await send(channels[0])
        assert codes["OK"] > AT_ONCE // LARGEST, "there is room again"


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a server that waits half a second for a message."""
    budget = Budget(1 << 20)
    settings = Settings(body_timeout=0.5)
    server = await serve_grpc(
        Recorder(), settings, budget=budget, host="127.0.0.1", port=0, credentials=None, ready=list
    )
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as opened:
        yield opened
    await server.stop(0)
    assert budget.used == 0


def silent(channel: grpc.aio.Channel) -> grpc.aio.StreamUnaryCall[bytes, bytes]:
    """A call that sends no message of itself."""
    method: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(SERVICES["traces"])
    return method()


async def test_messages_that_do_not_come_give_up_their_places(channel: grpc.aio.Channel) -> None:
    stalled = [silent(channel) for _ in range(RECEIVED_AT_ONCE)]
    await asyncio.gather(*(call.wait_for_connection() for call in stalled))
    await asyncio.sleep(0.25)
    assert await method(channel, SERVICES["traces"])(b"body", timeout=10) == b""
    for call in stalled:
        assert await call.code() is grpc.StatusCode.UNAVAILABLE
        (details,) = [v for k, v in await call.trailing_metadata() if k == "grpc-status-details-bin"]
        assert isinstance(details, bytes)
        status = Status.FromString(details)
        assert status.message == "the message did not arrive within 0.5 s; send again"
        assert status.details[0].type_url.endswith("google.rpc.RetryInfo")


async def test_a_client_that_leaves_gives_up_its_place(channel: grpc.aio.Channel) -> None:
    stalled = [silent(channel) for _ in range(RECEIVED_AT_ONCE)]
    await asyncio.gather(*(call.wait_for_connection() for call in stalled))
    for call in stalled:
        call.cancel()
    assert await method(channel, SERVICES["traces"])(b"body", timeout=0.4) == b""


async def test_a_call_without_a_message_is_refused(channel: grpc.aio.Channel) -> None:
    call = silent(channel)
    await call.done_writing()
    assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
