"""OTLP for tests: the captured fixtures, requests built by hand, and both ways to send them."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

CAPTURED = Path(__file__).resolve().parents[2] / "shared" / "otlp" / "fixtures"
"""All captured requests, beside the checkout."""
KEPT = Path(__file__).resolve().parent / "data" / "otlp"
"""The few that are kept in it."""
needs_captured = pytest.mark.skipif(not CAPTURED.is_dir(), reason="shared/ is not beside the checkout")
REQUESTS: Mapping[str, type[Message]] = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
SERVICES = {
    signal: f"/opentelemetry.proto.collector.{package}.v1.{name}Service/Export"
    for signal, package, name in (
        ("traces", "trace", "Trace"),
        ("logs", "logs", "Logs"),
        ("metrics", "metrics", "Metrics"),
    )
}
EPOCH = 1_795_168_800_000_000_000
"""The default start of a built span: 2026-11-20 10:00 UTC in nanoseconds."""


@dataclass(frozen=True)
class Fixture:
    """One captured request: its body as the client made it (decompressed) and how it was sent."""

    path: Path
    headers: Mapping[str, Any] = field(repr=False, compare=False)

    @property
    def sdk(self) -> str:
        """The folder: one SDK set-up."""
        return self.path.parent.name

    @property
    def case(self) -> str:
        """The scenario, without the number of the request."""
        return re.sub(r"-\d+$", "", self.path.name)

    @property
    def signal(self) -> str:
        """The signal: traces, logs or metrics."""
        return str(self.headers["signal"])

    @property
    def encoding(self) -> str:
        """The encoding: protobuf or json."""
        return str(self.headers["encoding"])

    @property
    def transport(self) -> str:
        """The transport: http or grpc."""
        return str(self.headers["transport"])

    @cached_property
    def body(self) -> bytes:
        """The decompressed request."""
        return self.path.with_name(self.path.name + ".bin").read_bytes()

    @cached_property
    def protobuf(self) -> bytes:
        """The same request as protobuf, whatever it was sent as."""
        return self.body if self.encoding == "protobuf" else as_protobuf(self.signal, self.body)

    def header(self, name: str) -> str:
        """A header as the client sent it, '' when it sent none."""
        given = {key.lower(): str(value) for key, value in self.headers["headers"].items()}
        return given.get(name, "")


def fixtures(only: str = "", root: Path | None = None) -> list[Fixture]:
    """Fixtures in the order in which they were received; `only` is "sdk" or "sdk/case"."""
    folder = root or (CAPTURED if CAPTURED.is_dir() else KEPT)
    found = [
        Fixture(
            file.with_name(file.name.removesuffix(".headers.json")),
            json.loads(file.read_text(encoding="utf-8")),
        )
        for file in folder.glob("*/*.headers.json")
    ]
    chosen = [f for f in found if not only or only in (f.sdk, f"{f.sdk}/{f.case}")]
    return sorted(chosen, key=lambda f: int(f.headers["received_unix_nano"]))


def as_protobuf(signal: str, body: bytes) -> bytes:
    """A JSON request as protobuf: the dialects differ in the spelling of ids."""
    document = json.loads(body)
    _ids_to_base64(document)
    request = json_format.ParseDict(document, REQUESTS[signal](), ignore_unknown_fields=True)
    return request.SerializeToString()


def _ids_to_base64(node: Any) -> None:
    if isinstance(node, list):
        for item in node:
            _ids_to_base64(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ("traceId", "spanId", "parentSpanId"):
                node[key] = base64.b64encode(bytes.fromhex(value)).decode()
            else:
                _ids_to_base64(value)


def any_value(value: Any) -> AnyValue:
    """A Python value as AnyValue; None is an empty one."""
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case Mapping():
            return AnyValue(kvlist_value=KeyValueList(values=attributes(value)))
        case list() | tuple():
            return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))
    return AnyValue(string_value=str(value))


def attributes(values: Mapping[str, Any]) -> list[KeyValue]:
    """A mapping as OTLP attributes."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in values.items()]


