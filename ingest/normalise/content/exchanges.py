"""Whole requests and responses, and the envelopes that frameworks put around them → messages.

`conversation` is the one question that every raw-value source asks: are there messages in this value?
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ingest.normalise.content.messages import is_message, message_of, messages_of, plain_message, text_message
from ingest.normalise.content.model import Message, Side
from ingest.normalise.content.parts import is_blocks, parts_of
from ingest.normalise.values import Value, parsed, text_of

_SYSTEM: Final = ("system", "instructions", "systemInstruction", "system_instruction", "system_prompt")
_REQUEST: Final = ("messages", "input", "contents", "prompt", "inputs", "prompts")
_ANSWERS: Final = (
    "choices",
    "output",
    "candidates",
    "generations",
    "message",
    "messages",
    "outputs",
    "update",
)
_ANSWER_TEXTS: Final = (
    "text",
    "completion",
    "response",
    "output_text",
    "combined_chunk_content",
    "generated_text",
)
_ENVELOPE_MARKS: Final = ("tags", "metadata", "kwargs")
_COMMAND: Final = frozenset(("graph", "update", "resume", "goto"))
_MAX_NESTING = 4


def conversation(value: Value, side: Side, *, model_call: bool) -> list[Message] | None:
    """The messages in a raw value; None when it holds none.

    On a model call every provider's request or response counts, and plain text is a message. Elsewhere only what is
    a list of messages beyond doubt, alone or under the single key `messages`: a chain's own value stays raw.
    """
    try:
        found = parsed(value)
        if model_call:
            return _from_model(found, side, 0)
        return _beyond_doubt(found, side)
    except RecursionError:
        return None


def without_envelope(value: Value) -> Value:
    """What LangChain's instrumentation by OpenLLMetry wraps with tags and metadata; any other value as it is."""
    if not isinstance(value, dict):
        return value
    if "kwargs" in value:
        if all(mark in value for mark in _ENVELOPE_MARKS):
            for name in ("inputs", "input_str", "query"):
                if name in value:
                    return value[name]
        if set(value) <= {"outputs", "output", "kwargs"}:
            return value.get("outputs", value.get("output"))
    return value


def instructions(value: Value) -> list[Message]:
    """A system prompt that came apart from the messages: text, a part, a list of parts, or a message."""
    found = parsed(value)
    if isinstance(found, list) and found and isinstance(found[0], dict) and is_message(found[0]):
        return messages_of(found, "input") or []
    if isinstance(found, dict) and isinstance(found.get("parts"), list):
        found = found["parts"]
    parts = parts_of(found)
    return [{"role": "system", "parts": list(parts)}] if parts else []


def with_instructions(system: list[Message], messages: list[Message]) -> list[Message]:
    """The system prompt before the messages, unless it is among them already."""
    if not system:
        return messages
    known = [_words(message) for message in messages if message["role"] in ("system", "developer")]
    return [message for message in system if _words(message) not in known] + messages


def _words(message: Message) -> str:
    parts = message["parts"]
    if not isinstance(parts, list):
        return ""
    return "\n".join(text_of(part.get("content")) for part in parts if isinstance(part, dict)).strip()


def _beyond_doubt(value: Value, side: Side) -> list[Message] | None:
    if isinstance(value, dict):
        held = _holder(value)
        if held is not None:
            return _beyond_doubt(held, side)
        alone = message_of(value, side) if _speaks(value) else None
        return [alone] if alone else None
    if (
        isinstance(value, list)
        and len(value) == 1
        and isinstance(value[0], dict)
        and set(value[0]) <= _COMMAND
    ):
        return _beyond_doubt(value[0].get("update"), side)
    if isinstance(value, list) and value and all(isinstance(item, dict) and _speaks(item) for item in value):
        return messages_of(value, side)
    return None


def _holder(value: Mapping[str, Value]) -> Value:
    """The list inside an object that is there only to hold it: {"messages"}, LangChain's ChatPromptValue."""
    if set(value) == {"messages"}:
        return value["messages"]
    inner = value.get("kwargs")
    if "lc" in value and isinstance(inner, dict) and "content" not in inner:
        return inner.get("messages")
    return None


def _speaks(native: Mapping[str, Value]) -> bool:
    """A role with content, or a LangChain message."""
    if "lc" in native or isinstance(native.get("data"), dict):
        return True
    return is_message(native) and not {"content", "parts", "tool_calls"}.isdisjoint(native)


def _from_model(value: Value, side: Side, depth: int) -> list[Message] | None:
    if isinstance(value, str):
        return _from_text(value, side)
    if depth > _MAX_NESTING:
        return None
    if isinstance(value, list):
        return _from_list(value, side, depth)
    if isinstance(value, dict):
        alone = message_of(value, side)
        if alone is not None:
            return with_instructions(_system(value), [alone]) if side == "input" else [alone]
        return _request(value, depth) if side == "input" else _response(value, depth)
    return None


