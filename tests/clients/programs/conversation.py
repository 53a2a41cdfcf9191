"""What every Python client program says: one customer's session with the scripted model service, through OpenAI's SDK.

It runs in the environments of the clients, so it imports nothing of Evalstream. Who runs it hands in how its SDK traces an
agent and a tool.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import openai

SESSION = "session-live-1"
USER = "user-live-1"
RULES = (
    "You are the assistant of a small shop. Be brief and kind, and never promise what you cannot keep. " * 12
)
"""Long enough (about 300 tokens) that the service caches it."""

TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "lookup_order",
            "description": "Status of an order.",
            "parameters": {
                "type": "object",
                "properties": {"order_id": {"type": "string"}},
                "required": ["order_id"],
            },
        },
    }
]

ToolSpan = Callable[[str, str, str], AbstractContextManager[Callable[[str], None]]]
"""(tool name, arguments as JSON, call id) → a span whose value takes the result."""


def hold(tool_span: ToolSpan, agent_span: AbstractContextManager[Any] | None = None) -> None:
    """The whole conversation: chat, cached chat, stream, tool call, error, retry, embedding, reasoning."""
    client = openai.OpenAI(base_url=os.environ["MODEL_URL"], api_key=os.environ["MODEL_KEY"], max_retries=2)
    with agent_span or nullcontext():
        chat(client, "Hello, who are you?")
        chat(client, "And what can you do for me?")
        stream(client, "Tell me about returns.")
        use_tool(client, tool_span)
        fail(client)
        chat(client, "Are you still there?", fault="rate_limit:1")
        client.embeddings.create(
            model="text-embedding-3-small", input=["a desk lamp"], dimensions=8, encoding_format="float"
        )
        client.chat.completions.create(
            model="o4-mini",
            messages=[{"role": "user", "content": "Think about it."}],
            max_completion_tokens=900,
        )
    client.close()


def chat(client: openai.OpenAI, text: str, fault: str = "") -> None:
    """One question with the long system prompt."""
    client.chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "system", "content": RULES}, {"role": "user", "content": text}],
        temperature=0.3,
        max_tokens=200,
        extra_headers={"x-scripted-fault": fault} if fault else None,
    )


def stream(client: openai.OpenAI, text: str) -> None:
    """One streamed answer with its usage."""
    messages: list[Any] = [{"role": "user", "content": text}]
    options: Any = {"include_usage": True}
    for _ in client.chat.completions.create(
        model="gpt-4o", messages=messages, stream=True, stream_options=options
    ):
        continue


def use_tool(client: openai.OpenAI, tool_span: ToolSpan) -> None:
    """The model asks for a tool, the tool answers, the model reports."""
    messages: list[Any] = [{"role": "user", "content": "Where is my order 48210?"}]
    asked = client.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=TOOLS)
    call: Any = (asked.choices[0].message.tool_calls or [])[0]
    with tool_span(call.function.name, call.function.arguments, call.id) as answer:
        order = json.loads(call.function.arguments)["order_id"]
        result = json.dumps({"order_id": order, "item": "Drift kettle", "status": "shipped"})
        answer(result)
    function = {"name": call.function.name, "arguments": call.function.arguments}
    messages.append(
        {"role": "assistant", "tool_calls": [{"id": call.id, "type": "function", "function": function}]}
    )
    messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    client.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=TOOLS)


def fail(client: openai.OpenAI) -> None:
    """One call that the service answers with 500."""
    try:
        client.with_options(max_retries=0).chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": "Please break."}],
            extra_headers={"x-scripted-fault": "server_error"},
        )
    except openai.InternalServerError:
        return
    raise AssertionError("the scripted service was to fail")
