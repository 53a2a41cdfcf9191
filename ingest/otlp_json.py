"""OTLP/JSON to OTLP/protobuf bytes, as clients write it and not only as the specification does.

Ids are hex in either case (not base64), enums numbers (names are taken too), 64-bit integers strings or numbers, unknown fields
ignored, snake_case taken beside lowerCamelCase. A bad id or number spoils its span at most: it becomes an id or a time that
validation refuses.
Source: opentelemetry-proto docs/specification.md, "JSON Protobuf Encoding".
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import Any

import orjson

from ingest import lenient
from schemas.errors import InvalidRequest

_STANDARD_ALPHABET = str.maketrans("-_", "+/")
_HEX = re.compile(r"[0-9a-fA-F]*")
_MOST_UINT64, _MOST_INT64, _MOST_UINT32 = 2**64 - 1, 2**63 - 1, 2**32 - 1
_DEEPEST = 40
"""Levels of lists and maps in one value; as protobuf, more than 47 cannot be read."""


def to_protobuf(body: bytes, signal: str) -> bytes:
    """The request as protobuf bytes. Raises InvalidRequest when it is no JSON object of the right shape."""
    document = parse(body)
    if signal == "traces":
        request = lenient.TraceRequest()
        for item in _list(document, "resourceSpans"):
            _resource_spans(item, request.resource_spans.add())
    else:
        request = lenient.LogsRequest()
        for item in _list(document, "resourceLogs"):
            _resource_logs(item, request.resource_logs.add())
    raw: bytes = request.SerializeToString()
    return raw


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object of a body. Raises InvalidRequest."""
    try:
        document = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError as error:
        document = _parse_loosely(body, error)
    if not isinstance(document, dict):
        raise InvalidRequest("the body must be a JSON object")
    return document


def _parse_loosely(body: bytes, error: orjson.JSONDecodeError) -> Any:
    """Once more with invalid UTF-8 and lone surrogates replaced, and NaN and Infinity as some encoders write them."""
    try:
        return json.loads(body.decode("utf-8-sig", "replace"), strict=False)
    except (ValueError, RecursionError):
        raise InvalidRequest(f"the body is no valid JSON: {error}") from error


def _get(item: dict[str, Any], name: str) -> Any:
    """A member by its lowerCamelCase or snake_case name."""
    value = item.get(name)
    return item.get(re.sub(r"([A-Z])", lambda m: "_" + m[1].lower(), name)) if value is None else value


def _list(item: dict[str, Any], name: str) -> list[dict[str, Any]]:
    values = _get(item, name)
    if values is None:
        return []
    if not isinstance(values, list):
        raise InvalidRequest(f"{name} must be a list")
    return [value for value in values if isinstance(value, dict)]


def _resource_spans(item: dict[str, Any], target: Any) -> None:
    _resource(item, target)
    for scope in _list(item, "scopeSpans"):
        spans = target.scope_spans.add()
        _scope(scope, spans)
        for span in _list(scope, "spans"):
            _span(span, spans.spans.add())


def _resource_logs(item: dict[str, Any], target: Any) -> None:
    _resource(item, target)
    for scope in _list(item, "scopeLogs"):
        logs = target.scope_logs.add()
        _scope(scope, logs)
        for record in _list(scope, "logRecords"):
            _record(record, logs.log_records.add())


def _resource(item: dict[str, Any], target: Any) -> None:
    if isinstance(resource := item.get("resource"), dict):
        _attributes(resource, target.resource)
    target.resource.SetInParent()


def _scope(item: dict[str, Any], target: Any) -> None:
    if isinstance(scope := item.get("scope"), dict):
        target.scope.name, target.scope.version = _text(scope.get("name")), _text(scope.get("version"))
        _attributes(scope, target.scope)


def _span(item: dict[str, Any], span: Any) -> None:
    span.trace_id, span.span_id = _id(_get(item, "traceId")), _id(_get(item, "spanId"))
    span.parent_span_id = _id(_get(item, "parentSpanId"))
    span.name = _text(item.get("name"))
    span.start_time_unix_nano = _number(_get(item, "startTimeUnixNano"), _MOST_UINT64)
    span.end_time_unix_nano = _number(_get(item, "endTimeUnixNano"), _MOST_UINT64)
    span.dropped_attributes_count = _number(_get(item, "droppedAttributesCount"), _MOST_UINT32)
    _attributes(item, span)
    for event in _list(item, "events"):
        made = span.events.add(
            name=_text(event.get("name")), time_unix_nano=_number(_get(event, "timeUnixNano"), _MOST_UINT64)
        )
        _attributes(event, made)
    for link in _list(item, "links"):
        made = span.links.add(trace_id=_id(_get(link, "traceId")), span_id=_id(_get(link, "spanId")))
        _attributes(link, made)
    if isinstance(status := item.get("status"), dict):
        span.status.message, span.status.code = _text(status.get("message")), _status(status.get("code"))


