"""`google.rpc.Status` and `Export*ServiceResponse`: the JSON and the protobuf say the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import json_format
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from ingest.service import OtlpAnswer, Signal
from ingest.status import export_response, grpc_code, retry_after, status_body, status_message
from schemas import errors
from schemas.errors import EvalstreamError, FieldProblem, InvalidRequest, Overloaded, TooLarge, Unavailable

PROBLEMS = (FieldProblem("/resourceSpans/0", "not a list"), FieldProblem("/x", "unknown"))
ERRORS: list[EvalstreamError] = [
    InvalidRequest("a body that is no OTLP"),
    InvalidRequest("bad fields", errors=PROBLEMS),
    Overloaded("full", retry_after=3),
    Unavailable("the log is away"),
    TooLarge("x" * 100_000),
    EvalstreamError("a lone surrogate \ud800"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: e.code)
def test_json_and_protobuf_are_the_same_status(error: EvalstreamError) -> None:
    status = Status.FromString(status_body(error, "protobuf"))
    parsed = json_format.Parse(status_body(error, "json"), Status())
    assert parsed == status
    assert status.message
    assert len(status.message) <= 8_192


def test_details() -> None:
    bad, retry = BadRequest(), RetryInfo()
    assert status_message(InvalidRequest("bad fields", errors=PROBLEMS)).details[0].Unpack(bad)
    assert [(v.field, v.description) for v in bad.field_violations] == [
        (p.pointer, p.message) for p in PROBLEMS
    ]
    assert status_message(Overloaded("full", retry_after=3)).details[0].Unpack(retry)
    assert retry.retry_delay.seconds == 3
    assert not status_message(TooLarge("too large")).details


def test_a_status_for_grpc_fits_into_trailing_metadata() -> None:
    error = InvalidRequest("ü" * 9_000, errors=tuple(FieldProblem("/p" * 500, "m" * 500) for _ in range(100)))
    assert len(status_message(error, 512).SerializeToString()) < 5_000


def every_error() -> list[type[EvalstreamError]]:
    found = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, EvalstreamError)
    ]
    assert len(found) > 10
    return found


@pytest.mark.parametrize("kind", every_error())
def test_every_error_has_a_code_and_only_passing_ones_a_delay(kind: type[EvalstreamError]) -> None:
    error = kind("detail")
    expected = {400: 3, 401: 16, 403: 7, 404: 5, 409: 10, 412: 9, 413: 8, 415: 3, 422: 3, 503: 14, 500: 13}
    assert grpc_code(error) == expected[error.status]
    assert (retry_after(error) is not None) == error.retryable == (error.status == 503)


RESPONSES: list[tuple[Signal, Any, str]] = [
    ("traces", ExportTraceServiceResponse, "rejected_spans"),
    ("logs", ExportLogsServiceResponse, "rejected_log_records"),
    ("metrics", ExportMetricsServiceResponse, "rejected_data_points"),
]


@pytest.mark.parametrize(("signal", "response", "rejected"), RESPONSES)
def test_partial_success(signal: Signal, response: Any, rejected: str) -> None:
    for answer in (
        OtlpAnswer(2, "bad ids"),
        OtlpAnswer(0, "only a warning"),
        OtlpAnswer(2**40, "m" * 100_000),
    ):
        message = response.FromString(export_response(signal, answer, "protobuf"))
        assert getattr(message.partial_success, rejected) == answer.rejected
        assert message.partial_success.error_message[:8_000] == answer.message[:8_000]
        assert json_format.Parse(export_response(signal, answer, "json"), response()) == message


@pytest.mark.parametrize("signal", ["traces", "logs", "metrics"])
def test_full_success_is_the_empty_message(signal: Signal) -> None:
    assert export_response(signal, OtlpAnswer(), "protobuf") == b""
    assert json.loads(export_response(signal, OtlpAnswer(), "json")) == {}
