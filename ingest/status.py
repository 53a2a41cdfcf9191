"""Answers as OTLP wants them: `google.rpc.Status` for errors, `Export*ServiceResponse` for success.

Each exists as protobuf and as its JSON. Sources: opentelemetry-proto `docs/specification.md` (failures, partial success,
throttling), google.rpc `status.proto`, `error_details.proto` and `code.proto`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from ingest.service import Encoding, OtlpAnswer, Signal
from schemas.errors import EvalstreamError

CONTENT_TYPES: dict[Encoding, str] = {"protobuf": "application/x-protobuf", "json": "application/json"}

_CODES = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    405: Code.UNIMPLEMENTED,
    408: Code.DEADLINE_EXCEEDED,
    409: Code.ABORTED,
    412: Code.FAILED_PRECONDITION,
    413: Code.RESOURCE_EXHAUSTED,
    415: Code.INVALID_ARGUMENT,
    422: Code.INVALID_ARGUMENT,
    431: Code.RESOURCE_EXHAUSTED,
    503: Code.UNAVAILABLE,
}
_LONGEST_MESSAGE = 8_192
_MOST_PROBLEMS = 64
_ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How one signal names what was rejected."""

    rejected: str
    rejected_json: str
    response: Callable[[], Message]


_DIALECTS: dict[Signal, _Dialect] = {
    "traces": _Dialect("rejected_spans", "rejectedSpans", ExportTraceServiceResponse),
    "logs": _Dialect("rejected_log_records", "rejectedLogRecords", ExportLogsServiceResponse),
    "metrics": _Dialect("rejected_data_points", "rejectedDataPoints", ExportMetricsServiceResponse),
}


def grpc_code(error: EvalstreamError) -> int:
    """The google.rpc.Code of an error, which is its gRPC status code too; INTERNAL for what nobody foresaw."""
    return int(_CODES.get(error.status, Code.INTERNAL))


def retry_after(error: EvalstreamError) -> int | None:
    """Whole seconds that the client shall wait; None when it must not retry.

    RESOURCE_EXHAUSTED without it is final, UNAVAILABLE with it is the protocol's way to throttle.
    """
    return max(1, error.retry_after or 1) if error.retryable else None


def status_message(error: EvalstreamError, longest: int = _LONGEST_MESSAGE) -> Status:
    """An error as `google.rpc.Status` with BadRequest and RetryInfo details; texts over `longest` characters are cut."""
    status = Status(code=grpc_code(error), message=_cut(error.detail, longest))
    if error.errors:
        status.details.append(_packed(_bad_request(error, longest)))
    if (seconds := retry_after(error)) is not None:
        status.details.append(_packed(RetryInfo(retry_delay=Duration(seconds=seconds))))
    return status


def status_body(error: EvalstreamError, encoding: Encoding) -> bytes:
    """`google.rpc.Status` in the encoding of the request."""
    if encoding == "protobuf":
        return status_message(error).SerializeToString()
    details: list[dict[str, Any]] = []
    if error.errors:
        details.append(_bad_request_json(error))
    if (seconds := retry_after(error)) is not None:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{seconds}s"})
    document = {"code": grpc_code(error), "message": _cut(error.detail, _LONGEST_MESSAGE)}
    return orjson.dumps(document | {"details": details} if details else document)


def export_response(signal: Signal, answer: OtlpAnswer, encoding: Encoding) -> bytes:
    """`Export*ServiceResponse`: the empty message unless something was rejected or there is a warning."""
    if not answer.rejected and not answer.message:
        return b"" if encoding == "protobuf" else b"{}"
    dialect, message = _DIALECTS[signal], _cut(answer.message, _LONGEST_MESSAGE)
    if encoding == "protobuf":
        response: Any = dialect.response()
        setattr(response.partial_success, dialect.rejected, answer.rejected)
        response.partial_success.error_message = message
        return bytes(response.SerializeToString())
    # 64-bit integers are strings in protobuf's JSON
    rejected = {dialect.rejected_json: str(answer.rejected)} if answer.rejected else {}
    return orjson.dumps({"partialSuccess": rejected | {"errorMessage": message}})


def _bad_request(error: EvalstreamError, longest: int) -> BadRequest:
    problems = error.errors[: min(_MOST_PROBLEMS, longest // 64)]
    return BadRequest(
        field_violations=[
            BadRequest.FieldViolation(field=_cut(p.pointer, 200), description=_cut(p.message, 200))
            for p in problems
        ]
    )


def _bad_request_json(error: EvalstreamError) -> dict[str, Any]:
    violations = [
        {"field": _cut(p.pointer, 200), "description": _cut(p.message, 200)}
        for p in error.errors[:_MOST_PROBLEMS]
    ]
    return {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations}


def _packed(detail: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(detail)
    return packed


def _cut(text: str, longest: int) -> str:
    """At most `longest` characters, and nothing that UTF-8 cannot say (a lone surrogate out of a client's text)."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return whole if len(whole) <= longest else whole[: longest - 1] + _ELLIPSIS
