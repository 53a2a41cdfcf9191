"""One provider-native message, or a list of them → canonical messages.

Known forms: OpenTelemetry and Gemini (`parts`), OpenAI chat messages and choices, OpenAI Responses items, Anthropic,
Bedrock and Vercel AI (`content` blocks), LangChain (plain, {"type", "data"} and serialised {"lc", "kwargs"}).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ingest.normalise.content.model import Message, Part, Side
from ingest.normalise.content.parts import (
    call_of,
    is_blocks,
    part_of,
    parts_of,
    reasoning_part,
    text_part,
    tool_response,
)
from ingest.normalise.values import Value, parsed, text_of

ROLES: Final[dict[str, str]] = {
    "system": "system", "developer": "developer", "user": "user", "assistant": "assistant", "tool": "tool",
    "human": "user", "ai": "assistant", "model": "assistant", "bot": "assistant", "chatbot": "assistant",
    "function": "tool", "thinking": "assistant", "HumanMessage": "user", "HumanMessageChunk": "user",
    "AIMessage": "assistant", "AIMessageChunk": "assistant", "SystemMessage": "system",
    "SystemMessageChunk": "system", "ToolMessage": "tool", "ToolMessageChunk": "tool", "FunctionMessage": "tool",
}  # fmt: skip
_NO_ROLES: Final = frozenset(("", "unknown", "message"))
_DEFAULT_ROLES: Final[dict[Side, str]] = {"input": "user", "output": "assistant"}
_LANGCHAIN_TYPES: Final = frozenset(ROLES) - {
    "model",
    "bot",
    "chatbot",
    "user",
    "assistant",
    "developer",
    "thinking",
}
_ITEM_ANSWERS: Final = frozenset(("function_call_output", "custom_tool_call_output"))
_ITEM_CALLS: Final = frozenset(("function_call", "custom_tool_call", "reasoning"))
_BESIDE_CONTENT: Final = frozenset(
    "reasoning_content reasoning thinking additional_kwargs refusal tool_calls function_call audio name "
    "response_metadata finish_reason stop_reason finishReason stopReason".split()
)
_CALL_KEYS: Final = frozenset(("type", "id", "name", "arguments"))
_FINISH: Final = ("finish_reason", "stop_reason", "finishReason", "stopReason")
_TOOL_IDS: Final = ("tool_call_id", "toolCallId", "id")


def messages_of(natives: list[Value], side: Side) -> list[Message] | None:
    """Canonical messages from a list of native ones; None when an element is no message."""
    messages: list[Message] = []
    turn: Message | None = None
    for native in natives:
        item = _is_item(native)
        message = message_of(native, side)
        if message is None:
            return None
        if item and turn is not None and turn["role"] == message["role"] == "assistant":
            # One response of the Responses API is several items: thought, calls, text.
            _append(turn, message)
            continue
        messages.append(message)
        turn = message if item else None
    return messages or None


def message_of(native: Value, side: Side) -> Message | None:
    """One canonical message; None when the value is none. `side` gives the role when the message names none."""
    if isinstance(native, list):
        return _pair(native)
    if not isinstance(native, dict):
        return None
    parts = native.get("parts")
    if isinstance(parts, list):
        return _with_parts(native, parts, side)
    if "lc" in native or isinstance(native.get("data"), dict):
        return _langchain(native, side)
    if _is_item(native) and native.get("type") != "message":
        return _item(native)
    if isinstance(native.get("message"), dict) and "content" not in native:
        return _choice(native, side)
    if not is_message(native):
        return None
    return plain_message(native, side)


def is_message(native: Mapping[str, Value]) -> bool:
    """Whether the object says itself that it is a message: by its role, or by LangChain's or Responses' type."""
    if isinstance(native.get("role"), str):
        return True
    kind = native.get("type")
    if not isinstance(kind, str) or "content" not in native:
        return False
    return kind == "message" or kind in _LANGCHAIN_TYPES


def plain_message(native: Mapping[str, Value], side: Side) -> Message:
    """A message with `content`, `tool_calls` and the like, whatever provider wrote it."""
    role = role_of(native.get("role") or native.get("type"), side)
    content = native.get("content")
    if role == "tool" and not _holds_answers(content):
        return {"role": role, "parts": [_answer(native, content)]}
    if _BESIDE_CONTENT.isdisjoint(native) and native.get("role") != "thinking":
        return {"role": role, "parts": list(parts_of(content))}
    parts = _thoughts(native) + parts_of(content) + _calls(native)
    if native.get("role") == "thinking":
        parts = [part for part in (reasoning_part(text_of(content)),) if part is not None]
    return _labelled({"role": role, "parts": list(without_repeated_calls(parts))}, native)


def role_of(role: Value, side: Side) -> str:
    """The canonical role; a role nobody knows stays, one that is missing or `unknown` follows from the side."""
    if not isinstance(role, str) or role in _NO_ROLES:
        return _DEFAULT_ROLES[side]
    return ROLES.get(role) or ROLES.get(role.lower(), role)


def text_message(role: str, text: str) -> Message:
    """A message of plain text."""
    return {"role": role, "parts": [text_part(text)]}


def has_parts(messages: Sequence[Message]) -> bool:
    """Whether any of the messages says anything."""
    return any(message["parts"] for message in messages)


def without_repeated_calls(parts: list[Part]) -> list[Part]:
    """Some clients send a call both as a content block and in `tool_calls`: keep the first of each id."""
    seen: set[str] = set()
    kept: list[Part] = []
    for part in parts:
        identity = part.get("id")
        if part["type"] == "tool_call" and isinstance(identity, str):
            if identity in seen:
                continue
            seen.add(identity)
        kept.append(part)
    return kept


def _with_parts(native: dict[str, Value], parts: list[Value], side: Side) -> Message | None:
    role = native.get("role")
    if role is not None and not isinstance(role, str):
        return None
    message: Message = {
        "role": role_of(role, side),
        "parts": [part for raw in parts if (part := _part(raw)) is not None],
    }
    return _labelled(message, native) if len(native) > 2 else message


def _labelled(message: Message, native: Mapping[str, Value]) -> Message:
    """Add why the message ended and who spoke."""
    finish = _finish(native)
    if finish:
        message["finish_reason"] = finish
    name = native.get("name")
    if isinstance(name, str) and name and message["role"] != "tool":
        message["name"] = name
    return message


def _part(raw: Value) -> Part | None:
    """Most parts of `parts` are canonical already and pass as they are."""
    if not isinstance(raw, dict):
        return part_of(raw)
    content = raw.get("content")
    if isinstance(content, str) and content and len(raw) == 2:
        kind = raw.get("type")
        # OpenLLMetry writes the summaries of a thought as JSON text into its content.
        if kind == "text" or (kind == "reasoning" and not content.startswith('[{"')):
            return raw
    elif raw.get("type") == "tool_call" and raw.keys() == _CALL_KEYS and isinstance(raw["arguments"], dict):
        return (
            raw if isinstance(raw["id"], str) and isinstance(raw["name"], str) and raw["id"] else part_of(raw)
        )
    return part_of(raw)


def _append(turn: Message, message: Message) -> None:
    """Add the parts of a further item to the turn."""
    parts = turn["parts"]
    more = message["parts"]
    if isinstance(parts, list) and isinstance(more, list):
        parts.extend(more)
    for name in ("finish_reason", "name"):
        if name in message:
            turn[name] = message[name]


def _pair(native: list[Value]) -> Message | None:
    """LangChain's short form: ["human", "Hello"]."""
    if len(native) == 2 and isinstance(native[0], str) and native[0] in ROLES and isinstance(native[1], str):
        return text_message(ROLES[native[0]], native[1])
    return None


