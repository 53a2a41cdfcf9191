"""OTLP/gRPC: raw bytes in, the right status codes and details out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from ingest.admission import Budget
from ingest.grpc_server import GrpcServer, serve_grpc
from ingest.service import OtlpAnswer
from schemas.errors import (
    EvalstreamError,
    Forbidden,
    InvalidRequest,
    Overloaded,
    StartupError,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from schemas.settings import Bytes, Settings
from tests.otlp import SERVICES
from tests.unit.ingest_http.servers import Recorder

SETTINGS = Settings(otlp_max_bytes=Bytes(6 << 20), ingest_max_bytes=Bytes(10 << 20))


@dataclass
class Running:
    """A gRPC server of a test."""

    server: GrpcServer
    receiver: Recorder
    budget: Budget
    reasons: list[str]
    channel: grpc.aio.Channel

    async def export(
        self, body: bytes = b"body", signal: str = "traces", *, compression: grpc.Compression | None = None
    ) -> bytes:
        call = method(self.channel, SERVICES[signal])
        metadata = (("X-Api-Key".lower(), "k"), ("bytes-bin", b"\0"))
        return bytes(await call(body, timeout=20, metadata=metadata, compression=compression))


def method(channel: grpc.aio.Channel, path: str) -> grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]:
    """A method on raw bytes."""
    return channel.unary_unary(path)


async def serve(receiver: Recorder, budget: Budget, reasons: list[str], port: int = 0) -> GrpcServer:
    return await serve_grpc(
        receiver,
        SETTINGS,
        budget=budget,
        host="127.0.0.1",
        port=port,
        credentials=None,
        ready=lambda: reasons,
    )


@pytest.fixture
async def up() -> AsyncIterator[Running]:
    receiver, budget, reasons = Recorder(), Budget(SETTINGS.ingest_max_bytes), list[str]()
    server = await serve(receiver, budget, reasons)
    options = [("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", options=options) as channel:
        yield Running(server, receiver, budget, reasons, channel)
    await server.stop(0)
    assert budget.used == 0


async def failed(
    up: Running, body: bytes = b"body", compression: grpc.Compression | None = None
) -> tuple[grpc.StatusCode, Status]:
    """The code and the details of a refusal."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await up.export(body, compression=compression)
    details = dict(refused.value.trailing_metadata()).get("grpc-status-details-bin", b"")
    assert isinstance(details, bytes)
    return refused.value.code(), Status.FromString(details)


@pytest.mark.parametrize("signal", ["traces", "logs", "metrics"])
@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip, grpc.Compression.Deflate])
async def test_exports(up: Running, signal: str, compression: grpc.Compression | None) -> None:
    assert await up.export(b"text " * 1_000, signal, compression=compression) == b""
    (request,) = up.receiver.requests
    assert (request.signal, request.encoding, request.body) == (signal, "protobuf", b"text " * 1_000)
    assert request.headers["x-api-key"] == "k"
    assert "bytes-bin" not in request.headers


async def test_an_empty_request_is_a_success(up: Running) -> None:
    assert await up.export(b"") == b""
    assert up.receiver.bodies == [b""]


async def test_partial_success(up: Running) -> None:
    up.receiver.answer = OtlpAnswer(3, "zero ids")
    partial = ExportTraceServiceResponse.FromString(await up.export()).partial_success
    assert (partial.rejected_spans, partial.error_message) == (3, "zero ids")


@pytest.mark.parametrize(
    ("error", "code", "delay"),
    [
        (InvalidRequest("no OTLP"), grpc.StatusCode.INVALID_ARGUMENT, None),
        (Unauthenticated("a key is needed"), grpc.StatusCode.UNAUTHENTICATED, None),
        (Forbidden("not yours"), grpc.StatusCode.PERMISSION_DENIED, None),
        (TooLarge("too large"), grpc.StatusCode.RESOURCE_EXHAUSTED, None),
        (Overloaded("too much", retry_after=7), grpc.StatusCode.UNAVAILABLE, 7),
        (Unavailable("the log is away: ü"), grpc.StatusCode.UNAVAILABLE, 2),
        (EvalstreamError("a bug"), grpc.StatusCode.INTERNAL, None),
    ],
)
async def test_errors_of_the_receiver(
    up: Running, error: EvalstreamError, code: grpc.StatusCode, delay: int | None
) -> None:
    up.receiver.faults = [error]
    answered, status = await failed(up)
    assert (answered, status.code, status.message) == (code, code.value[0], error.detail)
    retry = RetryInfo()
    assert bool(status.details) == (delay is not None)
    if delay is not None:
        assert status.details[0].Unpack(retry)
        assert retry.retry_delay.seconds == delay
    assert await up.export() == b""


async def test_a_bug_is_internal_and_logged(up: Running, caplog: pytest.LogCaptureFixture) -> None:
    up.receiver.faults = [RuntimeError("secret detail")]
    code, status = await failed(up)
    assert code is grpc.StatusCode.INTERNAL
    assert "secret" not in status.message
    assert "secret detail" in caplog.text


async def test_a_long_message_still_arrives(up: Running) -> None:
    up.receiver.faults = [InvalidRequest("ü" * 50_000)]
    code, status = await failed(up)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert status.message.startswith("üüü")


async def test_messages_over_four_mib_are_taken_and_over_the_limit_refused_for_good(up: Running) -> None:
    assert await up.export(bytes(5 << 20)) == b""
    for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
        code, status = await failed(up, bytes(7 << 20), compression=compression)
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert not status.details


async def test_overload_is_unavailable_with_retry_info(up: Running) -> None:
    up.budget.take(9 << 20)
    code, status = await failed(up, bytes(2 << 20))
    assert code is grpc.StatusCode.UNAVAILABLE
    assert status.details[0].type_url.endswith("google.rpc.RetryInfo")
    up.budget.give(9 << 20)
    assert await up.export(bytes(2 << 20)) == b""


async def test_what_the_receiver_began_it_finishes_after_the_clients_deadline(up: Running) -> None:
    up.receiver.gate = asyncio.Event()
    with pytest.raises(grpc.aio.AioRpcError) as late:
        await method(up.channel, SERVICES["traces"])(b"body", timeout=0.1)
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    up.receiver.gate.set()
    await asyncio.sleep(0.05)
    assert up.receiver.bodies == [b"body"]


async def test_stop_finishes_what_is_in_work(up: Running) -> None:
    up.receiver.gate = asyncio.Event()
    export = asyncio.create_task(up.export())
    await up.receiver.entered.wait()
    stopping = asyncio.create_task(up.server.stop(5))
    await asyncio.sleep(0.05)
    up.receiver.gate.set()
    assert await export == b""
    await stopping


async def test_health(up: Running) -> None:
    check = method(up.channel, "/grpc.health.v1.Health/Check")
    assert await check(b"") == b"\x08\x01"
    up.reasons.append("the HTTP port does not accept yet")
    assert await check(b"") == b"\x08\x02"


async def test_unknown_methods(up: Running) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await method(up.channel, "/opentelemetry.proto.collector.trace.v1.TraceService/Import")(b"")
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_port_in_use_is_named(up: Running) -> None:
    with pytest.raises(StartupError, match=f"EVALSTREAM_OTLP_GRPC_PORT: .*127.0.0.1:{up.server.port}"):
        await serve(up.receiver, up.budget, [], up.server.port)
