"""Rows for store tests: whole spans from the few columns that matter."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from schemas.spans import STORED

START = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def span(project: str = "shop", trace_id: str = "t1", span_id: str = "s1", **values: Any) -> dict[str, Any]:
    """A finished span of two seconds."""
    finished = {
        "start_time": START,
        "end_time": START + timedelta(seconds=2),
        "_bucket": START,
        "_version": 1,
    }
    return (
        {"project": project, "trace_id": trace_id, "span_id": span_id, "name": "work", "status": "ok"}
        | finished
        | values
    )


def spans(*rows: Mapping[str, Any]) -> pa.Table:
    """The rows as the span writer inserts them; what a row does not name is missing as the schema means it."""
    columns = {
        field.name: pa.array([row.get(field.name, _missing(field.type)) for row in rows], field.type)
        for field in STORED
    }
    return pa.table(columns, schema=STORED)


def _missing(kind: pa.DataType) -> Any:
    if pa.types.is_string(kind):
        return ""
    if pa.types.is_list(kind) or pa.types.is_map(kind):
        return []
    return False if pa.types.is_boolean(kind) else None
