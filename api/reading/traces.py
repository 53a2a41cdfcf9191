"""The list of traces, newest first, and one trace.

Exactly one span of each trace is its head (`_head`, the earliest). A page is found over the heads alone, looking at the newest
minutes first; then one query sums up the spans of just those traces.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from api.paging import Page, next_cursor
from api.reading.rows import IN_WINDOW, MINE, Document, documents, integers, query, short
from api.reading.search import Search
from api.reading.trace_columns import TRACE_COLUMNS, trace_select
from api.reading.trace_matches import Matches, matches
from api.reading.trace_scores import scores_of
from api.sql.trace_filters import TraceFilter
from schemas.ports import Store

KIND = "traces"
_STEPS = (600, 3_600, 21_600)
"""Seconds back from the newest moment that are looked at before the whole window."""
_SHOWN = ("input", "output")


@dataclass(frozen=True, slots=True)
class Head:
    """The place of a trace: when it starts (ns since 1970) and under which bucket (ms since 1970) its spans lie."""

    trace_id: str
    start: int
    bucket: int


@dataclass(frozen=True, slots=True)
class TraceQuery:
    """What a list of traces is asked for."""

    project: str
    page: Page
    now: datetime
    filter: TraceFilter | None = None
    search: Search | None = None


def trace_page(store: Store, asked: TraceQuery) -> tuple[list[Document], str | None]:
    """The rows of a page and the cursor of the next one."""
    heads = _heads(store, asked)
    shown, more = heads[: asked.page.limit], len(heads) > asked.page.limit
    rows = rows_of(store, asked.project, shown)
    if asked.search is not None:
        _add_snippets(store, asked.project, asked.search, shown, rows)
    last = (shown[-1].start, shown[-1].trace_id) if more else None
    return rows, next_cursor(KIND, asked.page, last)


def rows_of(store: Store, project: str, heads: Sequence[Head]) -> list[Document]:
    """The rows of these traces, in their order."""
    if not heads:
        return []
    inner = trace_select(f"s.project = {{project:String}} AND {of_heads('s.')}")
    cut = ", ".join(f"{short(name)} AS {name}" if name in _SHOWN else name for name in TRACE_COLUMNS)
    found = documents(query(store, f"SELECT {cut} FROM ({inner})", head_parameters(project, heads)))
    rows = {row["trace_id"]: row for row in found}
    scored = scores_of(store, project, [head.trace_id for head in heads])
    return [
        rows[head.trace_id] | {"scores": scored.get(head.trace_id, {})}
        for head in heads
        if head.trace_id in rows
    ]


def of_heads(prefix: str = "") -> str:
    """The condition that a span belongs to these traces, with the parameters of `head_parameters`; reads only their places."""
    return f"{prefix}_bucket IN {{buckets:Array(DateTime64(3, 'UTC'))}} AND {prefix}trace_id IN {{traces:Array(String)}}"


def head_parameters(project: str, heads: Sequence[Head]) -> dict[str, object]:
    """Parameters for `of_heads`."""
    buckets = [moment_of(bucket) for bucket in sorted({head.bucket for head in heads})]
    return {"project": project, "buckets": buckets, "traces": [head.trace_id for head in heads]}


def moment_of(milliseconds: int) -> datetime:
    """A bucket as a moment, without the rounding of floats."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC) + timedelta(milliseconds=milliseconds % 1000)


def head_of(store: Store, project: str, trace_id: str) -> Head | None:
    """The place of a trace; None when there is none of that id."""
    found = heads_where(store, "trace_id = {trace:String}", {"project": project, "trace": trace_id})
    return found[0] if found else None


def heads_where(store: Store, condition: str, parameters: dict[str, object], tail: str = "") -> list[Head]:
    """Heads of a project that fulfil a condition."""
    table = query(
        store,
        f"SELECT trace_id, start_time, _bucket FROM spans_raw FINAL WHERE {MINE} AND _head AND {condition}{tail}",
        parameters,
    )
    columns = (table["trace_id"].to_pylist(), integers(table, "start_time"), integers(table, "_bucket"))
    return [Head(*row) for row in zip(*columns, strict=True)]


def _heads(store: Store, asked: TraceQuery) -> list[Head]:
    """The page's heads and one more when there is one."""
    narrowed = matches(asked.filter, asked.search)
    found: list[Head] = []
    for start in _starts(asked.page, asked.now):
        found = _heads_since(store, asked, narrowed, start)
        if len(found) > asked.page.limit:
            break
    return found


def _heads_since(store: Store, asked: TraceQuery, narrowed: Matches, start: int) -> list[Head]:
    page = asked.page
    parameters = {"project": asked.project, "start": start, "end": page.window.end, "rows": page.limit + 1}
    parameters |= narrowed.parameters
    condition = IN_WINDOW
    if page.after is not None:
        parameters |= {"after": page.after[0], "after_id": page.after[1]}
        condition += " AND start_time <= fromUnixTimestamp64Nano({after:Int64}, 'UTC')"
        condition += (
            " AND (start_time, trace_id) < (fromUnixTimestamp64Nano({after:Int64}, 'UTC'), {after_id:String})"
        )
    tail = f"{narrowed.sql} ORDER BY start_time DESC, trace_id DESC LIMIT {{rows:UInt32}}"
    return heads_where(store, condition, parameters, tail)


def _starts(page: Page, now: datetime) -> Iterator[int]:
    """Lower bounds to try, the nearest first, ending with the window's own."""
    newest = min(page.window.end, int(now.astimezone(UTC).timestamp()) * 10**9)
    if page.after is not None:
        newest = min(newest, page.after[0])
    for seconds in _STEPS:
        start = newest - seconds * 10**9
        if start <= page.window.start:
            break
        yield start
    yield page.window.start


def _add_snippets(
    store: Store, project: str, search: Search, heads: Sequence[Head], rows: list[Document]
) -> None:
    """Puts beside each row what its first matching span says around the words."""
    if not heads:
        return
    found = query(
        store,
        "SELECT trace_id, span_id, input, output, name, status_message, error_type FROM spans_raw FINAL "
        f"WHERE {MINE} AND {of_heads()} AND {search.condition()} ORDER BY start_time, span_id LIMIT 1 BY trace_id",
        head_parameters(project, heads) | search.parameters(),
    ).to_pylist()
    spans = {span["trace_id"]: span for span in found}
    for row in rows:
        if (span := spans.get(row["trace_id"])) is not None:
            texts = (span["input"], span["output"], span["name"], span["status_message"], span["error_type"])
            row["match"] = {"span_id": span["span_id"], "snippet": search.snippet(*texts)}
