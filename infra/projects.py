"""The projects in the relational database."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from infra.database import Database
from schemas.errors import Conflict, FieldProblem, InvalidRequest, NotFound
from schemas.people import MAX_PROJECTS, PROJECT_NAME_RULE, Project, is_project_name
from schemas.ports import Clock
from schemas.tables import ProjectRow

_TOO_MANY = f"there are {MAX_PROJECTS:,} projects already; create further ones with POST /api/v1/projects"


class StoredProjects:
    """The `Projects` of the relational database. Names seen are remembered: projects are never removed."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: frozenset[str] = frozenset()

    async def ensure(self, names: Iterable[str], actor: str) -> Mapping[str, str]:
        """Makes the projects exist; returns why a name was refused, by name."""
        unseen = frozenset(names) - self._known
        if not unseen:
            return {}
        valid = frozenset(filter(is_project_name, unseen))
        refused = dict.fromkeys(unseen - valid, f"not a project name: {PROJECT_NAME_RULE}")
        return refused | await self._database.run(self._ensure, valid, actor) if valid else refused

    async def list(self, *, limit: int, after: str = "") -> Sequence[Project]:
        """Up to `limit` projects by name."""
        return await self._database.run(self._list, limit, after)

    async def get(self, name: str) -> Project:
        """The project. Raises NotFound."""
        return await self._database.run(self._get, name)

    async def create(self, name: str, actor: str) -> Project:
        """A new project. Raises InvalidRequest, Conflict."""
        if not is_project_name(name):
            raise InvalidRequest("not a project name", errors=(FieldProblem("/name", PROJECT_NAME_RULE),))
        return await self._database.run(self._create, name, actor)

    def _ensure(self, names: frozenset[str], actor: str) -> dict[str, str]:
        with self._database.change(actor) as session:
            existing = frozenset(session.scalars(select(ProjectRow.name)))
            missing = sorted(names - existing)
            room = max(0, MAX_PROJECTS - len(existing))
            session.add_all(_row(name, self._clock.now()) for name in missing[:room])
        self._known = existing.union(missing[:room])  # only now: it must be durable first
        return dict.fromkeys(missing[room:], _TOO_MANY)

    def _list(self, limit: int, after: str) -> Sequence[Project]:
        query = select(ProjectRow).where(ProjectRow.name > after).order_by(ProjectRow.name).limit(limit)
        with self._database.read() as session:
            return [_public(row) for row in session.scalars(query)]

    def _get(self, name: str) -> Project:
        with self._database.read() as session:
            row = _find(session, name)
        if row is None:
            raise NotFound(f"there is no project {name!r}")
        return _public(row)

    def _create(self, name: str, actor: str) -> Project:
        with self._database.change(actor) as session:
            if _find(session, name) is not None:
                raise Conflict(f"there is a project {name!r} already")
            row = _row(name, self._clock.now())
            session.add(row)
        return _public(row)


def _find(session: Session, name: str) -> ProjectRow | None:
    return session.scalar(select(ProjectRow).where(ProjectRow.name == name))


def _row(name: str, now: datetime) -> ProjectRow:
    return ProjectRow(id=secrets.token_hex(8), name=name, created_at=now, version=1)


def _public(row: ProjectRow) -> Project:
    return Project(id=row.id, name=row.name, created_at=row.created_at, version=row.version)
