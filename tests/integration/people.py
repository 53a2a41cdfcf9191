"""What the tests of projects, keys and the audit trail share: a clock to turn and a migrated database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import URL

from infra.database import Database
from infra.database_schema import migrate


class TurnedClock:
    """A clock that only moves when told to; whoever sleeps by it moves it on."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def now(self) -> datetime:
        """The moment it was turned to."""
        return self.time

    def turn(self, seconds: float) -> None:
        """Moves on, or back."""
        self.time += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        """Passes the time at once."""
        self.turn(seconds)
        await asyncio.sleep(0)


def sqlite(path: Path) -> URL:
    """The address of a SQLite file."""
    return URL.create("sqlite", database=str(path))


@contextmanager
def opened(address: URL, clock: TurnedClock) -> Iterator[Database]:
    """The database, migrated, and closed at the end."""
    database = Database(address, clock)
    try:
        migrate(database)
        yield database
    finally:
        database.close()
