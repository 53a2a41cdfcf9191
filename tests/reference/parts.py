"""Message dialects to one canonical shape: section 2.3, column "Shape".

A canonical message is `{"role", "parts": [...]}`; a part is text{content}, reasoning{content}, tool_call{id, name, arguments},
tool_call_response{id, response}, media{payload} (images, files, blobs, uris) or other{value}.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.reference.values import EMPTY, flattened, parsed, text

Part = dict[str, Any]
Message = dict[str, Any]
ROLES = {"human": "user", "ai": "assistant", "model": "assistant", "thinking": "assistant"}
ITEM_ROLES = {
    "reasoning": "assistant",
    "function_call": "assistant",
    "function_call_output": "tool",
    "message": "assistant",
}
"""Items of the OpenAI Responses API that are messages of their own."""


def text_part(content: Any) -> Part:
    return {"type": "text", "content": text(content)}


def _reasoning(content: Any) -> Part:
    value = parsed(content)
    pieces = value if isinstance(value, list) else [value]
    return {
        "type": "reasoning",
        "content": "".join(text(p.get("text")) if isinstance(p, dict) else text(p) for p in pieces),
    }


def tool_call(identity: Any, name: Any, arguments: Any) -> Part:
    return {"type": "tool_call", "id": text(identity), "name": text(name), "arguments": parsed(arguments)}


def tool_response(identity: Any, response: Any) -> Part:
    return {"type": "tool_call_response", "id": text(identity), "response": parsed(response)}


def _media(payload: Any) -> Part:
    if isinstance(payload, dict):
        payload = payload.get("url") or payload.get("data") or payload.get("uri")
    return {"type": "media", "payload": text(payload).rpartition("base64,")[2]}


def part(block: Any) -> Part:
    """One block of any dialect: semconv parts, OpenAI, Anthropic, Bedrock and AI SDK content."""
    if not isinstance(block, dict):
        return text_part(block)
    kind = str(block.get("type", ""))
    if kind in ("text", "input_text", "output_text", "refusal") or (not kind and "text" in block):
        return text_part(next((block[key] for key in ("content", "text", "refusal") if key in block), ""))
    if kind in ("reasoning", "thinking"):
        return _reasoning(
            next((block[key] for key in ("content", "thinking", "text", "summary") if block.get(key)), "")
        )
    if kind in ("tool_call", "tool_use", "tool-call", "function", "function_call") or "toolUse" in block:
        return _call(block.get("toolUse", block))
    if (
        kind in ("tool_call_response", "tool_result", "tool-result", "function_call_output")
        or "toolResult" in block
    ):
        return _response(block.get("toolResult", block))
    for key in ("image_url", "image", "file", "data", "uri", "input_audio"):
        if key in block:
            return _media(block[key])
    if kind in ("blob", "media"):
        return _media(block.get("content", block.get("payload")))
    return {"type": "other", "value": block}


def _call(block: Mapping[str, Any]) -> Part:
    function = block.get("function", {})
    arguments = next(
        (
            source[key]
            for source in (block, function)
            for key in ("arguments", "input", "args")
            if key in source
        ),
        None,
    )
    identity = next(
        (block[key] for key in ("call_id", "toolCallId", "toolUseId", "id") if block.get(key)), ""
    )
    return tool_call(identity, block.get("name") or block.get("toolName") or function.get("name"), arguments)


def _response(block: Mapping[str, Any]) -> Part:
    identity = next(
        (block[key] for key in ("call_id", "tool_use_id", "toolCallId", "toolUseId", "id") if block.get(key)),
        "",
    )
    answer = next((block[k] for k in ("response", "result", "output", "content") if k in block), None)
    return tool_response(identity, _unwrapped(answer))


def _unwrapped(answer: Any) -> Any:
    """The Vercel AI SDK says of what kind a tool's output is; the answer is its value."""
    if isinstance(answer, Mapping) and set(answer) == {"type", "value"}:
        return answer["value"]
    return answer


def message(value: Mapping[str, Any], role: str = "") -> Message:
    """One message: `parts` (semconv), else `content` with tool calls beside it (OpenAI and the like), else a Responses item."""
    role = str(value.get("role") or role or ITEM_ROLES.get(str(value.get("type")), ""))
    if isinstance(value.get("parts"), list):
        return {"role": ROLES.get(role, role), "parts": [part(block) for block in value["parts"]]}
    if value.get("type") in ("reasoning", "function_call", "function_call_output"):
        return {"role": role, "parts": [part(value)]}
    parts = _answer(value) if role == "tool" else _content(value.get("content"))
    known = {p["id"] for p in parts if p["type"] == "tool_call"}
    calls = (part({"type": "function", **call}) for call in value.get("tool_calls") or [])
    return {
        "role": ROLES.get(role, role),
        "parts": parts + [call for call in calls if call["id"] not in known],
    }


def _answer(value: Mapping[str, Any]) -> list[Part]:
    content = value.get("content")
    if isinstance(content, list) and all(isinstance(block, dict) and "type" in block for block in content):
        blocks = [part(block) for block in content]
        if all(block["type"] == "tool_call_response" for block in blocks):
            return blocks
        content = "".join(block.get("content", "") for block in blocks)
    return [tool_response(value.get("tool_call_id") or value.get("id"), content)]


