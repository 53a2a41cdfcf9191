"""Whose usage is the bill: every shape of trace, in every order of arrival."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import pytest

from tests.unit.processors.derivation import derived, key
from tests.unit.processors.rows import call, span

TALKS: dict[str, Any] = {"output": "said"}


@dataclass(frozen=True)
class Case:
    name: str
    spans: tuple[dict[str, Any], ...]
    counted: set[int]


CASES = (
    Case("one call", (call(),), {1}),
    Case("no usage", (span(kind="llm"),), set()),
    Case("a cost alone is usage", (span(kind="llm", cost=1),), {1}),
    Case("usage on an agent is a roll-up", (call(kind="agent"), call(1, 2, 1)), {2}),
    Case("usage on an agent alone is not counted", (call(kind="agent"),), set()),
    Case("embedding and reranker count", (call(kind="embedding"), call(1, 2, kind="reranker")), {1, 2}),
    Case("an outer call is not counted", (call(tokens=30), call(1, 2, 1), call(1, 3, 1, 20)), {2, 3}),
    Case(
        "the descendant may be far below", (call(tokens=30), span(1, 2, 1), span(1, 3, 2), call(1, 4, 3)), {4}
    ),
    Case("siblings do not matter", (call(1, 1, 9), call(1, 2, 9)), {1, 2}),
    Case("an orphan counts", (call(1, 1, 77),), {1}),
    Case("an inner call without usage does not hide the outer", (call(), span(1, 2, 1, kind="llm")), {1}),
    Case("a marker of work in progress never counts", (call(_pending=True),), set()),
    Case("a marker below does not hide the outer", (call(), call(1, 2, 1, _pending=True)), {1}),
    Case("twins: only the upper talks", (call(**TALKS), call(1, 2, 1)), {1}),
    Case("twins: only the lower talks", (call(), call(1, 2, 1, **TALKS)), {2}),
    Case("twins: both talk", (call(**TALKS), call(1, 2, 1, **TALKS)), {2}),
    Case("twins: none talks", (call(), call(1, 2, 1)), {2}),
    Case(
        "twins by response id",
        (call(tokens=9, response_id="r", **TALKS), call(1, 2, 1, response_id="r")),
        {1},
    ),
    Case("other tokens are no twin", (call(tokens=9, **TALKS), call(1, 2, 1)), {2}),
    Case("no model is no twin", (call(request_model="", **TALKS), call(1, 2, 1, request_model="")), {2}),
    Case(
        "the answering model counts as model",
        (call(request_model="", response_model="m", **TALKS), call(1, 2, 1)),
        {1},
    ),
    Case("a twin with a span between", (call(**TALKS), span(1, 2, 1), call(1, 3, 2)), {1}),
    Case("a twin with another call below", (call(**TALKS), call(1, 2, 1), call(1, 3, 1)), {2, 3}),
    Case("three of one call: the top talks", (call(**TALKS), call(1, 2, 1), call(1, 3, 2)), {1}),
    Case("three of one call: the middle talks", (call(), call(1, 2, 1, **TALKS), call(1, 3, 2)), {2}),
    Case("its own parent", (call(1, 1, 1),), {1}),
    Case("two in a circle: the earlier is on top", (call(1, 1, 2, 5), call(1, 2, 1, 6)), {2}),
    Case("below a circle", (span(1, 1, 2), span(1, 2, 1), call(1, 3, 2)), {3}),
    Case("a circle and a tree", (call(1, 1, 2, 5), call(1, 2, 1, 6), call(1, 3), call(1, 4, 3, 7)), {2, 4}),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_bill(case: Case) -> None:
    for order in itertools.islice(itertools.permutations(case.spans), 24):
        rows = derived(order)
        assert {
            number
            for number in range(1, 9)
            if key(1, number) in rows and rows[key(1, number)]["usage_counted"]
        } == case.counted


def test_traces_and_projects_with_equal_ids_are_apart() -> None:
    outer, inner = call(1, 1, tokens=20), call(1, 2, 1)
    spans = [
        outer,
        inner,
        *(outer | {"project": "b"}, inner | {"project": "c"}),
        call(2, 2, 1, tokens=20),
        call(3, 1, 2),
    ]
    rows = derived(spans)
    counted = {found for found, row in rows.items() if row["usage_counted"]}
    assert counted == {key(1, 2), key(1, 1, "b"), key(1, 2, "c"), key(2, 2), key(3, 1)}


def test_a_deep_chain_counts_its_deepest_call() -> None:
    depth = 3000
    spans = [call(1, number, number - 1, tokens=number + 10) for number in range(1, depth + 1)]
    rows = derived(spans[::-1])
    assert [number for number in range(1, depth + 1) if rows[key(1, number)]["usage_counted"]] == [depth]


def test_a_long_circle_counts_once() -> None:
    size = 1000
    spans = [call(1, number, number % size + 1, tokens=number + 10) for number in range(1, size + 1)]
    rows = derived(spans)
    assert [number for number in range(1, size + 1) if rows[key(1, number)]["usage_counted"]] == [2]
