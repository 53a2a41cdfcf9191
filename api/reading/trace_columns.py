"""What a row of the list of traces says, as SQL aggregates over the spans of a trace; the view `traces` says the same.

`place` puts the roots first, then the earliest span; tokens and cost are the bill: the sums over `usage_counted`, NULL when
nothing is known.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

_PLACE = "(s.parent_span_id != '', s.start_time, s.span_id)"
_LAST_PLACE = "(s.parent_span_id = '', s.end_time, s.span_id)"


def _first(name: str, missing: str) -> str:
    return f"argMin(s.{name}, ({missing}, {_PLACE}))"


def _billed(name: str) -> str:
    return f"sumIf(s.{name}, s.usage_counted)"


TRACE_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "trace_id": "s.trace_id",
        "name": f"argMin(if(s.trace_name != '', s.trace_name, s.name), (s.trace_name = '', {_PLACE}))",
        "start_time": "min(s.start_time)",
        "end_time": "max(s.end_time)",
        "duration_ms": "greatest(0, toUnixTimestamp64Nano(max(s.end_time)) - toUnixTimestamp64Nano(min(s.start_time))) / 1e6",
        "status": "multiIf(countIf(s.parent_span_id = '' AND s.status = 'error') > 0, 'error', "
        f"countIf(s.parent_span_id = '') > 0, argMin(s.status, {_PLACE}), "
        "countIf(s.status = 'error') > 0, 'error', 'unset')",
        "span_count": "count()",
        "error_count": "countIf(s.status = 'error')",
        "session_id": _first("session_id", "s.session_id = ''"),
        "user_id": _first("user_id", "s.user_id = ''"),
        "environment": _first("environment", "s.environment = ''"),
        "release": _first("release", "s.release = ''"),
        "tags": _first("tags", "empty(s.tags)"),
        "input": _first("input", "s.input = ''"),
        "output": f"argMax(s.output, (s.output != '', {_LAST_PLACE}))",
        "input_tokens": _billed("input_tokens"),
        "output_tokens": _billed("output_tokens"),
        "total_tokens": _billed("total_tokens"),
        "cost": _billed("cost"),
        "models": "arraySort(groupUniqArrayIf(if(s.request_model != '', s.request_model, s.response_model), "
        "s.request_model != '' OR s.response_model != ''))",
    }
)
"""SQL over `spans_raw AS s`, by name."""


def trace_select(where: str, names: Collection[str] = tuple(TRACE_COLUMNS)) -> str:
    """One row a trace over the spans that fulfil `where`, with these columns and always the trace id."""
    wanted = [name for name in TRACE_COLUMNS if name in names or name == "trace_id"]
    columns = ", ".join(f"{TRACE_COLUMNS[name]} AS {name}" for name in wanted)
    return f"SELECT {columns} FROM spans_raw AS s FINAL WHERE {where} GROUP BY s.trace_id"
