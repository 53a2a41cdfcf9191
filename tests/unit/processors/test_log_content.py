"""What log records say together."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from processors.log_content import content_of

A, B, C = ({"role": "user", "parts": [{"type": "text", "content": text}]} for text in "abc")


@pytest.mark.parametrize(
    ("records", "texts"),
    [
        ([], {}),
        ([{"input": [A]}, {"input": [B]}, {"output": [C]}], {"input": [A, B], "output": [C]}),
        ([{"input": [A]}, {"complete": True, "input": [B]}], {"input": [B]}),
        ([{"complete": True, "input": [A]}, {"input": [B]}], {"input": [A]}),
        ([{"complete": True, "input": [A]}, {"complete": True, "input": [B]}], {"input": [B]}),
        ([{"complete": True, "input": [A]}, {"output": [B]}], {"input": [A], "output": [B]}),
        ([{"finish_reason": "stop"}, {"tool_definitions": "[]"}, {"output": [A]}], {"output": [A]}),
    ],
)
def test_messages(records: list[dict[str, Any]], texts: dict[str, list[Any]]) -> None:
    said = content_of(orjson.dumps(record).decode() for record in records).texts()
    for side in ("input", "output"):
        assert said[side] == (orjson.dumps(texts[side]).decode() if side in texts else "")


def test_the_last_word_on_the_rest() -> None:
    records = [{"finish_reason": "stop", "tool_definitions": "[1]"}, {"finish_reason": "length"}]
    said = content_of(orjson.dumps(record).decode() for record in records).texts()
    assert (said["finish_reason"], said["tool_definitions"]) == ("length", "[1]")
