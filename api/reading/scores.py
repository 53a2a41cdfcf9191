"""Scores, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from api.paging import Page, next_cursor
from api.reading.rows import MINE, Document, documents, integers, query
from api.sql.types import parsed
from schemas.events import SCORE_SCHEMA
from schemas.ports import Store

KIND = "scores"
COLUMNS = tuple(name for name in SCORE_SCHEMA.names if name != "deleted")
TYPES = {
    "created_at": parsed("DateTime64(9, 'UTC')"),
    "metadata": parsed("Map(LowCardinality(String), String)"),
}
_SEEN = "NOT deleted"
_TIMES = "created_at >= fromUnixTimestamp64Nano({start:Int64}, 'UTC') AND created_at < fromUnixTimestamp64Nano({end:Int64}, 'UTC')"
NARROWED = ("name", "source", "trace_id", "span_id", "session_id", "evaluator", "experiment")
"""Columns by whose value a list can be narrowed."""


@dataclass(frozen=True, slots=True)
class ScoreQuery:
    """What a list of scores is asked for; `equal` holds values by column, all of `NARROWED`."""

    project: str
    page: Page
    equal: Mapping[str, str] = field(default_factory=dict)


def score_page(store: Store, asked: ScoreQuery) -> tuple[list[Document], str | None]:
    """The rows of a page and the cursor of the next one."""
    page = asked.page
    parameters = {"project": asked.project, "rows": page.limit + 1, **page.window.parameters(), **asked.equal}
    conditions = [MINE, _SEEN, _TIMES, *(f"{name} = {{{name}:String}}" for name in asked.equal)]
    if page.after is not None:
        conditions.append(
            "(created_at, id) < (fromUnixTimestamp64Nano({after:Int64}, 'UTC'), {after_id:String})"
        )
        parameters |= {"after": page.after[0], "after_id": page.after[1]}
    table = query(
        store,
        f"SELECT {', '.join(COLUMNS)} FROM scores_raw FINAL WHERE {' AND '.join(conditions)} "
        "ORDER BY created_at DESC, id DESC LIMIT {rows:UInt32}",
        parameters,
    )
    rows, more = table.slice(0, page.limit), len(table) > page.limit
    last = (integers(rows, "created_at")[-1], rows["id"][-1].as_py()) if more else None
    return documents(rows, TYPES), next_cursor(KIND, page, last)


def score_of(store: Store, project: str, id: str) -> Document | None:
    """The score; None when there is none of that id, or it was deleted."""
    table = query(
        store,
        f"SELECT {', '.join(COLUMNS)} FROM scores_raw FINAL WHERE {MINE} AND {_SEEN} AND id = {{id:String}}",
        {"project": project, "id": id},
    )
    rows = documents(table, TYPES)
    return rows[0] if rows else None


def scores_of_trace(store: Store, project: str, trace_id: str) -> list[Document]:
    """All scores of a trace and its spans, the oldest first."""
    table = query(
        store,
        f"SELECT {', '.join(COLUMNS)} FROM scores_raw FINAL WHERE {MINE} AND {_SEEN} AND trace_id = {{trace:String}} "
        "ORDER BY created_at, id LIMIT 10000",
        {"project": project, "trace": trace_id},
    )
    return documents(table, TYPES)
