"""Harm and unusual encodings: never an exception, and where the official decoder understands, the same rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ingest import lenient, wire
from ingest.harvest import Submission
from ingest.normalise.spans import Options, normalise
from ingest.prepare import Prepared, prepare
from schemas.errors import InvalidRequest
from schemas.events import DEAD_LETTERS, LOGS, SPANS
from tests import otlp
from tests.unit.ingest.strategies import harmed, requests, spans_of
from tests.unit.ingest.wire_writer import Style, rewritten, sized

NOW = datetime(2026, 11, 21, tzinfo=UTC)
GOOD = otlp.traces(otlp.span("good", span_id="2" * 16))
CHECKED = settings(max_examples=60)


def taken(*group: Submission) -> Prepared:
    return prepare(group, NOW, Options())


def traces(body: bytes, encoding: Any = "protobuf") -> Submission:
    return Submission("traces", encoding, body, "p")


def rows(prepared: Prepared, topic: str = SPANS) -> list[dict[str, Any]]:
    """The rows of a topic as they are."""
    tables = [entry.table for entry in prepared.entries if entry.topic == topic]
    for table in tables:
        table.validate(full=True)
    return pa.concat_tables(tables).to_pylist() if tables else []


@given(harmed())
@CHECKED
def test_harm_is_refused_or_taken(body: bytes) -> None:
    bad, good = traces(body), traces(GOOD)
    found = rows(taken(bad, good))
    assert good.error is None
    assert not good.answer.rejected
    assert [row["name"] for row in found][-1] == "good"
    if bad.error is not None:
        assert isinstance(bad.error, InvalidRequest)
        assert len(found) == 1


@given(harmed())
@CHECKED
def test_what_the_official_decoder_takes_is_taken(body: bytes) -> None:
    try:
        expected = lenient.TraceRequest.FromString(body)
    except lenient.DecodeError:
        return
    submission = traces(body)
    found = rows(prepared := taken(submission))
    assert submission.error is None
    assert len(found) + submission.answer.rejected == len(spans_of(expected))
    assert len(rows(prepared, DEAD_LETTERS)) == submission.answer.rejected


@given(st.binary(max_size=60))
@CHECKED
def test_noise_is_refused_or_taken(body: bytes) -> None:
    for signal in ("traces", "logs", "metrics"):
        for encoding in ("protobuf", "json"):
            submission = Submission(signal, encoding, body, None)
            taken(submission)
            assert submission.error is None or isinstance(submission.error, InvalidRequest)


@given(requests(most=2), st.randoms(use_true_random=False))
@CHECKED
def test_legal_encodings_mean_the_same(request: ExportTraceServiceRequest, random: Any) -> None:
    plain = request.SerializeToString()
    odd = rewritten(request, Style(random))
    understood = ExportTraceServiceRequest.FromString(odd)
    understood.DiscardUnknownFields()
    assert understood.SerializeToString() == plain
    submission = traces(odd)
    assert repr(rows(taken(submission))) == repr(rows(taken(traces(plain))))
    assert submission.error is None


@given(requests())
@CHECKED
def test_the_decoder_agrees_with_the_official_one(request: ExportTraceServiceRequest) -> None:
    decoded, sent = wire.decode([request.SerializeToString(), b"", GOOD]), spans_of(request)
    assert decoded.rows == len(sent) + 1
    assert decoded.request.tolist() == [0] * len(sent) + [2]
    for field, width in (("trace_id", 16), ("span_id", 8), ("parent_span_id", 8)):
        ids = [getattr(span, field) for span in sent]
        assert [row.tobytes() for row in getattr(decoded, field)[:-1]] == [
            raw if len(raw) == width else bytes(width) for raw in ids
        ]
    assert decoded.start.tolist()[:-1] == [span.start_time_unix_nano for span in sent]
    assert decoded.status_code.tolist()[:-1] == [span.status.code for span in sent]
    for index, owner in enumerate(decoded.events.owner.tolist()):
        assert Span.Event.FromString(decoded.events.get(index)) in sent[owner].events


def test_equal_refused_spans_are_letters_of_their_own() -> None:
    short = otlp.span("short", span_id="2" * 16)
    short.span_id = b"x"
    twins = [traces(otlp.traces(short, short)) for _ in range(2)]
    prepared = taken(*twins)
    (entry,) = prepared.entries
    assert [one.answer.rejected for one in twins] == [2, 2]
    assert (entry.topic, entry.counts) == (DEAD_LETTERS, {"p": 4})
    assert len(set(entry.table["id"].to_pylist())) == 4


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
@pytest.mark.parametrize("depth", [30, 47, 60, 300])
def test_depth_costs_only_its_span(depth: int, encoding: str) -> None:
    submission = traces(_deep_json(depth) if encoding == "json" else _deep_protobuf(depth), encoding)
    prepared = taken(submission)
    assert submission.error is None
    names, letters = [row["name"] for row in rows(prepared)], rows(prepared, DEAD_LETTERS)
    assert names[-1] == "good"
    assert len(names) + submission.answer.rejected == 2
    assert [letter["reason"].split(":")[0] for letter in letters] == ["could not be decoded"] * (
        2 - len(names)
    )
    assert encoding == "protobuf" or len(names) == 2


def _deep_protobuf(depth: int) -> bytes:
    value = sized(1, b"deep")
    for _ in range(depth):
        value = sized(5, sized(1, value))  # AnyValue{array_value: ArrayValue{values: [AnyValue]}}
    attribute = sized(9, sized(1, b"deep") + sized(2, value))
    plain = otlp.span("bad", span_id="3" * 16).SerializeToString()
    return sized(1, sized(2, sized(2, plain + attribute))) + GOOD


def _deep_json(depth: int) -> bytes:
    value = b'{"arrayValue":{"values":[' * depth + b'{"intValue":1}' + b"]}}" * depth
    return _json_spans(("bad", b'{"key":"deep","value":%s}' % value), ("good", b'{"key":"x"}'))


@pytest.mark.parametrize(
    ("attribute", "kept"),
    [
        (b'{"key":"a","value":{"doubleValue":NaN}}', "nan"),
        (b'{"key":"a","value":{"doubleValue":"-Infinity"}}', "-inf"),
        (b'{"key":"a","value":{"stringValue":"\\ud83d cut"}}', "? cut"),
        (b'{"key":"a","value":{"stringValue":"\xff [NaN, NaN]"}}', "\ufffd [NaN, NaN]"),
        (b'{"key":"a","value":{"intValue":"9223372036854775808"}}', "9223372036854775808"),
        (b'{"key":"a","value":{"intValue":1e999}}', "inf"),
        (b'{"key":"a","value":{"bytesValue":"-_8="}}', "+/8="),
        (b'{"key":"a","value":{"stringValue":5}}', "5"),
        (b'{"key":"a","value":"bare"}', ""),
        (b'{"key":"a"}', ""),
    ],
)
def test_json_as_it_is_met(attribute: bytes, kept: str) -> None:
    submission = traces(_json_spans(("odd", attribute)), "json")
    (row,) = rows(taken(submission))
    assert submission.error is None
    assert dict(row["attributes"]) == {"a": kept}


def _json_spans(*spans: tuple[str, bytes]) -> bytes:
    written = b",".join(
        b'{"traceId":"%s","spanId":"%016x","name":"%s","startTimeUnixNano":"%d","attributes":[%s]}'
        % (b"1" * 32, number, name.encode(), otlp.EPOCH, attribute)
        for number, (name, attribute) in enumerate(spans, 1)
    )
    return b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + written + b"]}]}]}"


def test_a_fault_of_ours_costs_only_the_span_that_meets_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(decoded: wire.WireSpans, *rest: Any) -> Any:
        if b"bad" in decoded.name.to_pylist():
            raise ZeroDivisionError("a bug")
        return normalise(decoded, *rest)

    monkeypatch.setattr("ingest.prepare.normalise", failing)
    named = [otlp.span(n, span_id=f"{i:016x}") for i, n in enumerate(("a", "bad", "b", "c"), 1)]
    mixed, good = traces(otlp.traces(*named)), traces(GOOD)
    prepared = taken(mixed, good)
    assert (mixed.error, good.error) == (None, None)
    assert [row["name"] for row in rows(prepared)] == ["a", "b", "c", "good"]
    assert mixed.answer.message == "1 × could not be normalised: ZeroDivisionError"
    (letter,) = rows(prepared, DEAD_LETTERS)
    (lost,) = spans_of(ExportTraceServiceRequest.FromString(letter["payload"]))
    assert lost.name == "bad"
    assert "could not be normalised" in caplog.text


def test_a_bad_log_record_costs_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    value = sized(1, b"deep")
    for _ in range(60):
        value = sized(5, sized(1, value))
    deep = sized(1, sized(2, sized(2, sized(5, value))))
    submission = Submission("logs", "protobuf", deep + otlp.logs(otlp.log("fine")), "p")
    prepared = taken(submission)
    assert [row["event_name"] for row in rows(prepared, LOGS)] == ["fine"]
    assert (submission.error, submission.answer.rejected) == (None, 1)
