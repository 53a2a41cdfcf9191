"""Request parameters, output types and finish reasons (mapping.md 2.5)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.normalise_content.helpers import as_json, opened, read, said

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest.mark.parametrize(
    ("attributes", "parameters"),
    [
        (
            {
                "gen_ai.request.temperature": 0.2,
                "gen_ai.request.top_p": 1.0,
                "gen_ai.request.frequency_penalty": 0.1,
                "gen_ai.request.max_tokens": 256,
                "gen_ai.request.seed": 42,
                "gen_ai.request.top_k": 5,
                "gen_ai.request.choice.count": 2,
                "gen_ai.request.stop_sequences": ["END"],
                "gen_ai.request.reasoning_effort": "low",
                "gen_ai.request.model": "gpt-4o",
                "gen_ai.request.stream": True,
            },
            {
                "temperature": "0.2",
                "top_p": "1.0",
                "frequency_penalty": "0.1",
                "max_tokens": "256",
                "seed": "42",
                "top_k": "5",
                "n": "2",
                "stop": '["END"]',
                "reasoning_effort": "low",
            },
        ),
        ({"gen_ai.request.stop_sequences": '["END"]'}, {"stop": '["END"]'}),
        ({"llm.presence_penalty": 0.0, "llm.request.reasoning_effort": []}, {"presence_penalty": "0.0"}),
        (
            {"llm.invocation_parameters": as_json(
                    {"model": "m", "temperature": 0, "stop": None, "max_completion_tokens": 9, "tools": [{}]}
                )},
            {"temperature": "0", "max_tokens": "9"},
        ),
        (
            {
                "llm.invocation_parameters": as_json(
                    {
                        "object": "response",
                        "id": "resp_1",
                        "status": "completed",
                        "output": [{"type": "message"}],
                        "instructions": "Be kind.",
                        "temperature": 1.0,
                        "reasoning": {"effort": "low", "summary": None},
                        "text": {"format": {"type": "text"}},
                        "usage": {},
                        "tools": [],
                    }
                )
            },
            {"temperature": "1.0", "reasoning_effort": "low"},
        ),
        ({"embedding.invocation_parameters": '{"model": "e", "dimensions": 16}'}, {"dimensions": "16"}),
        (
            {"ai.settings.maxOutputTokens": 9, "ai.settings.topP": 0.5, "ai.settings.stopSequences": ["END"], "ai.settings.maxRetries": 2},
            {"max_tokens": "9", "top_p": "0.5", "stop": '["END"]'},
        ),
        (
            {"langfuse.observation.model.parameters": '{"temperature": "0.2", "max_tokens": "Infinity", "response_format": "", "n": null}'},
            {"temperature": "0.2", "max_tokens": "Infinity"},
        ),
        ({"llm.invocation_parameters": '{"temperature": 0.'}, {}),
        ({"ai.settings.context.sessionId": "s", "ai.settings.temperature": 1}, {"temperature": "1"}),
    ],
)  # fmt: skip
def test_parameters(attributes: Any, parameters: dict[str, str]) -> None:
    assert read("llm", attributes).model_parameters == parameters


@pytest.mark.parametrize(
    ("attributes", "wanted"),
    [
        ({"gen_ai.output.type": "json"}, "json"),
        ({"gen_ai.openai.request.response_format": "json_object"}, "json_object"),
        ({"llm.invocation_parameters": as_json({"response_format": {"type": "json_object"}})}, "json"),
        ({"llm.invocation_parameters": as_json({"response_format": "<class 'City'>"})}, "json_schema"),
        ({"langfuse.observation.model.parameters": '{"response_format":""}'}, ""),
        ({}, ""),
    ],
)
def test_output_types(attributes: Any, wanted: str) -> None:
    assert read("llm", attributes).response_format == wanted


@pytest.mark.parametrize(
    "attributes",
    [
        {"ai.schema": as_json(SCHEMA), "ai.settings.output": "object"},
        {"gen_ai.request.structured_output_schema": as_json(SCHEMA)},
        {
            "llm.invocation_parameters": as_json(
                {"response_format": {"type": "json_schema", "json_schema": {"name": "c", "schema": SCHEMA}}}
            )
        },
        {
            "llm.invocation_parameters": as_json(
                {"text": {"format": {"type": "json_schema", "name": "c", "schema": SCHEMA}}}
            )
        },
        {
            "model_request_parameters": as_json(
                {"output_object": {"json_schema": SCHEMA, "name": "c"}, "output_mode": "native"}
            )
        },
    ],
)
def test_output_schemas(attributes: Any) -> None:
    assert opened(read("llm", attributes).response_format) == SCHEMA


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"gen_ai.response.finish_reasons": ["tool_call", "stop"]}, "tool_calls"),
        ({"gen_ai.response.finish_reasons": '["end_turn"]'}, "stop"),
        ({"gen_ai.response.finish_reasons": [""]}, ""),
        ({"gen_ai.response.finish_reasons": ["error"]}, "error"),
        ({"llm.finish_reason": "tool_use"}, "tool_calls"),
        ({"ai.response.finishReason": "tool-calls"}, "tool_calls"),
        ({"ai.response.finishReason": "length"}, "length"),
        ({"gen_ai.completion.0.finish_reason": "max_tokens", "gen_ai.completion.0.content": "a"}, "length"),
        ({"anthropic.message.stop_reason": "end_turn"}, "stop"),
        ({"langfuse.observation.metadata.finish_reason": '"stop"'}, "stop"),
        ({"gen_ai.output.messages": as_json([said("assistant", "a", finish_reason="tool_call")])}, "tool_calls"),
        ({"gen_ai.completion": as_json({"choices": [{"message": {"content": "a"}, "finish_reason": "length"}]})}, "length"),
        ({"gen_ai.completion": as_json({"object": "response", "status": "completed", "output": []})}, "stop"),
        ({"gen_ai.response.finish_reasons": ["content_filter"]}, "content_filter"),
        ({}, ""),
    ],
)  # fmt: skip
def test_finish_reasons(attributes: Any, reason: str) -> None:
    assert read("llm", attributes).finish_reason == reason


def test_agents_of_openinference_say_stop_on_tool_calls() -> None:
    content = read(
        "llm",
        {
            "llm.finish_reason": "stop",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "f",
        },
    )
    assert content.finish_reason == "tool_calls"


def test_a_conversation_handed_on_has_no_finish_reason() -> None:
    messages = as_json([said("user", "q"), said("assistant", "a", finish_reason="stop")])
    assert read("agent", {"pydantic_ai.all_messages": messages}).finish_reason == ""
