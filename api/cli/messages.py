"""The messages of a span (`input`, `output`) as text. A value that is no list of messages is shown as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.cli.text import shortened

_CONTENT = re.compile(r'"content":\s*"((?:[^"\\]|\\.)*)')
PREVIEW = 120


@dataclass(frozen=True, slots=True)
class Said:
    """One message: who, and what as text (parts that are no text in brackets)."""

    role: str
    text: str


def messages_of(value: str) -> list[Said]:
    """The messages in order; one without a role when the value is something else; none when it is ''."""
    if not value:
        return []
    found = _decoded(value)
    if isinstance(found, list) and found and all(isinstance(one, dict) and "parts" in one for one in found):
        return [Said(str(one.get("role", "")), _text(one["parts"])) for one in found]
    return [Said("", value)]


def preview(value: Any, length: int = PREVIEW) -> str:
    """The last thing that was said, on one line. Lists cut long values: then it is the last text that is still there."""
    value = str(value or "")
    if value.startswith("[{") and _decoded(value) is None:
        texts = _CONTENT.findall(value)
        return shortened(_unescaped(texts[-1]), length) if texts else shortened(value, length)
    said = messages_of(value)
    return shortened(said[-1].text, length) if said else ""


def _text(parts: Any) -> str:
    """The parts of a message, a line each."""
    if not isinstance(parts, list):
        return json.dumps(parts, ensure_ascii=False)
    return "\n".join(_part(part) for part in parts)


def _part(part: Any) -> str:
    if not isinstance(part, Mapping):
        return json.dumps(part, ensure_ascii=False)
    kind = part.get("type")
    if kind == "text":
        return str(part.get("content", ""))
    if kind == "reasoning":
        return f"(reasoning) {part.get('content', '')}"
    if kind == "tool_call":
        return f"[calls {part.get('name', '?')}({_compact(part.get('arguments'))})]"
    if kind == "tool_call_response":
        return f"[answers {_compact(part.get('response'))}]"
    return f"[{kind}]"


def _compact(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _decoded(value: str) -> Any:
    """The JSON document; None when it is none."""
    try:
        return json.loads(value)
    except ValueError:
        return None


def _unescaped(text: str) -> str:
    """What a JSON string says whose end may be missing."""
    decoded = _decoded(f'"{text}"')
    return decoded if isinstance(decoded, str) else text
