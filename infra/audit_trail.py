"""Reads the audit table, and records in it what is changed elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sqlalchemy import select

from infra.audit import note_change
from infra.database import Database
from schemas.people import AuditAction, AuditEntry
from schemas.tables import AuditRow


class StoredAuditTrail:
    """The `AuditTrail` of the relational database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self, *, project: str | None = None, limit: int, before: int | None = None
    ) -> Sequence[AuditEntry]:
        """Up to `limit` entries, newest first."""
        return await self._database.run(self._list, project, limit, before)

    async def record(
        self,
        action: AuditAction,
        resource: str,
        resource_id: str,
        *,
        actor: str,
        project: str | None = None,
    ) -> None:
        """Adds an entry in a transaction of its own. Raises Unavailable."""
        await self._database.run(self._record, action, resource, resource_id, actor, project)

    def _record(
        self, action: AuditAction, resource: str, resource_id: str, actor: str, project: str | None
    ) -> None:
        with self._database.change(actor) as session:
            note_change(session, action, resource, resource_id, project)

    def _list(self, project: str | None, limit: int, before: int | None) -> Sequence[AuditEntry]:
        query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
        if project is not None:
            query = query.where(AuditRow.project == project)
        if before is not None:
            query = query.where(AuditRow.id < before)
        with self._database.read() as session:
            return [_public(row) for row in session.scalars(query)]


def _public(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        id=row.id,
        at=row.at,
        actor=row.actor,
        action=cast("AuditAction", row.action),
        resource=row.resource_type,
        resource_id=row.resource_id,
        project=row.project,
        before=row.before,
        after=row.after,
    )
