"""Projects, and the counters of each."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from api.answers import answer, page
from api.counters import snapshot
from api.dependencies import PAGE, PROJECT_PATH, Admin, Caller, Cursor, InProject, InState, Limit
from api.idempotent import IdempotentRoute
from api.models import NewProject, Page, ProjectDocument, Status
from api.paging import next_cursor, page_of
from api.reading.dead_letters import kept_letters
from schemas.people import Project

router = APIRouter(tags=["projects"], route_class=IdempotentRoute)
KIND = "projects"


@router.get("/api/v1/projects", response_model=Page[ProjectDocument])
async def list_projects(
    state: InState, principal: Caller, limit: Limit = PAGE, cursor: Cursor = None
) -> Response:
    """The projects by name; a project key sees its own."""
    asked = page_of(KIND, limit, cursor, width=1)
    if principal.project is not None:
        found = [await state.context.projects.get(principal.project)]
        return page([document(project) for project in found], None)
    after = str(asked.after[0]) if asked.after else ""
    found = list(await state.context.projects.list(limit=limit + 1, after=after))
    last = (found[limit - 1].name,) if len(found) > limit else None
    return page([document(project) for project in found[:limit]], next_cursor(KIND, asked, last))


@router.post("/api/v1/projects", response_model=ProjectDocument, status_code=HTTPStatus.CREATED)
async def create_project(body: NewProject, state: InState, principal: Admin) -> Response:
    """A new project. Sending spans to a server without keys creates it too."""
    project = await state.context.projects.create(body.name, principal.actor)
    return answer(document(project), HTTPStatus.CREATED, {"ETag": f'"{project.version}"'})


@router.get(PROJECT_PATH, response_model=ProjectDocument)
async def get_project(scope: InProject) -> Response:
    """The project."""
    project = await scope.context.projects.get(scope.project)
    return answer(document(project), headers={"ETag": f'"{project.version}"'})


@router.get(f"{PROJECT_PATH}/status", response_model=Status)
async def get_status(
    scope: InProject,
    usage: Annotated[
        bool,
        Query(
            description="Count uncounted_usage too, which reads all spans with tokens, every 30 s at most."
        ),
    ] = True,
) -> Response:
    """The counters of the project: they add up at every moment."""
    now = await snapshot(scope.context.log)
    counters = now.of(scope.project)
    letters = await scope.work.short.run(kept_letters, scope.context.store, scope.project)
    tokens = await scope.state.usage.of(scope.project) if usage else 0
    return answer(
        {"project": scope.project, "received": counters.received, "accepted": counters.accepted}
        | asdict(counters)
        | {"dead_letters": letters, "uncounted_usage": tokens, "lag": now.lag_of(scope.project)}
    )


def document(project: Project) -> dict[str, Any]:
    """A project for people."""
    return {"name": project.name, "created_at": project.created_at}
