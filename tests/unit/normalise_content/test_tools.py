"""Tool spans and the tools offered to a model (mapping.md 2.5)."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.normalise.content import Value
from tests.unit.normalise_content.helpers import as_json, call, opened, read, said

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"type": "function", "name": "get_weather", "description": "Weather", "parameters": SCHEMA}
FLAT = {
    "type": "function",
    "name": "get_weather",
    "description": "Weather",
    "parameters": SCHEMA,
    "strict": True,
}
NESTED = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Weather", "parameters": SCHEMA},
}
ANTHROPIC = {"name": "get_weather", "description": "Weather", "input_schema": SCHEMA}
PYDANTIC = {
    "name": "get_weather",
    "description": "Weather",
    "parameters_json_schema": SCHEMA,
    "kind": "function",
    "strict": True,
}


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.tool.definitions": as_json([FLAT])},
        {"gen_ai.tool.definitions": as_json([NESTED])},
        {"gen_ai.tool.definitions": as_json([ANTHROPIC])},
        {"gen_ai.tool.definitions": [FLAT]},
        {"llm.tools.0.tool.json_schema": as_json(NESTED)},
        {"llm.tools.0.tool.json_schema": as_json(ANTHROPIC)},
        {
            "llm.request.functions.0.name": "get_weather",
            "llm.request.functions.0.description": "Weather",
            "llm.request.functions.0.parameters": as_json(SCHEMA),
        },
        {
            "llm.request.functions.0.name": "get_weather",
            "llm.request.functions.0.description": "Weather",
            "llm.request.functions.0.input_schema": as_json(SCHEMA),
        },
        {
            "ai.prompt.tools": [
                as_json(
                    {
                        "type": "function",
                        "name": "get_weather",
                        "description": "Weather",
                        "inputSchema": SCHEMA,
                    }
                )
            ]
        },
        {
            "gen_ai.agent.tools": as_json(
                [{"name": "get_weather", "description": "Weather", "inputSchema": {"json": SCHEMA}}]
            )
        },
        {"langfuse.observation.input": as_json({"tools": [NESTED], "messages": []})},
        {"gen_ai.prompt": as_json({"messages": [], "tools": [NESTED]})},
        {"llm.invocation_parameters": as_json({"tools": [NESTED], "temperature": 0})},
        {"input.value": as_json({"tools": [ANTHROPIC], "messages": []})},
        {"model_request_parameters": as_json({"function_tools": [PYDANTIC], "output_mode": "text"})},
    ],
)
def test_definitions(attributes: dict[str, Value]) -> None:
    assert opened(read("llm", attributes).tool_definitions) == [WEATHER]


def test_names_alone_and_built_in_tools() -> None:
    assert opened(read("agent", {"gen_ai.agent.tools": '["a"]'}).tool_definitions) == [
        {"type": "function", "name": "a"}
    ]
    offered = read(
        "llm", {"gen_ai.tool.definitions": as_json([{"type": "web_search"}, {"broken": 1}, 7, None])}
    )
    assert opened(offered.tool_definitions) == [{"type": "web_search", "name": "web_search"}]
    assert read("llm", {"gen_ai.tool.definitions": "[]"}).tool_definitions == ""
    assert read("llm", {"langfuse.observation.input": "[]"}).tool_definitions == ""


@pytest.mark.parametrize(
    ("attributes", "name", "identity"),
    [
        ({"gen_ai.tool.name": "a", "tool.name": "b", "gen_ai.tool.call.id": "c1"}, "a", "c1"),
        ({"tool.name": "b", "tool.id": "c2"}, "b", "c2"),
        ({"ai.toolCall.name": "c", "ai.toolCall.id": "c3"}, "c", "c3"),
        ({"traceloop.entity.name": "d"}, "d", ""),
        ({}, "e", ""),
    ],
)
def test_name_and_id(attributes: dict[str, Value], name: str, identity: str) -> None:
    content = read("tool", attributes, name="execute_tool e")
    assert (content.tool_name, content.tool_call_id) == (name, identity)


def test_names_of_other_spans() -> None:
    assert read("tool", {}, name="lookup.tool").tool_name == "lookup"
    assert read("llm", {"gen_ai.tool.name": "get_weather, lookup_order"}).tool_name == ""


MESSAGE = {
    "lc": 1,
    "type": "constructor",
    "id": ["langchain", "ToolMessage"],
    "kwargs": {"content": '{"t": 21}', "type": "tool", "tool_call_id": "c1"},
}


@pytest.mark.parametrize(
    ("attributes", "arguments", "result"),
    [
        ({"gen_ai.tool.call.arguments": '{"city":"K"}', "gen_ai.tool.call.result": "21C"}, '{"city":"K"}', "21C"),
        ({"gen_ai.tool.call.arguments": {"city": "K"}, "gen_ai.tool.call.result": {"t": 21}}, '{"city":"K"}', '{"t":21}'),
        ({"tool_arguments": '{"city":"K"}', "tool_response": '{"t":21}'}, '{"city":"K"}', '{"t":21}'),
        ({"ai.operationId": "ai.toolCall", "ai.toolCall.args": '{"city":"K"}', "ai.toolCall.result": '"ok"'}, '{"city":"K"}', "ok"),
        ({"input.value": '{"city":"K"}', "output.value": "ok", "tool.parameters": "{}"}, '{"city":"K"}', "ok"),
        ({"langfuse.observation.input": '{"city":"K"}', "langfuse.observation.output": "ok"}, '{"city":"K"}', "ok"),
        ({"traceloop.entity.input": '{"args": ["K"]}', "traceloop.entity.output": '"ok"'}, '{"args": ["K"]}', "ok"),
        ({"gen_ai.prompt": '{"city":"K"}', "gen_ai.completion": '{"output":"ok"}'}, '{"city":"K"}', '{"output":"ok"}'),
        ({"gen_ai.tool.args": "K, celsius"}, "K, celsius", ""),
        (
            {
                "gen_ai.tool.call.arguments": as_json(
                    {"input_str": "{'city': 'K', 'n': None}", "tags": [], "metadata": {}, "kwargs": {}}
                ),
                "gen_ai.tool.call.result": as_json({"output": MESSAGE, "kwargs": {"tags": []}}),
            },
            '{"city":"K","n":null}',
            '{"t": 21}',
        ),
    ],
)  # fmt: skip
def test_arguments_and_result(attributes: Any, arguments: str, result: str) -> None:
    content = read("tool", attributes)
    assert (content.input, content.output) == (arguments, result)


def test_strands_tells_tools_by_events() -> None:
    old = read(
        "tool",
        {},
        [
            ("gen_ai.tool.message", {"role": "tool", "content": '{"city": "K"}', "id": "c1"}),
            ("gen_ai.choice", {"message": as_json([{"text": "21C"}]), "id": "c1"}),
        ],
    )
    assert (old.input, old.output) == ('{"city": "K"}', "21C")
    details = "gen_ai.client.inference.operation.details"
    latest = read(
        "tool",
        {},
        [
            (details, {"gen_ai.input.messages": as_json([said("tool", call("c1", "f", {"city": "K"}))])}),
            (
                details,
                {
                    "gen_ai.output.messages": as_json(
                        [said("tool", {"type": "tool_call_response", "id": "c1", "response": "21C"})]
                    )
                },
            ),
        ],
    )
    assert (latest.input, latest.output) == ('{"city":"K"}', "21C")


def test_strands_cycle_ends_with_answers() -> None:
    cycle = read(
        "chain",
        {},
        [
            (
                "gen_ai.choice",
                {
                    "message": as_json([{"toolUse": {"toolUseId": "c1", "name": "f", "input": {}}}]),
                    "tool.result": as_json(
                        [{"toolResult": {"toolUseId": "c1", "content": [{"text": "21C"}]}}]
                    ),
                },
            )
        ],
    )
    assert opened(cycle.output) == [
        said("assistant", call("c1", "f", {})),
        said("tool", {"type": "tool_call_response", "id": "c1", "response": "21C"}),
    ]


def test_langchain_says_the_call_id_in_the_result() -> None:
    wrapped = as_json({"type": "tool", "data": {"content": "21C", "type": "tool", "tool_call_id": "c1"}})
    content = read("tool", {"output.value": wrapped})
    assert (content.output, content.tool_call_id) == ("21C", "c1")
    assert content.consumed == frozenset()
