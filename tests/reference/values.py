"""Attribute values read the way section 1 of the mapping asks: JSON text and structured values are equal, absent and empty are equal."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Attributes = Mapping[str, Any]
EMPTY: tuple[Any, ...] = (None, "", [], {})


@dataclass(frozen=True)
class OneOf:
    """An expectation that several values meet: the documents leave the choice open."""

    values: tuple[Any, ...]


def one_of(*values: Any) -> Any:
    """The value, or `OneOf` when several different ones are possible."""
    distinct: list[Any] = []
    for value in values:
        if value not in distinct:
            distinct.append(value)
    return distinct[0] if len(distinct) == 1 else OneOf(tuple(distinct))


def parsed(value: Any) -> Any:
    """JSON text as its value, anything else (also broken JSON) as it is. Rule 1.1."""
    if isinstance(value, str) and value[:1] in ("{", "[", '"'):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def text(value: Any) -> str:
    """A value as text: '' when missing, strings as they are, bytes as base64, the rest as JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    return (
        _base64(value) if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False, default=_base64)
    )


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def first(attributes: Attributes, *keys: str) -> Any:
    """The first value that is there and not empty, parsed; None when there is none."""
    for key in keys:
        if (value := parsed(attributes.get(key))) not in EMPTY:
            return value
    return None


def first_text(attributes: Attributes, *keys: str) -> str:
    """`first` as text."""
    return text(first(attributes, *keys))


def whole(value: Any) -> int | None:
    """A token count: ints, whole floats and digits; None otherwise. Rule 1.2."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def true(value: Any) -> bool:
    """A flag: booleans, and booleans as text in any case. Rule 1.2."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def below(attributes: Attributes, prefix: str) -> dict[str, Any]:
    """The attributes under a prefix, without it."""
    return {key[len(prefix) :]: value for key, value in attributes.items() if key.startswith(prefix)}


def flattened(attributes: Attributes, prefix: str) -> list[dict[str, Any]]:
    """A flattened list `prefix.N.rest`: one mapping an item, in the numeric order of N, gaps closed. Rule 1.4."""
    items: dict[int, dict[str, Any]] = {}
    for rest, value in below(attributes, prefix + ".").items():
        index, _, key = rest.partition(".")
        if index.isdigit():
            items.setdefault(int(index), {})[key] = value
    return [items[index] for index in sorted(items)]


def texts(values: Iterable[Any]) -> list[str]:
    """The non-empty values as text, without repeats, in order."""
    return list(dict.fromkeys(text(value) for value in values if value not in EMPTY))
