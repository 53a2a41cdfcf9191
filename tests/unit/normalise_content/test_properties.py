"""Whatever a client sends: nothing raises, what comes out is encodable, and canonical messages come out as they went in."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.normalise.content import Content, RawEvent, RawSpan, Value, content_of, join_logs, log_content
from ingest.normalise.content.keys import _FAMILIES, _SIGNALS
from ingest.normalise.content.view import CONTENT_EVENTS, EVALUATION_EVENT
from schemas.spans import KINDS
from tests.unit.normalise_content.helpers import as_json, opened, read

WORDS = (
    "role content parts type text name id tool_calls function arguments input output messages message choices kwargs lc data "
    "args tools metadata tags inputs outputs documents page_content score finish_reason user assistant tool system tool_use "
    "tool_result tool_call tool_call_response reasoning thinking summary image_url url source image file toolUse toolResult "
    "functionCall human ai generations candidates response result value json update event.name gen_ai.choice parameters"
).split()
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(st.characters(exclude_categories=[]), max_size=8),
    st.sampled_from(WORDS),
    st.binary(max_size=4),
)
NESTED = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=12,
)
PLAIN_KEYS = [key for keys in _SIGNALS.values() for key in keys.split()]
FLAT_KEYS = st.builds(
    lambda family, number, path: f"{family}{number}.{path}",
    st.sampled_from(sorted(_FAMILIES)),
    st.integers(0, 200) | st.just(10**17) | st.just(10**30),
    st.lists(
        st.sampled_from([*WORDS, "message", "message_content", "contents", "tool_call", "0", "7"]), max_size=6
    ).map(".".join),
)
KEYS = st.sampled_from(PLAIN_KEYS) | FLAT_KEYS | st.text(max_size=6)


def _as_text(value: Any, cut: int) -> str:
    """JSON text of the value, as Python writes it (NaN, Infinity, lone surrogates), and perhaps cut short."""
    text = json.dumps(value, default=str)
    return text if cut > 60 else text[: len(text) * cut // 60]


VALUES = NESTED | st.builds(_as_text, NESTED, st.integers(0, 120))
ATTRIBUTES = st.dictionaries(KEYS, VALUES, max_size=12)
EVENT_KEYS = "content message tool.result id gen_ai.evaluation.name gen_ai.evaluation.score.value".split()
EVENTS = st.lists(
    st.builds(
        RawEvent,
        st.sampled_from([*sorted(CONTENT_EVENTS), EVALUATION_EVENT, "exception"]),
        st.just(1),
        st.dictionaries(
            st.sampled_from([*PLAIN_KEYS, *EVENT_KEYS]),
            VALUES,
            max_size=5,
        ),
    ),
    max_size=4,
)  # fmt: skip


def _check(content: Content) -> None:
    for text in (
        content.input,
        content.output,
        content.documents,
        content.tool_definitions,
        content.response_format,
    ):
        text.encode()
    for text in (content.documents, content.tool_definitions):
        assert text == "" or isinstance(opened(text), list)
    for name, value in content.model_parameters.items():
        assert isinstance(name, str)
        value.encode()
    for side in (content.input, content.output):
        for message in _messages(side):
            assert all(isinstance(part["type"], str) for part in message["parts"])


def _messages(side: str) -> list[Any]:
    """The messages in a side's text; [] when it is a raw value."""
    if not side.startswith('[{"role"'):
        return []
    try:
        found = json.loads(side)
    except ValueError:
        return []
    return [
        m
        for m in found
        if isinstance(m, dict) and set(m) <= {"role", "parts", "finish_reason", "name"} and "parts" in m
    ]


@settings(max_examples=250)
@given(st.sampled_from(KINDS), ATTRIBUTES, EVENTS)
def test_any_span(kind: str, attributes: dict[str, Value], events: list[RawEvent]) -> None:
    before = repr(attributes)
    content = content_of(RawSpan("span", kind, "scope", attributes, events))
    _check(content)
    assert content.consumed <= set(attributes)
    assert repr(attributes) == before


