"""Content blocks of every provider → canonical parts.

Known dialects: OpenAI chat and Responses, Anthropic, Gemini, Bedrock Converse, LangChain, Vercel AI, Pydantic AI and the
OpenTelemetry form itself. A block that nobody knows stays as it is.
Source of the canonical form: OpenTelemetry GenAI semantic conventions, gen-ai-input-messages.json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ingest.normalise.content.media import MEDIA_TYPES, bedrock_media, gemini_media, media_part
from ingest.normalise.content.model import Part
from ingest.normalise.values import Value, dump, parsed, text_of

_TEXT_KEYS: Final = ("content", "text", "value")
_SERVER_CALLS: Final = frozenset(
    "web_search_call file_search_call code_interpreter_call computer_call image_generation_call mcp_call "
    "local_shell_call shell_call apply_patch_call mcp_list_tools mcp_approval_request server_tool_use mcp_tool_use".split()
)


def parts_of(content: Value) -> list[Part]:
    """The parts of a message's content: text, one block or a list of blocks."""
    if isinstance(content, str):
        return [text_part(content)] if content else []
    if isinstance(content, list):
        return [part for block in content if (part := part_of(block)) is not None]
    if isinstance(content, dict):
        part = part_of(content)
        return [] if part is None else [part]
    return [] if content is None else [text_part(text_of(content))]


def part_of(block: Value) -> Part | None:
    """One canonical part; None for a block without meaning of its own (empty, cache point)."""
    if isinstance(block, str):
        return text_part(block) if block else None
    if not isinstance(block, dict):
        return None if block is None else text_part(text_of(block))
    kind = block.get("type", block.get("kind"))
    if isinstance(kind, str):
        build = _BY_TYPE.get(kind)
        if build is not None:
            return build(block)
        if kind in _SERVER_CALLS:
            return _server_call(block)
        if kind.endswith("_tool_result"):
            return tool_response("server_tool_call_response", block.get("tool_use_id"), block.get("content"))
        return without_nulls(block) if "type" in block else {**without_nulls(block), "type": kind}
    return _untyped(block)


def is_blocks(value: Value) -> bool:
    """Whether the value is a list of content blocks (and not a list that the model was asked to write)."""
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(block, dict) and _is_block(block) for block in value)


def text_part(text: str) -> Part:
    """A part of plain text."""
    return {"type": "text", "content": text}


def reasoning_part(text: str, signature: Value = None) -> Part | None:
    """What the model thought; None when it keeps that to itself."""
    if not text:
        return None
    part: Part = {"type": "reasoning", "content": text}
    if signature:
        part["signature"] = signature
    return part


def tool_call(identity: Value, name: Value, arguments: Value) -> Part:
    """A call of a tool. Arguments are the object behind their JSON, else the text as sent."""
    part: Part = {"type": "tool_call"}
    if identity is not None and identity != "":
        part["id"] = text_of(identity)
    part["name"] = text_of(name)
    if arguments is not None:
        part["arguments"] = _opened(arguments)
    return part


def tool_response(kind: str, identity: Value, response: Value) -> Part:
    """A tool's answer; `kind` is tool_call_response, or server_tool_call_response."""
    part: Part = {"type": kind}
    if identity is not None and identity != "":
        part["id"] = text_of(identity)
    part["response"] = response_value(response)
    return part


def response_value(response: Value) -> Value:
    """A tool's answer without the provider's wrapping: blocks of text become the text, one JSON block its value."""
    if not isinstance(response, list) or not is_blocks(response):
        return response
    if len(response) == 1 and isinstance(response[0], dict) and set(response[0]) == {"json"}:
        return response[0]["json"]
    parts = parts_of(response)
    if all(part["type"] == "text" for part in parts):
        return "\n".join(text_of(part.get("content")) for part in parts)
    answer: list[Value] = list(parts)
    return answer


def without_nulls(block: Mapping[str, Value]) -> dict[str, Value]:
    """The block without fields that say nothing."""
    return {key: value for key, value in block.items() if value is not None}


def call_of(call: Mapping[str, Value]) -> Part:
    """An entry of `tool_calls` of any dialect."""
    inner = call.get("function")
    function: Mapping[str, Value] = inner if isinstance(inner, dict) else call
    identity = _first(call, "id", "tool_call_id", "toolCallId", "call_id")
    name = _first(function, "name", "toolName", "tool_name")
    return tool_call(identity, name, _first(function, "arguments", "args", "input", "parameters"))


def _opened(arguments: Value) -> Value:
    found = parsed(arguments)
    return found if isinstance(found, (dict, list)) else arguments


def _first(block: Mapping[str, Value], *names: str) -> Value:
    for name in names:
        value = block.get(name)
        if value is not None:
            return value
    return None


def _is_block(block: Mapping[str, Value]) -> bool:
    kind = block.get("type")
    if isinstance(kind, str):
        return kind in _BY_TYPE or kind in _SERVER_CALLS or kind.endswith("_tool_result")
    return len(block) <= 3 and not _UNTYPED.isdisjoint(block)


def _text(block: Mapping[str, Value]) -> Part | None:
    content = block.get("content")
    if isinstance(content, str) and len(block) == 2 and block.get("type") == "text":
        return dict(block) if content else None
    found = _first(block, *_TEXT_KEYS)
    text = text_of(found.get("value") if isinstance(found, dict) else found)
    return text_part(text) if text else None


