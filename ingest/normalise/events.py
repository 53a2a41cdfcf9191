"""Span events and links: rare on most spans, so they are read one by one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ingest import lenient
from ingest.normalise.values import Irregular, to_json
from ingest.wire import Blobs


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """One event; `time` in nanoseconds since 1970."""

    name: str
    time: int
    attributes: dict[str, Any]


def events_by_row(blobs: Blobs) -> dict[int, list[SpanEvent]]:
    """The events of the spans that have any. Raises Irregular on bytes that are no Event."""
    result: dict[int, list[SpanEvent]] = {}
    for index, row in enumerate(blobs.owner.tolist()):
        message = _parsed(lenient.Event, blobs.get(index))
        event = SpanEvent(
            lenient.text(message.name), message.time_unix_nano, lenient.mapping(message.attributes)
        )
        result.setdefault(row, []).append(event)
    return result


def events_text(events: list[SpanEvent]) -> str:
    """JSON list of {name, time, attributes}."""
    return to_json(
        [{"name": e.name, "time": rfc3339(e.time), "attributes": e.attributes} for e in events]
    ).decode()


def links_text(blobs: Blobs) -> dict[int, str]:
    """JSON list of {trace_id, span_id, attributes} of the spans that have links."""
    found: dict[int, list[dict[str, Any]]] = {}
    for index, row in enumerate(blobs.owner.tolist()):
        message = _parsed(lenient.Link, blobs.get(index))
        link = {
            "trace_id": message.trace_id.hex(),
            "span_id": message.span_id.hex(),
            "attributes": lenient.mapping(message.attributes),
        }
        found.setdefault(row, []).append(link)
    return {row: to_json(links).decode() for row, links in found.items()}


def rfc3339(nanoseconds: int) -> str:
    """UTC with nanoseconds, as in 2026-11-20T10:00:00.123456789Z; beyond the calendar the number itself."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return str(nanoseconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def _parsed(message: Any, raw: bytes) -> Any:
    try:
        return message.FromString(raw)
    except lenient.DecodeError as error:
        raise Irregular(str(error)) from error