def _content(content: Any) -> list[Part]:
    value = parsed(content) if isinstance(content, str) and content.startswith('[{"') else content
    if isinstance(value, list) and all(
        isinstance(block, str) or (isinstance(block, dict) and _is_block(block)) for block in value
    ):
        return [part(block) for block in value]
    return [] if value in EMPTY else [text_part(content)]


def _is_block(block: Mapping[str, Any]) -> bool:
    return not {"type", "text", "toolUse", "toolResult"}.isdisjoint(block)


def messages(value: Any, role: str = "") -> list[Message] | None:
    """A value as messages: a list, one message, or a request that holds them; None when it is something else."""
    value = parsed(value)
    if isinstance(value, dict):
        if isinstance(value.get("messages"), list):
            system = [message({"role": "system", "content": value["system"]})] if value.get("system") else []
            inner = messages(value["messages"])
            return None if inner is None else system + inner
        if isinstance(value.get("input"), list):
            return messages(value["input"])
        value = [value]
    if not isinstance(value, list) or not value or not all(_is_message(item) for item in value):
        return None
    return [message(item, role) for item in value]


def _is_message(item: Any) -> bool:
    if not isinstance(item, dict):
        return False
    has_body = "content" in item or "parts" in item or "tool_calls" in item
    return ("role" in item and has_body) or item.get("type") in ITEM_ROLES


def openinference_messages(attributes: Mapping[str, Any], prefix: str) -> list[Message]:
    """`llm.{input,output}_messages.N.message.*`."""
    found = []
    for item in flattened(attributes, prefix):
        blocks = [_openinference_block(block) for block in flattened(item, "message.contents")]
        calls = [_openinference_call(call) for call in flattened(item, "message.tool_calls")]
        role = str(item.get("message.role", ""))
        body = blocks if any(b != text_part("") for b in blocks) else item.get("message.content")
        identity = item.get("message.tool_call_id")
        value = {"role": role, "content": body, "tool_calls": calls, "tool_call_id": identity}
        found.append(message(value))
    return found


def _openinference_block(block: Mapping[str, Any]) -> dict[str, Any]:
    if "tool_call.function.name" in block:
        return {"type": "tool_use", **_openinference_call(block)["function"], "id": block.get("tool_call.id")}
    image = block.get("message_content.image.image.url")
    if image:
        return {"type": "image", "image": image}
    kind = block.get("message_content.type", "text")
    return {"type": kind if kind == "reasoning" else "text", "text": block.get("message_content.text", "")}


def _openinference_call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = {
        "name": call.get("tool_call.function.name"),
        "arguments": call.get("tool_call.function.arguments"),
    }
    return {"id": call.get("tool_call.id"), "function": function}


def indexed_messages(attributes: Mapping[str, Any], prefix: str) -> list[Message]:
    """`gen_ai.{prompt,completion}.N.*` (OpenLLMetry 0.47): reasoning stands beside the content, a call without a nested function."""
    found = []
    for item in flattened(attributes, prefix):
        calls = flattened(item, "tool_calls")
        thinking = item.get("role") == "thinking"
        content = [{"type": "thinking", "thinking": item.get("content")}] if thinking else item.get("content")
        value = message(
            {**item, "content": content, "tool_calls": calls},
            "user" if prefix.endswith("prompt") else "assistant",
        )
        if item.get("reasoning"):
            value["parts"].insert(0, _reasoning(item["reasoning"]))
        found.append(value)
    return found


def ai_sdk_output(attributes: Mapping[str, Any]) -> list[Message]:
    """`ai.response.*`: reasoning, text or object, and tool calls make one assistant message."""
    parts = (
        [_reasoning(attributes["ai.response.reasoning"])] if attributes.get("ai.response.reasoning") else []
    )
    parts += [
        text_part(attributes[key])
        for key in ("ai.response.text", "ai.response.object")
        if attributes.get(key)
    ]
    calls = parsed(attributes.get("ai.response.toolCalls")) or []
    parts += [part({**call, "type": "tool-call"}) for call in calls]
    return [{"role": "assistant", "parts": parts}] if parts else []


def event_messages(records: list[tuple[str, Mapping[str, Any]]]) -> tuple[list[Message], list[Message]]:
    """`gen_ai.{system,user,assistant,tool}.message` and `gen_ai.choice` records, in order, to input and output."""
    asked, answered = [], []
    for name, body in records:
        role = name.removeprefix("gen_ai.").removesuffix(".message")
        if name == "gen_ai.choice":
            inner = parsed(body.get("message"))
            inner = (
                inner
                if isinstance(inner, dict) and ("content" in inner or "tool_calls" in inner)
                else {"content": inner}
            )
            calls = inner.get("tool_calls") or body.get("tool_calls")
            answered.append(message({"role": "assistant", **inner, "tool_calls": calls}))
        elif name.startswith("gen_ai.") and name.endswith(".message"):
            asked.append(
                message({**body, "role": body.get("role") or role, "content": parsed(body.get("content"))})
            )
    return asked, answered
