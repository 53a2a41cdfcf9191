"""Compares a stored row with its expectation; content is compared by meaning, not by spelling.

A row holds the public columns as the SQL answer gives them: maps as objects, `input`, `output`, `documents` and
`tool_definitions` as text, integers as numbers or digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from typing import Any, NamedTuple

from tests.reference.content import NOTHING, Content, Raw
from tests.reference.context import Metadata
from tests.reference.parts import Message, messages
from tests.reference.values import EMPTY, OneOf, parsed, text, whole

COUNTS = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)
FLAGS = {"total_mismatch"}
"""The only flag that the documents define well enough to be demanded."""


class Gap(NamedTuple):
    """A column that the documents leave open for some SDK and kind."""

    sdk: str
    column: str
    kind: str
    reason: str


UNSPECIFIED = (
    Gap("pydantic-ai*", "input", "embedding", "the texts stand in `inputs`, which 2.3 does not list"),
    Gap(
        "logfire*",
        "input",
        "embedding",
        "2.3 says only that `request_data` keeps nothing but the model in version 2",
    ),
    Gap(
        "*",
        "output",
        "embedding",
        "2.3 names ai.embedding(s) as output and nothing for others; whether vectors are kept is not said",
    ),
    Gap(
        "logfire*",
        "streaming",
        "*",
        "2.8 lists no key for Logfire; its stream results show only in the span's name",
    ),
    *(
        Gap(
            sdk,
            side,
            kind,
            "LangChain's serialised messages on spans that are no model call: kept raw or read as messages",
        )
        for sdk in ("langfuse", "langfuse-v3", "openinference-langchain*", "openllmetry-langchain")
        for side in ("input", "output")
        for kind in ("chain", "prompt", "agent", "tool")
    ),
    *(
        Gap(sdk, "tool_call_id", "tool", "2.5 lists no key; LangChain's ToolMessage in the output tells it")
        for sdk in ("openinference-langchain*", "openllmetry-langchain")
    ),
    Gap(
        "openllmetry-langchain",
        "output",
        "llm",
        "the role `unknown` of a streamed answer: kept, or read as the assistant's",
    ),
    Gap(
        "pydantic-ai-1x*",
        "tool_definitions",
        "llm",
        "they stand in `model_request_parameters`, which 2.5 lists as parameters",
    ),
    Gap(
        "pydantic-ai-1x*",
        "finish_reason",
        "llm",
        "an agent run repeats its last message; whether that is its reason is not said",
    ),
)
"""Beside these, `OneOf` in the code marks where several values are allowed, with the reason at the spot."""


def unspecified(sdk: str, column: str, kind: str) -> bool:
    """Whether the documents leave the column open."""
    return any(fnmatch(sdk, g.sdk) and column == g.column and fnmatch(kind, g.kind) for g in UNSPECIFIED)


def differences(sdk: str, wanted: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    """One line for each column that is not as expected."""
    found = []
    for column, value in wanted.items():
        if unspecified(sdk, column, str(row.get("kind"))) or matches(column, value, row.get(column)):
            continue
        found.append(f"{column}: expected {_short(value)}, is {_short(row.get(column))}")
    return found


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) < 600 else f"{shown[:600]}…[{len(shown)}]"


def matches(column: str, wanted: Any, actual: Any) -> bool:
    """Whether the stored value meets the expectation."""
    if isinstance(wanted, OneOf):
        return not wanted.values or any(matches(column, value, actual) for value in wanted.values)
    return _RULES.get(column, _same)(wanted, actual)


def _same(wanted: Any, actual: Any) -> bool:
    return bool(wanted == actual)


def _count(wanted: Any, actual: Any) -> bool:
    return whole(actual) == wanted and (actual is None) == (wanted is None)


def _number(wanted: Any, actual: Any) -> bool:
    if wanted is None or actual is None:
        return wanted is actual
    return math.isclose(wanted, float(actual), rel_tol=1e-6, abs_tol=2e-3)


def _usage(wanted: Mapping[str, int], actual: Any) -> bool:
    return wanted == {name: int(amount) for name, amount in (actual or {}).items() if int(amount)}


def _flags(wanted: list[str], actual: Any) -> bool:
    return FLAGS & set(wanted) == FLAGS & set(actual or ())


def _metadata(wanted: Metadata, actual: Any) -> bool:
    stored = {key: parsed(value) for key, value in (actual or {}).items()}
    there = all(_equal(stored.get(key), value) for key, value in wanted.required.items())
    return there and set(stored) <= wanted.allowed | set(wanted.required)


def _map(wanted: Mapping[str, Any], actual: Any) -> bool:
    return all(_equal((actual or {}).get(key), value) for key, value in wanted.items() if value not in EMPTY)


def _equal(mine: Any, yours: Any) -> bool:
    """Values as stored in a map of texts and as sent: equal once both are read as JSON where they can be."""
    return bool(_loose(mine) == _loose(yours))


def _loose(value: Any) -> Any:
    value = parsed(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return [_loose(item) for item in value]
    if isinstance(value, dict):
        return {key: _loose(item) for key, item in value.items()}
    try:
        return float(value)
    except (TypeError, ValueError):
        return text(value)


def _definitions(wanted: list[dict[str, Any]], actual: Any) -> bool:
    stored = _listed(actual)
    seen = [
        (t.get("name"), t.get("description") or "", parsed(t.get("parameters")) or None) for t in stored or []
    ]
    return stored is not None and seen == [
        (t["name"], t["description"], t["parameters"] or None) for t in wanted
    ]


def _listed(actual: Any) -> list[Any] | None:
    """JSON text of a list of objects; None when it is something else."""
    stored = [] if actual in EMPTY else parsed(actual)
    return stored if isinstance(stored, list) and all(isinstance(item, dict) for item in stored) else None


def _documents(wanted: list[dict[str, Any]], actual: Any) -> bool:
    stored = _listed(actual)
    if stored is None:
        return False
    return len(stored) == len(wanted) and all(_document(w, s) for w, s in zip(wanted, stored, strict=True))


def _document(wanted: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
    """What was sent must be there; more may be (ids that stand only in the raw output)."""
    return all(_equal(stored.get(key), value) for key, value in wanted.items() if value is not None)


def _content(wanted: Content, actual: Any) -> bool:
    if wanted in NOTHING:
        return actual in EMPTY
    if isinstance(wanted, Raw):
        return _raw(wanted.value, actual)
    assert isinstance(wanted, list)
    said = _flat(wanted)
    if not said:  # a role without anything said: any other source may have been taken
        return True
    stored = messages(actual)
    if stored is None:
        return len(said) == 1 and _equal(said[0][-1], actual)
    return _flat(stored) == said


def _raw(value: Any, actual: Any) -> bool:
    """The raw value, what one of its fields wraps, or the messages in either."""
    inner = [value, *(value.values() if isinstance(value, dict) else ())]
    if any(_equal(candidate, actual) for candidate in inner):
        return True
    stored = messages(actual)
    if stored is None:
        return False
    said = _flat(stored)
    if [part[-1] for part in said] == [text(v) for v in (value if isinstance(value, list) else [value])]:
        return True
    return any(said == _flat(found) for candidate in inner if (found := messages(candidate)))


def _flat(talk: list[Message]) -> list[tuple[Any, ...]]:
    """Everything said, in order: role and part. Message boundaries, empty texts and the role of a tool's answer do not matter."""
    said: list[tuple[Any, ...]] = []
    for message in talk:
        for part in message["parts"]:
            role = "tool" if part["type"] == "tool_call_response" else message["role"]
            facts = tuple(_loose(value) for key, value in part.items() if key != "type")
            if any(fact not in EMPTY for fact in facts):
                said.append((role, part["type"], *facts))
    return said


_RULES: dict[str, Callable[[Any, Any], bool]] = {
    **dict.fromkeys(COUNTS, _count),
    **dict.fromkeys(("duration_ms", "time_to_first_token_ms"), _number),
    **dict.fromkeys(("input", "output"), _content),
    **dict.fromkeys(("attributes", "resource_attributes"), _map),
    "usage": _usage,
    "usage_flags": _flags,
    "metadata": _metadata,
    "tool_definitions": _definitions,
    "documents": _documents,
}
