"""A whole trace: which records are spans, what spans inherit, what counts as usage, what log records add, which scores follow.

Sources: sections 1, 4 and 5 of the mapping, "Settled details" of the API. Nothing here depends on the order of arrival.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.reference import context
from tests.reference.content import joined
from tests.reference.counting import counted
from tests.reference.decode import Log, Span
from tests.reference.kinds import is_pending
from tests.reference.span import Reading, read
from tests.reference.values import EMPTY, OneOf, first_text, one_of, text

Key = tuple[str, str]
"""Trace id and span id."""
INHERITED = ("session_id", "user_id", "tags", "environment", "prompt_name", "prompt_version")
ANY = OneOf(())
"""An expectation that every value meets."""


def expected(spans: Iterable[Span], logs: Iterable[Log] = ()) -> dict[Key, dict[str, Any]]:
    """The rows that must stand in `spans` once everything has arrived, by key, each column with its expectation."""
    traces: dict[str, list[Reading]] = defaultdict(list)
    for span in stored(spans):
        traces[span.trace_id].append(read(span))
    records = _by_span(logs)
    rows: dict[Key, dict[str, Any]] = {}
    for trace_id, readings in traces.items():
        _join_logs(readings, records)
        _raise_agents(readings)
        bill = counted(readings)
        for reading in readings:
            row = reading.columns | {"usage_counted": reading.span.span_id in bill}
            row |= {"input": reading.input, "output": reading.output}
            row |= {column: _inherited(column, reading, readings) for column in INHERITED}
            row |= {"trace_name": _trace_name(reading, readings), "metadata": _metadata(reading, readings)}
            rows[trace_id, reading.span.span_id] = row
    return rows


def stored(spans: Iterable[Span]) -> list[Span]:
    """One record a span: the later end, then more attributes wins (5.4); a pending marker only while its span is missing (5.6)."""
    newest: dict[Key, Span] = {}
    pending: dict[Key, Span] = {}
    for span in spans:
        if is_pending(span):
            pending[span.trace_id, span.parent_span_id] = span
            continue
        key = span.trace_id, span.span_id
        if key not in newest or _rank(span) > _rank(newest[key]):
            newest[key] = span
    return [*newest.values(), *(span for key, span in pending.items() if key not in newest)]


def _rank(span: Span) -> tuple[int, int]:
    return span.end, len(span.attributes) + span.dropped_attributes


def _by_span(logs: Iterable[Log]) -> dict[Key, list[Log]]:
    """The log records of each span in order of time; a record sent again is the same record."""
    records: dict[Key, dict[str, Log]] = defaultdict(dict)
    for log in logs:
        if log.trace_id and log.span_id:
            records[log.trace_id, log.span_id][repr((log.time, log.event_name, log.body, log.attributes))] = (
                log
            )
    return {key: sorted(found.values(), key=lambda log: log.time) for key, found in records.items()}


def _join_logs(readings: Sequence[Reading], records: Mapping[Key, list[Log]]) -> None:
    """Log records fill what the span itself lacks, nothing else. A reason that only a record tells may follow its message."""
    for reading in readings:
        found = records.get((reading.span.trace_id, reading.span.span_id), [])
        given, answered = joined(found)
        reading.input = reading.input or given
        reading.output = reading.output or answered
        if not reading.columns["finish_reason"] and answered:
            reading.columns["finish_reason"] = ANY


def _raise_agents(readings: Sequence[Reading]) -> None:
    """Row 6 of the kinds: an outer AI SDK call is an agent when it has tool calls below it."""
    callers = {
        r.span.parent_span_id for r in readings if r.span.attributes.get("ai.operationId") == "ai.toolCall"
    }
    for reading in readings:
        operation = str(reading.span.attributes.get("ai.operationId", ""))
        if reading.kind == "chain" and operation.startswith("ai.") and reading.span.span_id in callers:
            reading.columns["kind"] = "agent"


def _inherited(column: str, reading: Reading, readings: Sequence[Reading]) -> Any:
    """A span's own value, else any that the trace has: where spans disagree the documents name no winner."""
    if (own := reading.columns[column]) not in EMPTY:
        return own
    others = [other.columns[column] for other in readings if other.columns[column] not in EMPTY]
    return one_of(*others) if others else own


def _trace_name(reading: Reading, readings: Sequence[Reading]) -> Any:
    """By precedence over the trace; a span's own value wins; else the root's name."""
    own = [name for name in context.trace_names(reading.span) if name]
    for level in zip(*(context.trace_names(other.span) for other in readings), strict=True):
        if names := [name for name in level if name]:
            return one_of(*own[:1], *(names if not own else ()))
    roots = [other.span for other in readings if not other.span.parent_span_id]
    return one_of(*(name for root in roots for name in _root_names(root))) if roots else ANY


def _root_names(root: Span) -> list[str]:
    shown = first_text(root.attributes, "logfire.msg")
    if root.scope_name.startswith("logfire") and shown:
        return [shown]
    return (
        [root.name, shown] if shown else [root.name]
    )  # PydanticAI sends logfire.msg too: is its root "a Logfire root"?


def _metadata(reading: Reading, readings: Sequence[Reading]) -> context.Metadata:
    """Own keys and trace-scoped ones must be there; how far other keys spread through a trace is not said."""
    required: dict[str, Any] = {}
    allowed = set(context.CONTEXT_NAMES)
    for other in readings:
        required |= context.trace_metadata(other.span)
        allowed |= set(context.metadata(other.span))
    required |= context.metadata(reading.span)
    required = {
        key: value
        for key, value in required.items()
        if key not in context.CONTEXT_NAMES and value not in EMPTY
    }
    return context.Metadata(required, frozenset(allowed))


def scores(spans: Iterable[Span], logs: Iterable[Log] = ()) -> set[tuple[str, str, str, float | None, str]]:
    """Evaluation results (2.6): trace, span, name, value and label; sent twice (span event and log) they are one score."""
    told = [
        (s.trace_id, s.span_id, e.attributes)
        for s in stored(spans)
        for e in s.events
        if e.name == "gen_ai.evaluation.result"
    ]
    told += [
        (log.trace_id, log.span_id, log.attributes)
        for log in logs
        if log.event_name == "gen_ai.evaluation.result"
    ]
    found = set()
    for trace_id, span_id, attributes in told:
        value = attributes.get("gen_ai.evaluation.score.value")
        label = text(attributes.get("gen_ai.evaluation.score.label"))
        name = text(attributes.get("gen_ai.evaluation.name"))
        found.add((trace_id, span_id, name, None if value is None else float(value), label))
    return found
