"""The tables that an import fills: what their rows must say, and what makes them records of the event log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from api.reading.export import LOGS as EXPORTED_LOGS
from api.reading.export import SCORES as EXPORTED_SCORES
from schemas.events import LOG_SCHEMA, LOGS, SCORE_SCHEMA, SCORES, SPANS, blank_score
from schemas.spans import BY_NAME, KINDS, NORMALISED, STATUSES

TableName = Literal["spans", "logs", "scores"]
Checks = Mapping[str, pa.ChunkedArray]
"""What is wrong with a row when it is false or null, by the name of the column at fault."""
Columns = Mapping[str, Any]
_TRACE_ID, _SPAN_ID = "[0-9a-f]{32}", "[0-9a-f]{16}"
_AHEAD_SECONDS = 86_400
_DECIDED_AGAIN = {"project", "usage_counted", "joined", "deleted"}
"""Columns that the path decides, or the writers."""
_CONTENT = {"complete": bool, "input": list, "output": list, "tool_definitions": str, "finish_reason": str}


def _unchecked(_rows: pa.Table) -> Checks:
    return {}


@dataclass(frozen=True, slots=True)
class Target:
    """A table to import. `schema`: the columns read; `required`: those that must say something; `nothing`: what the others are
    when they say nothing, where that is neither '' nor 0 nor empty; `latest`: the last possible time, None: a day from now.
    """

    topic: str
    row: str
    schema: pa.Schema
    record: pa.Schema
    required: tuple[str, ...]
    nothing: Mapping[str, Any]
    time: str
    earliest: datetime
    latest: datetime | None
    patterns: Mapping[str, str]
    completed: Callable[[pa.Table, datetime], Columns]
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    checks: Callable[[pa.Table], Checks] = _unchecked

    def right(self, rows: pa.Table, now: datetime) -> Checks:
        """All that must be true of each row."""
        moment = rows[self.time].cast(pa.int64())
        latest = self.latest or now + timedelta(seconds=_AHEAD_SECONDS)
        last = min(int(latest.timestamp()) * 10**9 + 999_999_999, 2**63 - 1)
        in_time = pc.and_(
            pc.greater_equal(moment, int(self.earliest.timestamp()) * 10**9),
            pc.less_equal(moment, pa.scalar(last, pa.int64())),
        )
        return {
            **{
                name: pc.match_substring_regex(rows[name], f"^{rule}$")
                for name, rule in self.patterns.items()
            },
            **{name: pc.is_in(rows[name], pa.array(values)) for name, values in self.choices.items()},
            self.time: in_time,
            **self.checks(rows),
        }

    def empty(self, column: pa.Field) -> Any:
        """What a column is that says nothing."""
        if column.name in self.nothing:
            return self.nothing[column.name]
        if pa.types.is_string(column.type):
            return ""
        if pa.types.is_nested(column.type):
            return []
        return False if pa.types.is_boolean(column.type) else 0


def _span_checks(rows: pa.Table) -> Checks:
    zero = (pc.equal(rows["trace_id"], "0" * 32), pc.equal(rows["span_id"], "0" * 16))
    return {"trace_id or span_id": pc.invert(pc.or_(*zero))}


def _span_columns(rows: pa.Table, now: datetime) -> Columns:
    count = len(rows)
    pairs = rows["attributes"].cast(pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())])))
    return {
        "_trace_metadata": pa.array([[]] * count, NORMALISED.field("_trace_metadata").type),
        "_attribute_count": pc.list_value_length(pairs).cast(pa.uint32()),
        "_pending": pa.array([False] * count),
        "_title": pc.if_else(pc.equal(rows["parent_span_id"], ""), rows["name"], ""),
        "_received_at": pa.array([now] * count, NORMALISED.field("_received_at").type),
    }


def _score_checks(rows: pa.Table) -> Checks:
    numbers = ("value", "stddev", "raw_value", "latency_ms")
    return {"name": pc.not_equal(rows["name"], "")} | {
        name: pc.fill_null(pc.is_finite(rows[name]), True) for name in numbers
    }


def _score_columns(rows: pa.Table, _now: datetime) -> Columns:
    return {"deleted": pa.array([False] * len(rows))}


def _log_checks(rows: pa.Table) -> Checks:
    return {
        "_content": pa.chunked_array(
            [[_is_content(text) for text in rows["_content"].to_pylist()]], pa.bool_()
        )
    }


def _is_content(text: str) -> bool:
    """Whether it is what the log writer understands, or nothing."""
    if not text:
        return True
    try:
        said = orjson.loads(text)
    except ValueError:
        return False
    return isinstance(said, dict) and all(isinstance(v, _CONTENT.get(k, ())) for k, v in said.items())


def _log_columns(rows: pa.Table, now: datetime) -> Columns:
    received = int(now.timestamp() * 1e6) * 1000
    times = pa.array(range(received, received + len(rows)), pa.int64())
    return {"_received_at": times.cast(LOG_SCHEMA.field("_received_at").type)}


def _read(fields: pa.Schema) -> pa.Schema:
    return pa.schema([column for column in fields if column.name not in _DECIDED_AGAIN])


def _nulls(names: list[str]) -> dict[str, Any]:
    return dict.fromkeys(names)


TARGETS: Mapping[TableName, Target] = {
    "spans": Target(
        topic=SPANS,
        row="span",
        schema=_read(pa.schema([column for column in NORMALISED if BY_NAME[column.name].public])),
        record=NORMALISED,
        required=("trace_id", "span_id", "start_time", "end_time"),
        nothing={"kind": "span", "status": "unset"}
        | _nulls([name for name, column in BY_NAME.items() if column.clickhouse.startswith("Nullable")]),
        time="start_time",
        earliest=datetime(2000, 1, 1, tzinfo=UTC),
        latest=None,
        patterns={"trace_id": _TRACE_ID, "span_id": _SPAN_ID, "parent_span_id": f"({_SPAN_ID})?"},
        completed=_span_columns,
        choices={"kind": tuple(KINDS), "status": tuple(STATUSES)},
        checks=_span_checks,
    ),
    "scores": Target(
        topic=SCORES,
        row="score",
        schema=_read(EXPORTED_SCORES.schema),
        record=SCORE_SCHEMA,
        required=("id", "name", "target_type", "source", "created_at"),
        nothing={"outcome": "scored", "shadow": False, "metadata": []}
        | _nulls([name for name, value in blank_score().items() if value is None]),
        time="created_at",
        earliest=datetime(1971, 1, 1, tzinfo=UTC),
        latest=datetime(2200, 1, 1, tzinfo=UTC),
        patterns={
            "id": r"[^/\x00-\x1f]{1,200}",
            "trace_id": f"({_TRACE_ID})?",
            "span_id": f"({_SPAN_ID})?",
        },
        completed=_score_columns,
        choices={
            "target_type": ("span", "trace", "session", "dataset_item", "experiment"),
            "source": ("judge", "detector", "code", "human", "user", "client"),
            "outcome": ("scored", "abstained", "failed", "skipped"),
        },
        checks=_score_checks,
    ),
    "logs": Target(
        topic=LOGS,
        row="log record",
        schema=_read(EXPORTED_LOGS.schema),
        record=LOG_SCHEMA,
        required=("time", "_id"),
        nothing={},
        time="time",
        earliest=datetime(2000, 1, 1, tzinfo=UTC),
        latest=None,
        patterns={"trace_id": f"({_TRACE_ID})?", "span_id": f"({_SPAN_ID})?", "_id": _TRACE_ID},
        completed=_log_columns,
        checks=_log_checks,
    ),
}
