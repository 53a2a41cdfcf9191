"""What a route needs of its request: the context, who asks, which project, which window and page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from starlette.requests import HTTPConnection

from api.auth import require_admin, require_project
from api.bounded import Bounded
from api.context import ApiContext
from api.paging import DEFAULT_LIMIT, MAX_LIMIT, Page, Window, page_of, window_of
from api.reading.usage import RecentUsage
from api.sql.vet import Vetter
from api.work import Work
from ingest.admission import Budget
from ingest.auth import OpenDoor, authenticate
from schemas.people import AuditAction, Principal

PROJECT_PATH = "/api/v1/projects/{project}"


class State:
    """What one application keeps: its context, threads for blocking calls, the judge of SQL, room for uploads, the projects seen."""

    def __init__(self, context: ApiContext) -> None:
        self.context = replace(context, store=Bounded(context.store, context.settings))
        self.work = Work()
        self.vetter = Vetter(context.store)
        self.uploads = Budget(int(context.settings.ingest_max_bytes))
        self.usage = RecentUsage(context.store, self.work.long, context.clock)
        self._keys = context.keys if context.settings.auth_required else OpenDoor()
        self._projects: set[str] = set()

    async def principal(self, request: HTTPConnection) -> Principal:
        """Who makes the request. Raises Unauthenticated."""
        return await authenticate(self._keys, dict(request.headers))

    async def existing(self, project: str) -> str:
        """The project's name; asked once, since projects are never removed. Raises NotFound."""
        if project not in self._projects:
            await self.context.projects.get(project)
            self._projects.add(project)
        return project


def state_of(request: Request) -> State:
    """The state of the application that serves the request."""
    state: State = request.app.state.evalstream
    return state


InState = Annotated[State, Depends(state_of)]


async def _principal(request: Request, state: InState) -> Principal:
    return await state.principal(request)


Caller = Annotated[Principal, Depends(_principal)]


async def _admin(principal: Caller) -> Principal:
    require_admin(principal)
    return principal


Admin = Annotated[Principal, Depends(_admin)]


@dataclass(frozen=True, slots=True)
class Scope:
    """A project that exists and that the caller may use."""

    project: str
    principal: Principal
    state: State

    @property
    def context(self) -> ApiContext:
        """The context of the application."""
        return self.state.context

    @property
    def work(self) -> Work:
        """The threads for blocking calls."""
        return self.state.work

    async def audit(self, action: AuditAction, resource: str, resource_id: str) -> None:
        """Records a change of telemetry in the caller's name; to be called before the change, which may take longer than the request."""
        trail = self.context.audit
        await trail.record(action, resource, resource_id, actor=self.principal.actor, project=self.project)


ProjectName = Annotated[str, Path(description="Name of the project.", examples=["default"])]


async def _scope(project: ProjectName, principal: Caller, state: InState) -> Scope:
    require_project(principal, project)
    return Scope(await state.existing(project), principal, state)


InProject = Annotated[Scope, Depends(_scope)]


def _window(
    scope: InProject,
    start: Annotated[
        str | None,
        Query(
            description="Earliest start time, RFC 3339; default: 24 h before end, or before now.",
            examples=["2026-11-19T18:00:00Z"],
        ),
    ] = None,
    end: Annotated[
        str | None,
        Query(
            description="End of the window, exclusive, RFC 3339; default: open.",
            examples=["2026-11-20T18:00:00Z"],
        ),
    ] = None,
) -> Window:
    """The window of telemetry that the request reads."""
    return window_of(start, end, scope.context.clock.now().astimezone(UTC))


InWindow = Annotated[Window, Depends(_window)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Most rows of one page.")]
Cursor = Annotated[
    str | None, Query(description="The next_cursor of the page before; it carries that page's window.")
]
FilterText = Annotated[
    str | None,
    Query(
        alias="filter",
        description="A boolean expression in ClickHouse SQL over the columns of spans.",
        examples=["kind = 'llm' and cost > 0.01 and metadata['plan'] = 'pro'"],
    ),
]
SearchText = Annotated[
    str | None,
    Query(
        alias="search",
        min_length=1,
        max_length=500,
        description="Words that all stand in the input, output, name or error of one span, in any case and order.",
        examples=["refund policy"],
    ),
]
PAGE = DEFAULT_LIMIT


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list of spans or traces is asked for: a window, what to find in it, and which page."""

    window: Window
    filter: str | None
    search: str | None
    limit: int
    cursor: str | None

    def page(self, kind: str, width: int = 2) -> Page:
        """The page of a list of this kind. Raises InvalidRequest for a cursor of another one."""
        return page_of(kind, self.limit, self.cursor, self.window, width=width)


def _listing(
    window: InWindow,
    filter: FilterText = None,
    search: SearchText = None,
    limit: Limit = PAGE,
    cursor: Cursor = None,
) -> Listing:
    return Listing(window, filter, search, limit, cursor)


InListing = Annotated[Listing, Depends(_listing)]
