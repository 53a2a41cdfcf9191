"""A tool span's arguments, result, name and call id."""

from __future__ import annotations

import ast
from typing import Final

from ingest.normalise.content import keys
from ingest.normalise.content.exchanges import without_envelope
from ingest.normalise.content.messages import message_of
from ingest.normalise.content.model import Side
from ingest.normalise.content.view import View
from ingest.normalise.values import Value, dump, parsed, text_of, unquoted

_MAX_LITERAL = 20_000
_NAME_KEYS: Final = ("gen_ai.tool.name", "tool.name", "ai.toolCall.name", "traceloop.entity.name")
_ID_KEYS: Final = ("gen_ai.tool.call.id", "ai.toolCall.id", "tool.id", "tool_call.id")
_RESULT_KEYS: Final = ("gen_ai.tool.call.result", "traceloop.entity.output", "output.value")


def tool_value(value: Value, side: Side) -> tuple[str, bool]:
    """Arguments or result as text, and whether that is all the value says.

    Frameworks wrap them: OpenLLMetry with tags and metadata, LangChain the result in a ToolMessage. What is inside is
    the value; JSON stays as it was sent.
    """
    opened = parsed(value)
    inner = without_envelope(opened)
    if side == "output":
        answer = _tool_answer(inner)
        if answer is not None:
            return text_of(answer["response"]), False
    elif isinstance(inner, str) and inner is not opened:
        return _literal(inner), False
    if inner is opened:
        return unquoted(value), True
    return text_of(inner), False


def tool_name(view: View) -> str:
    """The tool that the span runs; '' on other kinds, whose bare tool names list what was offered."""
    if view.kind != "tool":
        return ""
    for key in _NAME_KEYS:
        name = view.attributes.get(key)
        if isinstance(name, str) and name:
            return name
    return view.name.removeprefix("execute_tool ").removesuffix(".tool")


def tool_call_id(view: View) -> str:
    """The id of the call that the span answers; LangChain says it only inside the result."""
    for key in _ID_KEYS:
        value = view.attributes.get(key)
        if value is not None and value != "":
            return text_of(value)
    if view.kind == "tool" and view.signals & (keys.TOOL_CALL | keys.TRACELOOP | keys.VALUE):
        for key in _RESULT_KEYS:
            value = view.attributes.get(key)
            if isinstance(value, str) and "tool_call_id" in value:
                answer = _tool_answer(without_envelope(parsed(value)))
                return text_of(answer.get("id")) if answer else ""
    return ""


def _tool_answer(value: Value) -> dict[str, Value] | None:
    """The answer inside LangChain's ToolMessage."""
    if not isinstance(value, dict) or not ("lc" in value or value.get("type") == "tool"):
        return None
    message = message_of(value, "output")
    if message is None or message["role"] != "tool":
        return None
    parts = message["parts"]
    first = parts[0] if isinstance(parts, list) and parts else None
    return first if isinstance(first, dict) and "response" in first else None


def _literal(text: str) -> str:
    """LangChain prints the arguments as a Python literal: back to JSON where that is possible."""
    if not text.startswith(("{", "[")) or len(text) > _MAX_LITERAL:
        return text
    try:
        return dump(ast.literal_eval(text))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
