"""What the content functions take and give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from ingest.normalise.values import Value

Part: TypeAlias = dict[str, Value]
"""One part of a message: {"type": "text", "content"}, {"type": "tool_call", "id", "name", "arguments"}, …"""
Message: TypeAlias = dict[str, Value]
"""{"role", "parts": [Part], "finish_reason"?, "name"?}"""
Side = Literal["input", "output"]


@dataclass(frozen=True, slots=True)
class RawEvent:
    """A span event as decoded."""

    name: str
    time_unix_nano: int
    attributes: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class RawSpan:
    """A span as decoded; `kind` is the canonical kind (schemas.spans.KINDS), decided before."""

    name: str
    kind: str
    scope_name: str
    attributes: Mapping[str, Value]
    events: Sequence[RawEvent] = ()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An evaluation result that a client sent: at least a value or a label; `value` is finite.

    `target` is what it judges: the span, its trace or its session. `source` is human, code or model when the client
    says who judged. `key` is the client's idempotency key; '' when there is none.
    """

    name: str
    value: float | None
    label: str
    explanation: str
    metadata: dict[str, str]
    key: str = ""
    target: Literal["span", "trace", "session"] = "span"
    source: str = ""
    response_id: str = ""


class Content(NamedTuple):
    """The nested content of one span, as the canonical columns want it.

    `input` and `output` are messages as JSON text, or the raw value; the other texts are JSON or plain as their
    columns say; '' means that the span says nothing. `consumed` are the bulky attribute keys that these columns
    repeat in full, so that they need not stay in `attributes`.
    """

    # A named tuple, because one is made for every span: a frozen dataclass of this size takes four times as long.
    input: str
    output: str
    documents: str
    tool_definitions: str
    model_parameters: dict[str, str]
    response_format: str
    tool_name: str
    tool_call_id: str
    finish_reason: str
    evaluations: list[Evaluation]
    consumed: frozenset[str]


@dataclass(frozen=True, slots=True)
class LogContent:
    """What one log record says about its span.

    A complete record (`gen_ai.client.inference.operation.details`) replaces what came before on the sides that it
    fills; the others are one message each, in the order of arrival. `response_id` is the only way to a span for
    records without ids.
    """

    complete: bool = False
    input: list[Message] = field(default_factory=list)
    output: list[Message] = field(default_factory=list)
    tool_definitions: str = ""
    finish_reason: str = ""
    evaluation: Evaluation | None = None
    response_id: str = ""
