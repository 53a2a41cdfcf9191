"""Spans: the list, by GET or, for long filters, by POST; and one span, whole."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api.answers import answer, page
from api.dependencies import PROJECT_PATH, InListing, InProject, Listing, Scope
from api.models import Page, Span, SpanQueryRequest, SpanRow
from api.paging import window_of
from api.reading.search import search_of
from api.reading.spans import KIND, SpanQuery, span_of, span_page
from schemas.errors import NotFound

router = APIRouter(prefix=PROJECT_PATH, tags=["spans"])


@router.get("/spans", response_model=Page[SpanRow])
async def list_spans(scope: InProject, asked: InListing) -> Response:
    """Spans, newest first, without their bulky columns."""
    return await _listed(scope, asked)


@router.post("/spans/query", response_model=Page[SpanRow])
async def query_spans(scope: InProject, body: SpanQueryRequest) -> Response:
    """The same list, for filters too long for a URL."""
    window = window_of(body.start, body.end, scope.context.clock.now().astimezone(UTC))
    return await _listed(scope, Listing(window, body.filter, body.search, body.limit, body.cursor))


@router.get("/spans/{span_id}", response_model=Span)
async def get_span(
    scope: InProject,
    span_id: Annotated[
        str,
        Path(
            pattern="^[0-9a-f]{16}$", description="16 lower-case hex digits.", examples=["00f067aa0ba902b7"]
        ),
    ],
    trace_id: Annotated[
        str | None,
        Query(pattern="^[0-9a-f]{32}$", description="Its trace; a span id alone may be that of several."),
    ] = None,
) -> Response:
    """A span, whole, whenever it was. Without its trace id the newest of that id, which takes longer to find."""
    found = await scope.work.short.run(span_of, scope.context.store, scope.project, span_id, trace_id)
    if found is None:
        raise NotFound(f"there is no span {span_id}")
    return answer(found)


async def _listed(scope: Scope, asked: Listing) -> Response:
    judge = scope.state.vetter.span_filter
    query = SpanQuery(
        scope.project,
        asked.page(KIND, width=3),
        await scope.work.short.run(judge, asked.filter) if asked.filter is not None else None,
        search_of(asked.search),
    )
    return page(*await scope.work.short.run(span_page, scope.context.store, query))
