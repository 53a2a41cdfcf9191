"""OTLP request bodies, protobuf or JSON, to plain records. Source: opentelemetry-proto, "JSON dialect" of the OTLP specification."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

Attributes = Mapping[str, Any]
"""Attribute values as Python values: str, bool, int, float, bytes, list, dict or None (an empty AnyValue)."""


@dataclass(frozen=True)
class Event:
    """A span event; `time` in nanoseconds since the epoch."""

    name: str
    time: int
    attributes: Attributes


@dataclass(frozen=True)
class Span:
    """A span as sent. Ids are lower-case hex, times nanoseconds since the epoch, `status_code` 0 unset, 1 ok, 2 error."""

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    start: int
    end: int
    status_code: int
    status_message: str
    attributes: Attributes
    events: tuple[Event, ...]
    resource: Attributes
    scope_name: str
    scope_version: str
    dropped_attributes: int


@dataclass(frozen=True)
class Log:
    """A log record as sent. `time` falls back to the observed time; `event_name` to the attribute `event.name`."""

    trace_id: str
    span_id: str
    time: int
    event_name: str
    body: Any
    attributes: Attributes
    resource: Attributes = field(repr=False)


def spans(body: bytes, encoding: str) -> list[Span]:
    """The spans of a decompressed export request; `encoding` is "protobuf" or "json"."""
    if encoding == "json":
        return list(_json_spans(json.loads(body)))
    return list(_protobuf_spans(ExportTraceServiceRequest.FromString(body)))


def logs(body: bytes, encoding: str) -> list[Log]:
    """The log records of a decompressed export request; `encoding` is "protobuf" or "json"."""
    if encoding == "json":
        return list(_json_logs(json.loads(body)))
    return list(_protobuf_logs(ExportLogsServiceRequest.FromString(body)))


def _protobuf_spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource_spans in request.resource_spans:
        resource = _attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield Span(
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_span_id=span.parent_span_id.hex(),
                    name=span.name,
                    start=span.start_time_unix_nano,
                    end=span.end_time_unix_nano,
                    status_code=span.status.code,
                    status_message=span.status.message,
                    attributes=_attributes(span.attributes),
                    events=tuple(
                        Event(e.name, e.time_unix_nano, _attributes(e.attributes)) for e in span.events
                    ),
                    resource=resource,
                    scope_name=scope_spans.scope.name,
                    scope_version=scope_spans.scope.version,
                    dropped_attributes=span.dropped_attributes_count,
                )


def _protobuf_logs(request: ExportLogsServiceRequest) -> Iterator[Log]:
    for resource_logs in request.resource_logs:
        resource = _attributes(resource_logs.resource.attributes)
        for scope_logs in resource_logs.scope_logs:
            for record in scope_logs.log_records:
                attributes = _attributes(record.attributes)
                yield Log(
                    trace_id=record.trace_id.hex(),
                    span_id=record.span_id.hex(),
                    time=record.time_unix_nano or record.observed_time_unix_nano,
                    event_name=record.event_name or str(attributes.get("event.name", "")),
                    body=_value(record.body),
                    attributes=attributes,
                    resource=resource,
                )


def _attributes(pairs: Any) -> Attributes:
    return {pair.key: _value(pair.value) for pair in pairs if isinstance(pair, KeyValue)}


def _value(value: AnyValue) -> Any:
    which = value.WhichOneof("value")
    if which is None:
        return None
    if which == "array_value":
        return [_value(item) for item in value.array_value.values]
    if which == "kvlist_value":
        return {pair.key: _value(pair.value) for pair in value.kvlist_value.values}
    return getattr(value, which)


def _json_spans(request: Mapping[str, Any]) -> Iterator[Span]:
    for resource_spans in request.get("resourceSpans", []):
        resource = _json_attributes(resource_spans.get("resource", {}))
        for scope_spans in resource_spans.get("scopeSpans", []):
            scope = scope_spans.get("scope", {})
            for span in scope_spans.get("spans", []):
                status = span.get("status", {})
                yield Span(
                    trace_id=span["traceId"].lower(),
                    span_id=span["spanId"].lower(),
                    parent_span_id=span.get("parentSpanId", "").lower(),
                    name=span.get("name", ""),
                    start=int(span.get("startTimeUnixNano", 0)),
                    end=int(span.get("endTimeUnixNano", 0)),
                    status_code=status.get("code", 0),
                    status_message=status.get("message", ""),
                    attributes=_json_attributes(span),
                    events=tuple(_json_event(event) for event in span.get("events", [])),
                    resource=resource,
                    scope_name=scope.get("name", ""),
                    scope_version=scope.get("version", ""),
                    dropped_attributes=span.get("droppedAttributesCount", 0),
                )


def _json_event(event: Mapping[str, Any]) -> Event:
    return Event(event.get("name", ""), int(event.get("timeUnixNano", 0)), _json_attributes(event))


def _json_logs(request: Mapping[str, Any]) -> Iterator[Log]:
    for resource_logs in request.get("resourceLogs", []):
        resource = _json_attributes(resource_logs.get("resource", {}))
        for scope_logs in resource_logs.get("scopeLogs", []):
            for record in scope_logs.get("logRecords", []):
                attributes = _json_attributes(record)
                yield Log(
                    trace_id=record.get("traceId", "").lower(),
                    span_id=record.get("spanId", "").lower(),
                    time=int(record.get("timeUnixNano", 0)) or int(record.get("observedTimeUnixNano", 0)),
                    event_name=record.get("eventName", "") or str(attributes.get("event.name", "")),
                    body=_json_value(record.get("body", {})),
                    attributes=attributes,
                    resource=resource,
                )


def _json_attributes(holder: Mapping[str, Any]) -> Attributes:
    return {pair["key"]: _json_value(pair.get("value", {})) for pair in holder.get("attributes", [])}


def _json_value(value: Mapping[str, Any]) -> Any:
    for which, content in value.items():
        match which:
            case "stringValue" | "boolValue":
                return content
            case "intValue":
                return int(content)
            case "doubleValue":
                return float(content)
            case "bytesValue":
                return base64.b64decode(content)
            case "arrayValue":
                return [_json_value(item) for item in content.get("values", [])]
            case "kvlistValue":
                return {pair["key"]: _json_value(pair.get("value", {})) for pair in content.get("values", [])}
    return None