def _record(item: dict[str, Any], record: Any) -> None:
    record.time_unix_nano = _number(_get(item, "timeUnixNano"), _MOST_UINT64)
    record.observed_time_unix_nano = _number(_get(item, "observedTimeUnixNano"), _MOST_UINT64)
    record.trace_id, record.span_id = _id(_get(item, "traceId")), _id(_get(item, "spanId"))
    record.severity_text = _text(_get(item, "severityText"))
    record.severity_number = min(_number(_get(item, "severityNumber"), 24), 24)
    record.event_name = _text(_get(item, "eventName"))
    _attributes(item, record)
    if isinstance(body := item.get("body"), dict):
        _value(body, record.body, 0)


def _attributes(item: dict[str, Any], target: Any) -> None:
    _pairs(_list(item, "attributes"), target.attributes, 0)


def _pairs(items: list[dict[str, Any]], target: Any, depth: int) -> None:
    for item in items:
        made = target.add(key=_text(item.get("key")))
        if isinstance(value := item.get("value"), dict):
            _value(value, made.value, depth)


def _value(item: dict[str, Any], target: Any, depth: int) -> None:
    if depth > _DEEPEST:
        target.string_value = b"(nested too deeply)"
        return
    for name, take in _SCALARS.items():
        if (value := _get(item, name)) is not None:
            take(target, value)
            return
    if isinstance(array := _get(item, "arrayValue"), dict):
        target.array_value.SetInParent()
        for member in _list(array, "values"):
            _value(member, target.array_value.values.add(), depth + 1)
    elif isinstance(pairs := _get(item, "kvlistValue"), dict):
        target.kvlist_value.SetInParent()
        _pairs(_list(pairs, "values"), target.kvlist_value.values, depth + 1)


def _set_string(target: Any, value: Any) -> None:
    target.string_value = _text(value)


def _set_bool(target: Any, value: Any) -> None:
    target.bool_value = value is True or value == "true"


def _set_int(target: Any, value: Any) -> None:
    try:
        number = int(value)
    except (ValueError, TypeError, OverflowError):
        number = None
    if number is None or not -(2**63) <= number <= _MOST_INT64:
        target.string_value = _text(str(value))
    else:
        target.int_value = number


def _set_double(target: Any, value: Any) -> None:
    try:
        target.double_value = float(value)
    except (ValueError, TypeError):
        target.string_value = _text(str(value))


def _set_bytes(target: Any, value: Any) -> None:
    try:
        target.bytes_value = base64.b64decode(str(value).translate(_STANDARD_ALPHABET) + "==")
    except (binascii.Error, ValueError):
        target.string_value = _text(str(value))


_SCALARS: dict[str, Callable[[Any, Any], None]] = {
    "stringValue": _set_string,
    "boolValue": _set_bool,
    "intValue": _set_int,
    "doubleValue": _set_double,
    "bytesValue": _set_bytes,
}


def _text(value: Any) -> bytes:
    if value is None:
        return b""
    return (value if isinstance(value, str) else str(value)).encode("utf-8", "replace")


def _id(value: Any) -> bytes:
    """Hex as bytes; what is no hex becomes bytes of a length that no id has."""
    text = value if isinstance(value, str) else ""
    if value is not None and (not isinstance(value, str) or not _HEX.fullmatch(text) or len(text) % 2):
        return b"\0"
    return bytes.fromhex(text)


def _number(value: Any, most: int) -> int:
    """A whole number from 0 to `most`; 0 for anything else (a time of 0 is refused by validation)."""
    try:
        number = int(value or 0)
    except (ValueError, TypeError, OverflowError):
        return 0
    return number if 0 <= number <= most else 0


def _status(value: Any) -> int:
    names = {"STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
    return names.get(value, 0) if isinstance(value, str) else _number(value, 2)


def metric_points(body: bytes) -> int:
    """How many data points a metrics request holds. Raises InvalidRequest."""
    scopes = (
        scope for item in _list(parse(body), "resourceMetrics") for scope in _list(item, "scopeMetrics")
    )
    metrics = (metric for scope in scopes for metric in _list(scope, "metrics"))
    return sum(
        len(_list(data, "dataPoints"))
        for metric in metrics
        for data in metric.values()
        if isinstance(data, dict)
    )
