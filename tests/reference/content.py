"""What went in and what came out of a span: the sources of section 2.3 in their order of precedence.

A result is a list of canonical messages, or `Raw(value)` where the span has no messages, or None when there is nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.reference.decode import Log, Span
from tests.reference.kinds import kind
from tests.reference.parts import (
    Message,
    ai_sdk_output,
    event_messages,
    indexed_messages,
    message,
    messages,
    openinference_messages,
    text_part,
)
from tests.reference.values import EMPTY, OneOf, first, one_of, parsed

DETAILS = "gen_ai.client.inference.operation.details"


@dataclass(frozen=True)
class Raw:
    """A value that is no message list, parsed."""

    value: Any


Content = list[Message] | Raw | OneOf | None
"""Messages, a raw value, several readings that the documents allow, or nothing."""
Sides = tuple[Content, Content]
"""Input and output."""
NOTHING: tuple[Content, ...] = (None, [], Raw(None), Raw(""))


def content(span: Span) -> Sides:
    """The first source that has it, for input and output each."""
    given: list[Content] = [None, None]
    for source in SOURCES:
        for side, found in enumerate(source(span)):
            if given[side] is None and found not in NOTHING:
                given[side] = found
    return given[0], given[1]


def joined(logs: Sequence[Log]) -> Sides:
    """The same from the log records of a span, in order of time."""
    structured = [sides for log in logs if log.event_name == DETAILS for sides in [_semconv(log.attributes)]]
    records: list[tuple[str, Mapping[str, Any]]] = [
        (log.event_name, log.body) for log in logs if isinstance(log.body, dict)
    ]
    asked, answered = event_messages(records)
    input_ = next((sides[0] for sides in structured if sides[0]), None)
    output = next((sides[1] for sides in structured if sides[1]), None)
    return input_ or asked or None, output or answered or None


def _langfuse(span: Span) -> Sides:
    talks = kind(span) == "llm"
    sides: list[Content] = []
    for key, role in (("langfuse.observation.input", "user"), ("langfuse.observation.output", "assistant")):
        value = parsed(span.attributes.get(key))
        if talks and isinstance(value, str) and value:
            sides.append([{"role": role, "parts": [text_part(value)]}])
        else:
            sides.append((messages(value, role) if talks else None) or Raw(value))
    return sides[0], sides[1]


def _semconv(attributes: Any) -> Sides:
    sides: list[Content] = []
    for key in ("gen_ai.input.messages", "gen_ai.output.messages"):
        value = parsed(attributes.get(key))
        sides.append(messages(value) or (Raw(value) if value not in EMPTY else None))
    instructions = parsed(attributes.get("gen_ai.system_instructions"))
    if instructions:
        blocks = instructions if isinstance(instructions, list) else [instructions]
        system = message({"role": "system", "parts": blocks})
        asked = sides[0] if isinstance(sides[0], list) else []
        if not any(m["role"] in ("system", "developer") for m in asked):
            sides[0] = [system, *asked]
    return sides[0], sides[1]


def _semconv_span(span: Span) -> Sides:
    given, answered = _semconv(span.attributes)
    only_system = isinstance(given, list) and all(m["role"] == "system" for m in given)
    # An agent span of PydanticAI has its instructions here and the rest in `all_messages`.
    return (None if only_system and "gen_ai.input.messages" not in span.attributes else given), answered


def _query(span: Span) -> Sides:
    return Raw(first(span.attributes, "gen_ai.retrieval.query.text", "reranker.query")), None


def _tool(span: Span) -> Sides:
    if kind(span) != "tool":
        return None, None
    return (
        Raw(first(span.attributes, "gen_ai.tool.call.arguments", "tool_arguments")),
        Raw(first(span.attributes, "gen_ai.tool.call.result", "tool_response")),
    )


def _openinference(span: Span) -> Sides:
    return openinference_messages(span.attributes, "llm.input_messages"), openinference_messages(
        span.attributes, "llm.output_messages"
    )


def _ai_sdk(span: Span) -> Sides:
    a = span.attributes
    if "ai.toolCall.name" in a:
        return Raw(parsed(a.get("ai.toolCall.args"))), Raw(parsed(a.get("ai.toolCall.result")))
    if "ai.value" in a or "ai.values" in a:
        values = [parsed(value) for value in a.get("ai.values", [])]
        vectors = Raw(parsed(a.get("ai.embedding") or a.get("ai.embeddings")))
        return Raw(values or parsed(a.get("ai.value"))), one_of(None, vectors)  # are vectors kept? not said
    given = messages(a.get("ai.prompt.messages")) or _ai_prompt(parsed(a.get("ai.prompt")))
    return given, ai_sdk_output(a)


def _ai_prompt(prompt: Any) -> Content:
    if not isinstance(prompt, dict):
        return None
    if isinstance(prompt.get("messages"), list):
        return messages(prompt)
    system = [{"role": "system", "content": prompt["system"]}] if prompt.get("system") else []
    return [message(m) for m in [*system, {"role": "user", "content": prompt.get("prompt")}]]


def _span_events(span: Span) -> Sides:
    merged: dict[str, Any] = {}
    for event in span.events:
        if event.name == DETAILS:
            merged |= event.attributes
    if merged:
        return _semconv(merged)
    return event_messages([(event.name, event.attributes) for event in span.events])


def _indexed(span: Span) -> Sides:
    return indexed_messages(span.attributes, "gen_ai.prompt"), indexed_messages(
        span.attributes, "gen_ai.completion"
    )


def _pydantic_ai(span: Span) -> Sides:
    listed = first(span.attributes, "events", "all_messages_events")
    if isinstance(listed, list) and all(isinstance(record, dict) for record in listed):
        given, answered = event_messages([(str(record.get("event.name")), record) for record in listed])
        if "events" in span.attributes:
            return given, answered
        final = given[-1:] if given and given[-1]["role"] == "assistant" else []
        return one_of(given, given[: len(given) - len(final)]), one_of(_final(span), answered or final)
    every = messages(span.attributes.get("pydantic_ai.all_messages"))
    if not every:
        return None, _final(span)
    asked = every[:-1] if every[-1]["role"] == "assistant" else every
    instructions, _ = _semconv(
        {"gen_ai.system_instructions": span.attributes.get("gen_ai.system_instructions")}
    )
    system = instructions if isinstance(instructions, list) else []
    answers = [content for content in (_final(span), every[len(asked) :]) if content not in NOTHING]
    # The mapping names the key, not where in it the question ends and the answer begins.
    return one_of(system + asked, asked, system + every, every), one_of(*answers) if answers else None


def _final(span: Span) -> Content:
    value = first(span.attributes, "final_result")
    return None if value is None else Raw(value)


def _whole_request(span: Span) -> Sides:
    a = span.attributes
    given = first(a, "gen_ai.prompt", "request_data")
    told = isinstance(given, dict) and set(given) <= {
        "model",
        "stream",
    }  # Logfire 2 keeps only these: nothing was asked in them
    answered = first(a, "gen_ai.completion", "response_data")
    return (None if told else messages(given) or Raw(given)), messages(answered) or Raw(answered)


def _entity(span: Span) -> Sides:
    return Raw(first(span.attributes, "traceloop.entity.input")), Raw(
        first(span.attributes, "traceloop.entity.output")
    )


def _values(span: Span) -> Sides:
    return Raw(first(span.attributes, "input.value")), Raw(first(span.attributes, "output.value"))


SOURCES: tuple[Callable[[Span], Sides], ...] = (
    _langfuse,
    _semconv_span,
    _query,
    _tool,
    _openinference,
    _ai_sdk,
    _span_events,
    _indexed,
    _pydantic_ai,
    _whole_request,
    _entity,
    _values,
)
