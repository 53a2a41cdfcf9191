"""Why the model stopped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ingest.normalise.content import keys
from ingest.normalise.content.model import Message
from ingest.normalise.content.view import View
from ingest.normalise.values import Value, mapping, parsed, unquoted

_REASONS: Final[dict[str, str]] = {
    **dict.fromkeys(
        ("tool_calls", "tool_call", "tool-calls", "tool_use", "function_call", "tooluse"), "tool_calls"
    ),
    **dict.fromkeys(
        ("stop", "end_turn", "completed", "stop_sequence", "eos", "complete", "finish", "end"), "stop"
    ),
    **dict.fromkeys(("length", "max_tokens", "max_output_tokens", "incomplete", "model_length"), "length"),
    **dict.fromkeys(
        ("content_filter", "content-filter", "safety", "refusal", "guardrail_intervened"), "content_filter"
    ),
    "failed": "error",
}
_KEYS: Final = (
    "gen_ai.response.finish_reasons",
    "gen_ai.response.finish_reason",
    "llm.finish_reason",
    "ai.response.finishReason",
)
_LATE_KEYS: Final = ("anthropic.message.stop_reason", "langfuse.observation.metadata.finish_reason")


def finish_reason(view: View, output: Sequence[Message]) -> str:
    """The first choice's reason in canonical words; '' when nobody says.

    Messages count where they are a model's answer: not the conversation that a chain or an agent's run hands on.
    """
    spoken = view.kind == "llm" or view.signals & keys.EVENTS or "gen_ai.output.messages" in view.attributes
    late = of_messages(output) if spoken else ""
    if not view.signals & keys.FINISH:
        return late or _in_response(view, output)
    return (
        _said(view, _KEYS, output)
        or _flattened(view)
        or late
        or _said(view, _LATE_KEYS, output)
        or _in_response(view, output)
    )


def _flattened(view: View) -> str:
    """`gen_ai.completion.N.finish_reason`, also where another source gave the messages."""
    reasons = (normalised(entry.leaf("finish_reason")) for entry in view.entries("gen_ai.completion"))
    return next((reason for reason in reasons if reason), "")


def _said(view: View, names: tuple[str, ...], output: Sequence[Message]) -> str:
    """What the first of the attributes says."""
    for key in names:
        value = view.attributes.get(key)
        if value is None:
            continue
        reason = normalised(_first(value))
        if reason == "stop" and key == "llm.finish_reason" and _calls_tools(output):
            # OpenInference's agents instrumentation says stop whatever happened.
            return "tool_calls"
        if reason:
            return reason
    return ""


def of_messages(output: Sequence[Message]) -> str:
    """The first choice's reason."""
    for message in output:
        if reason := normalised(message.get("finish_reason")):
            return reason
    return ""


def normalised(reason: Value) -> str:
    """A reason in canonical words; one that nobody knows, in lower case."""
    if reason is None:
        return ""
    text = unquoted(reason).strip().lower()
    return _REASONS.get(text, text)


def _first(value: Value) -> Value:
    """The first of a list, also of one written as JSON."""
    found = parsed(value)
    if isinstance(found, list):
        return next((reason for reason in found if reason), None)
    return found


def _calls_tools(output: Sequence[Message]) -> bool:
    parts = [part for message in output if isinstance(message["parts"], list) for part in message["parts"]]
    return any(isinstance(part, dict) and part.get("type") == "tool_call" for part in parts)


def _in_response(view: View, output: Sequence[Message]) -> str:
    """The status of a whole response of the Responses API (LangSmith): completed also when it calls tools."""
    if view.kind != "llm" or not view.signals & keys.PROMPT:
        return ""
    response = mapping(view.attributes.get("gen_ai.completion"))
    if response.get("object") != "response":
        return ""
    reason = normalised(response.get("status"))
    return "tool_calls" if reason == "stop" and _calls_tools(output) else reason
