"""Anthropic's JSON: the messages API, whole and streamed.

Source: the Anthropic API reference, as the official SDKs (anthropic 1.x) parse it. Input tokens here exclude both cache shares.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from api.demo.model_types import Ask, Fault, Message, Reply, ToolCall, Usage, as_json
from api.demo.wire_openai import Event, text_of

STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


def read_messages(body: Mapping[str, Any]) -> Ask:
    """The request of `POST /v1/messages`. A `cache_control` mark on a system block makes the system prompt cacheable."""
    system = body.get("system") or ""
    marked = isinstance(system, list) and any("cache_control" in block for block in system)
    head = (Message("system", text_of(system)),) if system else ()
    turns = tuple(part for message in body["messages"] for part in _messages(message))
    return Ask(
        api="messages",
        model=body["model"],
        messages=head + turns,
        tools=tuple(tool["name"] for tool in body.get("tools") or ()),
        max_tokens=body.get("max_tokens"),
        stream=bool(body.get("stream")),
        cacheable=1 if marked else 0,
    )


def _messages(message: Mapping[str, Any]) -> Iterator[Message]:
    """One message as ours: tool results, which the user's message carries here, become messages of their own."""
    content = message["content"]
    blocks: Sequence[Mapping[str, Any]] = (
        [{"type": "text", "text": content}] if isinstance(content, str) else content
    )
    for block in blocks:
        if block["type"] == "tool_result":
            yield Message("tool", text_of(block.get("content")), (), block["tool_use_id"])
    calls = tuple(
        ToolCall(b["id"], b["name"], as_json(b["input"])) for b in blocks if b["type"] == "tool_use"
    )
    text = text_of(blocks)
    if text or calls:
        yield Message(message["role"], text, calls)


def write_message(reply: Reply, reply_id: str) -> dict[str, Any]:
    """The whole answer of the messages API."""
    content: list[dict[str, Any]] = [{"type": "text", "text": reply.text}] if reply.text else []
    content += [_tool_use(call, json.loads(call.arguments)) for call in reply.calls]
    return {
        **_head(reply, reply_id),
        "content": content,
        "stop_reason": STOP_REASONS[reply.finish],
        "usage": usage_json(reply.usage),
    }


def stream_message(reply: Reply, reply_id: str) -> Iterator[Event]:
    """The events of a streamed message: usage of the input first, of the output last."""
    usage = usage_json(reply.usage)
    yield _event(
        "message_start",
        message={
            **_head(reply, reply_id),
            "content": [],
            "stop_reason": None,
            "usage": {**usage, "output_tokens": 1},
        },
    )
    if reply.pieces:
        yield _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        for piece in reply.pieces:
            yield _event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
        yield _event("content_block_stop", index=0)
    for at, call in enumerate(reply.calls, start=1 if reply.pieces else 0):
        yield _event("content_block_start", index=at, content_block=_tool_use(call, {}))
        yield _event(
            "content_block_delta",
            index=at,
            delta={"type": "input_json_delta", "partial_json": call.arguments},
        )
        yield _event("content_block_stop", index=at)
    delta = {"stop_reason": STOP_REASONS[reply.finish], "stop_sequence": None}
    yield _event("message_delta", delta=delta, usage={"output_tokens": reply.usage.output})
    yield _event("message_stop")


def _event(kind: str, **payload: Any) -> Event:
    return kind, {"type": kind, **payload}


def _head(reply: Reply, reply_id: str) -> dict[str, Any]:
    return {
        "id": reply_id,
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "stop_sequence": None,
    }


def _tool_use(call: ToolCall, arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments}


def usage_json(usage: Usage) -> dict[str, Any]:
    """Anthropic's usage: `input_tokens` are the ones neither read from nor written to the cache."""
    return {
        "input_tokens": usage.input - usage.cache_read - usage.cache_write,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {"ephemeral_5m_input_tokens": usage.cache_write, "ephemeral_1h_input_tokens": 0},
        "output_tokens": usage.output,
        "service_tier": "standard",
    }


def write_error(fault: Fault) -> dict[str, Any]:
    """Anthropic's error body."""
    kind = {429: "rate_limit_error", 529: "overloaded_error", 400: "invalid_request_error"}.get(
        fault.status, "api_error"
    )
    return {"type": "error", "error": {"type": kind, "message": fault.message}}
