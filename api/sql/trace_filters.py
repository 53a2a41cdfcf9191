"""Filters of the list of traces: they may name columns of the trace, or of its spans (any one span has to match).

A name that both have means the trace's, which is what the list shows. The parts joined by AND are told apart: those over the
trace alone, and those that one and the same span has to fulfil.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from api.sql.filters import SPAN_COLUMNS, Column, Columns, FilterWalk, checked, expression_of, walked
from api.sql.parse import Node, Querier

TRACE, SPAN = "t", "s"
"""Aliases of the traces and of the spans in the printed text."""

TRACE_COLUMNS: Columns = {
    name: Column(kind)
    for name, kind in {
        "trace_id": "String", "name": "String", "start_time": "DateTime64(9, 'UTC')", "end_time": "DateTime64(9, 'UTC')",
        "duration_ms": "Float64",
        "status": "String", "span_count": "UInt64", "error_count": "UInt64", "session_id": "String", "user_id": "String",
        "environment": "String", "release": "String", "tags": "Array(String)", "input": "String", "output": "String",
        "input_tokens": "Nullable(UInt64)", "output_tokens": "Nullable(UInt64)", "total_tokens": "Nullable(UInt64)",
        "cost": "Nullable(Decimal(38, 15))", "models": "Array(String)",
    }.items()
}  # fmt: skip
"""The columns of a row of the list that a filter may name."""


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """A judged filter of traces: the trace matches when `trace` holds of it and `span` of any one of its spans.

    Both are SQL over the aliases `t` (traces) and `s` (spans), '' when there is nothing to ask; `span` names columns of `t` only
    when `span_reads_trace`. `scores` are those of `span`, as in `Filter`.
    """

    trace: str
    span: str
    span_reads_trace: bool
    columns: frozenset[str]
    scores: tuple[str, ...]


def judge_trace_filter(engine: Querier, text: str, traces: Columns = TRACE_COLUMNS) -> TraceFilter:
    """Judges a filter over the columns of traces and of spans. Raises InvalidQuery."""
    columns = {name: replace(column, table=SPAN) for name, column in SPAN_COLUMNS.items()}
    columns |= {name: replace(column, table=TRACE) for name, column in traces.items()}
    names: list[str] = []
    parts = [(part, walked(part, columns, names)) for part in _conjuncts(expression_of(engine, text))]
    of_span = [part for part in parts if _reads_span(part[1], columns)]
    of_trace = [part for part in parts if not _reads_span(part[1], columns)]
    seen = {name for _, walk in parts for name in walk.columns}
    return TraceFilter(
        trace=_printed(engine, of_trace, columns, 0),
        span=_printed(engine, of_span, columns, len(names)),
        span_reads_trace=any(columns[name].table == TRACE for _, walk in of_span for name in walk.columns),
        columns=frozenset(seen),
        scores=tuple(names),
    )


def _conjuncts(node: Node) -> list[Node]:
    """The parts that the outermost ANDs join."""
    if (
        node["type"] == "Function"
        and node["name"] == "and"
        and node.keys() <= {"type", "name", "arguments", "is_operator"}
    ):
        return [part for child in node["arguments"]["children"] for part in _conjuncts(child)]
    return [node]


def _reads_span(walk: FilterWalk, columns: Columns) -> bool:
    return walk.reads_scores or any(columns[name].table == SPAN for name in walk.columns)


def _printed(
    engine: Querier, parts: list[tuple[Node, FilterWalk]], columns: Columns, score_count: int
) -> str:
    if not parts:
        return ""
    nodes = [node for node, _ in parts]
    together: Node = {"type": "ExpressionList", "children": nodes}
    expression = nodes[0]
    if len(nodes) > 1:
        expression = {"type": "Function", "name": "and", "arguments": together, "is_operator": True}
    return checked(
        engine, expression, {name: columns[name] for _, walk in parts for name in walk.columns}, score_count
    )