@settings(max_examples=120)
@given(
    st.lists(
        st.tuples(st.sampled_from([*sorted(CONTENT_EVENTS), EVALUATION_EVENT, ""]), VALUES, ATTRIBUTES),
        max_size=4,
    )
)
def test_any_logs(records: list[tuple[str, Value, dict[str, Value]]]) -> None:
    contents = [
        found
        for name, body, attributes in records
        if (found := log_content(name, body, attributes)) is not None
    ]
    for side in join_logs(contents):
        assert side == "" or isinstance(opened(side), list)


PARTS = st.one_of(
    st.builds(lambda t: {"type": "text", "content": t}, st.text(min_size=1)),
    st.builds(
        lambda t: {"type": "reasoning", "content": t},
        st.text(min_size=1).filter(lambda t: not t.startswith('[{"')),
    ),
    st.builds(
        lambda i, n, a: {"type": "tool_call", "id": i, "name": n, "arguments": a},
        st.uuids().map(str),
        st.text(min_size=1),
        st.dictionaries(st.text(), st.integers(0, 9) | st.text()),
    ),
    st.builds(
        lambda i, r: {"type": "tool_call_response", "id": i, "response": r},
        st.uuids().map(str),
        st.text() | st.integers(0, 99),
    ),
    st.builds(lambda u: {"type": "uri", "modality": "image", "uri": u}, st.text(min_size=1)),
    st.builds(
        lambda d: {"type": "blob", "mime_type": "image/png", "modality": "image", "content": d},
        st.text(min_size=1),
    ),
)
MESSAGES = st.lists(
    st.builds(
        lambda role, parts, finish: {
            "role": role,
            "parts": parts,
            **({"finish_reason": finish} if finish else {}),
        },
        st.sampled_from(["system", "user", "assistant", "tool", "developer"]),
        st.lists(PARTS, min_size=1, max_size=3),
        st.sampled_from(["", "stop", "tool_calls"]),
    ),
    min_size=1,
    max_size=4,
)


@given(MESSAGES)
def test_canonical_messages_stay_as_they_are(messages: list[Any]) -> None:
    sent = orjson.dumps(messages).decode()
    for value in (sent, as_json(messages), messages):
        content = read("llm", {"gen_ai.input.messages": value, "gen_ai.output.messages": value})
        assert content.input == sent
        assert content.output == sent


@settings(max_examples=120)
@given(VALUES)
def test_normalising_twice_is_normalising_once(value: Value) -> None:
    once = read("llm", {"gen_ai.input.messages": value}).input
    if _messages(once):
        assert read("llm", {"gen_ai.input.messages": once}).input == once


@pytest.mark.parametrize(
    "key",
    [
        "gen_ai.input.messages",
        "langfuse.observation.input",
        "gen_ai.tool.definitions",
        "llm.invocation_parameters",
        "input.value",
    ],
)
@pytest.mark.parametrize("kind", ["llm", "tool", "retriever", "chain"])
def test_depth_without_end(kind: str, key: str) -> None:
    """As JSON text, and as a structure deeper than any serialiser takes."""
    block: Any = {"type": "text", "text": "core"}
    for _ in range(600):
        block = {"type": "tool_result", "tool_use_id": "c", "content": [block]}
    structure: Any = [{"role": "user", "content": [block]}]
    for value in ("[" * 100_000, '{"a":' * 900 + "1" + "}" * 900, structure):
        _check(read(kind, {key: value}))


def test_numbers_that_json_does_not_know() -> None:
    content = read("chain", {"input.value": {"a": float("nan"), "b": float("inf"), "c": 2**80, "d": b"\x00"}})
    assert opened(content.input) == {"a": None, "b": None, "c": 2**80, "d": "AA=="}
    sent = '[{"role": "user", "content": "x", "logprob": NaN}]'
    assert opened(read("llm", {"gen_ai.input.messages": sent}).input)[0]["role"] == "user"


def test_lone_surrogates_are_replaced() -> None:
    content = read(
        "llm",
        {
            "gen_ai.input.messages": '[{"role": "user", "content": "a\\ud800b"}]',
            "langfuse.observation.output": "c\udfffd",
        },
    )
    assert opened(content.input)[0]["parts"][0]["content"] == "a?b"
    assert opened(content.output)[0]["parts"][0]["content"] == "c?d"
