"""Single values: to JSON and back, leniently."""

from __future__ import annotations

import base64
from typing import Any

import orjson


class Irregular(ValueError):
    """Bytes that are no message of the expected kind, or one in an unusual encoding."""


def to_json(value: Any) -> bytes:
    """A value as compact JSON; bytes become base64 text, NaN and infinities null, numbers beyond 64 bits text."""
    try:
        return orjson.dumps(value, default=_foreign, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return orjson.dumps(str(value).encode("utf-8", "replace").decode())


def text_of(value: Any) -> str:
    """A value as a map column holds it: strings as they are, nothing as '', everything else as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else to_json(value).decode()


def from_json(text: str) -> Any:
    """The value of a JSON text; None when it is none (a text cut in half, say)."""
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


def _foreign(value: Any) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
