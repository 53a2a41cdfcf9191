"""The file of the SQLite event log: how it is opened, its tables, its transactions, and what its errors mean.

The payloads stand apart from what is known about them, so that counting and finding records never reads a payload's pages.
Times are whole microseconds since 1970, UTC; positions start at 1.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from schemas.errors import StartupError, Unavailable

VERSION = 1
SHRINK_FREE, SHRINK_KEPT = 256 << 20, 64 << 20
"""The file is rewritten when this many bytes of it are free and no more than that are in use."""
BUSY_SECONDS = 5.0
"""How long to wait for another program that holds the file."""

# Pages of 16 KiB: half the CPU of 4 KiB on large payloads, half the bytes written of 64 KiB on small ones.
# A checkpoint each 64 MiB finds most pages trimmed and used again, so a payload that is read soon is written about once.
_WRITER = """
PRAGMA page_size = 16384;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA secure_delete = OFF;
PRAGMA wal_autocheckpoint = 4096;
PRAGMA journal_size_limit = 67108864;
PRAGMA cache_size = -32768;
"""
_TABLES = f"""
BEGIN IMMEDIATE;
CREATE TABLE records (
    topic TEXT NOT NULL, position INTEGER NOT NULL, rows INTEGER NOT NULL, counts TEXT NOT NULL,
    appended_at INTEGER NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (topic, position)
) WITHOUT ROWID;
CREATE TABLE payloads (position INTEGER PRIMARY KEY AUTOINCREMENT, payload BLOB NOT NULL);
CREATE TABLE groups (
    name TEXT NOT NULL, topic TEXT NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (name, topic)
) WITHOUT ROWID;
CREATE TABLE tallies (
    project TEXT NOT NULL, counter TEXT NOT NULL, amount INTEGER NOT NULL, PRIMARY KEY (project, counter)
) WITHOUT ROWID;
PRAGMA user_version = {VERSION};
COMMIT;
"""


def open_writer(path: Path) -> sqlite3.Connection:
    """The connection that writes; creates the tables. Raises sqlite3.Error, or StartupError when the file is of a newer version."""
    with contextlib.ExitStack() as undo:
        connection = undo.enter_context(contextlib.closing(_connect(path)))
        connection.executescript(_WRITER)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise StartupError(
                f"event log {path}: of a newer version of Evalstream (format {version}, known: {VERSION})"
            )
        if version == 0:
            connection.executescript(_TABLES)
        # a lock that another program holds shows here, and not at the first append
        connection.executescript("BEGIN IMMEDIATE; COMMIT")
        undo.pop_all()
        return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that only reads; may move between threads."""
    connection = _connect(path)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; durable when it ends."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # a full disk ends the transaction by itself
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """What is read within is of one moment."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def failure(error: sqlite3.Error, path: str) -> Unavailable:
    """What a failed statement means to the caller."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return Unavailable(
            f"The event log cannot be written: the disk that holds {path} is full.", retry_after=10
        )
    if code == sqlite3.SQLITE_READONLY:
        return Unavailable(f"The event log cannot be written: {path} is read-only.", retry_after=10)
    return Unavailable(f"The event log {path} cannot be used: {error}.")


def shrink(connection: sqlite3.Connection) -> None:
    """Gives free pages back to the file system, when that is much and little has to be moved for it. Not in a transaction."""
    (page,) = connection.execute("PRAGMA page_size").fetchone()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    if free * page > SHRINK_FREE and (pages - free) * page < SHRINK_KEPT:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
