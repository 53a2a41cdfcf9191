"""Remembers the answers of POSTs in the relational database."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete

from infra.database import Database
from schemas.errors import Conflict
from schemas.people import SYSTEM, Answer, Attempt
from schemas.ports import Clock
from schemas.tables import IdempotencyRow

KEPT = timedelta(hours=24)
"""How long an answer is repeated."""
GIVEN_UP = timedelta(seconds=60)
"""Age at which a claim without an answer counts as dead."""


class StoredIdempotency:
    """The `Idempotency` of the relational database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def claim(self, attempt: Attempt) -> Answer | None:
        """The answer given before, or None: the attempt is the caller's. Raises Conflict."""
        return await self._database.run(self._claim, attempt)

    async def settle(self, attempt: Attempt, answer: Answer) -> None:
        """Keeps the answer."""
        await self._database.run(self._settle, attempt, answer)

    async def release(self, attempt: Attempt) -> None:
        """Forgets the attempt."""
        await self._database.run(self._release, attempt)

    def _claim(self, attempt: Attempt) -> Answer | None:
        now = self._clock.now()
        with self._database.change(SYSTEM) as session:
            session.execute(delete(IdempotencyRow).where(IdempotencyRow.created_at <= now - KEPT))
            row = session.get(IdempotencyRow, _identity(attempt))
            if row is None or (row.status is None and now - row.created_at >= GIVEN_UP):
                session.merge(_claimed(attempt, self._clock))
                return None
            return _repeat(row, attempt)

    def _settle(self, attempt: Attempt, answer: Answer) -> None:
        with self._database.change(SYSTEM) as session:
            row = session.get_one(IdempotencyRow, _identity(attempt))
            row.status, row.headers, row.body = answer.status, dict(answer.headers), answer.body

    def _release(self, attempt: Attempt) -> None:
        with self._database.change(SYSTEM) as session:
            if (row := session.get(IdempotencyRow, _identity(attempt))) is not None:
                session.delete(row)


def _claimed(attempt: Attempt, clock: Clock) -> IdempotencyRow:
    return IdempotencyRow(
        project=attempt.project,
        route=attempt.route,
        key=attempt.key,
        fingerprint=attempt.fingerprint,
        status=None,
        headers={},
        body=b"",
        created_at=clock.now(),
    )


def _repeat(row: IdempotencyRow, attempt: Attempt) -> Answer:
    if row.fingerprint != attempt.fingerprint:
        raise Conflict("this Idempotency-Key was used with another body")
    if row.status is None:
        raise Conflict("the first request with this Idempotency-Key is still in work")
    return Answer(row.status, row.headers, row.body)


def _identity(attempt: Attempt) -> tuple[str, str, str]:
    return (attempt.project, attempt.route, attempt.key)
