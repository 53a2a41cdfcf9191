"""Small normalised spans and log records for the workers' tests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pyarrow as pa

from schemas.events import DELETIONS, LOG_SCHEMA, SCHEMAS
from schemas.ports import Record
from schemas.spans import NORMALISED
from tests import factories

NOON = factories.NOON
Row = Mapping[str, Any]


def span(trace: int = 1, number: int = 1, parent: int = 0, **values: Any) -> dict[str, Any]:
    """A normalised span that says little: five attributes, one second, a root unless it has a parent."""
    values.setdefault("_attribute_count", 5)
    return factories.span(trace, number, parent_span_id=factories.span_id(parent) if parent else "", **values)


def call(trace: int = 1, number: int = 1, parent: int = 0, tokens: int = 10, **values: Any) -> dict[str, Any]:
    """A model call with usage, without messages and response id."""
    usage = {
        "total_tokens": tokens,
        "input_tokens": tokens - 1,
        "output_tokens": 1,
        "usage": [("input", tokens - 1), ("output", 1)],
    }
    return span(trace, number, parent, **{"kind": "llm", "request_model": "m", **usage, **values})


def table(rows: Sequence[Row]) -> pa.Table:
    """Rows as ingest appends them."""
    return pa.Table.from_pylist([{name: row[name] for name in NORMALISED.names} for row in rows], NORMALISED)


def log(
    trace: int = 0,
    number: int = 0,
    *,
    project: str = "default",
    response: str = "",
    at: int = 0,
    **content: Any,
) -> dict[str, Any]:
    """A log record with content for a span (0: it names none); `at` in seconds after noon."""
    said = orjson.dumps(content).decode() if content else ""
    identity = f"{project} {trace} {number} {response} {at} {said}"
    return {
        "project": project,
        "time": NOON + timedelta(seconds=at),
        "trace_id": factories.trace_id(trace) if trace else "",
        "span_id": factories.span_id(number) if number else "",
        "event_name": "",
        "severity": "",
        "body": "",
        "attributes": [],
        "_id": hashlib.sha256(identity.encode()).hexdigest()[:32],
        "_content": said,
        "_response_id": response,
        "_received_at": NOON,
    }


def logs(rows: Sequence[Row]) -> pa.Table:
    """Log records as ingest appends them."""
    return pa.Table.from_pylist([dict(row) for row in rows], LOG_SCHEMA)


def deletion(trace: int, project: str = "default") -> pa.Table:
    """A request to delete a trace."""
    row = {"project": project, "trace_id": factories.trace_id(trace), "deleted_at": NOON}
    return pa.Table.from_pylist([row], SCHEMAS[DELETIONS])


def record(position: int, topic: str, rows: pa.Table, at: datetime | None = None) -> Record:
    """A record of the log; by default each becomes durable five hours after the one before."""
    moment = at or datetime(2026, 11, 20, tzinfo=UTC) + timedelta(hours=5 * position)
    projects = rows["project"].to_pylist()
    return Record(position, topic, rows, {name: projects.count(name) for name in set(projects)}, moment)


def message(text: str, role: str = "user") -> dict[str, Any]:
    """One normalised message."""
    return {"role": role, "parts": [{"type": "text", "content": text}]}
