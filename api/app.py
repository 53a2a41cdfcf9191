"""The query API as an ASGI application, from a context of ports. Nothing here is global: two may live in one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware

from api import problems
from api.bodies import BoundedBodies
from api.context import ApiContext
from api.dependencies import State
from api.models import Problem
from api.routes import (
    dead_letters,
    groups,
    health,
    keys,
    logs,
    projects,
    scores,
    sessions,
    spans,
    sql,
    traces,
    transfer,
)
from api.routes.transfer import NEXT

TRUNCATED = "X-Evalstream-Truncated"
DESCRIPTION = """Traces, sessions, scores and SQL of LLM applications.

Lists are `{"data": […], "next_cursor": null}`; ids are lower-case hex; times are RFC 3339 in UTC. Errors are
`application/problem+json`. A key goes into `Authorization: Bearer KEY`; on loopback none is needed."""
ROUTERS = (
    health.router, projects.router, traces.router, spans.router, sessions.router, logs.router, scores.router, sql.router,
    dead_letters.router, transfer.router, groups.router, keys.router,
    keys.audit_router,
)  # fmt: skip
_PROBLEM = {"model": Problem, "content": {problems.MEDIA_TYPE: {}}}
_ERRORS: dict[int | str, dict[str, Any]] = {"4XX": _PROBLEM, "5XX": _PROBLEM}


def create_app(context: ApiContext) -> FastAPI:
    """The application. Its lifespan ends its threads; it opens and closes nothing of the context."""
    app = FastAPI(
        title="Evalstream",
        version=context.version,
        description=DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation_id,
        responses=_ERRORS,
        lifespan=_lifespan,
        redirect_slashes=False,
    )
    app.state.evalstream = State(context)
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(BoundedBodies, limit=context.settings.otlp_max_bytes)
    if context.settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(context.settings.cors_origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["ETag", "Retry-After", NEXT, TRUNCATED],
        )
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await asyncio.to_thread(app.state.evalstream.work.close)


def _operation_id(route: APIRoute) -> str:
    return route.name
