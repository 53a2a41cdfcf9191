"""What a reader asks: each question as a request to the API and as the bare query that a person would write for the engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from schemas.spans import PUBLIC
from tests.bench.dataset import DAYS, PROJECTS, RARE_WORD
from tests.bench.served import Served

PROJECT = PROJECTS[0]
_ROOT = f"/api/v1/projects/{PROJECT}"
_FINAL = "SETTINGS do_not_merge_across_partitions_select_final = 1"
_MINE = f"project = '{PROJECT}'"
_FILTER = "kind = 'llm' and request_model = 'gpt-5' and input_tokens > 3000"
_COLUMNS = ", ".join(column.name for column in PUBLIC)
_LISTED = (
    "trace_id, span_id, parent_span_id, name, kind, start_time, end_time, duration_ms, status, session_id, user_id, request_model, "
    "response_model, substring(input, 1, 300) AS short_input, substring(output, 1, 300) AS short_output, input_tokens, output_tokens, cost"
)
_ROLL_UP = (
    "trace_id, min(start_time), max(end_time), argMin(name, (parent_span_id != '', start_time)), argMin(status, (parent_span_id != '', start_time)), "
    "argMin(input, (input = '', start_time)), argMax(output, (parent_span_id = '', end_time)), any(session_id), any(user_id), count(), "
    "countIf(status = 'error'), sumIf(input_tokens, usage_counted), sumIf(output_tokens, usage_counted), sumIf(cost, usage_counted), "
    "groupUniqArray(request_model)"
)
_BY_MODEL = "request_model, count() AS spans, sum(total_tokens) AS tokens, quantile(0.99)(duration_ms) AS p99, countIf(status = 'error') AS errors"


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its goal in milliseconds at p99. Both ways take the number of the round."""

    name: str
    goal: float
    api: Callable[[Served, int], bytes]
    bare: Callable[[Served, int], bytes]


def questions(until: datetime, traces: Sequence[str]) -> list[Question]:
    """The questions about data that ends at `until` and holds these traces."""
    day, week = (_since(until, timedelta(days=days)) for days in (1, DAYS))
    return [
        Question("traces list, newest 50 of a day", 100, lambda s, _: s.get(f"{_ROOT}/traces"), lambda s, _: s.bare(_newest(day))),
        Question(
            "one trace by its id", 100,
            lambda s, n: s.get(f"{_ROOT}/traces/{traces[n % len(traces)]}"),
            lambda s, n: s.bare(f"SELECT {_COLUMNS} FROM spans_raw FINAL WHERE {_MINE} AND trace_id = '{traces[n % len(traces)]}' ORDER BY start_time {_FINAL}"),
        ),
        Question(
            "spans by a filter, newest 50 of a day", 100,
            lambda s, _: s.get(f"{_ROOT}/spans?{urlencode({'filter': _FILTER})}"),
            lambda s, _: s.bare(f"SELECT {_LISTED} FROM spans_raw FINAL WHERE {_MINE} AND {day} AND ({_FILTER}) ORDER BY start_time DESC LIMIT 50 {_FINAL}"),
        ),
        _sql("a day's aggregate by model", 100, _BY_MODEL, day, "request_model"),
        _sql("a week's aggregate by hour", 1000, "toStartOfHour(start_time) AS hour, count() AS spans, sum(total_tokens) AS tokens", week, "hour"),
        _search("search of a day, a rare word", RARE_WORD, day),
        _search("search of a day, a frequent word", "peme", day),
        _search("search of a day, no such word", "nonesuch", day),
    ]  # fmt: skip


def known_traces(served: Served, until: datetime, count: int = 200) -> list[str]:
    """Ids of traces of the project, evenly over the days."""
    traces: list[str] = []
    for day in range(DAYS):
        end = until - timedelta(days=day)
        window = {"start": _iso(end - timedelta(hours=12)), "end": _iso(end), "limit": str(count // DAYS)}
        traces += [row["trace_id"] for row in json.loads(served.get(f"{_ROOT}/traces?{urlencode(window)}"))["data"]]
    return traces


def _newest(window: str) -> str:
    newest = f"SELECT trace_id FROM spans_raw FINAL WHERE {_MINE} AND {window} AND parent_span_id = '' ORDER BY start_time DESC LIMIT 50"
    return f"SELECT {_ROLL_UP} FROM spans_raw FINAL WHERE {_MINE} AND {window} AND trace_id IN ({newest}) GROUP BY trace_id {_FINAL}"


def _sql(name: str, goal: float, columns: str, window: str, group: str) -> Question:
    tail = f"WHERE {window} GROUP BY {group} ORDER BY {group}"
    document = {"query": f"SELECT {columns} FROM spans {tail}"}
    bare = f"SELECT {columns} FROM spans_raw FINAL {tail.replace('WHERE', f'WHERE {_MINE} AND')} {_FINAL}"
    return Question(name, goal, lambda s, _: s.post(f"{_ROOT}/sql", document), lambda s, _: s.bare(bare))


def _search(name: str, word: str, window: str) -> Question:
    said = " OR ".join(f"hasToken(lower({column}), '{word}')" for column in ("input", "output", "name", "status_message", "error_type"))
    bare = f"SELECT {_LISTED} FROM spans_raw FINAL WHERE {_MINE} AND {window} AND ({said}) ORDER BY start_time DESC LIMIT 50 {_FINAL}"
    return Question(name, 500, lambda s, _: s.get(f"{_ROOT}/spans?search={word}"), lambda s, _: s.bare(bare))


def _since(until: datetime, length: timedelta) -> str:
    start = (until - length).strftime("%Y-%m-%d %H:%M:%S")
    return f"start_time >= toDateTime64('{start}', 9, 'UTC') AND start_time < toDateTime64('{until + timedelta(hours=1):%Y-%m-%d %H:%M:%S}', 9, 'UTC')"


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
