"""Random OTLP: valid requests with every kind of value under known and unknown keys, and harm done to them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from ingest.normalise import aliases
from tests.otlp import EPOCH, any_value

NESTED_JSON = (
    '{"a": [1, null]}', '[{"role": "user", "content": "hi"}]', '{"total": true}', '{"total": 1e19}', "[[[[", "{}", "null",
    '{"input": 1.5, "output": -3}', '"2026-11-20T10:00:00Z"', '[{"role":"user","parts":[{"type":"text","content":"x"}]}]',
)  # fmt: skip
texts = st.text(st.characters(codec="utf-8"), max_size=12)
numbers = st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 5000)
scalars = texts | st.sampled_from(NESTED_JSON) | numbers | st.floats() | st.booleans() | st.binary(max_size=8)
values = st.recursive(
    scalars | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
"""Anything that an AnyValue can say, as a Python value."""


def _known_keys() -> list[str]:
    alone = [value for value in vars(aliases).values() if isinstance(value, str) and "." in value]
    listed = [key for value in vars(aliases).values() if isinstance(value, tuple) for key in value]
    keys = {key for key in (*alone, *listed) if isinstance(key, str) and " " not in key}
    keys |= {key for group in aliases.TEXTS.values() for key in group}
    keys |= {
        f"{key}{rest}" for key in keys if key.endswith(".") for rest in ("x", "0.message.role", "9999999.x")
    }
    kinds = {
        "langfuse.observation.type",
        "openinference.span.kind",
        "gen_ai.operation.name",
        "traceloop.span.kind",
    }
    return sorted(
        keys | kinds | {"logfire.span_type", "logfire.msg", "logfire.pending_parent_id", "metadata"}
    )


KNOWN = _known_keys()
kind_names = st.sampled_from(
    ["llm", "chat", "generation", "tool", "embedding", "pending_span", "log", "workflow"]
)
unknown_keys = texts.map(lambda text: f"x-{text}")
keys = st.sampled_from(KNOWN) | unknown_keys
pairs = st.dictionaries(keys, values | kind_names, max_size=8)
ids = st.binary(min_size=1, max_size=1).map(lambda b: b or b"\1")


def _key_values(given: dict[str, Any]) -> list[KeyValue]:
    """Attributes; None is an attribute without a value."""
    return [
        KeyValue(key=key) if value is None else KeyValue(key=key, value=any_value(value))
        for key, value in given.items()
    ]


def _id(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size).filter(any)


@st.composite
def spans(draw: st.DrawFn, attributes: st.SearchStrategy[dict[str, Any]] = pairs) -> Span:
    """A span that must be taken."""
    start = EPOCH + draw(st.integers(-8 * 10**17, 10**12))
    events = draw(st.lists(st.tuples(texts, st.integers(0, 2**64 - 1), pairs), max_size=2))
    links = draw(st.lists(st.tuples(st.binary(max_size=16), pairs), max_size=1))
    return Span(
        trace_id=draw(_id(16)),
        span_id=draw(_id(8)),
        parent_span_id=draw(st.just(b"") | _id(8) | st.binary(max_size=9)),
        name=draw(texts),
        kind=draw(st.integers(0, 7)),  # type: ignore[arg-type]
        start_time_unix_nano=start,
        end_time_unix_nano=draw(st.just(start) | st.integers(0, 2**63 - 1)),
        attributes=_key_values(draw(attributes)),
        dropped_attributes_count=draw(st.sampled_from([0, 0, 3, 2**32 - 1])),
        events=[Span.Event(name=n, time_unix_nano=t, attributes=_key_values(a)) for n, t, a in events],
        links=[Span.Link(trace_id=t, attributes=_key_values(a)) for t, a in links],
        status=Status(code=draw(st.integers(0, 5)), message=draw(texts)),  # type: ignore[arg-type]
    )


@st.composite
def requests(draw: st.DrawFn, most: int = 4) -> ExportTraceServiceRequest:
    """A request of some resources, scopes and spans."""
    request = ExportTraceServiceRequest()
    for _ in range(draw(st.integers(1, 2))):
        resource = ResourceSpans()
        resource.resource.attributes.extend(_key_values(draw(pairs)))
        for kv in list(resource.resource.attributes):
            if kv.key in ("evalstream.project", "openinference.project.name"):
                resource.resource.attributes.remove(kv)
        for _ in range(draw(st.integers(0, 2))):
            scope = ScopeSpans(spans=draw(st.lists(spans(), max_size=most)))
            scope.scope.name = draw(
                texts | st.sampled_from(["logfire", "strands", "openinference.instrumentation.openai"])
            )
            resource.scope_spans.append(scope)
        request.resource_spans.append(resource)
    return request


def spans_of(request: ExportTraceServiceRequest) -> list[Span]:
    """All spans in document order."""
    return [span for r in request.resource_spans for s in r.scope_spans for span in s.spans]


@st.composite
def harmed(draw: st.DrawFn) -> bytes:
    """A valid body with some bytes changed, removed, doubled or put in."""
    body = bytearray(draw(requests()).SerializeToString())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(body) - 1, 0)))
        match draw(st.sampled_from(["change", "remove", "insert", "cut", "double"])):
            case "change":
                body[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case "remove":
                del body[at : at + draw(st.integers(1, 9))]
            case "insert":
                body[at:at] = draw(st.binary(min_size=1, max_size=4))
            case "cut":
                del body[at:]
            case _:
                body[at:at] = body[at : at + draw(st.integers(1, 30))]
    return bytes(body)
