"""Rows for tests: spans as the span writer stores them, with everything unsaid at its 'nothing' value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from schemas.spans import COLUMNS, STORED, Column

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
"""When the spans of tests happen, unless they say otherwise."""


def trace_id(number: int) -> str:
    """The trace id of a number."""
    return f"{number:032x}"


def span_id(number: int) -> str:
    """The span id of a number."""
    return f"{number:016x}"


def span(trace: int = 1, number: int = 1, **values: Any) -> dict[str, Any]:
    """A stored root span of one second at noon, in the project `default`. `values` are columns; `start` and `seconds` its times."""
    start: datetime = values.pop("start", NOON)
    seconds: float = values.pop("seconds", 1.0)
    row = {column.name: _nothing(column) for column in COLUMNS}
    row |= {
        "project": "default",
        "trace_id": trace_id(trace),
        "span_id": span_id(number),
        "name": "work",
        "kind": "span",
        "status": "unset",
        "start_time": start,
        "end_time": start + timedelta(seconds=seconds),
        "duration_ms": seconds * 1000,
        "_received_at": start,
        "_bucket": start,
        "_head": not values.get("parent_span_id"),
        "_version": Decimal(1),
    }
    return row | values


def llm(trace: int = 1, number: int = 1, **values: Any) -> dict[str, Any]:
    """A stored model call with 10 tokens in, 5 out, that cost a tenth of a cent."""
    usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15, "usage_counted": True}
    content = {"input": '[{"role":"user","parts":[]}]', "output": '[{"role":"assistant","parts":[]}]'}
    call = {
        "kind": "llm",
        "request_model": "gpt-5",
        "cost": Decimal("0.001"),
        "usage": [("input", 10), ("output", 5)],
    }
    return span(trace, number, **(usage | content | call | values))


def stored(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """The rows as the table that is inserted into `spans_raw`."""
    return pa.Table.from_pylist(list(rows), STORED)


def conversation(trace: int, *, start: datetime = NOON, **shared: Any) -> Sequence[dict[str, Any]]:
    """A trace of three spans: a root, a model call and a tool call below it. Span ids are 10 × trace + 1, 2, 3."""
    first = 10 * trace + 1
    parent = {"parent_span_id": span_id(first), "_bucket": start}
    return (
        span(
            trace,
            first,
            start=start,
            seconds=3,
            name="chat",
            kind="agent",
            input="hello",
            output="bye",
            **shared,
        ),
        llm(trace, first + 1, start=start + timedelta(seconds=1), name="ask", **parent, **shared),
        span(
            trace,
            first + 2,
            start=start + timedelta(seconds=2),
            seconds=0.5,
            name="look up",
            kind="tool",
            **parent,
            **shared,
        ),
    )


def _nothing(column: Column) -> Any:
    if column.clickhouse.startswith("Nullable"):
        return None
    if pa.types.is_string(column.arrow):
        return ""
    if pa.types.is_map(column.arrow) or pa.types.is_list(column.arrow):
        return []
    return False if pa.types.is_boolean(column.arrow) else 0
