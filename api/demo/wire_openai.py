"""OpenAI's JSON: chat completions and embeddings, whole and streamed.

Source: the OpenAI API reference, as the official SDKs (openai 2.x) parse it.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from api.demo.model_types import Ask, Fault, Message, Reply, ToolCall, Usage

Event = tuple[str, Any]
"""One server-sent event: (event name, JSON payload)."""
END = "[DONE]"


def read_chat(body: Mapping[str, Any]) -> Ask:
    """The request of `POST /v1/chat/completions`."""
    options = body.get("stream_options") or {}
    return Ask(
        api="chat",
        model=body["model"],
        messages=tuple(_message(message) for message in body["messages"]),
        tools=tuple(tool["function"]["name"] for tool in body.get("tools") or ()),
        json_wanted=(body.get("response_format") or {}).get("type") in ("json_object", "json_schema"),
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        stream=bool(body.get("stream")),
        include_usage=bool(options.get("include_usage")),
    )


def _message(message: Mapping[str, Any]) -> Message:
    calls = tuple(
        ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"])
        for call in message.get("tool_calls") or ()
    )
    return Message(message["role"], text_of(message.get("content")), calls, message.get("tool_call_id") or "")


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or a list of parts of which the text ones count."""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content or () if part.get("type") == "text")


def read_embeddings(body: Mapping[str, Any]) -> Ask:
    """The request of `POST /v1/embeddings`."""
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    return Ask(
        api="embeddings",
        model=body["model"],
        messages=tuple(Message("user", text) for text in texts),
        dimensions=body.get("dimensions") or 64,
        base64=body.get("encoding_format") == "base64",
    )


def write_embeddings(ask: Ask, reply: Reply) -> dict[str, Any]:
    """The answer with one vector a text, as numbers or as base64 of little-endian float32."""
    vectors = [
        _packed(vector) if ask.base64 else [round(value, 6) for value in vector] for vector in reply.vectors
    ]
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(vectors)
        ],
        "model": reply.model,
        "usage": {"prompt_tokens": reply.usage.input, "total_tokens": reply.usage.input},
    }


def _packed(vector: tuple[float, ...]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def write_chat(reply: Reply, reply_id: str, created: int) -> dict[str, Any]:
    """The whole answer of a chat completion."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None, "refusal": None}
    if reply.calls:
        message["tool_calls"] = [_call(call) for call in reply.calls]
    return {
        "id": reply_id,
        "object": "chat.completion",
        "created": created,
        "model": reply.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish}],
        "usage": usage_json(reply.usage),
        "service_tier": "default",
        "system_fingerprint": "fp_scripted",
    }


def stream_chat(ask: Ask, reply: Reply, reply_id: str, created: int) -> Iterator[Event]:
    """The chunks of a streamed chat completion; the last one carries the usage when the client asked for it."""
    yield _chunk(reply, reply_id, created, {"role": "assistant", "content": "", "refusal": None})
    for piece in reply.pieces:
        yield _chunk(reply, reply_id, created, {"content": piece})
    for at, call in enumerate(reply.calls):
        yield _chunk(reply, reply_id, created, {"tool_calls": [{"index": at, **_call(call)}]})
    yield _chunk(reply, reply_id, created, {}, reply.finish)
    if ask.include_usage:
        name, chunk = _chunk(reply, reply_id, created, {})
        yield name, {**chunk, "choices": [], "usage": usage_json(reply.usage)}
    yield "", END


def _chunk(
    reply: Reply, reply_id: str, created: int, delta: dict[str, Any], finish: str | None = None
) -> tuple[str, dict[str, Any]]:
    return "", {
        "id": reply_id,
        "object": "chat.completion.chunk",
        "created": created,
        "model": reply.model,
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
    }


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def usage_json(usage: Usage) -> dict[str, Any]:
    """OpenAI's usage: prompt tokens include the cached ones, completion tokens the reasoning."""
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": 0},
    }


def write_error(fault: Fault) -> dict[str, Any]:
    """OpenAI's error body."""
    kind = (
        "requests"
        if fault.status == 429
        else "server_error"
        if fault.status >= 500
        else "invalid_request_error"
    )
    return {"error": {"message": fault.message, "type": kind, "param": None, "code": fault.code}}
