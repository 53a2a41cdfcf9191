"""Which traces a filter and a search leave: conditions on `trace_id` for the list of traces."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from api.reading.search import Search
from api.reading.trace_columns import trace_select
from api.sql import scores
from api.sql.trace_filters import TraceFilter

_SINCE = "s.project = {project:String} AND s.start_time >= fromUnixTimestamp64Nano({start:Int64}, 'UTC')"
"""A trace that starts in a window has no span before it."""
MY_SCORES = "(SELECT * FROM scores_raw FINAL WHERE project = {project:String})"


@dataclass(frozen=True, slots=True)
class Matches:
    """SQL that follows a WHERE condition (beginning with AND, or empty), with its parameters beside `project` and `start`."""

    sql: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)


def matches(filter: TraceFilter | None, search: Search | None) -> Matches:
    """The traces of which the filter holds and of which some span holds all words of the search."""
    selects = []
    if filter is not None:
        selects += _filtered(filter)
    if search is not None:
        selects.append(
            f"SELECT s.trace_id FROM spans_raw AS s FINAL WHERE {_SINCE} AND {search.condition('s')}"
        )
    sql = "".join(f" AND trace_id IN ({select})" for select in selects)
    return Matches(sql, search.parameters() if search else {})


def _filtered(filter: TraceFilter) -> list[str]:
    traces = f"({trace_select(_SINCE, filter.columns)}) AS t"
    selects = []
    if filter.trace:
        selects.append(f"SELECT t.trace_id FROM {traces} WHERE ({filter.trace})")
    if filter.span:
        joined = f" INNER JOIN {traces} ON t.trace_id = s.trace_id" if filter.span_reads_trace else ""
        defined = f"WITH {scores.columns(filter.scores)} " if filter.scores else ""
        selects.append(
            f"{defined}SELECT s.trace_id FROM spans_raw AS s FINAL{joined} "
            f"{scores.joins(filter.scores, spans='s', scores=MY_SCORES)} WHERE {_SINCE} AND ({filter.span})"
        )
    return selects
