"""What a span gets from its trace: heads, inherited fields, metadata, agents."""

from __future__ import annotations

import itertools
import random
from datetime import timedelta
from typing import Any

import pytest

from schemas.spans import BY_NAME
from tests.unit.processors.derivation import derived, key
from tests.unit.processors.rows import NOON, call, span, table

VALUES: dict[str, tuple[Any, Any]] = {
    "environment": ("prod", "dev"),
    "release": ("1", "2"),
    "trace_name": ("checkout", "search"),
    "session_id": ("s1", "s2"),
    "user_id": ("u1", "u2"),
    "tags": (["x", "y"], ["z"]),
    "prompt_name": ("p", "q"),
    "prompt_version": ("3", "4"),
    "experiment": ("e", "f"),
    "dataset_item": ("i", "j"),
    "dataset_version": ("7", "8"),
    "trial": (0, 5),
}


def test_every_inherited_field_is_tried_here() -> None:
    assert {c.name for c in BY_NAME.values() if c.origin == "trace"} == {*VALUES, "metadata"}


@pytest.mark.parametrize("name", VALUES)
def test_a_field_reaches_the_whole_trace(name: str) -> None:
    value, other = VALUES[name]
    nothing = None if name == "trial" else [] if name == "tags" else ""
    spans = [span(1, 1), span(1, 2, 1, **{name: value}), span(1, 3, 9), span(2, 1), span(1, 1, project="b")]
    for order in itertools.permutations(spans):
        rows = derived(order)
        assert [rows[key(1, n)][name] for n in (1, 2, 3)] == [value] * 3
        assert [name in rows[key(1, n)]["_inherited"] for n in (1, 2, 3)] == [True, False, True]
        assert rows[key(2, 1)][name] == rows[key(1, 1, "b")][name] == nothing
    rows = derived([*spans[:2], span(1, 3, 9, **{name: other})])
    assert rows[key(1, 3)][name] == other, "a span's own value wins"
    assert rows[key(1, 3)]["_inherited"] == []


@pytest.mark.parametrize("name", VALUES)
def test_who_gives_when_several_could(name: str) -> None:
    value, other = VALUES[name]
    early, late = (
        span(1, 2, 9, start=NOON, **{name: value}),
        span(1, 3, 9, start=NOON + timedelta(seconds=1), **{name: other}),
    )
    for order in itertools.permutations((early, late, span(1, 4, 9))):
        assert derived(order)[key(1, 4)][name] == value, "the earliest"
    root = span(1, 1, start=NOON + timedelta(hours=1), **{name: other})
    for order in itertools.permutations((early, root, span(1, 4, 9))):
        assert derived(order)[key(1, 4)][name] == other, "a root before the earliest"
    same = span(1, 3, 9, start=NOON, **{name: other})
    for order in itertools.permutations((early, same, span(1, 4, 9))):
        assert derived(order)[key(1, 4)][name] == value, "the lower id among equals"


def test_the_trace_is_named_after_its_root_when_nobody_names_it() -> None:
    rows = derived([span(1, 1, _title="chat"), span(1, 2, 1)])
    assert [rows[key(1, n)]["trace_name"] for n in (1, 2)] == ["chat", "chat"]
    rows = derived([span(1, 1, _title="chat"), span(1, 2, 1, trace_name="checkout"), span(1, 3, 1)])
    assert [rows[key(1, n)]["trace_name"] for n in (1, 2, 3)] == ["checkout"] * 3


def test_the_earliest_span_heads_the_trace() -> None:
    child, root = span(1, 2, 1, start=NOON - timedelta(milliseconds=1)), span(1, 1, start=NOON)
    rows = derived([root, child, span(2, 5)])
    assert [rows[k]["_head"] for k in (key(1, 1), key(1, 2), key(2, 5))] == [False, True, True]
    for order in itertools.permutations([span(1, 3, 9), span(1, 1, 9), span(1, 2)]):
        rows = derived(order)
        assert [rows[key(1, n)]["_head"] for n in (1, 2, 3)] == [False, True, False], "a root among equals"


def test_metadata_is_shared_key_by_key() -> None:
    spans = [
        span(1, 1, metadata=[("b", "root"), ("own", "1")], _trace_metadata=[("b", "root")]),
        span(
            1,
            2,
            1,
            metadata=[("a", "child"), ("b", "child")],
            _trace_metadata=[("a", "child"), ("b", "child")],
        ),
        span(1, 3, 1, metadata=[("a", "mine")]),
        span(2, 1, metadata=[("c", "x")]),
    ]
    for order in itertools.permutations(spans):
        rows = derived(order)
        assert rows[key(1, 1)]["metadata"] == {"b": "root", "own": "1", "a": "child"}
        assert rows[key(1, 2)]["metadata"] == {"a": "child", "b": "child"}
        assert rows[key(1, 3)]["metadata"] == {"a": "mine", "b": "root"}
        assert rows[key(2, 1)]["metadata"] == {"c": "x"}
        assert rows[key(1, 3)]["_inherited"] == ["metadata.b"]
        assert rows[key(2, 1)]["_inherited"] == rows[key(1, 2)]["_inherited"] == []


@pytest.mark.parametrize("name", ["ai.generateText", "ai.streamText", "ai.generateObject", "ai.streamObject"])
def test_an_outer_ai_sdk_call_with_a_tool_call_is_an_agent(name: str) -> None:
    outer = span(1, 1, kind="chain", name=name, scope_name="ai")
    tool = span(1, 2, 1, kind="tool", name="ai.toolCall", scope_name="ai")
    rows = derived([tool, outer])
    assert (rows[key(1, 1)]["kind"], rows[key(1, 1)]["_inherited"]) == ("agent", ["kind"])
    assert (rows[key(1, 2)]["kind"], rows[key(1, 2)]["_inherited"]) == ("tool", [])


@pytest.mark.parametrize(
    ("changes", "tool"),
    [
        ({}, span(1, 2, 1, kind="llm")),
        ({}, span(1, 2, 9, kind="tool")),
        ({}, span(2, 2, 1, kind="tool")),
        ({"scope_name": "other"}, span(1, 2, 1, kind="tool")),
        ({"name": "ai.generateText.doGenerate"}, span(1, 2, 1, kind="tool")),
        ({"kind": "span"}, span(1, 2, 1, kind="tool")),
    ],
)
def test_nothing_else_becomes_an_agent(changes: dict[str, Any], tool: dict[str, Any]) -> None:
    outer = {"kind": "chain", "name": "ai.generateText", "scope_name": "ai"} | changes
    assert derived([span(1, 1, **outer), tool])[key(1, 1)]["kind"] == outer["kind"]


def test_the_order_of_rows_changes_nothing() -> None:
    chance = random.Random(7)
    spans = [
        call(
            trace,
            number,
            chance.randint(0, 9),
            session_id=chance.choice(("", "a", "b")),
            start=NOON + timedelta(hours=chance.randint(0, 2)),
        )
        for trace in (1, 2, 3)
        for number in range(1, 9)
    ]
    wanted = derived(spans)
    for _ in range(20):
        chance.shuffle(spans)
        assert derived(spans) == wanted


def test_no_rows() -> None:
    assert derived([]) == {}
    assert table([]).num_rows == 0
