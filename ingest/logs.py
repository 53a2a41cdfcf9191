"""OTLP log records to the canonical log table, each read for itself: content-bearing logs are few beside spans."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa

from ingest import lenient, scores
from ingest.normalise.content import LogContent, log_content
from ingest.normalise.values import text_of
from ingest.validate import check_times
from schemas.events import LOG_SCHEMA
from schemas.people import DEFAULT_PROJECT, is_project_name

_SEVERITIES = ("", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_TIME = LOG_SCHEMA.field("time").type


def log_table(
    request: Any, project: str | None, now: datetime, refused: Collection[str]
) -> tuple[pa.Table, list[dict[str, Any]]]:
    """(rows, scores) of an ExportLogsServiceRequest. A resource's bad or refused project name falls back to the default.

    Raises Unacceptable when records of it have impossible times.
    """
    check_times([log for r in request.resource_logs for s in r.scope_logs for log in s.log_records], now)
    rows: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    received = int(now.timestamp() * 1e6) * 1000
    seen: Counter[bytes] = Counter()
    for resource in request.resource_logs:
        named = project or lenient.project_of(resource.resource) or DEFAULT_PROJECT
        owner = named if is_project_name(named) and named not in refused else DEFAULT_PROJECT
        for scope in resource.scope_logs:
            for record in scope.log_records:
                # arrival is what orders records of one instant: clients send a conversation in its order
                row, content = _row(record, owner, received + len(rows))
                row["_id"] = _identity(record, owner, seen)
                rows.append(row)
                if content is not None and content.evaluation is not None:
                    moment = datetime.fromtimestamp(row["time"] / 1e9, UTC)
                    found.append(scores.score(content.evaluation, {**row, "session_id": ""}, moment))
    columns = {field.name: [row[field.name] for row in rows] for field in LOG_SCHEMA}
    return pa.table([pa.array(columns[f.name], f.type) for f in LOG_SCHEMA], schema=LOG_SCHEMA), found


def _row(record: Any, project: str, received: int) -> tuple[dict[str, Any], LogContent | None]:
    attributes = lenient.mapping(record.attributes)
    body = lenient.plain(record.body)
    name = lenient.text(record.event_name) or text_of(attributes.get("event.name"))
    content = log_content(name, body, attributes)
    time = record.time_unix_nano or record.observed_time_unix_nano or received
    row = {
        "project": project,
        "time": time,
        "trace_id": _id(record.trace_id, 16),
        "span_id": _id(record.span_id, 8),
        "event_name": name,
        "severity": lenient.text(record.severity_text) or _severity(record.severity_number),
        "body": text_of(body),
        "attributes": [(key, text_of(value)) for key, value in attributes.items()],
        "_content": _content_text(content),
        "_response_id": content.response_id if content else "",
        "_received_at": received,
    }
    return row, content


def _identity(record: Any, project: str, seen: Counter[bytes]) -> str:
    """A hash of all that the record says, and the how-manieth of its like in the request it is: a retry gives the same."""
    said = project.encode() + b"\0" + record.SerializeToString(deterministic=True)
    seen[said] += 1
    return hashlib.sha256(said + b"\0%d" % seen[said]).hexdigest()[:32]


def _content_text(content: LogContent | None) -> str:
    if content is None or not (
        content.input or content.output or content.tool_definitions or content.finish_reason
    ):
        return ""
    said = asdict(content)
    return orjson.dumps(
        {k: said[k] for k in ("complete", "input", "output", "tool_definitions", "finish_reason") if said[k]}
    ).decode()


def _id(raw: bytes, width: int) -> str:
    return raw.hex() if len(raw) == width and any(raw) else ""


def _severity(number: int) -> str:
    """The range name of an OTel severity number (1–24)."""
    return _SEVERITIES[(number + 3) // 4] if 0 < number <= 24 else ""