def _langchain(native: Mapping[str, Value], side: Side) -> Message | None:
    """{"lc": 1, "id": [… "AIMessage"], "kwargs": {…}} and {"type": "ai", "data": {…}}."""
    inner = native.get("kwargs", native.get("data"))
    path = native.get("id")
    kind = path[-1] if isinstance(path, list) and path else native.get("type")
    if not isinstance(inner, dict) or kind not in _LANGCHAIN_TYPES or "content" not in inner:
        return None
    return plain_message({"type": kind, **inner, "role": inner.get("role") or kind}, side)


def _is_item(native: Value) -> bool:
    """Whether this is an item of the Responses API. `message` needs the status or id that only items have."""
    if not isinstance(native, dict):
        return False
    kind = native.get("type")
    if not isinstance(kind, str) or "parts" in native:
        return False
    if kind == "message":
        return "status" in native or "id" in native
    return kind in _ITEM_CALLS or kind in _ITEM_ANSWERS or (kind.endswith("_call") and kind != "tool_call")


def _item(native: dict[str, Value]) -> Message:
    part = part_of(native)
    role = "tool" if native.get("type") in _ITEM_ANSWERS else "assistant"
    parts: list[Value] = [] if part is None else [part]
    return {"role": role, "parts": parts}


def _choice(native: Mapping[str, Value], side: Side) -> Message | None:
    """An OpenAI choice, or the body of a `gen_ai.choice` event: {"index", "message", "finish_reason"}."""
    inner = native["message"]
    if not isinstance(inner, dict):
        return None
    outside = {key: native[key] for key in (*_FINISH, "tool_calls") if native.get(key)}
    return message_of({"role": "assistant", **outside, **_said(inner)}, side)


