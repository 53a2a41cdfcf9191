"""Short ways to write spans and messages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ingest.normalise.content import Content, RawEvent, RawSpan, Value, content_of


def read(
    kind: str,
    attributes: Mapping[str, Value],
    events: Sequence[tuple[str, Mapping[str, Value]]] = (),
    name: str = "span",
) -> Content:
    """The content of a span with these attributes and events."""
    raw = [RawEvent(event, 1, values) for event, values in events]
    return content_of(RawSpan(name, kind, "scope", attributes, raw))


def said(role: str, *parts: Any, **more: Any) -> dict[str, Any]:
    """A message; plain strings are text parts."""
    return {"role": role, "parts": [text(part) if isinstance(part, str) else part for part in parts], **more}


def text(content: str) -> dict[str, Any]:
    """A text part."""
    return {"type": "text", "content": content}


def thought(content: str, **more: Any) -> dict[str, Any]:
    """A reasoning part."""
    return {"type": "reasoning", "content": content, **more}


def call(identity: str, name: str, arguments: Any) -> dict[str, Any]:
    """A tool call part."""
    return {"type": "tool_call", "id": identity, "name": name, "arguments": arguments}


def answer(identity: str, response: Any, **more: Any) -> dict[str, Any]:
    """A tool's answer."""
    return {"type": "tool_call_response", "id": identity, "response": response, **more}


def opened(json_text: str) -> Any:
    """The value behind JSON text; a plain failure when it is none."""
    return json.loads(json_text)


def as_json(value: Any) -> str:
    """JSON as Python clients write it: spaces, and everything beyond ASCII escaped."""
    return json.dumps(value)
