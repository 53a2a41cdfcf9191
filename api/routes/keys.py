"""API keys and the audit trail, for admins."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from api.answers import answer, page
from api.dependencies import PAGE, PROJECT_PATH, Admin, Cursor, InProject, InState, Limit, State
from api.idempotent import SecretRoute
from api.models import AuditDocument, CreatedKey, KeyDocument, NewKeyRequest, Page
from api.paging import next_cursor, page_of
from schemas.errors import NotFound

router = APIRouter(tags=["keys"], route_class=SecretRoute)
audit_router = APIRouter(tags=["audit"])
KeyId = Annotated[str, Path(max_length=200, description="Id of the key, not the key.")]
AUDIT = "audit"


@router.get("/api/v1/keys", response_model=Page[KeyDocument])
async def list_all_keys(state: InState, _: Admin) -> Response:
    """All keys, those of projects and admin keys, revoked ones too; newest first."""
    return page([asdict(key) for key in await state.context.api_keys.list()], None)


@router.post("/api/v1/keys", response_model=CreatedKey, status_code=HTTPStatus.CREATED)
async def create_admin_key(state: InState, principal: Admin, body: NewKeyRequest) -> Response:
    """A new admin key; this answer is the only place where its secret is ever shown."""
    return await _created(state, body.name, None, principal.actor)


@router.delete("/api/v1/keys/{id}", response_model=KeyDocument)
async def revoke_admin_key(state: InState, principal: Admin, id: KeyId) -> Response:
    """Ends any key, within 60 s."""
    return answer(asdict(await state.context.api_keys.revoke(id, principal.actor)))


@router.get(f"{PROJECT_PATH}/keys", response_model=Page[KeyDocument])
async def list_keys(scope: InProject, _: Admin) -> Response:
    """The keys of the project, revoked ones too; newest first."""
    return page([asdict(key) for key in await scope.context.api_keys.list(project=scope.project)], None)


@router.post(f"{PROJECT_PATH}/keys", response_model=CreatedKey, status_code=HTTPStatus.CREATED)
async def create_key(scope: InProject, principal: Admin, body: NewKeyRequest) -> Response:
    """A new key that is bound to the project; this answer is the only place where its secret is ever shown."""
    return await _created(scope.state, body.name, scope.project, principal.actor)


@router.delete(f"{PROJECT_PATH}/keys/{{id}}", response_model=KeyDocument)
async def revoke_key(scope: InProject, principal: Admin, id: KeyId) -> Response:
    """Ends a key of the project, within 60 s."""
    key = await scope.context.api_keys.get(id)
    if key.project != scope.project:
        raise NotFound(f"there is no key {id!r} in this project")
    return answer(asdict(await scope.context.api_keys.revoke(id, principal.actor)))


@audit_router.get("/api/v1/audit", response_model=Page[AuditDocument])
async def list_all_audit(state: InState, _: Admin, limit: Limit = PAGE, cursor: Cursor = None) -> Response:
    """Every change, newest first."""
    return await _audited(state, None, limit, cursor)


@audit_router.get(f"{PROJECT_PATH}/audit", response_model=Page[AuditDocument])
async def list_audit(scope: InProject, _: Admin, limit: Limit = PAGE, cursor: Cursor = None) -> Response:
    """Every change in the project, newest first."""
    return await _audited(scope.state, scope.project, limit, cursor)


async def _created(state: State, name: str, project: str | None, actor: str) -> Response:
    made = await state.context.api_keys.create(name, project, actor)
    document: dict[str, Any] = asdict(made.key) | {"secret": made.secret}
    return answer(document, HTTPStatus.CREATED, {"Cache-Control": "no-store"})


async def _audited(state: State, project: str | None, limit: int, cursor: str | None) -> Response:
    asked = page_of(AUDIT, limit, cursor, width=1)
    before = int(asked.after[0]) if asked.after and str(asked.after[0]).isdigit() else None
    entries = await state.context.audit.list(project=project, limit=limit + 1, before=before)
    last = (entries[limit - 1].id,) if len(entries) > limit else None
    return page([asdict(entry) for entry in entries[:limit]], next_cursor(AUDIT, asked, last))
