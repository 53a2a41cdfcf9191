"""Log records, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from api.paging import Page, next_cursor
from api.reading.rows import MINE, Document, documents, integers, query
from api.sql.filters import Column, Filter
from api.sql.types import parsed
from schemas.ports import Store

KIND = "logs"
LOG_COLUMNS = {
    "project": "LowCardinality(String)", "time": "DateTime64(9, 'UTC')", "trace_id": "String", "span_id": "String",
    "event_name": "LowCardinality(String)", "severity": "LowCardinality(String)", "body": "String",
    "attributes": "Map(LowCardinality(String), String)", "joined": "Bool",
}  # fmt: skip
"""The public columns of `logs` with their ClickHouse types."""
FILTER_COLUMNS = {name: Column(kind) for name, kind in LOG_COLUMNS.items()}
TYPES = {name: parsed(kind) for name, kind in LOG_COLUMNS.items()}
_TIMES = "time >= fromUnixTimestamp64Nano({start:Int64}, 'UTC') AND time < fromUnixTimestamp64Nano({end:Int64}, 'UTC')"


@dataclass(frozen=True, slots=True)
class LogQuery:
    """What a list of log records is asked for; `trace_id` and `span_id` narrow it when they are not ''."""

    project: str
    page: Page
    filter: Filter | None = None
    trace_id: str = ""
    span_id: str = ""


def log_page(store: Store, asked: LogQuery) -> tuple[list[Document], str | None]:
    """The rows of a page and the cursor of the next one."""
    page = asked.page
    parameters: dict[str, Any] = {
        "project": asked.project,
        "rows": page.limit + 1,
        **page.window.parameters(),
    }
    conditions = [MINE, _TIMES]
    for name in ("trace_id", "span_id"):
        if value := getattr(asked, name):
            conditions.append(f"{name} = {{{name}:String}}")
            parameters[name] = value
    if page.after is not None:
        conditions.append("(time, _id) < (fromUnixTimestamp64Nano({after:Int64}, 'UTC'), {after_id:String})")
        parameters |= {"after": page.after[0], "after_id": page.after[1]}
    if asked.filter is not None:
        conditions.append(f"({asked.filter.sql})")
    table = query(
        store,
        f"SELECT {', '.join(LOG_COLUMNS)}, _id FROM logs_raw FINAL WHERE {' AND '.join(conditions)} "
        "ORDER BY time DESC, _id DESC LIMIT {rows:UInt32}",
        parameters,
    )
    rows, more = table.slice(0, page.limit), len(table) > page.limit
    last = (integers(rows, "time")[-1], rows["_id"][-1].as_py()) if more else None
    return documents(rows.select(list(LOG_COLUMNS)), TYPES), next_cursor(KIND, page, last)
