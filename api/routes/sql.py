"""SQL: one SELECT of a person, vetted, bounded, over one project."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from api.dependencies import PROJECT_PATH, InProject
from api.leaving import GONE, while_there
from api.models import SqlAnswer, SqlRequest
from api.sql.results import Body, Format, Result, accepted, rendered
from api.sql.vet import Vetter
from schemas.ports import ReadLimits, Store
from schemas.settings import Settings

router = APIRouter(prefix=PROJECT_PATH, tags=["sql"])
_OTHERS: dict[str, dict[str, object]] = {str(format): {} for format in Format if format is not Format.JSON}


@router.post("/sql", response_model=SqlAnswer, responses={200: {"content": _OTHERS}})
async def run_sql(
    request: Request,
    scope: InProject,
    body: SqlRequest,
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """Runs one SELECT (CTEs, joins, any pure function) over spans, logs, scores, traces and sessions; no implicit time bound.

    At most 10,000 rows unless `max_rows` says more; a cut answer says so (`truncated`, or the header X-Evalstream-Truncated).
    `Accept` chooses JSON, NDJSON, CSV, Parquet or an Arrow stream.
    """
    context = scope.context
    work = scope.work.long.run(
        _answered, context.store, scope.state.vetter, context.settings, scope.project, body, accepted(accept)
    )
    found = await while_there(request, work)
    if found is None:
        return Response(status_code=GONE)
    return Response(found.content, media_type=found.media_type, headers=dict(found.headers))


def _answered(
    store: Store, vetter: Vetter, settings: Settings, project: str, asked: SqlRequest, wanted: Format
) -> Body:
    began = time.monotonic()
    vetted = vetter.query(asked.query, asked.parameters)
    max_rows = asked.max_rows or settings.sql_max_rows
    limits = ReadLimits(settings.sql_seconds, settings.sql_memory, max_rows)
    values = {name: asked.parameters[name] for name in vetted.parameters}
    table = store.read(project, vetted.sql, values, limits=limits)
    return rendered(Result.of(table, (time.monotonic() - began) * 1000), wanted)
