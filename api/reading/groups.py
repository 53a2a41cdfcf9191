"""Sessions and users: spans summed up by one of their columns, those that began last first.

The order is that of the first span in the window, which does not move while data arrives, so that pages stay good.
"""

from __future__ import annotations

from dataclasses import dataclass

from api.paging import Page, next_cursor
from api.reading.rows import IN_WINDOW, MINE, Document, documents, integers, query
from api.reading.trace_matches import MY_SCORES
from api.reading.traces import Head, heads_where, rows_of
from api.sql import scores
from api.sql.filters import Filter
from schemas.ports import Store

SESSIONS, USERS, SESSION_TRACES = "sessions", "users", "session-traces"
_SUMS = (
    "uniqExact(s.trace_id) AS trace_count, count() AS span_count, countIf(s.status = 'error') AS error_count, "
    "sumIf(s.input_tokens, s.usage_counted) AS input_tokens, sumIf(s.output_tokens, s.usage_counted) AS output_tokens, "
    "sumIf(s.total_tokens, s.usage_counted) AS total_tokens, sumIf(s.cost, s.usage_counted) AS cost"
)
_SESSION = (
    "s.session_id AS session_id, argMin(s.user_id, (s.user_id = '', s.start_time, s.span_id)) AS user_id, "
    f"min(s.start_time) AS start_time, max(s.end_time) AS end_time, {_SUMS}"
)
_USER = (
    "s.user_id AS user_id, min(s.start_time) AS start_time, max(s.end_time) AS end_time, "
    f"uniqExactIf(s.session_id, s.session_id != '') AS session_count, {_SUMS}"
)
_SUMMED = (
    "trace_id", "span_id", "session_id", "user_id", "start_time", "end_time", "status", "input_tokens", "output_tokens",
    "total_tokens", "cost", "usage_counted",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    """What is listed: a column of spans, and what is said of each of its values."""

    kind: str
    column: str
    select: str


SESSION_ROWS = Group(SESSIONS, "session_id", _SESSION)
USER_ROWS = Group(USERS, "user_id", _USER)


def group_page(
    store: Store, project: str, group: Group, page: Page, filter: Filter | None
) -> tuple[list[Document], str | None]:
    """The rows of a page and the cursor of the next one. The filter is over spans."""
    parameters = {"project": project, "rows": page.limit + 1, **page.window.parameters()}
    having = ""
    if page.after is not None:
        parameters |= {"after": page.after[0], "after_id": page.after[1]}
        having = f"HAVING (start_time, {group.column}) < (fromUnixTimestamp64Nano({{after:Int64}}, 'UTC'), {{after_id:String}})"
    table = query(
        store,
        f"SELECT {group.select} FROM ({_spans(group, filter)}) AS s GROUP BY s.{group.column} {having} "
        f"ORDER BY start_time DESC, {group.column} DESC LIMIT {{rows:UInt32}}",
        parameters,
    )
    rows, more = documents(table)[: page.limit], len(table) > page.limit
    last = (integers(table, "start_time")[page.limit - 1], rows[-1][group.column]) if more else None
    return rows, next_cursor(group.kind, page, last)


def session_of(store: Store, project: str, session_id: str) -> Document | None:
    """What is known of a session over all time; None when no span carries its id."""
    table = query(
        store,
        f"SELECT {_SESSION} FROM spans_raw AS s FINAL "
        "WHERE s.project = {project:String} AND s.session_id = {session:String} GROUP BY s.session_id",
        {"project": project, "session": session_id},
    )
    rows = documents(table)
    return rows[0] if rows else None


def session_traces(
    store: Store, project: str, session_id: str, page: Page
) -> tuple[list[Document], str | None]:
    """The traces of a session, the oldest first: the order of the conversation."""
    parameters: dict[str, object] = {"project": project, "session": session_id, "rows": page.limit + 1}
    condition = "session_id = {session:String}"
    if page.after is not None:
        parameters |= {"after": page.after[0], "after_id": page.after[1]}
        condition += (
            " AND (start_time, trace_id) > (fromUnixTimestamp64Nano({after:Int64}, 'UTC'), {after_id:String})"
        )
    heads: list[Head] = heads_where(
        store, condition, parameters, " ORDER BY start_time, trace_id LIMIT {rows:UInt32}"
    )
    shown = heads[: page.limit]
    last = (shown[-1].start, shown[-1].trace_id) if len(heads) > page.limit else None
    return rows_of(store, project, shown), next_cursor(SESSION_TRACES, page, last)


def _spans(group: Group, filter: Filter | None) -> str:
    """The spans that are summed up."""
    names = filter.scores if filter else ()
    defined = f"WITH {scores.columns(names)} " if names else ""
    columns = ", ".join(f"s.{name} AS {name}" for name in _SUMMED)
    narrowed = f" AND ({filter.sql})" if filter else ""
    return (
        f"{defined}SELECT {columns} FROM spans_raw AS s FINAL {scores.joins(names, spans='s', scores=MY_SCORES)} "
        f"WHERE {MINE} AND {IN_WINDOW} AND {group.column} != ''{narrowed}"
    )
