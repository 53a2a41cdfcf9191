"""The groups that read the event log: how far each is behind, and dropping one that nobody runs any more."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from api.answers import page
from api.dependencies import Admin, InState
from api.models import GroupDocument, Page
from schemas.errors import NotFound
from schemas.ports import Lag

router = APIRouter(prefix="/api/v1/groups", tags=["groups"])
GroupName = Annotated[str, Path(max_length=200, description="Name of the group.", examples=["span-writer"])]


@router.get("", response_model=Page[GroupDocument])
async def list_groups(state: InState, _: Admin) -> Response:
    """The groups that read the event log, by name, with what they have not read; the log keeps that for them."""
    lags = await state.context.log.lags()
    return page([_document(name, lags[name]) for name in sorted(lags)], None)


@router.delete("/{name}", status_code=HTTPStatus.NO_CONTENT)
async def drop_group(state: InState, principal: Admin, name: GroupName) -> Response:
    """Forgets an idle group, so that what only it had not read can be trimmed. 409 while a worker runs under it."""
    if name not in await state.context.log.lags():
        raise NotFound(f"there is no group {name!r}")
    await state.context.audit.record("delete", "group", name, actor=principal.actor)
    await state.context.log.drop_group(name)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _document(name: str, topics: Mapping[str, Lag]) -> dict[str, Any]:
    """A group for people."""
    return {
        "name": name,
        "topics": sorted(topics),
        "lag_records": sum(lag.records for lag in topics.values()),
        "oldest_seconds": max((lag.oldest_seconds for lag in topics.values()), default=0.0),
    }
