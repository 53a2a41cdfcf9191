"""What log records say about a span: pure, from their contents to the two message lists.

A complete record (`gen_ai.client.inference.operation.details`) has the whole of the sides that it fills; other records are one
message each, in the order of their time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson


@dataclass(slots=True)
class SpanContent:
    """What the log records of one span say, so far."""

    messages: dict[str, list[Any]] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    tool_definitions: str = ""
    finish_reason: str = ""

    def add(self, content: Mapping[str, Any]) -> None:
        """Takes one more record's content."""
        for side in ("input", "output"):
            said = content.get(side) or []
            if said and content.get("complete"):
                self.messages[side] = list(said)
                self.whole.add(side)
            elif side not in self.whole:
                self.messages.setdefault(side, []).extend(said)
        self.tool_definitions = content.get("tool_definitions") or self.tool_definitions
        self.finish_reason = content.get("finish_reason") or self.finish_reason

    def texts(self) -> dict[str, str]:
        """By column of the span; '' where nothing was said."""
        sides = {side: self.messages.get(side) for side in ("input", "output")}
        texts = {side: orjson.dumps(said).decode() if said else "" for side, said in sides.items()}
        return {**texts, "tool_definitions": self.tool_definitions, "finish_reason": self.finish_reason}


def content_of(records: Iterable[str]) -> SpanContent:
    """The content of records (`_content` of the table `logs_raw`) in the order of their time."""
    content = SpanContent()
    for record in records:
        content.add(orjson.loads(record))
    return content
