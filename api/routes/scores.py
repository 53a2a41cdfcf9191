"""Scores: evaluation results and feedback."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import Discriminator, Field, Tag

from api.answers import answer, page
from api.dependencies import PAGE, PROJECT_PATH, Cursor, InProject, InWindow, Limit
from api.idempotent import IdempotentRoute
from api.models import Page, Score, TakenScores
from api.paging import page_of
from api.problems import UNION
from api.reading.scores import KIND, ScoreQuery, score_of, score_page
from api.writing.scores import MAX_SCORES, NewScore, SpanId, TraceId, entry_of, row_of, tombstone
from schemas.errors import NotFound

router = APIRouter(prefix=f"{PROJECT_PATH}/scores", tags=["scores"], route_class=IdempotentRoute)
OneScore = Annotated[NewScore, Tag(f"{UNION}one")]
ManyScores = Annotated[list[NewScore], Field(min_length=1, max_length=MAX_SCORES), Tag(f"{UNION}list")]
Scores = Annotated[
    OneScore | ManyScores, Discriminator(lambda body: f"{UNION}{'list' if isinstance(body, list) else 'one'}")
]
Text = Annotated[str, Query(max_length=1000)]
Source = Literal["", "judge", "detector", "code", "human", "user", "client"]


@router.post("", response_model=TakenScores, status_code=HTTPStatus.ACCEPTED)
async def add_scores(scope: InProject, body: Scores) -> Response:
    """Takes one score or a list, durably. The same id again replaces the score; so does a list with one id twice: its last."""
    scores = body if isinstance(body, list) else [body]
    now = scope.context.clock.now()
    rows = [row_of(score, scope.project, now) for score in scores]
    await scope.context.log.append([entry_of(scope.project, rows)])
    return answer({"ids": [row["id"] for row in rows]}, HTTPStatus.ACCEPTED)


@router.get("", response_model=Page[Score])
async def list_scores(
    scope: InProject,
    window: InWindow,
    name: Text = "",
    source: Source = "",
    trace_id: Annotated[TraceId, Query()] = "",
    span_id: Annotated[SpanId, Query()] = "",
    session_id: Text = "",
    evaluator: Text = "",
    experiment: Text = "",
    limit: Limit = PAGE,
    cursor: Cursor = None,
) -> Response:
    """Scores made in the window, newest first."""
    given = {
        "name": name, "source": source, "trace_id": trace_id, "span_id": span_id,
        "session_id": session_id, "evaluator": evaluator, "experiment": experiment,
    }  # fmt: skip
    equal = {column: value for column, value in given.items() if value}
    asked = ScoreQuery(scope.project, page_of(KIND, limit, cursor, window), equal)
    return page(*await scope.work.short.run(score_page, scope.context.store, asked))


@router.delete("/{id}", status_code=HTTPStatus.NO_CONTENT)
async def delete_score(
    scope: InProject, id: Annotated[str, Path(max_length=200, description="Id of the score.")]
) -> Response:
    """Deletes a score, durably; a late retry of what was sent before does not bring it back."""
    found = await scope.work.short.run(score_of, scope.context.store, scope.project, id)
    if found is None:
        raise NotFound(f"there is no score {id!r}")
    row = tombstone(found, scope.context.clock.now())
    await scope.context.log.append([entry_of(scope.project, [row])])
    return Response(status_code=HTTPStatus.NO_CONTENT)
