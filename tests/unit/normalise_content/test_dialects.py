"""Where each dialect of mapping.md 2.3 keeps input and output; literals follow its tables, not our output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from ingest.normalise.content import Value
from tests.unit.normalise_content.helpers import answer, as_json, call, opened, read, said, text, thought

SYSTEM, QUESTION, REPLY = (
    said("system", "Be kind."),
    said("user", "Wetter in Köln?"),
    said("assistant", "Sonnig."),
)
CALL = said("assistant", call("c1", "get_weather", {"city": "Köln"}))
ANSWER = said("tool", answer("c1", '{"t": 21}'))
CHAT = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Wetter in Köln?"}]


@dataclass(frozen=True)
class Dialect:
    """What a client sends on a model call, and the messages that must come of it."""

    name: str
    attributes: Mapping[str, Value]
    input: Any = field(default_factory=lambda: [SYSTEM, QUESTION])
    output: Any = field(default_factory=lambda: [REPLY])
    kind: str = "llm"
    events: tuple[tuple[str, Mapping[str, Value]], ...] = ()


DIALECTS = (
    Dialect(
        "SC",
        {
            "gen_ai.input.messages": as_json([{**m, "name": None} for m in (SYSTEM, QUESTION)]),
            "gen_ai.output.messages": as_json([{**REPLY, "finish_reason": "stop", "name": None}]),
        },
        output=[{**REPLY, "finish_reason": "stop"}],
    ),
    Dialect("SC structured", {"gen_ai.input.messages": [SYSTEM, QUESTION], "gen_ai.output.messages": [REPLY]}),
    Dialect(
        "SC instructions apart",
        {
            "gen_ai.system_instructions": as_json([text("Be kind.")]),
            "gen_ai.input.messages": as_json([QUESTION]),
            "gen_ai.output.messages": as_json([REPLY]),
        },
    ),
    Dialect(
        "OL sends the instructions twice",
        {
            "gen_ai.system_instructions": as_json([text("Be kind.")]),
            "gen_ai.input.messages": as_json([SYSTEM, QUESTION]),
            "gen_ai.output.messages": as_json([REPLY]),
        },
    ),
    Dialect(
        "OL plain text",
        {"gen_ai.input.messages": "Wetter in Köln?", "gen_ai.output.messages": "Sonnig."},
        input=[QUESTION],
    ),
    Dialect(
        "PAI answers with result and arguments as text",
        {
            "gen_ai.input.messages": as_json(
                [
                    QUESTION,
                    said("assistant", {**call("c1", "get_weather", {}), "arguments": '{"city": "Köln"}'}),
                    said("user", {"type": "tool_call_response", "id": "c1", "name": "get_weather", "result": {"t": 21}}),
                ]
            ),
            "gen_ai.output.messages": as_json([REPLY]),
        },
        input=[QUESTION, CALL, said("user", answer("c1", {"t": 21}, name="get_weather"))],
    ),
    Dialect(
        "LG leaves Anthropic's thought raw",
        {
            "gen_ai.input.messages": as_json([QUESTION]),
            "gen_ai.output.messages": as_json([said("assistant", {"type": "thinking", "thinking": "hm", "signature": "s"}, "Sonnig.")]),
        },
        input=[QUESTION],
        output=[said("assistant", thought("hm", signature="s"), "Sonnig.")],
    ),
    Dialect(
        "TL47 flattened",
        {
            "gen_ai.prompt.0.role": "system",
            "gen_ai.prompt.0.content": "Be kind.",
            "gen_ai.prompt.1.role": "user",
            "gen_ai.prompt.1.content": as_json([{"type": "text", "text": "Wetter in Köln?"}]),
            "gen_ai.prompt.2.role": "assistant",
            "gen_ai.prompt.2.tool_calls.0.id": "c1",
            "gen_ai.prompt.2.tool_calls.0.name": "get_weather",
            "gen_ai.prompt.2.tool_calls.0.arguments": '{"city": "Köln"}',
            "gen_ai.prompt.3.role": "tool",
            "gen_ai.prompt.3.tool_call_id": "c1",
            "gen_ai.prompt.3.content": '{"t": 21}',
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "Sonnig.",
            "gen_ai.completion.0.finish_reason": "stop",
            "gen_ai.completion.0.reasoning": as_json([{"text": "hm", "type": "summary_text"}]),
        },
        input=[SYSTEM, QUESTION, CALL, ANSWER],
        output=[said("assistant", thought("hm"), "Sonnig.", finish_reason="stop")],
    ),
    Dialect(
        "TL47 Anthropic: the thought is a message of its own",
        {
            "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": "Wetter in Köln?",
            "gen_ai.completion.0.finish_reason": "tool_use",
            "gen_ai.completion.0.role": "thinking",
            "gen_ai.completion.0.content": "hm",
            "gen_ai.completion.1.role": "assistant",
            "gen_ai.completion.1.content": "Sonnig.",
        },
        input=[QUESTION],
        output=[said("assistant", thought("hm"), "Sonnig.", finish_reason="tool_use")],
    ),
    Dialect(
        "OI",
        {
            "llm.input_messages.0.message.role": "system",
            "llm.input_messages.0.message.content": "Be kind.",
            "llm.input_messages.1.message.role": "user",
            "llm.input_messages.1.message.content": "Wetter in Köln?",
            "llm.input_messages.2.message.role": "assistant",
            "llm.input_messages.2.message.tool_calls.0.tool_call.id": "c1",
            "llm.input_messages.2.message.tool_calls.0.tool_call.function.name": "get_weather",
            "llm.input_messages.2.message.tool_calls.0.tool_call.function.arguments": '{"city": "Köln"}',
            "llm.input_messages.3.message.role": "tool",
            "llm.input_messages.3.message.tool_call_id": "c1",
            "llm.input_messages.3.message.content": '{"t": 21}',
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.content": "Sonnig.",
            "llm.output_messages.1.message.role": "assistant",
            "llm.output_messages.1.message.content": "Heiter.",
            "input.value": as_json({"messages": CHAT, "model": "gpt-4o"}),
            "output.value": as_json({"choices": []}),
        },
        input=[SYSTEM, QUESTION, CALL, ANSWER],
        output=[REPLY, said("assistant", "Heiter.")],
    ),
    Dialect(
        "OI content and contents, image, call in contents and beside them",
        {
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.content": "Wetter in Köln?",
            "llm.input_messages.0.message.contents.0.message_content.type": "text",
            "llm.input_messages.0.message.contents.0.message_content.text": "Wetter in Köln?",
            "llm.input_messages.0.message.contents.1.message_content.type": "image",
            "llm.input_messages.0.message.contents.1.message_content.image.image.url": "https://x.test/a.png",
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.contents.0.message_content.type": "reasoning",
            "llm.output_messages.0.message.contents.0.message_content.text": "hm",
            "llm.output_messages.0.message.contents.0.message_content.signature": "s",
            "llm.output_messages.0.message.contents.2.message_content.type": "tool_use",
            "llm.output_messages.0.message.contents.2.tool_call.id": "c1",
            "llm.output_messages.0.message.contents.2.tool_call.function.name": "get_weather",
            "llm.output_messages.0.message.contents.2.tool_call.function.arguments": '{"city": "Köln"}',
            "llm.output_messages.0.message.tool_calls.0.tool_call.id": "c1",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "get_weather",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"city": "Köln"}',
        },
        input=[said("user", "Wetter in Köln?", {"type": "uri", "modality": "image", "uri": "https://x.test/a.png"})],
        output=[said("assistant", thought("hm", signature="s"), call("c1", "get_weather", {"city": "Köln"}))],
    ),
    Dialect(
        "OI text completions",
        {
            "llm.prompts.0.prompt.text": "Wetter in Köln?",
            "llm.choices.0.completion.text": "Sonnig.",
        },
        input=[QUESTION],
    ),
    Dialect(
        "OI raw request and response only",
        {
            "input.value": as_json({"messages": CHAT}),
            "output.value": as_json({"choices": [{"message": {"role": "assistant", "content": "Sonnig."}}]}),
        },
    ),
    Dialect(
        "LF OpenAI list, bare text of a stream",
        {"langfuse.observation.input": as_json(CHAT), "langfuse.observation.output": "Sonnig."},
    ),
    Dialect(
        "LF messages with tools, one message",
        {
            "langfuse.observation.input": as_json({"tools": [], "messages": CHAT}),
            "langfuse.observation.output": as_json({"role": "assistant", "content": "Sonnig."}),
        },
    ),
    Dialect(
        "AI5 inner",
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.prompt.messages": as_json([CHAT[0], {"role": "user", "content": [{"type": "text", "text": "Wetter in Köln?"}]}]),
            "ai.response.text": "Sonnig.",
            "ai.response.reasoning": "hm",
            "ai.response.toolCalls": as_json([{"toolCallId": "c1", "toolName": "get_weather", "input": '{"city":"Köln"}'}]),
            "ai.response.finishReason": "tool-calls",
        },
        output=[
            said("assistant", thought("hm"), "Sonnig.", call("c1", "get_weather", {"city": "Köln"}), finish_reason="tool-calls")
        ],
    ),
    Dialect(
        "AI5 outer",
        {
            "ai.operationId": "ai.generateObject",
            "ai.prompt": as_json({"system": "Be kind.", "prompt": "Wetter in Köln?"}),
            "ai.response.object": '{"t":21}',
        },
        kind="chain",
        output=[said("assistant", '{"t":21}')],
    ),
    Dialect(
        "LS whole request and response",
        {
            "gen_ai.prompt": as_json({"messages": CHAT, "model": "gpt-4o"}),
            "gen_ai.completion": as_json({"choices": [{"message": {"role": "assistant", "content": "Sonnig."}}]}),
        },
    ),
    Dialect(
        "LS Anthropic",
        {
            "gen_ai.prompt": as_json({"system": "Be kind.", "messages": CHAT[1:]}),
            "gen_ai.completion": as_json({"role": "assistant", "type": "message", "content": [{"type": "text", "text": "Sonnig."}]}),
        },
    ),
    Dialect(
        "LG version 1",
        {
            "request_data": as_json({"messages": CHAT, "model": "gpt-4o"}),
            "response_data": as_json({"message": {"role": "assistant", "content": "Sonnig."}, "usage": {}}),
        },
    ),
    Dialect(
        "ST latest: several events",
        {},
        events=(
            ("gen_ai.client.inference.operation.details", {"gen_ai.system_instructions": as_json([text("Be kind.")])}),
            ("gen_ai.client.inference.operation.details", {"gen_ai.input.messages": as_json([QUESTION])}),
            ("gen_ai.client.inference.operation.details", {"gen_ai.output.messages": as_json([REPLY])}),
        ),
    ),
    Dialect(
        "ST old: Bedrock blocks in events",
        {},
        events=(
            ("gen_ai.system.message", {"content": as_json([{"text": "Be kind."}])}),
            ("gen_ai.user.message", {"content": as_json([{"text": "Wetter in Köln?"}])}),
            (
                "gen_ai.assistant.message",
                {"content": as_json([{"toolUse": {"toolUseId": "c1", "name": "get_weather", "input": {"city": "Köln"}}}])},
            ),
            (
                "gen_ai.tool.message",
                {"content": as_json([{"toolResult": {"toolUseId": "c1", "status": "success", "content": [{"text": '{"t": 21}'}]}}])},
            ),
            ("gen_ai.content.completion.chunk", {}),
            ("gen_ai.choice", {"message": as_json([{"text": "Sonnig."}]), "finish_reason": "end_turn"}),
        ),
        input=[SYSTEM, QUESTION, CALL, ANSWER],
        output=[{**REPLY, "finish_reason": "end_turn"}],
    ),
    Dialect(
        "PAI1 events",
        {
            "events": as_json(
                [
                    {"event.name": "gen_ai.system.message", "role": "system", "content": "Be kind."},
                    {"event.name": "gen_ai.user.message", "role": "user", "content": "Wetter in Köln?", "gen_ai.message.index": 0},
                    {"event.name": "gen_ai.tool.message", "role": "tool", "id": "c1", "name": "get_weather", "content": {"t": 21}},
                    {"event.name": "gen_ai.choice", "index": 0, "message": {"role": "assistant", "content": "Sonnig."}},
                ]
            )
        },
        input=[SYSTEM, QUESTION, said("tool", answer("c1", {"t": 21}, name="get_weather"))],
    ),
    Dialect(
        "PAI agent run",
        {
            "gen_ai.system_instructions": as_json([text("Be kind.")]),
            "pydantic_ai.all_messages": as_json([QUESTION, REPLY]),
            "final_result": "Sonnig.",
        },
        kind="agent",
    ),
    Dialect(
        "PAI1 agent run",
        {
            "all_messages_events": as_json(
                [
                    {"event.name": "gen_ai.system.message", "content": "Be kind."},
                    {"event.name": "gen_ai.user.message", "content": "Wetter in Köln?"},
                    {"event.name": "gen_ai.assistant.message", "role": "assistant", "content": "Sonnig."},
                ]
            ),
            "final_result": "Sonnig.",
        },
        kind="agent",
    ),
    Dialect(
        "semconv 1.27 events",
        {},
        events=(
            ("gen_ai.content.prompt", {"gen_ai.prompt": as_json(CHAT)}),
            ("gen_ai.content.completion", {"gen_ai.completion": as_json([{"role": "assistant", "content": "Sonnig."}])}),
        ),
    ),
    Dialect(
        "TL langchain chain",
        {
            "traceloop.entity.input": as_json({"inputs": {"messages": CHAT}, "tags": [], "metadata": {}, "kwargs": {"name": "x"}}),
            "traceloop.entity.output": as_json({"outputs": {"messages": [{"role": "assistant", "content": "Sonnig."}]}, "kwargs": {}}),
        },
        kind="chain",
    ),
)  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_messages(dialect: Dialect) -> None:
    content = read(dialect.kind, dialect.attributes, dialect.events)
    assert opened(content.input) == dialect.input
    assert opened(content.output) == dialect.output


def test_text_is_compact_and_not_escaped() -> None:
    content = read("llm", {"gen_ai.input.messages": as_json([QUESTION])})
    assert content.input == '[{"role":"user","parts":[{"type":"text","content":"Wetter in Köln?"}]}]'
