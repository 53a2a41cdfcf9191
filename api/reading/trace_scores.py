"""The scores of traces, rolled up by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api.reading.rows import MINE, query
from api.sql.values import plain
from schemas.ports import Store

Scores = dict[str, dict[str, Any]]
_COUNTED = "outcome = 'scored' AND NOT shadow AND NOT deleted"
_RANK = "(source IN ('human', 'user'), created_at, id)"
"""People before machines, then the newest."""


def scores_of(store: Store, project: str, traces: Sequence[str]) -> dict[str, Scores]:
    """By trace, by name: `value` is the mean over the trace and its spans of each one's newest score, `label` the newest,
    `count` how many of them carry one.
    """
    if not traces:
        return {}
    each = (
        f"SELECT trace_id, span_id, name, argMax(value, {_RANK}) AS value, argMax(label, {_RANK}) AS label, max(created_at) AS at "
        f"FROM scores_raw FINAL WHERE {MINE} AND trace_id IN {{traces:Array(String)}} AND {_COUNTED} GROUP BY trace_id, span_id, name"
    )
    table = query(
        store,
        "SELECT trace_id, name, avg(value) AS value, argMax(label, at) AS label, count() AS count "
        f"FROM ({each}) GROUP BY trace_id, name ORDER BY trace_id, name",
        {"project": project, "traces": list(traces)},
    )
    result: dict[str, Scores] = {}
    for row in table.to_pylist():
        trace, name = row.pop("trace_id"), row.pop("name")
        result.setdefault(trace, {})[name] = {key: plain(value) for key, value in row.items()}
    return result
