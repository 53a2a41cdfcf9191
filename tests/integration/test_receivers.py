"""Real OpenTelemetry exporters against the transports, with a receiver that records and fails on demand."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import httpx
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ingest.admission import Budget
from ingest.grpc_server import serve_grpc
from ingest.http_server import serve_http
from ingest.service import OtlpAnswer, OtlpRequest
from ingest.tls import server_context, server_credentials
from schemas.errors import Forbidden, InvalidRequest, Overloaded, StartupError, Unavailable
from schemas.settings import Settings
from tests.otlp import SERVICES
from tests.unit.ingest_http.servers import CERTIFICATES, PROTOBUF, Recorder

TLS = Settings(tls_cert=CERTIFICATES / "server.pem", tls_key=CERTIFICATES / "server.key")
MUTUAL = Settings(
    tls_cert=CERTIFICATES / "server.pem",
    tls_key=CERTIFICATES / "server.key",
    tls_client_ca=CERTIFICATES / "ca.pem",
)


@asynccontextmanager
async def receiving(settings: Settings | None = None) -> AsyncIterator[tuple[Recorder, int, int]]:
    """The recorder, and the ports of HTTP and gRPC in front of it, which share one budget."""
    settings = settings or Settings()
    receiver, budget = Recorder(), Budget(settings.ingest_max_bytes)
    common: dict[str, Any] = {"budget": budget, "host": "127.0.0.1", "port": 0, "ready": lambda: ()}
    http = await serve_http(receiver, settings, ssl_context=server_context(settings), **common)
    rpc = await serve_grpc(receiver, settings, credentials=server_credentials(settings), **common)
    try:
        yield receiver, http.port, rpc.port
    finally:
        await http.stop(1)
        await rpc.stop(1)
    assert budget.used == 0


def spans(count: int) -> list[ReadableSpan]:
    """Finished spans of a tracer."""
    memory, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    for number in range(count):
        with provider.get_tracer("test").start_as_current_span(f"chat {number}") as span:
            span.set_attribute("gen_ai.request.model", "gpt-5")
    return list(memory.get_finished_spans())


def names(request: OtlpRequest) -> list[str]:
    """The names of the spans in a protobuf request."""
    message = ExportTraceServiceRequest.FromString(request.body)
    return [s.name for r in message.resource_spans for scope in r.scope_spans for s in scope.spans]


@pytest.fixture(params=["http", "http-gzip", "http-deflate", "grpc", "grpc-gzip"])
async def exporting(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Recorder, SpanExporter]]:
    """A recorder, and an exporter that sends to it."""
    async with receiving() as (receiver, http_port, grpc_port):
        transport, _, coding = request.param.partition("-")
        exporter: SpanExporter
        if transport == "http":
            compression = Compression(coding or "none")
            exporter = HttpExporter(f"http://127.0.0.1:{http_port}/v1/traces", compression=compression)
        else:
            compressed = grpc.Compression.Gzip if coding else grpc.Compression.NoCompression
            exporter = GrpcExporter(f"127.0.0.1:{grpc_port}", insecure=True, compression=compressed)
        yield receiver, exporter
        await asyncio.to_thread(exporter.shutdown)


async def exported(exporter: SpanExporter, count: int = 3) -> SpanExportResult:
    return await asyncio.to_thread(exporter.export, spans(count))


async def test_exports_arrive_whole(exporting: tuple[Recorder, SpanExporter]) -> None:
    receiver, exporter = exporting
    for count in (1, 500):
        assert await exported(exporter, count) is SpanExportResult.SUCCESS
        assert names(receiver.requests[-1]) == [f"chat {number}" for number in range(count)]


async def test_what_passes_is_sent_again(exporting: tuple[Recorder, SpanExporter]) -> None:
    receiver, exporter = exporting
    receiver.faults = [Overloaded("too much", retry_after=1), Unavailable("the log is away", retry_after=1)]
    assert await exported(exporter) is SpanExportResult.SUCCESS
    assert [names(request) for request in receiver.requests] == [["chat 0", "chat 1", "chat 2"]]


# not TooLarge: the Python exporter sends again after any RESOURCE_EXHAUSTED, with RetryInfo or without
@pytest.mark.parametrize("error", [InvalidRequest("no OTLP"), Forbidden("not yours")])
async def test_what_is_final_is_not(
    exporting: tuple[Recorder, SpanExporter], error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    receiver, exporter = exporting
    receiver.faults = [error]
    with caplog.at_level(logging.ERROR):
        assert await exported(exporter) is SpanExportResult.FAILURE
    assert receiver.requests == []


async def test_partial_success_is_success(exporting: tuple[Recorder, SpanExporter]) -> None:
    receiver, exporter = exporting
    receiver.answer = OtlpAnswer(1, "one span has no id")
    assert await exported(exporter) is SpanExportResult.SUCCESS
    assert len(receiver.requests) == 1


async def test_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    ):  # for `requests` these go before what its caller says
        monkeypatch.delenv(name, raising=False)
    async with receiving(TLS) as (receiver, http_port, grpc_port):
        authority = CERTIFICATES / "ca.pem"
        over_http = HttpExporter(f"https://localhost:{http_port}/v1/traces", certificate_file=str(authority))
        credentials = grpc.ssl_channel_credentials(authority.read_bytes())
        over_grpc = GrpcExporter(f"https://localhost:{grpc_port}", credentials=credentials)
        for exporter in (over_http, over_grpc):
            assert await exported(exporter) is SpanExportResult.SUCCESS
            await asyncio.to_thread(exporter.shutdown)
        assert len(receiver.requests) == 2


async def test_clients_without_a_certificate_are_refused_when_one_is_asked_for() -> None:
    async with receiving(MUTUAL) as (receiver, http_port, grpc_port):
        certificate = (CERTIFICATES / "client.pem", CERTIFICATES / "client.key")
        with_one = ssl.create_default_context(cafile=CERTIFICATES / "ca.pem")
        with_one.load_cert_chain(*certificate)
        without = ssl.create_default_context(cafile=CERTIFICATES / "ca.pem")
        url = f"https://localhost:{http_port}/v1/traces"
        async with httpx.AsyncClient(verify=with_one) as client:
            answer = await client.post(url, content=b"http", headers={"content-type": PROTOBUF})
            assert answer.status_code == 200
        async with httpx.AsyncClient(verify=without) as client:
            with pytest.raises(httpx.TransportError):
                await client.post(url, content=b"refused", headers={"content-type": PROTOBUF})
        authority, (chain, key) = (CERTIFICATES / "ca.pem").read_bytes(), certificate
        known = grpc.ssl_channel_credentials(authority, key.read_bytes(), chain.read_bytes())
        async with grpc.aio.secure_channel(f"localhost:{grpc_port}", known) as channel:
            await grpc_export(channel, b"grpc")
        async with grpc.aio.secure_channel(
            f"localhost:{grpc_port}", grpc.ssl_channel_credentials(authority)
        ) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await grpc_export(channel, b"refused")
        assert receiver.bodies == [b"http", b"grpc"]


async def grpc_export(channel: grpc.aio.Channel, body: bytes) -> None:
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(SERVICES["traces"])
    assert await call(body, timeout=10) == b""


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            Settings(tls_key=CERTIFICATES / "server.key"),
            "EVALSTREAM_TLS_KEY is set but EVALSTREAM_TLS_CERT is not",
        ),
        (Settings(tls_cert=CERTIFICATES / "absent.pem"), "EVALSTREAM_TLS_CERT: there is no file"),
        (
            Settings(tls_cert=CERTIFICATES / "server.pem"),
            "EVALSTREAM_TLS_CERT / EVALSTREAM_TLS_KEY: .*server.pem",
        ),
        (
            Settings(tls_cert=CERTIFICATES / "server.pem", tls_key=CERTIFICATES / "client.key"),
            "EVALSTREAM_TLS_CERT / EVALSTREAM_TLS_KEY: .*client.key",
        ),
        (
            Settings(
                tls_cert=CERTIFICATES / "server.pem",
                tls_key=CERTIFICATES / "server.key",
                tls_client_ca=CERTIFICATES / "server.key",
            ),
            "EVALSTREAM_TLS_CLIENT_CA: .*server.key",
        ),
    ],
)
def test_bad_tls_settings_are_named(settings: Settings, message: str) -> None:
    for build in (server_context, server_credentials):
        with pytest.raises(StartupError, match=message):
            build(settings)


def test_tls_is_off_without_a_certificate() -> None:
    assert server_context(Settings()) is None
    assert server_credentials(Settings()) is None
