"""What a reader asks: each question as a request to the API and as the bare query that a person would write for the engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from schemas.spans import PUBLIC
from tests.bench.dataset import DAYS, FREQUENT_WORD, PROJECTS, RARE_WORD
from tests.bench.served import Served

PROJECT = PROJECTS[0]
_ROOT = f"/api/v1/projects/{PROJECT}"
_FILTER = "kind = 'llm' and request_model = 'gpt-5' and input_tokens > 3000"
_COLUMNS = ", ".join(column.name for column in PUBLIC)
_LISTED = """
    trace_id, span_id, parent_span_id, name, kind, start_time, end_time, duration_ms, status, session_id, user_id,
    request_model, response_model, substring(input, 1, 300) AS short_input, substring(output, 1, 300) AS short_output,
    input_tokens, output_tokens, cost
"""
_ROLL_UP = """
    trace_id, min(start_time), max(end_time),
    argMin(name, (parent_span_id != '', start_time)), argMin(status, (parent_span_id != '', start_time)),
    argMin(input, (input = '', start_time)), argMax(output, (parent_span_id = '', end_time)),
    any(session_id), any(user_id), count(), countIf(status = 'error'), sumIf(input_tokens, usage_counted),
    sumIf(output_tokens, usage_counted), sumIf(cost, usage_counted), groupUniqArray(request_model)
"""
_BY_MODEL = """
    request_model, count() AS spans, sum(total_tokens) AS tokens, quantile(0.99)(duration_ms) AS p99,
    countIf(status = 'error') AS errors
"""
_BY_HOUR = "toStartOfHour(start_time) AS hour, count() AS spans, sum(total_tokens) AS tokens"
_SEARCHED = ("input", "output", "name", "status_message", "error_type")
_NEWEST = "ORDER BY start_time DESC LIMIT 50"

Ask = Callable[[Served, int], bytes]
"""Asks once and returns the answer; takes the number of the round."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its goal in milliseconds at p99, and both ways to ask it."""

    name: str
    goal: float
    api: Ask
    bare: Ask


def questions(until: datetime, traces: Sequence[str]) -> list[Question]:
    """The questions about data that ends at `until` and holds these traces."""
    day, week = (_window(until, timedelta(days=days)) for days in (1, DAYS))
    return [
        Question("traces list, newest 50 of a day", 100, _get("/traces"), _bare(_newest_traces(day))),
        _trace(traces),
        Question("spans by a filter, newest 50 of a day", 100, _get("/spans", filter=_FILTER), _bare(_filtered(day))),
        _aggregate("a day's aggregate by model", 100, _BY_MODEL, day, "request_model"),
        _aggregate("a week's aggregate by hour", 1000, _BY_HOUR, week, "hour"),
        _search("search of a day, a rare word", RARE_WORD, day),
        _search("search of a day, a frequent word", FREQUENT_WORD, day),
        _search("search of a day, no such word", "nonesuch", day),
    ]  # fmt: skip


def known_traces(served: Served, until: datetime, count: int = 200) -> list[str]:
    """Ids of traces of the project, evenly over the days."""
    traces: list[str] = []
    for day in range(DAYS):
        end = until - timedelta(days=day)
        window = {"start": _iso(end - timedelta(hours=12)), "end": _iso(end), "limit": str(count // DAYS)}
        rows = json.loads(served.get(f"{_ROOT}/traces?{urlencode(window)}"))["data"]
        traces += [row["trace_id"] for row in rows]
    return traces


def _get(path: str, **query: str) -> Ask:
    address = f"{_ROOT}{path}" + (f"?{urlencode(query)}" if query else "")
    return lambda served, _: served.get(address)


def _bare(sql: str) -> Ask:
    return lambda served, _: served.bare(sql)


def _select(columns: str, condition: str, tail: str = "") -> str:
    """A query over the project's spans, exact under duplicates."""
    source = f"FROM spans_raw FINAL WHERE project = '{PROJECT}' AND {condition} {tail}"
    return f"SELECT {columns} {source} SETTINGS do_not_merge_across_partitions_select_final = 1"


def _newest_traces(window: str) -> str:
    roots = f"project = '{PROJECT}' AND {window} AND parent_span_id = ''"
    newest = f"SELECT trace_id FROM spans_raw FINAL WHERE {roots} {_NEWEST}"
    return _select(_ROLL_UP, f"{window} AND trace_id IN ({newest})", "GROUP BY trace_id")


def _filtered(window: str) -> str:
    return _select(_LISTED, f"{window} AND ({_FILTER})", _NEWEST)


def _trace(traces: Sequence[str]) -> Question:
    return Question(
        "one trace by its id",
        100,
        lambda served, number: served.get(f"{_ROOT}/traces/{traces[number % len(traces)]}"),
        lambda served, number: served.bare(
            _select(_COLUMNS, f"trace_id = '{traces[number % len(traces)]}'", "ORDER BY start_time")
        ),
    )


def _aggregate(name: str, goal: float, columns: str, window: str, group: str) -> Question:
    tail = f"GROUP BY {group} ORDER BY {group}"
    document = {"query": f"SELECT {columns} FROM spans WHERE {window} {tail}"}
    return Question(
        name,
        goal,
        lambda served, _: served.post(f"{_ROOT}/sql", document),
        _bare(_select(columns, window, tail)),
    )


def _search(name: str, word: str, window: str) -> Question:
    said = " OR ".join(f"hasToken(lower({column}), '{word}')" for column in _SEARCHED)
    return Question(
        name, 500, _get("/spans", search=word), _bare(_select(_LISTED, f"{window} AND ({said})", _NEWEST))
    )


def _window(until: datetime, length: timedelta) -> str:
    start, end = (
        f"toDateTime64('{moment:%Y-%m-%d %H:%M:%S}', 9, 'UTC')"
        for moment in (until - length, until + timedelta(hours=1))
    )
    return f"start_time >= {start} AND start_time < {end}"


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
