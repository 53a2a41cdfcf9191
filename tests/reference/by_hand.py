"""Expectations written by hand (tests/expectations/spans.toml), and how a row is held against them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.reference.compare import matches
from tests.reference.content import Content, Raw
from tests.reference.parts import messages
from tests.reference.values import OneOf, parsed, text

FILE = Path(__file__).resolve().parents[1] / "expectations" / "spans.toml"
PREFIXES = ("status_message",)
"""Columns of which only the beginning is written down."""


@dataclass(frozen=True)
class Case:
    """One fixture's expectations: `spans` by span id."""

    name: str
    rows: int
    bill: tuple[int, int]
    spans: Mapping[str, Mapping[str, Any]]


def cases() -> list[Case]:
    """All cases."""
    document = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return [
        Case(name, table.pop("rows"), tuple(table.pop("bill")), table)  # what is left are the spans
        for name, table in document.items()
    ]


def faults(wanted: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    """One line for each expectation that the row does not meet. `input` and `output` may be text or the oracle's content."""
    found = []
    for name, value in wanted.items():
        seen = _seen(name, row)
        if not _meets(name, None if value == "NULL" else value, seen):
            found.append(f"{name}: expected {value!r}, is {seen!r}")
    return found


def _meets(name: str, value: Any, seen: Any) -> bool:
    if isinstance(seen, OneOf):
        return any(_meets(name, value, choice) for choice in seen.values)
    if name in ("first", "last", "said", *PREFIXES):
        return str(seen).startswith(value) if value else seen == ""
    if name == "documents":
        full = [
            {"id": None, "content": None, "score": None, "metadata": None} | document for document in value
        ]
        return matches(name, full, seen)
    return matches(name, value, seen) or bool(value == seen)


def _seen(name: str, row: Mapping[str, Any]) -> Any:
    if name in ("first", "last", "answers"):
        return _of_content(name, row["input"])
    if name in ("said", "calls"):
        return _of_content(name, row["output"])
    return row[name]


def _of_content(name: str, content: Content | str) -> Any:
    parts = list(_parts(content))
    if name == "calls":
        return [part["name"] for part in parts if part["type"] == "tool_call"]
    if name == "answers":
        return [part["id"] for part in parts if part["type"] == "tool_call_response"]
    said = [part["content"] for part in parts if part["type"] == "text" and part["content"]]
    if not said:
        return ""
    return said[0] if name == "first" else said[-1]


def _parts(content: Content | str) -> Iterator[dict[str, Any]]:
    if isinstance(content, OneOf):
        content = content.values[0]
    value = content.value if isinstance(content, Raw) else parsed(content)
    for message in messages(value) or [{"parts": [{"type": "text", "content": text(value)}]}]:
        yield from message["parts"]