def _refusal(block: Mapping[str, Value]) -> Part | None:
    text = text_of(_first(block, "content", "refusal"))
    return {"type": "refusal", "content": text} if text else None


def _reasoning(block: Mapping[str, Value]) -> Part | None:
    signature = _first(block, "signature")
    for name in ("content", "thinking", "text", "reasoning", "reasoning_content", "summary"):
        text = _thought(block.get(name))
        if text:
            return reasoning_part(text, signature)
    return None


def _thought(value: Value) -> str:
    found = parsed(value) if isinstance(value, str) and value.startswith('[{"') else value
    if isinstance(found, list):
        return "\n".join(text_of(_first(item, "text", "content")) for item in found if isinstance(item, dict))
    return text_of(value)


def _function_call(block: Mapping[str, Value]) -> Part | None:
    return tool_call(_first(block, "call_id", "id"), block.get("name"), _first(block, "arguments", "input"))


def _tool_use(block: Mapping[str, Value]) -> Part | None:
    return call_of(block)


def _canonical_call(block: Mapping[str, Value]) -> Part | None:
    nested = block.get("tool_call")
    return call_of(nested if isinstance(nested, dict) else block)


def _call_response(block: Mapping[str, Value]) -> Part | None:
    identity = _first(block, "id", "tool_call_id", "tool_use_id", "toolCallId", "call_id")
    answer = _first(block, "response", "result", "output", "content")
    if isinstance(answer, dict) and set(answer) == {"type", "value"}:
        answer = answer["value"]
    part = tool_response("tool_call_response", identity, answer)
    for extra in ("name", "is_error"):
        if block.get(extra):
            part[extra] = block[extra]
    return part


def _server_call(block: Mapping[str, Value]) -> Part:
    part = tool_call(_first(block, "id", "call_id"), _first(block, "name", "type"), None)
    part["type"] = "server_tool_call"
    left = {
        k: v for k, v in without_nulls(block).items() if k not in ("type", "id", "call_id", "name", "status")
    }
    arguments = _first(block, "arguments", "input", "action")
    part["arguments"] = _opened(left if arguments is None else arguments)
    return part


def _untyped(block: dict[str, Value]) -> Part | None:
    """Gemini and Bedrock name the kind of a block by its only key."""
    for name, build in _BY_KEY.items():
        if name in block:
            return build(block)
    if not block or set(block) <= {"cachePoint"}:
        return None
    return {"type": "generic", "content": block}


def _gemini_text(block: Mapping[str, Value]) -> Part | None:
    text = text_of(block.get("text"))
    if block.get("thought") is True:
        return reasoning_part(text)
    return text_part(text) if text else None


def _gemini_call(block: Mapping[str, Value]) -> Part | None:
    call = _first(block, "functionCall", "function_call")
    return call_of(call) if isinstance(call, dict) else None


def _gemini_response(block: Mapping[str, Value]) -> Part | None:
    answer = _first(block, "functionResponse", "function_response")
    return _call_response(answer) if isinstance(answer, dict) else None


def _bedrock_call(block: Mapping[str, Value]) -> Part | None:
    use = block.get("toolUse")
    return (
        tool_call(use.get("toolUseId"), use.get("name"), use.get("input")) if isinstance(use, dict) else None
    )


def _bedrock_response(block: Mapping[str, Value]) -> Part | None:
    result = block.get("toolResult")
    if not isinstance(result, dict):
        return None
    return tool_response("tool_call_response", result.get("toolUseId"), result.get("content"))


def _bedrock_reasoning(block: Mapping[str, Value]) -> Part | None:
    content = block.get("reasoningContent")
    inner = content.get("reasoningText") if isinstance(content, dict) else None
    return _reasoning(inner) if isinstance(inner, dict) else None


def _json_block(block: Mapping[str, Value]) -> Part | None:
    return text_part(dump(block.get("json")))


Build = Callable[[Mapping[str, Value]], "Part | None"]

_BY_TYPE: Final[dict[str, Build]] = {
    **dict.fromkeys(("text", "input_text", "output_text", "summary_text", "reasoning_text"), _text),
    "refusal": _refusal,
    **dict.fromkeys(("reasoning", "thinking"), _reasoning),
    **dict.fromkeys(("tool_use", "tool-call", "function"), _tool_use),
    **dict.fromkeys(("function_call", "custom_tool_call"), _function_call),
    "tool_call": _canonical_call,
    **dict.fromkeys(
        (
            "tool_call_response",
            "tool_result",
            "tool-result",
            "function_call_output",
            "custom_tool_call_output",
        ),
        _call_response,
    ),
    **dict.fromkeys(MEDIA_TYPES, media_part),
}
_BY_KEY: Final[dict[str, Build]] = {
    "toolUse": _bedrock_call,
    "toolResult": _bedrock_response,
    "reasoningContent": _bedrock_reasoning,
    **dict.fromkeys(("functionCall", "function_call"), _gemini_call),
    **dict.fromkeys(("functionResponse", "function_response"), _gemini_response),
    **dict.fromkeys(("inlineData", "inline_data", "fileData", "file_data"), gemini_media),
    "text": _gemini_text,
    **dict.fromkeys(("image", "document", "video", "audio"), bedrock_media),
    "json": _json_block,
    "content": _text,
}
_UNTYPED: Final = frozenset(_BY_KEY)
