"""One request, three ways to send it, one shape of answer."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import grpc
import httpx
from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests import otlp
from tests.server import Server

Way = Literal["protobuf", "json", "grpc"]
WAYS: tuple[Way, ...] = ("protobuf", "json", "grpc")
_TYPES = {"protobuf": "application/x-protobuf", "json": "application/json"}
_HTTP_OF_GRPC = {"OK": 200, "INVALID_ARGUMENT": 400, "RESOURCE_EXHAUSTED": 413, "UNAVAILABLE": 503}
_IDS = ("traceId", "spanId", "parentSpanId")


@dataclass(frozen=True)
class Answer:
    """What the server said: the HTTP status (gRPC's translated), what it rejected and why, or its error message."""

    status: int
    rejected: int = 0
    message: str = ""


def send(server: Server, way: Way, body: bytes, project: str) -> Answer:
    """Sends a trace request (given as protobuf)."""
    if way == "grpc":
        return call(server, body, project)
    return post(server, way, body if way == "protobuf" else as_json(body), {"x-evalstream-project": project})


def call(server: Server, body: bytes, project: str) -> Answer:
    """Sends bytes over gRPC."""
    export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = server.channel.unary_unary(otlp.SERVICES["traces"])
    try:
        answer = export(body, timeout=60, metadata=(("x-evalstream-project", project),))
    except grpc.RpcError as error:
        return Answer(_HTTP_OF_GRPC.get(error.code().name, 500), 0, error.details() or "")
    return _partial(ExportTraceServiceResponse.FromString(answer))


def post(server: Server, way: Way, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
    """Sends bytes over HTTP. The answer must be of the request's own type, and a google.rpc.Status when it is an error."""
    answer = server.otlp.post(
        "/v1/traces", content=body, headers={"content-type": _TYPES[way], **(headers or {})}
    )
    assert answer.headers["content-type"].split(";")[0] == _TYPES[way]
    if answer.status_code == httpx.codes.OK:
        response = ExportTraceServiceResponse()
        if way == "json":
            json_format.Parse(answer.content, response)
        else:
            response.ParseFromString(answer.content)
        return _partial(response)
    if way == "json":
        return Answer(answer.status_code, 0, answer.json()["message"])
    return Answer(answer.status_code, 0, Status.FromString(answer.content).message)


def zipped(body: bytes) -> bytes:
    """Gzip."""
    return gzip.compress(body, 1)


def as_json(body: bytes) -> bytes:
    """A protobuf trace request in OTLP's JSON: ids in hex."""
    document = json_format.MessageToDict(
        ExportTraceServiceRequest.FromString(body), use_integers_for_enums=True
    )
    return json.dumps(_hex_ids(document)).encode()


def _hex_ids(node: Any) -> Any:
    if isinstance(node, list):
        return [_hex_ids(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: base64.b64decode(v).hex() if key in _IDS else _hex_ids(v) for key, v in node.items()}


def _partial(response: ExportTraceServiceResponse) -> Answer:
    return Answer(200, response.partial_success.rejected_spans, response.partial_success.error_message)