def span(
    name: str = "chat",
    *,
    trace_id: str = "1" * 32,
    span_id: str = "1" * 16,
    parent: str = "",
    start: int = EPOCH,
    end: int | None = None,
    status: Status.StatusCode.ValueType = Status.STATUS_CODE_UNSET,
    message: str = "",
    events: Iterable[tuple[str, int, Mapping[str, Any]]] = (),
    **values: Any,
) -> Span:
    """A span; `values` are attributes with `__` for each dot (`gen_ai__system="openai"`), or one mapping `attributes=`."""
    given = dict(values.pop("attributes", {})) | {
        key.replace("__", "."): value for key, value in values.items()
    }
    return Span(
        trace_id=bytes.fromhex(trace_id),
        span_id=bytes.fromhex(span_id),
        parent_span_id=bytes.fromhex(parent),
        name=name,
        start_time_unix_nano=start,
        end_time_unix_nano=start + 1_000_000 if end is None else end,
        status=Status(code=status, message=message),
        attributes=attributes(given),
        events=[Span.Event(name=n, time_unix_nano=t, attributes=attributes(a)) for n, t, a in events],
    )


def traces(*spans: Span, resource: Mapping[str, Any] | None = None, scope: str = "test") -> bytes:
    """A trace request of one resource and scope."""
    request = ExportTraceServiceRequest()
    outer = request.resource_spans.add()
    outer.resource.attributes.extend(attributes(resource or {"service.name": "shop"}))
    inner = outer.scope_spans.add()
    inner.scope.name = scope
    inner.spans.extend(spans)
    return request.SerializeToString()


def log(
    event: str, body: Any = None, *, trace_id: str = "", span_id: str = "", time: int = EPOCH, **values: Any
) -> LogRecord:
    """A log record; `values` as in `span`."""
    given = dict(values.pop("attributes", {})) | {
        key.replace("__", "."): value for key, value in values.items()
    }
    return LogRecord(
        trace_id=bytes.fromhex(trace_id),
        span_id=bytes.fromhex(span_id),
        event_name=event,
        observed_time_unix_nano=time,
        body=any_value(body),
        attributes=attributes(given),
    )


def logs(*records: LogRecord, resource: Mapping[str, Any] | None = None) -> bytes:
    """A log request of one resource and scope."""
    request = ExportLogsServiceRequest()
    outer = request.resource_logs.add()
    outer.resource.attributes.extend(attributes(resource or {"service.name": "shop"}))
    outer.scope_logs.add().log_records.extend(records)
    return request.SerializeToString()


def post(
    client: httpx.Client, signal: str, body: bytes, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """Sends a protobuf request to `/v1/<signal>`."""
    return client.post(
        f"/v1/{signal}",
        content=body,
        headers={"content-type": "application/x-protobuf"} | dict(headers or {}),
    )


def post_fixture(client: httpx.Client, fixture: Fixture, project: str) -> httpx.Response:
    """Sends a fixture over HTTP the way its client did: the same type, compression and chunking (protobuf when it was gRPC)."""
    is_json = fixture.transport == "http" and fixture.encoding == "json"
    headers = {
        "content-type": "application/json" if is_json else "application/x-protobuf",
        "x-evalstream-project": project,
    }
    body = fixture.body if is_json else fixture.protobuf
    if fixture.header("content-encoding") == "gzip":
        body, headers["content-encoding"] = gzip.compress(body), "gzip"
    chunked = fixture.header("transfer-encoding") == "chunked"
    return client.post(f"/v1/{fixture.signal}", content=_chunks(body) if chunked else body, headers=headers)


def _chunks(body: bytes, size: int = 16_384) -> Iterator[bytes]:
    yield from (body[at : at + size] for at in range(0, len(body), size))


def call_fixture(channel: grpc.Channel, fixture: Fixture, project: str) -> bytes:
    """Sends a fixture over gRPC. Raises grpc.RpcError unless the answer is OK."""
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(SERVICES[fixture.signal])
    return call(fixture.protobuf, timeout=30, metadata=(("x-evalstream-project", project),))