def _from_text(text: str, side: Side) -> list[Message] | None:
    """Plain text is a message; text that began as a JSON list or object and broke off is not."""
    if not text.strip() or text[0] in "[{":
        return None
    return [text_message("user" if side == "input" else "assistant", text)]


def _from_list(values: list[Value], side: Side, depth: int) -> list[Message] | None:
    messages = messages_of(values, side)
    if messages is not None:
        return messages
    if is_blocks(values):
        return [{"role": "user" if side == "input" else "assistant", "parts": list(parts_of(values))}]
    if values and all(isinstance(value, (dict, list)) for value in values):
        found = [_from_model(value, side, depth + 1) for value in values]
        flat = [message for messages in found for message in messages or ()]
        return flat if flat and all(found) else None
    return None


def _system(request: Mapping[str, Value]) -> list[Message]:
    for name in _SYSTEM:
        if request.get(name):
            return instructions(request[name])
    return []


def _request(request: Mapping[str, Value], depth: int) -> list[Message] | None:
    inner = without_envelope(dict(request))
    if inner is not None and not isinstance(inner, dict):
        return _from_model(inner, "input", depth + 1)
    call = _arguments(request)
    if call is not None:
        return call
    for name in _REQUEST:
        body = parsed(request.get(name))
        if body is None:
            continue
        if name == "prompts" and isinstance(body, list) and all(isinstance(text, str) for text in body):
            found: list[Message] | None = [text_message("user", text_of(text)) for text in body]
        else:
            found = _from_model(body, "input", depth + 1)
        if found:
            return with_instructions(_system(request), found)
    return _system(request) or None


def _arguments(request: Mapping[str, Value]) -> list[Message] | None:
    """A decorated function's call, {"args": […], "kwargs": {…}}: messages only where an argument is a list of them."""
    args, kwargs = request.get("args"), request.get("kwargs")
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        return None
    for candidate in (kwargs.get("messages"), kwargs.get("input"), *args[:2]):
        found = _beyond_doubt(candidate, "input")
        if found:
            return found
    return None


def _response(response: Mapping[str, Value], depth: int) -> list[Message] | None:
    inner = without_envelope(dict(response))
    if inner is not None and not isinstance(inner, dict):
        return _from_model(inner, "output", depth + 1)
    for name in _ANSWERS:
        body = parsed(response.get(name))
        if not body:
            continue
        if name == "candidates" and isinstance(body, list):
            found: list[Message] | None = [
                message for item in body if (message := _candidate(item)) is not None
            ]
        elif name == "generations":
            found = _generations(body)
        else:
            found = _from_model(body, "output", depth + 1)
        if found:
            return found
    return _answer_text(response)


def _answer_text(response: Mapping[str, Value]) -> list[Message] | None:
    """Text completions, alone or as a choice of the old completions API."""
    for name in _ANSWER_TEXTS:
        text = response.get(name)
        if isinstance(text, str) and text:
            return [plain_message({**_finish_of(response), "role": "assistant", "content": text}, "output")]
    return None


def _finish_of(response: Mapping[str, Value]) -> dict[str, Value]:
    return {key: response[key] for key in ("finish_reason", "stop_reason") if response.get(key)}


def _candidate(candidate: Value) -> Message | None:
    """Gemini: {"content": {"role": "model", "parts": […]}, "finishReason": "STOP"}."""
    if not isinstance(candidate, dict) or not isinstance(candidate.get("content"), dict):
        return None
    content = candidate["content"]
    if not isinstance(content, dict):
        return None
    finish = candidate.get("finishReason", candidate.get("finish_reason"))
    return message_of({**content, "finish_reason": finish} if finish else content, "output")


def _generations(body: Value) -> list[Message] | None:
    """LangChain's LLMResult: [[{"text", "generation_info", "message"}]]."""
    messages: list[Message] = []
    for batch in body if isinstance(body, list) else []:
        for generation in batch if isinstance(batch, list) else [batch]:
            message = _generation(generation)
            if message is not None:
                messages.append(message)
    return messages or None


def _generation(generation: Value) -> Message | None:
    if not isinstance(generation, dict):
        return None
    info = generation.get("generation_info")
    finish = _finish_of(info) if isinstance(info, dict) else {}
    message = message_of(generation.get("message"), "output")
    if message is None:
        text = generation.get("text")
        return plain_message({"content": text, **finish}, "output") if isinstance(text, str) else None
    if finish:
        message.setdefault("finish_reason", next(iter(finish.values())))
    return message
