"""Writes that failed. Somebody has to look: chDB 4.4 only counts them, and goes on as if nothing had happened.

A write that the system refuses (disk or quota full, file too large, device broken) raises nothing there: the INSERT succeeds, and
the part that it leaves has files that end early. Seen with a full disk and with RLIMIT_FSIZE; no setting of the engine prevents it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from chdb.state.sqlitelike import Connection
from clickhouse_connect.driver.binding import quote_identifier

from infra.chdb_engine import literal, run
from infra.chdb_errors import plain_message
from schemas.errors import Unavailable

_FAILED = "SELECT value FROM system.events WHERE event = 'WriteBufferFromFileDescriptorWriteFailed'"
_PARTS = (
    "SELECT name FROM system.parts WHERE database = 'default' AND table = {table:String} AND active "
    "AND toUnixTimestamp(modification_time) >= {since:UInt32}"
)


class WriteGuard:
    """Sees to it that an insert that did not reach the disk in full fails, and leaves nothing behind."""

    def __init__(self) -> None:
        self._seen = 0
        self._suspects: dict[str, int] = {}

    @contextmanager
    def watching(self, connection: Connection, table: str) -> Iterator[None]:
        """Around one insert. Raises Unavailable when the disk did not take it, or has no room yet to drop what an earlier one left."""
        self._clean(connection, table)
        # what others see meanwhile must not hide a failure of ours: it is compared with what was known before
        seen, since = self._seen, int(time.time()) - 1
        yield
        failed = _failed_writes(connection)
        self._seen = max(self._seen, failed)
        if failed > seen:
            self._suspects.setdefault(table, since)
            if self._clean(connection, table):
                raise Unavailable("The database did not take the rows: the disk refused to write them.")

    def _clean(self, connection: Connection, table: str) -> bool:
        """Whether a table under suspicion had damaged parts; it has none afterwards."""
        since = self._suspects.get(table)
        if since is None:
            return False
        try:
            dropped = _drop_damaged(connection, table, since)
        except RuntimeError as error:
            raise Unavailable(
                f"The database cannot drop rows that the disk refused: {plain_message(error)}"
            ) from error
        self._suspects.pop(table, None)
        return dropped > 0


def _failed_writes(connection: Connection) -> int:
    """How many writes have failed in this process. It also counts what was sent to readers of a stream that went away."""
    return int(connection.query(_FAILED, "TabSeparated").bytes() or 0)


def _drop_damaged(connection: Connection, table: str, since: int) -> int:
    """Drops the parts younger than `since` (seconds since 1970) that cannot be read in full, with their tokens; returns how many."""
    names = run(connection, _PARTS, {"table": table, "since": since})["name"].to_pylist()
    damaged = [name for name in names if not _whole(connection, table, name)]
    for name in damaged:
        connection.query(f"ALTER TABLE {quote_identifier(table)} DROP PART {literal(name)}")
    return len(damaged)


def _whole(connection: Connection, table: str, part: str) -> bool:
    """Whether all files of a part have the content that the engine meant to write."""
    check = f"CHECK TABLE {quote_identifier(table)} PART {literal(part)} SETTINGS check_query_single_value_result = 0"
    try:
        found = run(connection, check)
    except RuntimeError:
        return False
    return all(found["is_passed"].to_pylist())
