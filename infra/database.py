"""The relational database, SQLite or PostgreSQL: sessions that read, and changes that cannot skip the audit.

Changes run one at a time in either database (SQLite: BEGIN IMMEDIATE, PostgreSQL: an advisory lock). They are
few, and so two of them never race and audit ids grow in the order of commits. Reads run beside them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError as BadUrl
from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from infra.audit import audit_changes, forbid_changes
from schemas.errors import StartupError, Unavailable
from schemas.ports import Clock
from schemas.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

_BUSY_SECONDS = 5
_CHANGE_LOCK = 0x6576616C  # "eval": the advisory lock that changes hold on PostgreSQL
_PRAGMAS = (
    f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
)


def address(settings: Settings) -> URL:
    """Where the database is: the setting, else SQLite in the data folder. Raises StartupError."""
    if not settings.database_url:
        return URL.create("sqlite", database=str(settings.data_dir / "evalstream.db"))
    try:
        url = make_url(settings.database_url)
    except BadUrl as error:
        raise StartupError("EVALSTREAM_DATABASE_URL: not a SQLAlchemy URL") from error
    return url.set(drivername="postgresql+psycopg") if url.drivername in {"postgres", "postgresql"} else url


class Database:
    """Sessions over one database. Thread-safe. Sessions block: from an event loop go through `run`."""

    def __init__(self, url: URL, clock: Clock) -> None:
        self.engine = _engine(url)
        self._readers = sessionmaker(self.engine, expire_on_commit=False)
        self._writers = sessionmaker(self.engine.execution_options(change=True), expire_on_commit=False)
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="database")
        forbid_changes(self._readers)
        audit_changes(self._writers, clock)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session to read with. Raises Unavailable; RuntimeError when something was changed with it."""
        with unavailable(), self._readers() as session:
            yield session
            session.flush()

    @contextmanager
    def change(self, actor: str) -> Iterator[Session]:
        """A transaction in the name of `actor`, committed with its audit rows, or rolled back with them.

        Add, alter and delete mapped objects; who, what, before and after are recorded by themselves, and
        statements that would get past that raise RuntimeError. Raises Unavailable; IntegrityError when a
        constraint is broken.
        """
        with unavailable(), self._writers.begin() as session:
            session.info["actor"] = actor
            yield session

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs blocking work on the database's own few threads, which no slow query elsewhere can hold up."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: work(*args, **kwargs))

    def close(self) -> None:
        """Waits for running work and closes the connections."""
        self._threads.shutdown()
        self.engine.dispose()


@contextmanager
def unavailable() -> Iterator[None]:
    """Turns a database that does not answer, is locked, full, read-only or damaged into Unavailable."""
    try:
        yield
    except (IntegrityError, ProgrammingError, DataError):
        raise
    except (DatabaseError, InterfaceError) as error:
        reason = " ".join(str(error.orig).split())  # PostgreSQL's run over several lines
        raise Unavailable(f"the relational database does not take this now: {reason}") from error
    except PoolTimeout as error:
        raise Unavailable("the relational database has no free connection") from error


def _engine(url: URL) -> Engine:
    sqlite = url.get_backend_name() == "sqlite"
    waits = {"timeout": _BUSY_SECONDS} if sqlite else {"connect_timeout": _BUSY_SECONDS}
    try:
        engine = create_engine(url, connect_args=waits, pool_pre_ping=not sqlite, pool_timeout=_BUSY_SECONDS)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise StartupError(f"EVALSTREAM_DATABASE_URL: {error}") from error
    if sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite if sqlite else _begin_postgresql)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver would begin late, and never for DDL
    for pragma in _PRAGMAS:
        connection.cursor().execute(pragma)


def _begin_sqlite(connection: Connection) -> None:
    changes = connection.get_execution_options().get("change")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if changes else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get("change"):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_CHANGE_LOCK})")
