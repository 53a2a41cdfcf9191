"""Flattened message lists → canonical messages.

OpenInference writes `llm.input_messages.N.message.…`, the older OpenLLMetry `gen_ai.prompt.N.…` and
`gen_ai.completion.N.…`.
"""

from __future__ import annotations

from ingest.normalise.content.messages import (
    opened_content,
    plain_message,
    role_of,
    text_message,
    without_repeated_calls,
)
from ingest.normalise.content.model import Message, Part, Side
from ingest.normalise.content.parts import part_of, parts_of, response_value, tool_call, tool_response
from ingest.normalise.content.view import Node, View
from ingest.normalise.values import Value, text_of


def openinference(view: View, side: Side) -> list[Message]:
    """`llm.{input,output}_messages`, or the text completions `llm.prompts` and `llm.choices`."""
    entries = view.entries(f"llm.{side}_messages")
    if entries:
        return _thoughts_joined([_openinference_message(entry, side) for entry in entries])
    family, role = ("llm.prompts", "user") if side == "input" else ("llm.choices", "assistant")
    return [
        text_message(role, text) for entry in view.entries(family) if (text := text_of(entry.leaf("text")))
    ]


def openllmetry(view: View, side: Side) -> list[Message]:
    """`gen_ai.prompt.N` or `gen_ai.completion.N`."""
    entries = view.entries("gen_ai.prompt" if side == "input" else "gen_ai.completion")
    return _thoughts_joined([_openllmetry_message(entry, side) for entry in entries])


def embedded_texts(view: View) -> Value:
    """The texts of an embedding span, `embedding.embeddings.N.embedding.text`: one text, or the list of them."""
    texts: list[Value] = [
        text for entry in view.entries("embedding.embeddings") if (text := entry.leaf("text")) is not None
    ]
    return texts[0] if len(texts) == 1 else texts or None


def _openinference_message(entry: Node, side: Side) -> Message:
    role = role_of(entry.leaf("role"), side)
    content = entry.leaf("content")
    if len(entry) == 2 and isinstance(content, str) and role != "tool":
        return {"role": role, "parts": list(parts_of(content))}
    parts = [
        part for block in entry.children("contents") if (part := _openinference_block(block)) is not None
    ]
    if content and not any(part["type"] == "text" for part in parts):
        # Some clients send the text both ways.
        parts = parts_of(content if isinstance(content, list) else text_of(content)) + parts
    if role == "tool":
        parts = [_openinference_answer(entry, content, parts)]
    parts += [_openinference_call(call) for call in entry.children("tool_calls")]
    if entry.leaf("function_call_name"):
        parts.append(
            tool_call(None, entry.leaf("function_call_name"), entry.leaf("function_call_arguments_json"))
        )
    message: Message = {"role": role, "parts": list(without_repeated_calls(parts))}
    name = entry.leaf("name")
    if isinstance(name, str) and name and role != "tool":
        message["name"] = name
    return message


def _openinference_block(block: Node) -> Part | None:
    call = block.branch("tool_call")
    if call:
        return _openinference_call(block)
    content = block.branch("message_content")
    image = content.branch("image").branch("image").leaf("url") or content.branch("image").leaf("url")
    if image:
        return part_of({"type": "image", "url": image})
    audio = content.branch("audio").branch("audio") or content.branch("audio")
    if audio:
        return part_of({"type": "audio", "url": audio.leaf("url"), "mime_type": audio.leaf("mime_type")})
    native: dict[str, Value] = {
        key: value for key, value in content.items() if isinstance(key, str) and not isinstance(value, Node)
    }
    return part_of(native) if native else None


def _openinference_call(node: Node) -> Part:
    call = node.branch("tool_call")
    function = call.branch("function")
    return tool_call(call.leaf("id"), function.leaf("name"), function.leaf("arguments"))


def _openinference_answer(entry: Node, content: Value, parts: list[Part]) -> Part:
    response = content if content is not None else response_value(list(parts))
    part = tool_response("tool_call_response", entry.leaf("tool_call_id"), response)
    name = entry.leaf("name")
    if isinstance(name, str) and name:
        part["name"] = name
    return part


def _openllmetry_message(entry: Node, side: Side) -> Message:
    native: dict[str, Value] = {
        key: value for key, value in entry.items() if isinstance(key, str) and not isinstance(value, Node)
    }
    native["content"] = opened_content(native.get("content"))
    calls: list[Value] = [
        {name: call.leaf(name) for name in ("id", "name", "arguments")}
        for call in entry.children("tool_calls")
    ]
    if calls:
        native["tool_calls"] = calls
    return plain_message(native, side)


def _thoughts_joined(messages: list[Message]) -> list[Message]:
    """A thought that came as a message of its own belongs to the assistant's message after it."""
    joined: list[Message] = []
    for message in messages:
        if joined and message["role"] == "assistant" and _is_thought(joined[-1]):
            thought = joined.pop()
            message = {**thought, **message, "parts": [*_parts(thought), *_parts(message)]}
        joined.append(message)
    return joined


def _is_thought(message: Message) -> bool:
    parts = _parts(message)
    return bool(parts) and all(isinstance(part, dict) and part.get("type") == "reasoning" for part in parts)


def _parts(message: Message) -> list[Value]:
    parts = message["parts"]
    return parts if isinstance(parts, list) else []
