"""The spans of a trace as a tree: children under their parent in the order of their starts, orphans at the top."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from api.cli.output import Row


@dataclass(slots=True)
class Node:
    """A span and its children. `orphan`: its parent is not (yet) there."""

    span: Row
    orphan: bool = False
    children: list[Node] = field(default_factory=list)

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Node]]:
        """The node and all below it, with their depth, from the top down."""
        waiting = [(depth, self)]
        while waiting:
            level, node = waiting.pop()
            yield level, node
            waiting += [(level + 1, child) for child in reversed(node.children)]


def tree_of(spans: Sequence[Row]) -> list[Node]:
    """The roots and orphans, each with all below it. Every span is there exactly once, also when parents go in a circle."""
    nodes = {span["span_id"]: Node(span) for span in sorted(spans, key=_place)}
    tops = []
    for node in nodes.values():
        parent = nodes.get(node.span["parent_span_id"])
        if parent is None or _is_above(node, parent, nodes):
            node.orphan = bool(node.span["parent_span_id"])
            tops.append(node)
        else:
            parent.children.append(node)
    return tops


def _is_above(node: Node, parent: Node, nodes: dict[str, Node]) -> bool:
    """Whether the node stands above its own parent, and is the first of that circle."""
    circle: list[Node] = []
    seen: set[int] = set()
    at: Node | None = parent
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        circle.append(at)
        if at is node:
            return min(circle, key=lambda one: _place(one.span)) is node
        at = nodes.get(at.span["parent_span_id"])
    return False


def _place(span: Row) -> tuple[str, str]:
    return span["start_time"], span["span_id"]
