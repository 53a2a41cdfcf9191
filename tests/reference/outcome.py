"""Status, errors, streaming, time to first token and finish reason: sections 2.5 and 2.8."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.reference.decode import Span
from tests.reference.values import EMPTY, first, first_text, flattened, one_of, parsed, text, true

STATUSES = {0: "unset", 1: "ok", 2: "error"}
FINISH = {
    **dict.fromkeys(("tool_calls", "tool_call", "tool-calls", "tool_use"), "tool_calls"),
    **dict.fromkeys(("end_turn", "completed", "stop"), "stop"),
    **dict.fromkeys(("max_tokens", "length"), "length"),
}
SECONDS = ("gen_ai.response.time_to_first_chunk", "gen_ai.client.operation.time_to_first_chunk")
SERVER = "gen_ai.server.time_to_first_token"
CHUNKS = ("First Token Stream Event", "gen_ai.content.completion.chunk", "llm.content.completion.chunk")


def status(span: Span) -> Any:
    """The status code; Langfuse JS leaves it unset on an error and says so only in its level."""
    found = STATUSES[span.status_code]
    failed = span.attributes.get("langfuse.observation.level") == "ERROR"
    return one_of(found, "error") if failed and found != "error" else found


def _exception(span: Span, key: str) -> str:
    return next(
        (text(e.attributes[key]) for e in span.events if e.name == "exception" and e.attributes.get(key)), ""
    )


def status_message(span: Span) -> str:
    """What went wrong, in the client's words."""
    langfuse = first_text(span.attributes, "langfuse.observation.status_message")
    return (
        span.status_message
        or langfuse
        or _exception(span, "exception.message")
        or first_text(span.attributes, "error.message")
    )


def error_type(span: Span) -> str:
    """Class or code of the error."""
    return first_text(span.attributes, "error.type") or _exception(span, "exception.type")


def streaming(span: Span) -> bool:
    """Any of the signs of section 2.8."""
    a = span.attributes
    flags = (
        "gen_ai.request.stream",
        "gen_ai.is_streaming",
        "llm.is_streaming",
        "langsmith.request.streaming",
    )
    parameters = first(a, "llm.invocation_parameters")
    asked = isinstance(parameters, dict) and true(parameters.get("stream"))
    operation = str(a.get("ai.operationId", "")).endswith(".doStream")
    return (
        any(true(a.get(key)) for key in flags) or asked or operation or _time_to_first_token(span) is not None
    )


def time_to_first_token_ms(span: Span) -> float | None:
    """Milliseconds; the unit depends on the key, and for the server's key on the scope."""
    found = _time_to_first_token(span)
    if found is not None or not streaming(span) or SERVER not in span.attributes:
        return found
    return (
        float(span.attributes[SERVER]) * 1000
    )  # OpenLIT sends it on every span: it means something on streams only


def _time_to_first_token(span: Span) -> float | None:
    a = span.attributes
    for key in SECONDS:
        if key in a:
            return float(a[key]) * 1000
    if SERVER in a and span.scope_name.startswith("strands"):
        return float(a[SERVER])
    if "ai.response.msToFirstChunk" in a:
        return float(a["ai.response.msToFirstChunk"])
    if started := first_text(a, "langfuse.observation.completion_start_time"):
        return _nanoseconds(started, span) / 1e6
    chunk = next((event for event in span.events if event.name in CHUNKS), None)
    return None if chunk is None else (chunk.time - span.start) / 1e6


def _nanoseconds(moment: str, span: Span) -> int:
    """From the span's start to an ISO time, in nanoseconds, without going through a float of the epoch."""
    since = datetime.fromisoformat(moment) - datetime.fromtimestamp(0, UTC)
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1000 - span.start


def finish_reason(span: Span) -> str:
    """The first choice's reason, normalised."""
    a = span.attributes
    reasons = parsed(a.get("gen_ai.response.finish_reasons"))
    listed = reasons[0] if isinstance(reasons, list) and reasons else reasons
    indexed = next((item.get("finish_reason") for item in flattened(a, "gen_ai.completion")), None)
    later = (
        listed, first(a, "llm.finish_reason"), first(a, "ai.response.finishReason"), indexed, _from_output(a),
        first(a, "anthropic.message.stop_reason"), first(a, "langfuse.observation.metadata.finish_reason"),
    )  # fmt: skip
    found = text(next((value for value in later if value not in EMPTY), ""))
    return FINISH.get(found, found)


def _from_output(attributes: Any) -> Any:
    output = parsed(attributes.get("gen_ai.output.messages"))
    if isinstance(output, list):
        return next((m.get("finish_reason") for m in output if isinstance(m, dict)), None)
    choices = (
        m
        for m in parsed(attributes.get("events")) or []
        if isinstance(m, dict) and m.get("event.name") == "gen_ai.choice"
    )
    return next((choice.get("finish_reason") for choice in choices), None)
