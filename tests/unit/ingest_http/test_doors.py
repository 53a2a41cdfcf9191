"""What OTLP obliges a server to (opentelemetry-proto `docs/specification.md`), through both doors: socket and ASGI."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import zstandard
from google.protobuf import json_format
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from ingest.admission import Budget
from ingest.asgi import OtlpMiddleware
from ingest.http_service import OtlpHttp
from ingest.service import OtlpAnswer
from schemas.errors import (
    EvalstreamError,
    FieldProblem,
    Forbidden,
    InvalidRequest,
    Overloaded,
    Unauthenticated,
    Unavailable,
)
from schemas.settings import Bytes, Settings
from tests.unit.ingest_http.servers import PROTOBUF, Recorder, running

JSON = "application/json"
PAGE = "https://shop.example"
SETTINGS = Settings(
    otlp_max_bytes=Bytes(100_000),
    ingest_max_bytes=Bytes(300_000),
    otlp_path_prefixes=("vendor/x/",),
    cors_origins=(PAGE,),
)


@dataclass
class Door:
    """A way in."""

    client: httpx.AsyncClient
    receiver: Recorder
    budget: Budget
    reasons: list[str] = field(default_factory=list)

    async def post(
        self, content: Any = b"body", content_type: str = PROTOBUF, **headers: str
    ) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(
            "/v1/traces", content=content, headers={"content-type": content_type} | named
        )


async def other_app(scope: Any, receive: Any, send: Any) -> None:
    """What else the ASGI server serves."""
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"other"})


@pytest.fixture(params=["socket", "asgi"])
async def door(request: pytest.FixtureRequest) -> AsyncIterator[Door]:
    if request.param == "socket":
        async with (
            running(SETTINGS) as up,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{up.port}", verify=False) as client,
        ):
            yield Door(client, up.receiver, up.budget, up.reasons)
        return
    receiver, budget = Recorder(), Budget(SETTINGS.ingest_max_bytes)
    app = OtlpMiddleware(other_app, OtlpHttp(receiver, SETTINGS, budget, lambda: ()))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(base_url="http://testserver", transport=transport, verify=False) as client:
        yield Door(client, receiver, budget)
    assert budget.used == 0


def status_of(response: httpx.Response) -> Status:
    """The google.rpc.Status of an answer, whichever way it is encoded."""
    if response.headers["content-type"] == PROTOBUF:
        return Status.FromString(response.content)
    assert response.headers["content-type"] == JSON
    return json_format.Parse(response.content, Status())


@pytest.mark.parametrize("end", ["", "/", "?source=test"])
@pytest.mark.parametrize("prefix", ["", "/otel", "/api/public/otel", "/api/v1/private/otel", "/vendor/x"])
@pytest.mark.parametrize("signal", ["traces", "logs", "metrics"])
async def test_paths(door: Door, prefix: str, signal: str, end: str) -> None:
    response = await door.client.post(
        f"{prefix}/v1/{signal}{end}", content=b"x", headers={"content-type": PROTOBUF}
    )
    assert response.status_code == 200
    assert [(r.signal, r.body) for r in door.receiver.requests] == [(signal, b"x")]


@pytest.mark.parametrize(
    "path", ["/v1/info", "/v1", "/v1/traces/x", "/otel/v1/spans", "/v1development/profiles"]
)
async def test_unknown_otlp_paths_are_404_with_a_status(door: Door, path: str) -> None:
    for response in (
        await door.client.get(path),
        await door.client.post(path, content=b"x", headers={"content-type": PROTOBUF}),
    ):
        if response.status_code == 299:  # not OTLP's, and the other application's to answer
            continue
        assert response.status_code == 404
        assert path in status_of(response).message


async def test_what_is_not_otlp_is_the_applications(door: Door) -> None:
    on_socket = bool(door.reasons) or (await door.client.get("/healthz")).status_code == 200
    response = await door.client.post("/api/public/ingestion", json={"batch": []})
    assert response.status_code == (404 if on_socket else 299)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
async def test_other_methods_are_405_with_a_status(door: Door, method: str) -> None:
    response = await door.client.request(method, "/v1/traces", headers={"content-type": PROTOBUF})
    assert (response.status_code, response.headers["allow"]) == (405, "POST, OPTIONS")
    if method == "HEAD":
        assert response.content == b""
    else:
        assert status_of(response).code == 12


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (PROTOBUF, PROTOBUF),
        (JSON, JSON),
        ("application/json; charset=utf-8", JSON),
        ("Application/X-Protobuf", PROTOBUF),
    ],
)
async def test_success_is_the_empty_message_in_the_requests_type(
    door: Door, sent: str, answered: str
) -> None:
    response = await door.post(content_type=sent)
    assert (response.status_code, response.headers["content-type"]) == (200, answered)
    assert response.content == (b"" if answered == PROTOBUF else b"{}")
    assert door.receiver.requests[0].encoding == ("protobuf" if answered == PROTOBUF else "json")


async def test_an_empty_request_is_a_success(door: Door) -> None:
    assert (await door.post(b"")).status_code == 200
    assert door.receiver.bodies == [b""]


@pytest.mark.parametrize("content_type", ["text/plain", "application/grpc", "", "json"])
async def test_unknown_types_are_415(door: Door, content_type: str) -> None:
    response = await door.post(content_type=content_type)
    assert response.status_code == 415
    assert "application/x-protobuf" in status_of(response).message


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
async def test_unknown_codings_are_415(door: Door, content_type: str) -> None:
    response = await door.post(content_type=content_type, content_encoding="br")
    assert (response.status_code, response.headers["accept-encoding"]) == (415, "gzip, deflate, zstd")
    assert response.headers["content-type"] == content_type


@pytest.mark.parametrize(
    ("name", "compress"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("zstd", zstandard.ZstdCompressor().compress),
        ("identity", bytes),
    ],
)
async def test_codings(door: Door, name: str, compress: Any) -> None:
    body = b"the same text over and over " * 100
    assert (await door.post(compress(body), content_encoding=name)).status_code == 200
    assert door.receiver.bodies == [body]


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
async def test_damaged_codings_are_400(door: Door, content_type: str) -> None:
    response = await door.post(gzip.compress(b"body")[:-4], content_type, content_encoding="gzip")
    assert (response.status_code, response.headers["content-type"]) == (400, content_type)
    assert status_of(response).code == 3


async def test_too_large_as_sent_and_after_decompression_is_413(door: Door) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield bytes(10_000)

    large = await door.post(bytes(100_001))
    bomb = await door.post(gzip.compress(bytes(50_000_000)), content_encoding="gzip")
    streamed = await door.post(chunks())
    for response in (large, bomb, streamed):
        assert response.status_code == 413
        assert status_of(response).code == 8
        assert not status_of(response).details
        assert "retry-after" not in response.headers
    assert (await door.post(bytes(100_000))).status_code == 200


async def test_chunked_bodies(door: Door) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for letter in (b"a", b"b", b"c"):
            yield letter * 100

    assert (await door.post(chunks())).status_code == 200
    assert door.receiver.bodies == [b"a" * 100 + b"b" * 100 + b"c" * 100]


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
async def test_partial_success(door: Door, content_type: str) -> None:
    door.receiver.answer = OtlpAnswer(3, "zero ids")
    response = await door.post(content_type=content_type)
    assert response.status_code == 200
    message = ExportTraceServiceResponse()
    if content_type == JSON:
        json_format.Parse(response.content, message)
    else:
        message.ParseFromString(response.content)
    assert (message.partial_success.rejected_spans, message.partial_success.error_message) == (3, "zero ids")


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
@pytest.mark.parametrize(
    ("error", "status", "code", "delay"),
    [
        (InvalidRequest("no OTLP"), 400, 3, None),
        (Unauthenticated("a key is needed"), 401, 16, None),
        (Forbidden("not yours"), 403, 7, None),
        (Overloaded("too much", retry_after=7), 503, 14, "7"),
        (Unavailable("the log is away"), 503, 14, "2"),
        (EvalstreamError("a bug"), 500, 13, None),
    ],
)
async def test_errors_of_the_receiver(
    door: Door, error: EvalstreamError, status: int, code: int, delay: str | None, content_type: str
) -> None:
    door.receiver.faults = [error]
    response = await door.post(content_type=content_type)
    assert (response.status_code, response.headers["content-type"]) == (status, content_type)
    assert response.headers.get("retry-after") == delay
    answered = status_of(response)
    assert (answered.code, answered.message) == (code, error.detail)
    retry = RetryInfo()
    if delay is not None:
        assert answered.details[0].Unpack(retry)
        assert retry.retry_delay.seconds == int(delay)
    assert (await door.post()).status_code == 200


async def test_bad_fields_are_named(door: Door) -> None:
    door.receiver.faults = [InvalidRequest("bad", errors=(FieldProblem("/resourceSpans", "not a list"),))]
    bad = BadRequest()
    assert status_of(await door.post()).details[0].Unpack(bad)
    assert (bad.field_violations[0].field, bad.field_violations[0].description) == (
        "/resourceSpans",
        "not a list",
    )


async def test_a_bug_is_500_and_logged_and_says_nothing_to_the_client(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    door.receiver.faults = [RuntimeError("secret detail")]
    response = await door.post()
    assert response.status_code == 500
    assert status_of(response).code == 13
    assert b"secret" not in response.content
    assert "secret detail" in caplog.text
    assert (await door.post()).status_code == 200


async def test_overload_is_answered_before_the_body_is_read(door: Door) -> None:
    door.budget.take(250_000)
    response = await door.post(bytes(60_000))
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert (await door.post(bytes(40_000))).status_code == 200
    door.budget.give(250_000)
    assert [len(body) for body in door.receiver.bodies] == [40_000]


async def test_a_page_of_an_allowed_origin_may_send(door: Door) -> None:
    asked = {
        "origin": PAGE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-api-key",
    }
    preflight = await door.client.options("/v1/traces", headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == PAGE
    assert preflight.headers["access-control-allow-headers"] == "content-type,x-api-key"
    assert "POST" in preflight.headers["access-control-allow-methods"]
    for path in ("/v1/traces", "/v1/nothing"):
        response = await door.client.post(path, content=b"{}", headers={"origin": PAGE, "content-type": JSON})
        assert response.headers["access-control-allow-origin"] == PAGE
        assert response.headers["vary"] == "origin"


async def test_other_pages_may_not(door: Door) -> None:
    for origin in ("https://shop.example.evil", "null", "http://shop.example"):
        preflight = await door.client.options(
            "/v1/traces", headers={"origin": origin, "access-control-request-method": "POST"}
        )
        assert "access-control-allow-origin" not in preflight.headers
        assert "access-control-allow-origin" not in (await door.post(origin=origin)).headers


async def test_health() -> None:
    async with (
        running() as up,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{up.port}", verify=False) as client,
    ):
        assert (await client.get("/readyz")).json() == {"status": "ok"}
        up.reasons.append("the gRPC port does not accept yet")
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        response = await client.get("/readyz")
        assert response.status_code == 503
        assert response.json() == {"status": "unavailable", "reasons": up.reasons}


async def test_a_stalled_body_over_asgi_is_408() -> None:
    receiver, budget = Recorder(), Budget(1_000)
    settings = Settings(body_timeout=0.05)
    app = OtlpMiddleware(other_app, OtlpHttp(receiver, settings, budget, lambda: ()))
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        if not budget.used:
            return {"type": "http.request", "body": b"first", "more_body": True}
        await asyncio.sleep(10)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/traces",
        "headers": [(b"content-type", JSON.encode())],
    }
    await app(scope, receive, send)
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["code"] == 4
    assert budget.used == 0


async def test_a_client_of_asgi_that_goes_away_gets_no_answer() -> None:
    receiver, budget = Recorder(), Budget(1_000)
    app = OtlpMiddleware(other_app, OtlpHttp(receiver, Settings(), budget, lambda: ()))
    messages = [
        {"type": "http.request", "body": b"first", "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/traces",
        "headers": [(b"content-type", JSON.encode())],
    }
    await app(scope, receive, send)
    assert (sent, receiver.requests, budget.used) == ([], [], 0)
