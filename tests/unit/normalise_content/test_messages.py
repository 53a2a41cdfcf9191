"""Messages, requests and responses of every provider become canonical messages."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.normalise.content.exchanges import conversation, instructions, with_instructions
from tests.unit.normalise_content.helpers import answer, as_json, call, said, thought

HELLO = [said("user", "hello")]


def asked(value: Any) -> Any:
    return conversation(value, "input", model_call=True)


def answered(value: Any) -> Any:
    return conversation(value, "output", model_call=True)


@pytest.mark.parametrize(
    "request_",
    [
        "hello",
        [{"role": "user", "content": "hello"}],
        {"messages": [{"role": "user", "content": "hello"}], "model": "gpt-4o", "temperature": 0},
        {"input": "hello", "model": "gpt-4o"},
        {
            "input": [
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
            ]
        },
        {"contents": [{"role": "user", "parts": [{"text": "hello"}]}], "generationConfig": {}},
        {"prompt": "hello"},
        {"prompts": ["hello"]},
        [{"role": "user", "content": [{"type": "text", "text": "hello"}]}],
        [{"role": "user", "content": [{"text": "hello"}]}],
        [{"role": "user", "parts": [{"type": "text", "content": "hello"}], "name": None}],
        [
            {
                "type": "human",
                "content": "hello",
                "additional_kwargs": {},
                "response_metadata": {},
                "name": None,
            }
        ],
        [{"type": "human", "data": {"content": "hello", "type": "human"}}],
        {
            "messages": [
                [
                    {
                        "lc": 1,
                        "type": "constructor",
                        "id": ["langchain", "schema", "HumanMessage"],
                        "kwargs": {"content": "hello"},
                    }
                ]
            ]
        },
        {"messages": [["human", "hello"]]},
        {"args": [[{"role": "user", "content": "hello"}]], "kwargs": {}},
        {"args": [], "kwargs": {"messages": [{"role": "user", "content": "hello"}]}},
        {"inputs": "hello", "tags": [], "metadata": {}, "kwargs": {}},
    ],
)
def test_requests(request_: Any) -> None:
    assert asked(request_) == HELLO
    assert asked(request_ if isinstance(request_, str) else as_json(request_)) == HELLO


@pytest.mark.parametrize(
    "request_",
    [
        {"system": "be kind", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 9},
        {
            "system": [{"type": "text", "text": "be kind", "cache_control": {}}],
            "messages": [{"role": "user", "content": "hello"}],
        },
        {"instructions": "be kind", "input": "hello"},
        {
            "systemInstruction": {"parts": [{"text": "be kind"}]},
            "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
        },
        {"system": "be kind", "prompt": "hello"},
    ],
)
def test_a_system_prompt_apart_comes_first(request_: Any) -> None:
    assert asked(request_) == [said("system", "be kind"), *HELLO]


def test_a_system_prompt_sent_twice_stands_once() -> None:
    system = instructions('[{"type": "text", "content": "be kind"}]')
    messages: Any = [said("system", "be kind"), *HELLO]
    assert with_instructions(system, messages) == messages
    assert with_instructions(instructions("be kind"), list(HELLO)) == messages


@pytest.mark.parametrize(
    "response",
    [
        "hi",
        {"role": "assistant", "content": "hi", "refusal": None, "annotations": [], "tool_calls": None},
        [{"role": "assistant", "content": "hi"}],
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}}], "usage": {}},
        {"choices": [{"index": 0, "text": "hi"}]},
        {
            "id": "r",
            "object": "response",
            "output": [
                {
                    "type": "message",
                    "id": "m",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "hi"}],
                }
            ],
        },
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "text", "text": "hi"}],
            "id": "m",
            "usage": {},
        },
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "hi"}]}}]},
        {"output": {"message": {"role": "assistant", "content": [{"text": "hi"}]}}, "stopReason": ""},
        {"output": "hi"},
        {
            "generations": [
                [{"text": "hi", "message": {"lc": 1, "id": ["AIMessage"], "kwargs": {"content": "hi"}}}]
            ]
        },
        {"message": {"role": "assistant", "content": "hi"}, "usage": {"total_tokens": 3}},
        {"combined_chunk_content": "hi", "chunk_count": 2},
        {"outputs": {"role": "assistant", "content": "hi"}, "kwargs": {}},
    ],
)
def test_responses(response: Any) -> None:
    assert answered(response) == [said("assistant", "hi")]


def test_tool_traffic_of_openai_chat() -> None:
    request: Any = [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": '{"t": 21}'},
    ]
    assert asked(request) == [
        said("assistant", call("c1", "f", {"a": 1})),
        said("tool", answer("c1", '{"t": 21}')),
    ]


def test_items_of_one_response_are_one_turn() -> None:
    output: Any = [
        {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "function_call", "id": "fc", "call_id": "c1", "name": "f", "arguments": "{}"},
        {
            "type": "message",
            "id": "m",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "done"}],
        },
    ]
    assert answered(output) == [said("assistant", thought("hm"), call("c1", "f", {}), "done")]
    request: Any = {
        "input": [
            {"role": "user", "content": "hello"},
            *output[:2],
            {"type": "function_call_output", "call_id": "c1", "output": "1"},
        ]
    }
    assert asked(request) == [
        *HELLO,
        said("assistant", thought("hm"), call("c1", "f", {})),
        said("tool", answer("c1", "1")),
    ]


def test_choices_stay_apart() -> None:
    response: Any = {
        "choices": [{"message": {"role": "assistant", "content": c}, "finish_reason": "stop"} for c in "ab"]
    }
    assert answered(response) == [
        said("assistant", "a", finish_reason="stop"),
        said("assistant", "b", finish_reason="stop"),
    ]


def test_a_call_sent_twice_stands_once() -> None:
    message: Any = {
        "role": "assistant",
        "content": [
            {"type": "text", "text": "look"},
            {"type": "tool_use", "id": "c1", "name": "f", "input": {}},
        ],
        "tool_calls": [{"id": "c1", "name": "f", "args": {}, "type": "tool_call"}],
    }
    assert asked([message]) == [said("assistant", "look", call("c1", "f", {}))]


def test_vercel_tool_messages_hold_answers_in_blocks() -> None:
    message: Any = {
        "role": "tool",
        "content": [
            {
                "type": "tool-result",
                "toolCallId": "c1",
                "toolName": "f",
                "output": {"type": "json", "value": {"t": 1}},
            }
        ],
    }
    assert asked([message]) == [said("tool", answer("c1", {"t": 1}))]


@pytest.mark.parametrize(
    "value",
    [
        '[{"role": "user", "content": "cut in ha',
        "",
        "[]",
        "{}",
        [1, 2],
        {"q": 1},
        ["a", "b"],
        None,
        3,
        {"args": ["x"], "kwargs": {}},
    ],
)
def test_no_messages(value: Any) -> None:
    assert asked(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        '{"input": "q"}',
        {"messages": [{"role": "user", "content": "q"}], "question": "q"},
        {"role": "admin"},
        ["a"],
    ],
)
def test_a_chain_keeps_its_own_value(value: Any) -> None:
    assert conversation(value, "input", model_call=False) is None


def test_a_chain_that_hands_on_messages() -> None:
    for value in (
        {"messages": [{"role": "user", "content": "hello"}]},
        [{"role": "user", "content": "hello"}],
    ):
        assert conversation(as_json(value), "input", model_call=False) == HELLO
    prompt = {
        "lc": 1,
        "type": "constructor",
        "id": ["ChatPromptValue"],
        "kwargs": {"messages": [{"type": "human", "content": "hello"}]},
    }
    assert conversation(as_json(prompt), "output", model_call=False) == HELLO
    command: Any = [
        {
            "graph": None,
            "update": {"messages": [{"type": "human", "data": {"content": "hello"}}]},
            "resume": None,
            "goto": [],
        }
    ]
    assert conversation(as_json(command), "output", model_call=False) == HELLO
