"""OTLP's messages with every string read as bytes, so that invalid UTF-8 in one value costs that value and not the request.

The classes are built from OTLP's own descriptors; only the type `string` is changed, which has the same wire form as `bytes`.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

__all__ = [
    "AnyValue",
    "DecodeError",
    "Event",
    "Link",
    "LogsRequest",
    "MetricsRequest",
    "Resource",
    "ResourceSpans",
    "Scope",
    "TraceRequest",
    "mapping",
    "metric_points",
    "plain",
    "project_of",
    "text",
]
_Field = descriptor_pb2.FieldDescriptorProto
_MODULES = (
    common_pb2,
    resource_pb2,
    trace_pb2,
    logs_pb2,
    metrics_pb2,
    trace_service_pb2,
    logs_service_pb2,
    metrics_service_pb2,
)


def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    for module in _MODULES:
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        for message in file.message_type:
            _loosen(message)
        pool.AddSerializedFile(file.SerializeToString())
    return pool


def _loosen(message: descriptor_pb2.DescriptorProto) -> None:
    for member in message.field:
        if member.type == _Field.TYPE_STRING:
            member.type = _Field.TYPE_BYTES
    for nested in message.nested_type:
        _loosen(nested)


_POOL = _pool()


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"opentelemetry.proto.{name}"))


AnyValue = _message("common.v1.AnyValue")
Scope = _message("common.v1.InstrumentationScope")
Resource = _message("resource.v1.Resource")
ResourceSpans = _message("trace.v1.ResourceSpans")
Event = _message("trace.v1.Span.Event")
Link = _message("trace.v1.Span.Link")
TraceRequest = _message("collector.trace.v1.ExportTraceServiceRequest")
LogsRequest = _message("collector.logs.v1.ExportLogsServiceRequest")
MetricsRequest = _message("collector.metrics.v1.ExportMetricsServiceRequest")


def text(raw: bytes) -> str:
    """A string field; what is no UTF-8 is replaced by U+FFFD."""
    return raw.decode("utf-8", "replace")


def plain(value: Any) -> Any:
    """An AnyValue as a Python value: text, number, bool, bytes, list, dict or None."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "string_value":
        return text(value.string_value)
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return mapping(value.kvlist_value.values)
    return getattr(value, kind)


def mapping(items: Any) -> dict[str, Any]:
    """A repeated KeyValue as a dict (the last of equal keys wins)."""
    return {text(item.key): plain(item.value) for item in items}


def project_of(resource: Any) -> str:
    """The project that a resource names; ''."""
    found = mapping(resource.attributes)
    return next(
        (str(found[k]) for k in ("evalstream.project", "openinference.project.name") if found.get(k)), ""
    )


def metric_points(body: bytes) -> int:
    """How many data points a metrics request holds. Raises DecodeError."""
    request = MetricsRequest.FromString(body)
    metrics = (m for r in request.resource_metrics for s in r.scope_metrics for m in s.metrics)
    return sum(len(getattr(m, kind).data_points) for m in metrics if (kind := m.WhichOneof("data")))
