"""OTLP trace requests as Arrow, decoded only as far as columns need it.

The descriptor below is OTLP's own wire format with two liberties that protobuf allows, since strings, bytes and
sub-messages share one wire type: every string is read as bytes (invalid UTF-8 must not cost a whole request), and what is
looked at by its raw bytes anyway (attributes, resources, scopes, events, links) stays undecoded. That makes decoding about
four times cheaper than with the full schema. Source: opentelemetry-proto `trace/v1/trace.proto`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import ptars
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf import descriptor_pb2, descriptor_pool

Ints = npt.NDArray[np.int64]
Octets = npt.NDArray[np.uint8]
_Field = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "bytes": _Field.TYPE_BYTES,
    "fixed64": _Field.TYPE_FIXED64,
    "uint32": _Field.TYPE_UINT32,
    "int32": _Field.TYPE_INT32,
}
_MESSAGES: dict[str, tuple[tuple[str, int, str, bool], ...]] = {
    "Status": (("message", 2, "bytes", False), ("code", 3, "int32", False)),
    "Span": (
        ("trace_id", 1, "bytes", False),
        ("span_id", 2, "bytes", False),
        ("parent_span_id", 4, "bytes", False),
        ("name", 5, "bytes", False),
        ("start", 7, "fixed64", False),
        ("end", 8, "fixed64", False),
        ("attributes", 9, "bytes", True),
        ("dropped", 10, "uint32", False),
        ("events", 11, "bytes", True),
        ("links", 13, "bytes", True),
        ("status", 15, "Status", False),
    ),
    "ScopeSpans": (("scope", 1, "bytes", False), ("spans", 2, "Span", True)),
    "ResourceSpans": (("resource", 1, "bytes", False), ("scope_spans", 2, "ScopeSpans", True)),
    "Request": (("resource_spans", 1, "ResourceSpans", True),),
}


class UndecodableBody(ValueError):
    """The bytes are no ExportTraceServiceRequest."""


@dataclass(frozen=True, slots=True)
class Blobs:
    """Byte strings as one Arrow binary array's buffers: element i is `data[offsets[i]:offsets[i + 1]]`."""

    offsets: npt.NDArray[np.int32]
    data: npt.NDArray[np.uint8]
    owner: Ints
    """The row (span) that each element belongs to."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def get(self, index: int) -> bytes:
        """Element `index` as bytes."""
        return self.data[self.offsets[index] : self.offsets[index + 1]].tobytes()


_NO_BLOBS = Blobs(np.zeros(1, np.int32), np.zeros(0, np.uint8), np.zeros(0, np.int64))


@dataclass(frozen=True, slots=True)
class WireSpans:
    """The spans of some requests, in order, one array element a span; `request`, `resource` and `scope` are indices.

    Ids are one row of bytes a span; one of a wrong length is all zeros, which no id may be.
    """

    rows: int
    request: Ints
    resource: Ints
    resources: list[bytes]
    scope: Ints
    scopes: list[bytes]
    trace_id: Octets
    span_id: Octets
    parent_span_id: Octets
    name: pa.Array
    start: npt.NDArray[np.uint64]
    end: npt.NDArray[np.uint64]
    dropped: npt.NDArray[np.uint32]
    status_code: npt.NDArray[np.int32]
    status_message: pa.Array
    attributes: Blobs
    events: Blobs
    links: Blobs


@cache
def _handler() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="evalstream_wire.proto", package="evalstream", syntax="proto3"
    )
    for message, members in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for name, number, kind, repeated in members:
            member = described.field.add(name=name, number=number)
            member.label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
            if kind in _TYPES:
                member.type = _TYPES[kind]
            else:
                member.type, member.type_name = _Field.TYPE_MESSAGE, f".evalstream.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    handlers = ptars.HandlerPool([pool.FindFileByName(file.name)])
    return handlers.get_for_message(pool.FindMessageTypeByName("evalstream.Request"))


def decode(bodies: Sequence[bytes]) -> WireSpans:
    """Decodes requests into one set of columns. Raises UndecodableBody when any of them is malformed."""
    try:
        batch = _handler().list_to_record_batch(list(bodies))
    except ValueError as error:
        raise UndecodableBody(str(error)) from error
    of_request, resource_spans = _explode(batch.column(0))
    of_resource, scope_spans = _explode(resource_spans.field("scope_spans"))
    of_scope, spans = _explode(scope_spans.field("spans"))
    resource, resources = _distinct(resource_spans.field("resource"))
    scope, scopes = _distinct(scope_spans.field("scope"))
    status_code, status_message = _status(spans.field("status"))
    return WireSpans(
        rows=len(spans),
        request=of_request[of_resource[of_scope]],
        resource=resource[of_resource[of_scope]],
        resources=resources,
        scope=scope[of_scope],
        scopes=scopes,
        trace_id=_ids(spans.field("trace_id"), 16),
        span_id=_ids(spans.field("span_id"), 8),
        parent_span_id=_ids(spans.field("parent_span_id"), 8),
        name=spans.field("name"),
        start=spans.field("start").to_numpy(),
        end=spans.field("end").to_numpy(),
        dropped=spans.field("dropped").to_numpy(),
        status_code=status_code,
        status_message=status_message,
        attributes=_blobs(spans.field("attributes")),
        events=_blobs(spans.field("events")),
        links=_blobs(spans.field("links")),
    )


def _status(status: pa.StructArray) -> tuple[npt.NDArray[np.int32], pa.BinaryArray]:
    """(codes, messages); 0 and '' on spans that sent none."""
    if status.null_count == len(status):
        return np.zeros(len(status), np.int32), pa.repeat(b"", len(status))
    codes = pc.fill_null(pc.struct_field(status, "code"), 0)
    return codes.to_numpy(), pc.fill_null(pc.struct_field(status, "message"), b"")


def _ids(ids: pa.BinaryArray, width: int) -> Octets:
    """One row of `width` bytes an id; zeros for one of another length."""
    _, bounds, data = ids.buffers()
    if not len(ids) or data is None:
        return np.zeros((len(ids), width), np.uint8)
    offsets = np.frombuffer(bounds, np.int32)[ids.offset : ids.offset + len(ids) + 1]
    octets = np.frombuffer(data, np.uint8)
    fitting = np.diff(offsets) == width
    if fitting.all():
        return octets[offsets[0] : offsets[-1]].reshape(-1, width)
    result = np.zeros((len(ids), width), np.uint8)
    result[fitting] = octets[offsets[:-1][fitting][:, None] + np.arange(width)]
    return result


def _explode(lists: pa.ListArray) -> tuple[Ints, Any]:
    """(parent index of each element, the elements) of a list column."""
    return _parents(lists), lists.values


def _parents(lists: pa.ListArray) -> Ints:
    return np.repeat(np.arange(len(lists)), np.diff(lists.offsets.to_numpy()))


def _distinct(values: pa.Array) -> tuple[Ints, list[bytes]]:
    encoded = pc.fill_null(values, b"").dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary.to_pylist()


def _blobs(lists: pa.ListArray) -> Blobs:
    values = lists.values
    if not len(values):
        return _NO_BLOBS
    _, offsets, data = values.buffers()
    return Blobs(
        np.frombuffer(offsets, np.int32)[: len(values) + 1],
        np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8),
        _parents(lists),
    )
