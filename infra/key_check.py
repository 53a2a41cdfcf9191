"""Checks keys against a copy of all valid ones in memory.

The whole table is small, so it is read as one: a known key costs a dictionary look-up and a hash, unknown
keys cannot fill any cache, and however many are tried they cost one query a second.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import select

from infra.database import Database
from infra.keys import digest, prefix
from schemas.errors import Unavailable
from schemas.people import Principal, Scope
from schemas.ports import Clock
from schemas.tables import KeyRow

REFRESH_AFTER = timedelta(seconds=20)
"""Age at which the copy is renewed in the background."""
EXPIRES_AFTER = timedelta(seconds=55)
"""Age at which a request waits for the renewal; with `PATIENCE` below the promised 60 s."""
PATIENCE = 2.0
"""Seconds that a known key waits for a database that does not answer."""
SPACING = 1.0
"""Seconds between the beginnings of two reads."""

_Owners = Mapping[str, tuple[bytes, Principal]]


class StoredKeyCheck:
    """The `KeyCheck` of the relational database. One for each event loop."""

    def __init__(
        self, database: Database, clock: Clock, *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._database = database
        self._clock = clock
        self._sleep = sleep
        self._owners: _Owners = {}
        self._read_at: datetime | None = None
        self._tried_at: datetime | None = None
        self._down = False
        self._next: asyncio.Task[Unavailable | None] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def check(self, key: str | None) -> Principal | None:
        """The key's owner. Raises Unavailable for an unseen key while the database is down."""
        shown = prefix(key) if key is not None else None
        if key is None or shown is None:
            return None
        await self._keep_fresh()
        if (owner := self._owner(shown, key)) is not None:
            return owner
        if failure := await asyncio.shield(self._next_read()):
            raise Unavailable(failure.detail)
        return self._owner(shown, key)

    def _owner(self, shown: str, key: str) -> Principal | None:
        expected, owner = self._owners.get(shown, (b"", None))
        return owner if hmac.compare_digest(expected, digest(key)) else None

    async def _keep_fresh(self) -> None:
        if self._read_at is None:
            return
        age = self._clock.now() - self._read_at
        if timedelta(0) <= age < REFRESH_AFTER:
            return
        if self._down or timedelta(0) <= age < EXPIRES_AFTER:
            if not self._one_at_a_time.locked():
                _ = self._next_read()  # in the background
            return
        done, _ = await asyncio.wait({self._next_read()}, timeout=PATIENCE)
        if not done:
            self._down = True  # then the old copy is served at once, until a read succeeds

    def _next_read(self) -> asyncio.Task[Unavailable | None]:
        """A read of the table that has not begun yet: it will see every key that exists now."""
        if self._next is None:
            self._next = asyncio.create_task(self._read())
        return self._next

    async def _read(self) -> Unavailable | None:
        """Renews the copy; returns what prevented it."""
        async with self._one_at_a_time:
            await self._space()
            self._next = None
            self._tried_at = began = self._clock.now()
            try:
                self._owners = await self._database.run(self._valid)
            except Unavailable as failure:
                self._down = True
                return failure
            self._read_at, self._down = began, False
            return None

    async def _space(self) -> None:
        since = (self._clock.now() - self._tried_at).total_seconds() if self._tried_at else SPACING
        if 0 <= since < SPACING:
            await self._sleep(SPACING - since)

    def _valid(self) -> _Owners:
        query = select(KeyRow).where(KeyRow.revoked_at.is_(None))
        with self._database.read() as session:
            return {row.prefix: (row.hash, _principal(row)) for row in session.scalars(query)}


def _principal(row: KeyRow) -> Principal:
    return Principal(actor=f"key:{row.id}", scope=cast("Scope", row.scope), project=row.project)
