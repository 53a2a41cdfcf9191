"""Spans as a tree: every span once, whatever the parents say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api.cli.tree import Node, tree_of

IDS = "abcdefgh"


def span(id: str, parent: str = "", start: int = 0) -> dict[str, str]:
    return {"span_id": id, "parent_span_id": parent, "start_time": f"2026-11-20T18:00:{start:02}Z"}


def outline(tops: list[Node]) -> list[str]:
    return [
        "-" * depth + node.span["span_id"] + "?" * node.orphan for top in tops for depth, node in top.walk()
    ]


def test_children_stand_under_their_parent_in_the_order_of_their_starts() -> None:
    spans = [span("c", "a", 3), span("a", start=1), span("d", "b", 9), span("b", "a", 2)]
    assert outline(tree_of(spans)) == ["a", "-b", "--d", "-c"]


def test_an_orphan_stands_at_the_top_with_what_is_below_it() -> None:
    assert outline(tree_of([span("b", "lost", 1), span("c", "b", 2), span("a", start=3)])) == [
        "b?",
        "-c",
        "a",
    ]


def test_a_circle_is_opened_at_its_first_span() -> None:
    spans = [span("a", "c", 1), span("b", "a", 2), span("c", "b", 3), span("d", "d", 4), span("e", "c", 5)]
    assert outline(tree_of(spans)) == ["a?", "-b", "--c", "---e", "d?"]


def test_a_deep_chain_is_no_problem() -> None:
    spans = [span("0")] + [span(str(n), str(n - 1)) for n in range(1, 5000)]
    assert len(outline(tree_of(spans))) == 5000


@given(st.dictionaries(st.sampled_from(IDS), st.sampled_from([*IDS, "", "lost"])))
def test_every_span_is_there_exactly_once(parents: dict[str, str]) -> None:
    tops = tree_of([span(id, parent) for id, parent in parents.items()])
    shown = [node.span["span_id"] for top in tops for _, node in top.walk()]
    assert sorted(shown) == sorted(parents)
