"""What holds across dialects: raw values, precedence, sides apart, gaps in lists, consumed keys."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.normalise.content import Value
from tests.unit.normalise_content.helpers import answer, as_json, call, opened, read, said

SYSTEM, QUESTION, REPLY = (
    said("system", "Be kind."),
    said("user", "Wetter in Köln?"),
    said("assistant", "Sonnig."),
)
CALL = said("assistant", call("c1", "get_weather", {"city": "Köln"}))
ANSWER = said("tool", answer("c1", '{"t": 21}'))
CHAT = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Wetter in Köln?"}]


@pytest.mark.parametrize(
    ("kind", "attributes", "input_", "output"),
    [
        (
            "chain",
            {
                "langfuse.observation.input": '{"args": ["q"], "kwargs": {}}',
                "langfuse.observation.output": '{"a": 1}',
            },
            '{"args": ["q"], "kwargs": {}}',
            '{"a": 1}',
        ),
        (
            "chain",
            {"traceloop.entity.input": '{"args": ["q"]}', "traceloop.entity.output": '"done"'},
            '{"args": ["q"]}',
            "done",
        ),
        ("chain", {"input.value": "q", "output.value": '{"allowed": true}'}, "q", '{"allowed": true}'),
        (
            "chain",
            {"traceloop.entity.input": as_json({"inputs": "q", "tags": [], "metadata": {}, "kwargs": {}})},
            "q",
            "",
        ),
        ("agent", {"gen_ai.input.messages": "q", "gen_ai.output.messages": "a"}, "q", "a"),
        (
            "embedding",
            {"ai.operationId": "ai.embed", "ai.value": '"q"', "ai.embedding": "[0.1,0.2]"},
            "q",
            "[0.1,0.2]",
        ),
        (
            "embedding",
            {
                "ai.operationId": "ai.embedMany",
                "ai.values": ['"q"', '"r"'],
                "ai.embeddings": ["[0.1]", "[0.2]"],
            },
            '["q","r"]',
            "[[0.1],[0.2]]",
        ),
        (
            "embedding",
            {
                "embedding.embeddings.0.embedding.text": "q",
                "embedding.embeddings.0.embedding.vector": [0.1, 0.2],
            },
            "q",
            "[[0.1,0.2]]",
        ),
        ("embedding", {"input.value": as_json({"input": ["q", "r"], "model": "m"})}, '["q","r"]', ""),
        ("embedding", {"request_data": as_json({"input": ["q"], "model": "m"})}, '["q"]', ""),
        ("embedding", {"inputs": '["q"]', "inputs_count": 1}, '["q"]', ""),
        (
            "embedding",
            {"input.value": '{"input": "cut in ha', "embedding.embeddings.0.embedding.text": "cut in half"},
            "cut in half",
            "",
        ),
        ("retriever", {"gen_ai.retrieval.query.text": "q"}, "q", ""),
        ("reranker", {"reranker.query": "q"}, "q", ""),
        (
            "llm",
            {"langfuse.observation.input": '[{"role": "user", "content": "cut in'},
            '[{"role": "user", "content": "cut in',
            "",
        ),
        ("llm", {"gen_ai.output.messages": "[]"}, "", ""),
        ("llm", {"request_data": '{"model":"gpt-4o","stream":true}'}, "", ""),
    ],
)
def test_raw_values(kind: str, attributes: Any, input_: str, output: str) -> None:
    content = read(kind, attributes)
    assert (content.input, content.output) == (input_, output)


ORDER: tuple[dict[str, Value], ...] = (
    {"langfuse.observation.input": "1", "langfuse.observation.output": "1"},
    {
        "gen_ai.input.messages": as_json([said("user", "2")]),
        "gen_ai.output.messages": as_json([said("assistant", "2")]),
    },
    {"llm.input_messages.0.message.content": "3", "llm.output_messages.0.message.content": "3"},
    {"ai.operationId": "ai.generateText", "ai.prompt": as_json({"prompt": "4"}), "ai.response.text": "4"},
    {"gen_ai.prompt.0.content": "5", "gen_ai.completion.0.content": "5"},
    {
        "events": as_json(
            [
                {"event.name": "gen_ai.user.message", "content": "6"},
                {"event.name": "gen_ai.choice", "message": {"content": "6"}},
            ]
        )
    },
    {
        "gen_ai.prompt": as_json({"messages": [{"role": "user", "content": "7"}]}),
        "gen_ai.completion": as_json({"output": "7"}),
    },
    {"traceloop.entity.input": '"8"', "traceloop.entity.output": '"8"'},
    {"input.value": "9", "output.value": "9"},
)


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_precedence(first: int) -> None:
    """The earliest source wins, whatever stands beside it and in whatever order."""
    attributes = {key: value for source in reversed(ORDER[first:]) for key, value in source.items()}
    content = read("llm", attributes)
    wanted = str(first + 1)
    assert opened(content.input) == [said("user", wanted)]
    assert opened(content.output) == [said("assistant", wanted)]


def test_sides_are_chosen_apart() -> None:
    """Langfuse in, OpenInference out."""
    content = read("llm", {"langfuse.observation.input": "q", "input.value": "other", "output.value": "a"})
    assert opened(content.input) == [said("user", "q")]
    assert opened(content.output) == [said("assistant", "a")]


def test_span_events_before_flattened_lists() -> None:
    content = read(
        "llm", {"gen_ai.prompt.0.content": "late"}, [("gen_ai.user.message", {"content": "early"})]
    )
    assert opened(content.input) == [said("user", "early")]


def test_messages_without_parts_give_way() -> None:
    """LangChain through OpenInference flattens a role and no more; a dropped image leaves `parts: []`."""
    bare: dict[str, Value] = {"llm.input_messages.0.message.role": "user"}
    assert read("chain", {**bare, "input.value": "q"}).input == "q"
    assert opened(read("llm", {"gen_ai.input.messages": as_json([said("user")])}).input) == [said("user")]


def test_lists_may_start_late_and_have_gaps() -> None:
    attributes: dict[str, Value] = {}
    for number in (10**15, 104, 120, 9):
        attributes[f"llm.input_messages.{number}.message.role"] = "user"
        attributes[f"llm.input_messages.{number}.message.content"] = str(number)
    content = read("llm", attributes)
    assert opened(content.input) == [said("user", t) for t in ("9", "104", "120", str(10**15))]
    assert set(content.consumed) == set(attributes)


def test_consumed_keys_are_those_that_the_columns_repeat() -> None:
    attributes: dict[str, Value] = {
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": "q",
        "input.value": as_json({"messages": [{"role": "user", "content": "q"}]}),
        "output.value": "a",
        "llm.model_name": "gpt-4o",
        "llm.tools.0.tool.json_schema": as_json({"name": "f"}),
    }
    assert read("llm", attributes).consumed == set(attributes) - {"llm.model_name"}
    enveloped: dict[str, Value] = {
        "traceloop.entity.input": as_json({"inputs": "q", "tags": ["t"], "metadata": {}, "kwargs": {}})
    }
    assert read("chain", enveloped).consumed == frozenset()
