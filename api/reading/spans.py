"""Spans: the list, newest first, and the full documents of one span or one trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from api.paging import Page, next_cursor
from api.reading.rows import IN_WINDOW, MINE, Document, documents, integers, query, short
from api.reading.search import Search
from api.reading.trace_matches import MY_SCORES
from api.reading.traces import Head, head_parameters, of_heads
from api.sql import scores
from api.sql.filters import Filter
from schemas.ports import Store
from schemas.spans import PUBLIC

KIND = "spans"
BULKY = frozenset(
    {
        "attributes",
        "resource_attributes",
        "events",
        "links",
        "tool_definitions",
        "documents",
        "usage_raw",
        "response_format",
    }
)
"""Columns that a list leaves out."""
LISTED = tuple(column.name for column in PUBLIC if column.name not in BULKY)
COLUMNS = ", ".join(column.name for column in PUBLIC)
MAX_SPANS = 10_000
"""Most spans that a trace's document holds."""
_SHOWN = {"input", "output"}


@dataclass(frozen=True, slots=True)
class SpanQuery:
    """What a list of spans is asked for."""

    project: str
    page: Page
    filter: Filter | None = None
    search: Search | None = None


Place = tuple[int, str, str, int]
"""(start in ns, trace id, span id, bucket in ms) of a span."""


def span_page(store: Store, asked: SpanQuery) -> tuple[list[Document], str | None]:
    """The rows of a page and the cursor of the next one."""
    places = _places(store, asked)
    shown, more = places[: asked.page.limit], len(places) > asked.page.limit
    rows = _listed(store, asked, shown)
    return rows, next_cursor(KIND, asked.page, shown[-1][:3] if more else None)


def span_of(store: Store, project: str, span_id: str, trace_id: str | None) -> Document | None:
    """The whole span; without a trace id the newest of that span id."""
    condition = "span_id = {span:String}" + (" AND trace_id = {trace:String}" if trace_id else "")
    found = query(
        store,
        f"SELECT {COLUMNS} FROM spans_raw FINAL WHERE {MINE} AND {condition} ORDER BY start_time DESC LIMIT 1",
        {"project": project, "span": span_id, "trace": trace_id or ""},
    )
    rows = documents(found)
    return rows[0] if rows else None


def spans_of(store: Store, project: str, head: Head, limit: int = MAX_SPANS) -> list[Document]:
    """The first spans of a trace in the order of their starts, whole; parents before children that start with them."""
    found = query(
        store,
        f"SELECT {COLUMNS} FROM spans_raw FINAL WHERE {MINE} AND {of_heads()} "
        "ORDER BY start_time, parent_span_id != '', end_time DESC, span_id LIMIT {rows:UInt32}",
        head_parameters(project, [head]) | {"rows": limit},
    )
    return documents(found)


def _places(store: Store, asked: SpanQuery) -> list[Place]:
    """The page's spans and one more when there is one: their keys alone."""
    names = asked.filter.scores if asked.filter else ()
    conditions, parameters = _conditions(asked)
    defined = f"WITH {scores.columns(names)} " if names else ""
    joins = scores.joins(names, spans="s", scores=MY_SCORES)
    table = query(
        store,
        f"{defined}SELECT s.start_time AS start_time, s.trace_id AS trace_id, s.span_id AS span_id, s._bucket AS bucket "
        f"FROM spans_raw AS s FINAL {joins} WHERE {' AND '.join(conditions)} "
        "ORDER BY start_time DESC, trace_id DESC, span_id DESC LIMIT {rows:UInt32}",
        parameters,
    )
    ids = (table["trace_id"].to_pylist(), table["span_id"].to_pylist())
    return list(zip(integers(table, "start_time"), *ids, integers(table, "bucket"), strict=True))


def _conditions(asked: SpanQuery) -> tuple[list[str], dict[str, Any]]:
    page = asked.page
    parameters: dict[str, Any] = {
        "project": asked.project,
        "rows": page.limit + 1,
        **page.window.parameters(),
    }
    conditions = [MINE, IN_WINDOW]
    if page.after is not None:
        parameters |= {"after": page.after[0], "after_trace": page.after[1], "after_span": page.after[2]}
        last = "fromUnixTimestamp64Nano({after:Int64}, 'UTC')"
        conditions.append(f"start_time <= {last}")
        conditions.append(
            f"(start_time, trace_id, span_id) < ({last}, {{after_trace:String}}, {{after_span:String}})"
        )
    if asked.filter is not None:
        conditions.append(f"({asked.filter.sql})")
    if asked.search is not None:
        conditions.append(asked.search.condition("s"))
        parameters |= asked.search.parameters()
    return conditions, parameters


def _listed(store: Store, asked: SpanQuery, places: Sequence[Place]) -> list[Document]:
    if not places:
        return []
    cut = ", ".join(f"{short(name)} AS _{name}" if name in _SHOWN else name for name in LISTED)
    heads = [Head(trace, start, bucket) for start, trace, _, bucket in places]
    table = query(
        store,
        f"SELECT {cut}{', input, output' if asked.search else ''} FROM spans_raw FINAL "
        f"WHERE {MINE} AND {of_heads()} AND span_id IN {{spans:Array(String)}}",
        head_parameters(asked.project, heads) | {"spans": [place[2] for place in places]},
    )
    rows = {(row["trace_id"], row["span_id"]): _row(row, asked.search) for row in documents(table)}
    return [rows[place[1:3]] for place in places if place[1:3] in rows]


def _row(row: Document, search: Search | None) -> Document:
    """A row with its cut texts under their own names, and what the search found."""
    full = {name: row.pop(name, "") for name in sorted(_SHOWN)}
    result = {name: row[f"_{name}"] if name in _SHOWN else row[name] for name in LISTED}
    if search is not None:
        texts = (full["input"], full["output"], row["name"], row["status_message"], row["error_type"])
        result["match"] = {"span_id": row["span_id"], "snippet": search.snippet(*texts)}
    return result