def _said(inner: Mapping[str, Value]) -> dict[str, Value]:
    return {key: value for key, value in inner.items() if value is not None}


def _holds_answers(content: Value) -> bool:
    """Whether the content blocks of a tool message are answers themselves (Vercel AI, Bedrock)."""
    if not isinstance(content, list):
        return False
    return any(
        isinstance(block, dict)
        and (block.get("type") in ("tool-result", "tool_result") or "toolResult" in block)
        for block in content
    )


def _answer(native: Mapping[str, Value], content: Value) -> Part:
    identity = next((native[name] for name in _TOOL_IDS if native.get(name)), None)
    part = tool_response("tool_call_response", identity, content)
    if isinstance(native.get("name"), str) and native["name"]:
        part["name"] = native["name"]
    return part


def _thoughts(native: Mapping[str, Value]) -> list[Part]:
    for name in ("reasoning_content", "reasoning", "thinking"):
        found = native.get(name)
        if found is None and isinstance(extra := native.get("additional_kwargs"), dict):
            found = extra.get(name)
        if found:
            part = part_of({"type": "reasoning", "content": found})
            return [] if part is None else [part]
    return []


def _calls(native: Mapping[str, Value]) -> list[Part]:
    """Calls beside the content; LangChain's parsed ones before the provider's own in `additional_kwargs`."""
    parts: list[Part] = []
    refusal = native.get("refusal")
    if isinstance(refusal, str) and refusal:
        parts.append({"type": "refusal", "content": refusal})
    calls = parsed(native.get("tool_calls"))
    extra = native.get("additional_kwargs")
    if not calls and isinstance(extra, dict):
        calls = extra.get("tool_calls")
    if isinstance(calls, list):
        parts += [call_of(call) for call in calls if isinstance(call, dict)]
    legacy = native.get("function_call")
    if isinstance(legacy, dict) and legacy.get("name"):
        parts.append(call_of(legacy))
    audio = native.get("audio")
    if isinstance(audio, dict):
        parts += parts_of({"type": "audio", **audio})
        if audio.get("transcript"):
            parts.append(text_part(text_of(audio["transcript"])))
    return parts


def _finish(native: Mapping[str, Value]) -> str:
    for name in _FINISH:
        value = native.get(name)
        if isinstance(value, str) and value:
            return value
    metadata = native.get("response_metadata")
    if isinstance(metadata, dict):
        return _finish({key: metadata[key] for key in _FINISH if key in metadata})
    return ""


def opened_content(content: Value) -> Value:
    """Content blocks that came as JSON text; text that only looks like JSON stays text."""
    found = parsed(content)
    return found if found is not content and is_blocks(found) else content
