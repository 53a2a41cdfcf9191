"""Attribute values as clients send them, and the one way in which the normaliser reads and writes JSON.

An attribute may be a scalar, an array, a structured value, or JSON in a string; structured and JSON are equal
(mapping.md, section 1). Nothing here raises on any value.
"""

from __future__ import annotations

import base64
import json
import math
from typing import Any, TypeAlias

import orjson

Value: TypeAlias = "str | int | float | bool | bytes | list[Value] | dict[str, Value] | None"

_MAX_DEPTH = 200
_TOO_DEEP = "[nested too deeply]"
_CLOSING = {"[": "]", "{": "}", '"': '"'}
_OPENING = tuple(_CLOSING)


class Irregular(ValueError):
    """Bytes that are no message of the expected kind, or one in an unusual encoding."""


def parsed(value: Value) -> Value:
    """The value behind JSON text; the value itself when it is no JSON text (or JSON cut in half)."""
    if isinstance(value, str) and value.startswith(_OPENING):
        try:
            result: Value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return _parsed_leniently(value)
        return result
    return value


def _parsed_leniently(text: str) -> Value:
    """JSON that only Python's own parser takes: NaN, Infinity, lone surrogates. Cut text is not tried again."""
    if text.rstrip()[-1:] != _CLOSING[text[0]]:
        return text
    try:
        result: Value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return result


def dump(value: object) -> str:
    """Compact JSON text, UTF-8 not escaped. Bytes become base64, NaN and infinities null."""
    try:
        return orjson.dumps(value, default=_plain).decode()
    except (TypeError, RecursionError):
        return json.dumps(_clean(value, 0), ensure_ascii=False, separators=(",", ":"))


def to_json(value: object) -> bytes:
    """`dump` as bytes."""
    return dump(value).encode()


def from_json(text: str) -> Any:
    """The value of a JSON text, also of a bare number or word; None when it is none (a text cut in half, say)."""
    if not text or text[0] not in '[{"-0123456789tfn':
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def json_object(text: str) -> dict[str, Any]:
    """The JSON object in a text; empty when there is none."""
    value = from_json(text) if text.startswith("{") else None
    return value if isinstance(value, dict) else {}


def text_of(value: Value) -> str:
    """The value as text: strings as sent, nothing as '', everything else as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return _encodable(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return dump(value)


def unquoted(value: Value) -> str:
    """`text_of`, with a JSON-quoted scalar (`"\\"pro\\""`) as the text inside the quotes."""
    if isinstance(value, str) and value[:1] == '"':
        inner = parsed(value)
        return text_of(inner if isinstance(inner, str) else value)
    return text_of(value)


def mapping(value: Value) -> dict[str, Value]:
    """The object that the value is or describes as JSON; {} when it is none."""
    found = parsed(value)
    return found if isinstance(found, dict) else {}


def sequence(value: Value) -> list[Value]:
    """The list that the value is or describes as JSON; [] when it is none."""
    found = parsed(value)
    return found if isinstance(found, list) else []


def number(value: Value) -> float | None:
    """A finite number from a number, a boolean or numeric text."""
    if not isinstance(value, (int, float, str)):
        return None
    try:
        result = float(value)
    except (ValueError, OverflowError):
        return None
    return result if math.isfinite(result) else None


def _encodable(text: str) -> str:
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _plain(value: object) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else _encodable(str(value))


def _clean(value: object, depth: int) -> object:
    """What orjson refused, in plain JSON types: big integers stay, lone surrogates and deep nesting go."""
    if depth > _MAX_DEPTH:
        return _TOO_DEEP
    if isinstance(value, str):
        return _encodable(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        # Python refuses to print integers of more than 4,300 digits.
        return value if value.bit_length() < 4096 else hex(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {_encodable(str(key)): _clean(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item, depth + 1) for item in value]
    return _plain(value)
