"""The API keys in the relational database.

A key is `es_<scope>_<40 random letters and digits>`. Only a plain SHA-256 of it is kept: 238 random bits
cannot be guessed, so the slow, salted hashes made for passwords would add nothing but time to each check.
"""

from __future__ import annotations

import hashlib
import secrets
import string
from collections.abc import Sequence
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from infra.database import Database
from schemas.errors import FieldProblem, InvalidRequest, NotFound
from schemas.people import SYSTEM, ApiKey, NewKey, Scope
from schemas.ports import Clock
from schemas.tables import KeyRow, ProjectRow

_ALPHABET = string.ascii_letters + string.digits
_RANDOM_LENGTH = 40
_SHOWN = 8  # characters of the random part that people see; 32 stay secret
_FIRST_KEY = "first admin key"


def digest(secret: str) -> bytes:
    """What is kept of a key: 32 bytes."""
    return hashlib.sha256(secret.encode()).digest()


def prefix(secret: str) -> str | None:
    """The part of a key that is not secret; None when the text has not the shape of a key."""
    company, _, rest = secret.partition("_")
    scope, _, random = rest.partition("_")
    shaped = company == "es" and scope in {"admin", "project"} and len(random) == _RANDOM_LENGTH
    if not shaped or not secret.isascii():
        return None
    return secret[: _SHOWN - _RANDOM_LENGTH]


class StoredKeys:
    """The `ApiKeys` of the relational database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(self, name: str, project: str | None, actor: str) -> NewKey:
        """A new key. Raises NotFound, InvalidRequest."""
        if not (0 < len(name) <= 100 and name.isprintable()):
            problem = FieldProblem("/name", "1 to 100 printable characters")
            raise InvalidRequest("not a name for a key", errors=(problem,))
        return await self._database.run(self._create, name, project, actor)

    async def list(self, *, project: str | None = None) -> Sequence[ApiKey]:
        """The keys, newest first."""
        return await self._database.run(self._list, project)

    async def get(self, id: str) -> ApiKey:
        """The key. Raises NotFound."""
        return await self._database.run(self._get, id)

    async def revoke(self, id: str, actor: str) -> ApiKey:
        """Ends the key. Raises NotFound."""
        return await self._database.run(self._revoke, id, actor)

    async def ensure_admin_key(self) -> str | None:
        """The secret of a first admin key, when no valid admin key exists."""
        return await self._database.run(self._ensure_admin_key)

    def _create(self, name: str, project: str | None, actor: str) -> NewKey:
        with self._database.change(actor) as session:
            found = session.scalar(select(ProjectRow.id).where(ProjectRow.name == project))
            if project is not None and found is None:
                raise NotFound(f"there is no project {project!r}")
            return self._add(session, name, project)

    def _list(self, project: str | None) -> Sequence[ApiKey]:
        query = select(KeyRow).order_by(KeyRow.created_at.desc(), KeyRow.id)
        if project is not None:
            query = query.where(KeyRow.project == project)
        with self._database.read() as session:
            return [_public(row) for row in session.scalars(query)]

    def _get(self, id: str) -> ApiKey:
        with self._database.read() as session:
            return _public(_find(session, id))

    def _revoke(self, id: str, actor: str) -> ApiKey:
        with self._database.change(actor) as session:
            row = _find(session, id)
            row.revoked_at = row.revoked_at or self._clock.now()
        return _public(row)

    def _ensure_admin_key(self) -> str | None:
        valid = select(KeyRow.id).where(KeyRow.scope == "admin", KeyRow.revoked_at.is_(None)).limit(1)
        with self._database.change(SYSTEM) as session:
            return None if session.scalar(valid) else self._add(session, _FIRST_KEY, None).secret

    def _add(self, session: Session, name: str, project: str | None) -> NewKey:
        scope: Scope = "admin" if project is None else "project"
        secret = f"es_{scope}_" + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
        row = KeyRow(
            id=secrets.token_hex(8),
            name=name,
            scope=scope,
            project=project,
            hash=digest(secret),
            prefix=secret[: _SHOWN - _RANDOM_LENGTH],
            created_at=self._clock.now(),
            revoked_at=None,
        )
        session.add(row)
        return NewKey(_public(row), secret)


def _find(session: Session, id: str) -> KeyRow:
    row = session.get(KeyRow, id)
    if row is None:
        raise NotFound(f"there is no key {id!r}")
    return row


def _public(row: KeyRow) -> ApiKey:
    scope = cast("Scope", row.scope)
    return ApiKey(row.id, row.name, scope, row.project, row.prefix, row.created_at, row.revoked_at)
