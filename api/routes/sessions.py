"""Sessions and end users: spans summed up by who and what they belong to."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.answers import answer, page
from api.dependencies import PAGE, PROJECT_PATH, Cursor, FilterText, InProject, InWindow, Limit, Scope
from api.models import Page, Session, SessionRow, UserRow
from api.paging import Window, page_of
from api.reading.groups import (
    SESSION_ROWS,
    SESSION_TRACES,
    USER_ROWS,
    Group,
    group_page,
    session_of,
    session_traces,
)
from schemas.errors import NotFound

router = APIRouter(prefix=PROJECT_PATH, tags=["sessions"])


@router.get("/sessions", response_model=Page[SessionRow])
async def list_sessions(
    scope: InProject, window: InWindow, filter: FilterText = None, limit: Limit = PAGE, cursor: Cursor = None
) -> Response:
    """Sessions with spans in the window, those that began last first; `filter` is over spans."""
    return await _grouped(scope, SESSION_ROWS, window, filter, limit, cursor)


@router.get("/sessions/{session_id:path}", response_model=Session)
async def get_session(
    scope: InProject,
    session_id: Annotated[str, Path(description="The id that the client chose.", examples=["chat-42"])],
    limit: Limit = PAGE,
    cursor: Cursor = None,
) -> Response:
    """A session over all time, with a page of its traces, the oldest first."""
    store, pool = scope.context.store, scope.work.short
    summary = await pool.run(session_of, store, scope.project, session_id)
    if summary is None:
        raise NotFound(f"there is no session {session_id!r}")
    asked = page_of(SESSION_TRACES, limit, cursor)
    rows, following = await pool.run(session_traces, store, scope.project, session_id, asked)
    return answer({"summary": summary, "traces": {"data": rows, "next_cursor": following}})


@router.get("/users", response_model=Page[UserRow])
async def list_users(
    scope: InProject, window: InWindow, filter: FilterText = None, limit: Limit = PAGE, cursor: Cursor = None
) -> Response:
    """End users with spans in the window, those who came last first; `filter` is over spans."""
    return await _grouped(scope, USER_ROWS, window, filter, limit, cursor)


async def _grouped(
    scope: Scope, group: Group, window: Window, filter: str | None, limit: int, cursor: str | None
) -> Response:
    pool = scope.work.short
    judged = await pool.run(scope.state.vetter.span_filter, filter) if filter is not None else None
    asked = page_of(group.kind, limit, cursor, window)
    return page(*await pool.run(group_page, scope.context.store, scope.project, group, asked, judged))
