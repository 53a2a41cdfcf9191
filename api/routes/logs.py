"""Log records, also those whose span never came."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.answers import page
from api.dependencies import PAGE, PROJECT_PATH, Cursor, FilterText, InProject, InWindow, Limit
from api.models import LogRecord, Page
from api.paging import page_of
from api.reading.logs import FILTER_COLUMNS, KIND, LogQuery, log_page
from api.reading.plain_filters import plain_filter
from api.writing.scores import SpanId, TraceId

router = APIRouter(prefix=PROJECT_PATH, tags=["logs"])


@router.get("/logs", response_model=Page[LogRecord])
async def list_logs(
    scope: InProject,
    window: InWindow,
    filter: FilterText = None,
    trace_id: Annotated[TraceId, Query()] = "",
    span_id: Annotated[SpanId, Query()] = "",
    limit: Limit = PAGE,
    cursor: Cursor = None,
) -> Response:
    """Log records, newest first; `filter` is over the columns of logs."""
    store, pool = scope.context.store, scope.work.short
    judged = await pool.run(plain_filter, store, filter, FILTER_COLUMNS) if filter is not None else None
    asked = LogQuery(scope.project, page_of(KIND, limit, cursor, window), judged, trace_id, span_id)
    return page(*await pool.run(log_page, store, asked))
