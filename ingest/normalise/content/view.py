"""One pass over a span's attributes: flattened lists grouped by number, request parameters by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ingest.normalise.content.keys import EVALUATIONS, EVENTS, REMEMBERED, Key, learn
from ingest.normalise.content.model import RawEvent, RawSpan
from ingest.normalise.values import Value


class Node(dict[str | int, "Value | Node"]):
    """A flattened entry as a tree: {"role": …, "tool_calls": {0: {"tool_call": {"id": …}}}}.

    A class of its own, so that a branch is never taken for a structured value that a client sent.
    """

    __slots__ = ()

    def leaf(self, name: str) -> Value:
        """The value under the name; None when there is none or a branch."""
        found = self.get(name)
        return None if isinstance(found, Node) else found

    def branch(self, name: str) -> Node:
        """The tree under the name; an empty one when there is none."""
        found = self.get(name)
        return found if isinstance(found, Node) else Node()

    def children(self, name: str) -> list[Node]:
        """The numbered trees under the name, in order: what `tool_calls.0…`, `tool_calls.1…` said."""
        below = self.get(name)
        if not isinstance(below, Node):
            return []
        numbers = sorted(key for key in below if isinstance(key, int))
        return [child for number in numbers if isinstance(child := below[number], Node)]


@dataclass(slots=True)
class View:
    """A span, with its structured keys sorted out.

    `lists` maps a family (`llm.input_messages`) to its entries by number: numbers may start anywhere and have
    gaps. `list_keys` are the attribute keys that made up a family. `parameters` are request parameters as sent.
    `signals` say which sources the span has at all (see keys.py).
    """

    name: str
    kind: str
    attributes: Mapping[str, Value]
    events: Sequence[RawEvent]
    signals: int = 0
    lists: dict[str, dict[int, Node]] = field(default_factory=dict)
    list_keys: dict[str, list[str]] = field(default_factory=dict)
    parameters: dict[str, Value] = field(default_factory=dict)

    def entries(self, family: str) -> list[Node]:
        """The family's entries in the order of their numbers; [] when the span has none."""
        found = self.lists.get(family)
        if not found:
            return []
        return [found[index] for index in sorted(found)]


CONTENT_EVENTS: Final = frozenset(
    "gen_ai.client.inference.operation.details gen_ai.choice gen_ai.system.message gen_ai.user.message "
    "gen_ai.assistant.message gen_ai.tool.message gen_ai.developer.message gen_ai.content.prompt "
    "gen_ai.content.completion".split()
)
"""The events that carry messages (transcripts.py reads them)."""
EVALUATION_EVENT: Final = "gen_ai.evaluation.result"
_UNKNOWN: Final = Key()


def view_of(span: RawSpan) -> View:
    """Sort out the span's attributes."""
    view = View(span.name, span.kind, span.attributes, span.events)
    signals = 0
    for key, value in span.attributes.items():
        known = REMEMBERED.get(key, _UNKNOWN)
        if known is None:
            continue
        if known is _UNKNOWN:
            known = learn(key)
            if known is None:
                continue
        signals |= known.signals
        if known.family:
            _put(view, key, known, value)
        elif known.parameter:
            view.parameters[known.parameter] = value
    for event in span.events:
        if event.name in CONTENT_EVENTS:
            signals |= EVENTS
        elif event.name == EVALUATION_EVENT:
            signals |= EVALUATIONS
    view.signals = signals
    return view


def _put(view: View, key: str, known: Key, value: Value) -> None:
    """Hang the value into its entry's tree. A key that is both a leaf and a branch keeps what came first."""
    family = view.lists.get(known.family)
    if family is None:
        family = view.lists[known.family] = {}
        view.list_keys[known.family] = []
    view.list_keys[known.family].append(key)
    node = family.get(known.index)
    if node is None:
        node = family[known.index] = Node()
    for step in known.stem:
        below = node.get(step)
        if below is None:
            below = node[step] = Node()
        elif not isinstance(below, Node):
            return
        node = below
    node.setdefault(known.leaf, value)
