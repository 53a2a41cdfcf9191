"""Vercel AI SDK 5 and 6 (`ai.*`): the prompt, the answer in pieces, embeddings."""

from __future__ import annotations

from collections.abc import Mapping

from ingest.normalise.content.exchanges import conversation, instructions, with_instructions
from ingest.normalise.content.messages import plain_message
from ingest.normalise.content.model import Message
from ingest.normalise.values import Value, dump, mapping, parsed, sequence, text_of, unquoted

Reading = tuple[list[Message], str, tuple[str, ...]]
"""Messages, or else raw text, and the keys that they repeat in full."""


def asked(attributes: Mapping[str, Value]) -> Reading:
    """What went in: `ai.prompt.messages` (inner spans), `ai.prompt` (outer), `ai.value(s)` (embeddings)."""
    for key in ("ai.prompt.messages", "ai.prompt"):
        value = attributes.get(key)
        if value is None:
            continue
        messages = conversation(value, "input", model_call=True)
        if messages is None:
            return [], unquoted(value), (key,)
        system = instructions(attributes.get("ai.prompt.system"))
        return with_instructions(system, messages), "", (key, "ai.prompt.system") if system else (key,)
    for key in ("ai.value", "ai.values"):
        value = attributes.get(key)
        if value is not None:
            return [], _texts(value), (key,)
    return [], "", ()


def answered(attributes: Mapping[str, Value]) -> Reading:
    """What came out: thought, text, calls and object make one assistant message; vectors stay raw."""
    keys = tuple(key for key in _ANSWER_KEYS if attributes.get(key) not in (None, ""))
    if keys:
        message = plain_message(_answer(attributes), "output")
        return [message], "", keys
    for key in ("ai.embedding", "ai.embeddings"):
        value = attributes.get(key)
        if value is not None:
            return [], _texts(value), (key,)
    return [], "", ()


_ANSWER_KEYS = ("ai.response.reasoning", "ai.response.text", "ai.response.toolCalls", "ai.response.object")


def _answer(attributes: Mapping[str, Value]) -> dict[str, Value]:
    answer: dict[str, Value] = {
        "role": "assistant",
        "reasoning": attributes.get("ai.response.reasoning"),
        "content": text_of(attributes.get("ai.response.text") or attributes.get("ai.response.object")),
        "finish_reason": attributes.get("ai.response.finishReason"),
    }
    calls: list[Value] = [mapping(call) for call in sequence(attributes.get("ai.response.toolCalls"))]
    if calls:
        answer["tool_calls"] = calls
    return answer


def _texts(value: Value) -> str:
    """One JSON-quoted text, or the list of them."""
    if isinstance(value, list):
        return dump([parsed(item) for item in value])
    return unquoted(value)
