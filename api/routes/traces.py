"""Traces: the list (also as a stream of new ones), one trace, and its deletion."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.responses import StreamingResponse

from api.answers import answer, page
from api.dependencies import PROJECT_PATH, InListing, InProject, Scope
from api.models import Page, Trace, TraceRow
from api.reading.follow import Follower, events
from api.reading.scores import scores_of_trace
from api.reading.search import search_of
from api.reading.spans import MAX_SPANS, spans_of
from api.reading.traces import KIND, TraceQuery, head_of, rows_of, trace_page
from api.writing.deletions import delete_trace
from schemas.errors import FieldProblem, InvalidRequest, NotFound
from schemas.ports import Store

router = APIRouter(prefix=PROJECT_PATH, tags=["traces"])
EVENT_STREAM = "text/event-stream"
TraceIdPath = Annotated[
    str,
    Path(
        pattern="^[0-9a-f]{32}$",
        description="32 lower-case hex digits.",
        examples=["4bf92f3577b34da6a3ce929d0e0e4736"],
    ),
]


@router.get(
    "/traces",
    response_model=Page[TraceRow],
    responses={200: {"content": {EVENT_STREAM: {"schema": {"type": "string"}}}}},
)
async def list_traces(
    request: Request,
    scope: InProject,
    asked: InListing,
    last_event_id: Annotated[str | None, Header(description="Where to go on following.")] = None,
) -> Response:
    """Traces, newest first. `filter` may name columns of the trace or of its spans: any one span has to match.

    With `Accept: text/event-stream` new traces are sent as they appear, until the client leaves.
    """
    judge = scope.state.vetter.trace_filter
    judged = await scope.work.short.run(judge, asked.filter) if asked.filter is not None else None
    if EVENT_STREAM in request.headers.get("accept", ""):
        follower = Follower(scope.context.store, scope.project, _since(scope, last_event_id), judged)
        stream = events(follower, scope.work.short, time.monotonic)
        return StreamingResponse(stream, media_type=EVENT_STREAM, headers={"Cache-Control": "no-store"})
    query = TraceQuery(
        scope.project, asked.page(KIND), scope.context.clock.now(), judged, search_of(asked.search)
    )
    return page(*await scope.work.short.run(trace_page, scope.context.store, query))


@router.get("/traces/{trace_id}", response_model=Trace)
async def get_trace(scope: InProject, trace_id: TraceIdPath) -> Response:
    """A trace as it is now, whenever it was: its summary, its spans as a flat list with parent ids, and its scores."""
    found = await scope.work.short.run(_trace, scope.context.store, scope.project, trace_id)
    if found is None:
        raise _unknown(trace_id)
    return answer(found)


@router.delete(
    "/traces/{trace_id}",
    status_code=HTTPStatus.NO_CONTENT,
    responses={202: {"description": "The deletion is durable and will be done."}},
)
async def remove_trace(scope: InProject, trace_id: TraceIdPath) -> Response:
    """Deletes a trace with its scores and log records. A late retry of one of its spans does not bring it back."""
    if await scope.work.short.run(head_of, scope.context.store, scope.project, trace_id) is None:
        raise _unknown(trace_id)
    await scope.audit("delete", "trace", trace_id)
    done = await delete_trace(scope.context.log, scope.project, trace_id, scope.context.clock.now())
    return Response(status_code=HTTPStatus.NO_CONTENT if done else HTTPStatus.ACCEPTED)


def _trace(store: Store, project: str, trace_id: str) -> dict[str, Any] | None:
    head = head_of(store, project, trace_id)
    rows = rows_of(store, project, [head]) if head else []
    if head is None or not rows:
        return None
    spans = spans_of(store, project, head, MAX_SPANS)
    return {
        "summary": rows[0],
        "spans": spans,
        "truncated": rows[0]["span_count"] > len(spans),
        "scores": scores_of_trace(store, project, trace_id),
    }


def _since(scope: Scope, last_event_id: str | None) -> int:
    """Arrivals after this (ms since 1970) are new to the client."""
    if last_event_id is None:
        return int(scope.context.clock.now().timestamp() * 1000)
    if not (
        last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) <= len("1700000000000")
    ):
        problem = FieldProblem("Last-Event-ID", "must be the id of an event of this stream")
        raise InvalidRequest("Last-Event-ID is not one of this stream", errors=(problem,))
    return int(last_event_id)


def _unknown(trace_id: str) -> NotFound:
    return NotFound(f"there is no trace {trace_id}")
