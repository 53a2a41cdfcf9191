"""Dead letters: look at them, send them again, drop them."""

from __future__ import annotations

import base64
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response

from api.answers import answer, page
from api.dependencies import PAGE, PROJECT_PATH, Cursor, InProject, InWindow, Limit, Scope
from api.models import DeadLetter, DeadLetterRow, Page, Replayed
from api.paging import page_of
from api.reading.dead_letters import KIND, letter_of, letter_page, mark
from api.writing.replays import replay
from schemas.errors import Conflict, NotFound

router = APIRouter(prefix=f"{PROJECT_PATH}/dead-letters", tags=["dead letters"])
LetterId = Annotated[str, Path(max_length=200, description="Id of the dead letter.")]


@router.get("", response_model=Page[DeadLetterRow])
async def list_dead_letters(
    scope: InProject,
    window: InWindow,
    kind: Annotated[Literal["rejected", "dead"] | None, Query(description="Only this kind.")] = None,
    limit: Limit = PAGE,
    cursor: Cursor = None,
) -> Response:
    """What was refused at the door (rejected) or could not be written (dead), newest first."""
    asked = page_of(KIND, limit, cursor, window)
    return page(*await scope.work.short.run(letter_page, scope.context.store, scope.project, asked, kind))


@router.get("/{id}", response_model=DeadLetter)
async def get_dead_letter(scope: InProject, id: LetterId) -> Response:
    """A dead letter with its bytes in base64."""
    return answer(await _letter(scope, id))


@router.post("/{id}/replay", response_model=Replayed)
async def replay_dead_letter(scope: InProject, id: LetterId) -> Response:
    """Sends it again: what was rejected through the receiver, what was dead to its worker. 409 when it is refused again."""
    letter = await _letter(scope, id)
    await scope.audit("replay", "dead_letter", id)
    payload = base64.b64decode(letter["payload"])
    if rejected := await replay(scope.context, scope.project, letter["kind"], letter["topic"], payload):
        raise Conflict(f"it was refused again ({rejected} {letter['topic']}): {letter['reason']}")
    await scope.work.short.run(mark, scope.context.store, scope.project, id, "replayed")
    return answer({"id": id, "replayed": True})


@router.delete("/{id}", status_code=HTTPStatus.NO_CONTENT)
async def drop_dead_letter(scope: InProject, id: LetterId) -> Response:
    """Takes it off the list."""
    await _letter(scope, id)
    await scope.audit("delete", "dead_letter", id)
    await scope.work.short.run(mark, scope.context.store, scope.project, id, "dropped")
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def _letter(scope: Scope, id: str) -> dict[str, Any]:
    found = await scope.work.short.run(letter_of, scope.context.store, scope.project, id)
    if found is None:
        raise NotFound(f"there is no dead letter {id[:200]!r}")
    return found
