"""Whatever a valid request says, it becomes one row a span, and nothing of it is lost."""

from __future__ import annotations

import base64
import json
import math
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ingest.harvest import Submission
from ingest.normalise.spans import Options
from ingest.normalise.values import text_of
from ingest.prepare import prepare
from schemas.events import DEAD_LETTERS, SPANS
from schemas.spans import KINDS, NORMALISED
from tests.unit.ingest.strategies import requests, spans, spans_of, unknown_keys, values

NOW = datetime(2026, 11, 21, tzinfo=UTC)
CHECKED = settings(max_examples=60)
ID_FIELDS = ("traceId", "spanId", "parentSpanId")
Rows = list[dict[str, Any]]


def rows_of(*bodies: bytes, encoding: str = "protobuf") -> Rows:
    """The rows that come out of requests; none of them may be refused."""
    group = [Submission("traces", encoding, body, "p") for body in bodies]  # type: ignore[arg-type]
    prepared = prepare(group, NOW, Options())
    assert [s.error for s in group] == [None] * len(group)
    assert [s.answer.message for s in group] == [""] * len(group)
    assert DEAD_LETTERS not in [entry.topic for entry in prepared.entries]
    tables = [entry.table for entry in prepared.entries if entry.topic == SPANS]
    for table in tables:
        assert table.schema.equals(NORMALISED)
        table.validate(full=True)
    return pa.concat_tables(tables).to_pylist() if tables else []


@given(requests())
@CHECKED
def test_every_span_becomes_a_row(request: ExportTraceServiceRequest) -> None:
    sent, rows = spans_of(request), rows_of(request.SerializeToString())
    assert len(rows) == len(sent)
    for span, row in zip(sent, rows, strict=True):
        check(span, row)


def check(span: Span, row: dict[str, Any]) -> None:
    """What must hold of any span's row."""
    start, end = span.start_time_unix_nano, span.end_time_unix_nano
    assert row["trace_id"] == span.trace_id.hex()
    if not row["_pending"]:
        assert row["span_id"] == span.span_id.hex()
        parent = span.parent_span_id if len(span.parent_span_id) == 8 and any(span.parent_span_id) else b""
        assert row["parent_span_id"] == ("" if parent == span.span_id else parent.hex())
        assert (row["_title"] != "") <= (row["parent_span_id"] == "")
    assert row["name"] == span.name
    assert (row["start_time"].value, row["end_time"].value) == (start, end)
    assert row["duration_ms"] == pytest.approx(max(end - start, 0) / 1e6)
    assert row["kind"] in KINDS
    assert row["status"] in ({1: "ok", 2: "error"}.get(span.status.code, "unset"), "error")
    check_usage(row)


def check_usage(row: dict[str, Any]) -> None:
    """The parts exclude each other and sum to the total; the shares lie within."""
    usage = dict(row["usage"])
    assert all(part >= 0 for part in usage.values())
    assert sum(usage.values()) == (row["total_tokens"] or 0)
    if row["total_tokens"] is not None:
        assert row["total_tokens"] == (row["input_tokens"] or 0) + (row["output_tokens"] or 0)
    assert (row["cache_read_tokens"] or 0) + (row["cache_write_tokens"] or 0) <= (row["input_tokens"] or 0)
    assert (row["reasoning_tokens"] or 0) <= (row["output_tokens"] or 0)


@given(spans(st.dictionaries(unknown_keys, values, max_size=8)))
@CHECKED
def test_unknown_attributes_are_kept(span: Span) -> None:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.append(span)
    (row,) = rows_of(request.SerializeToString())
    kept = dict(row["attributes"])
    assert len(row["attributes"]) == len(span.attributes)
    for attribute in span.attributes:
        assert kept[attribute.key] == text_of(_named(python_value(attribute.value)))


def python_value(value: Any) -> Any:
    """An AnyValue of the official classes as a Python value."""
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [python_value(item) for item in value.array_value.values]
        case "kvlist_value":
            return {pair.key: python_value(pair.value) for pair in value.kvlist_value.values}
        case kind:
            return getattr(value, kind)


def _named(value: Any) -> Any:
    """JSON has no NaN and no infinities: on their own they keep their names."""
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value


@given(requests())
@CHECKED
def test_no_known_attribute_disappears(request: ExportTraceServiceRequest) -> None:
    content = ("input", "output", "documents", "tool_definitions", "model_parameters", "response_format")
    for span, row in zip(spans_of(request), rows_of(request.SerializeToString()), strict=True):
        kept = {key for key, _ in (*row["attributes"], *row["usage_raw"])}
        said = any(row[name] for name in content)
        for attribute in span.attributes:
            assert attribute.key in kept or said, attribute.key


@given(requests())
@CHECKED
def test_the_batch_makes_no_difference(request: ExportTraceServiceRequest) -> None:
    together = rows_of(request.SerializeToString())
    singles = []
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                single = ExportTraceServiceRequest()
                outer = single.resource_spans.add(resource=resource.resource)
                outer.scope_spans.add(scope=scope.scope).spans.append(span)
                singles.append(single.SerializeToString())
    assert same(rows_of(*singles), together)
    assert same([row for body in singles for row in rows_of(body)], together)


@given(requests())
@CHECKED
def test_json_and_protobuf_say_the_same(request: ExportTraceServiceRequest) -> None:
    assert same(rows_of(as_json(request), encoding="json"), rows_of(request.SerializeToString()))


def as_json(request: ExportTraceServiceRequest) -> bytes:
    """OTLP's own JSON: ids in hex."""
    document = json_format.MessageToDict(request, use_integers_for_enums=True)
    return json.dumps(_hex_ids(document)).encode()


def _hex_ids(node: Any) -> Any:
    if isinstance(node, list):
        return [_hex_ids(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: base64.b64decode(value).hex() if key in ID_FIELDS else _hex_ids(value)
        for key, value in node.items()
    }


def same(first: Rows, second: Rows) -> bool:
    """Equality where NaN equals itself."""
    return repr(first) == repr(second)
