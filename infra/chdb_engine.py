"""The embedded engine: the lock on its folder, opening it, and one fresh connection for each piece of work.

A connection costs 0.2 ms, and with it ends everything that was set in it (settings, role), so that none is used twice.
The one exception is a reader's connection that is bound to a project (`chdb_sessions`): nothing can be set in it any more.
An engine lives as long as its first connection; closing that one before the others, or leaving the process with one open, can crash it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryFile
from threading import Condition
from typing import IO, Any

import pyarrow as pa
from chdb.state.sqlitelike import Connection
from clickhouse_connect.driver.binding import format_bind_value, quote_identifier

from infra.chdb_config import OWNER, READER, connection_string
from infra.chdb_errors import plain_message
from schemas.errors import StartupError, Unavailable

_LEAST_FREE_BYTES = 64 << 20
_GRACE_SECONDS = 30.0


class Engine:
    """The one engine of this process, over one folder."""

    def __init__(self, folder: Path, memory_bytes: int) -> None:
        """Raises StartupError: folder in use, not writable, full, or damaged."""
        self._lock = _lock(folder)
        # chDB compares paths literally
        self._path = str(Path(folder, "data").resolve())
        try:
            self._first = _open(Path(self._path), memory_bytes)
        except BaseException:
            self._lock.close()
            raise
        self._change = Condition()
        self._open = True
        self._active = 0

    @contextmanager
    def connection(
        self, settings: Mapping[str, Any] | None = None, database: str = ""
    ) -> Iterator[Connection]:
        """A connection for one piece of work, with these settings. Raises Unavailable once the engine is closing."""
        with self.working():
            connection = self.connect()
            try:
                change(connection, settings)
                if database:
                    connection.query(f"USE {quote_identifier(database)}")
                yield connection
            finally:
                connection.close()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Work that closing the engine waits for. Raises Unavailable once it is closing."""
        with self._change:
            if not self._open:
                raise Unavailable("The database is closing.")
            self._active += 1
        try:
            yield
        finally:
            with self._change:
                self._active -= 1
                self._change.notify_all()

    def connect(self) -> Connection:
        """A connection that the caller closes, before the engine."""
        return Connection(self._path)

    def kill(self, condition: str) -> None:
        """Cancels the running queries for which a condition on system.processes holds; returns at once."""
        self._first.query(f"KILL QUERY WHERE {condition} ASYNC")

    def close(self) -> None:
        """Waits for the work in progress (after a grace period it is cancelled), then shuts the engine down. May be called twice."""
        with self._change:
            if not self._open:
                return
            self._open = False
            idle = self._change.wait_for(lambda: self._active == 0, timeout=_GRACE_SECONDS)
        if not idle:
            self.kill("NOT is_cancelled")
            with self._change:
                self._change.wait_for(lambda: self._active == 0, timeout=_GRACE_SECONDS)
        self._first.close()
        self._lock.close()


def run(connection: Connection, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
    """The whole result of one statement; an empty table for one that has none."""
    result = connection.query(sql, "ArrowStream", params=bound(parameters)).bytes()
    return pa.ipc.open_stream(result).read_all() if result else pa.table({})


def change(connection: Connection, settings: Mapping[str, Any] | None) -> None:
    """Sets these for the rest of the connection."""
    if settings:
        connection.query(
            "SET " + ", ".join(f"{quote_identifier(k)} = {literal(v)}" for k, v in settings.items())
        )


def literal(value: Any) -> str:
    """A setting's value in SQL. Text form suits all types: the engine converts it to the setting's own."""
    text = str(int(value) if isinstance(value, bool) else value)
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def bound(parameters: Mapping[str, Any] | None) -> dict[str, str]:
    """Values of `{name:Type}` placeholders as the engine reads them. Datetimes must know their zone; they keep their microseconds."""
    return {name: format_bind_value(_in_utc(value)) for name, value in (parameters or {}).items()}


def _in_utc(value: Any) -> Any:
    if isinstance(value, datetime):
        moment = value.astimezone(UTC).replace(tzinfo=None)
        return moment.isoformat(" ")
    if isinstance(value, (list, tuple)):
        return type(value)(_in_utc(item) for item in value)
    return value


def _lock(folder: Path) -> IO[str]:
    """Our own lock, taken first: the engine's own refusal names neither folder nor holder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = Path(folder, "lock").open("a+", encoding="ascii")  # noqa: SIM115 (held as long as the engine)
        free = disk_usage(folder).free
    except OSError as error:
        raise StartupError(f"{folder}: cannot be written ({error.strerror})") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        holder = file.read().strip()
        file.close()
        by = f"by process {holder}" if holder else "by another process"
        raise StartupError(f"{folder}: in use {by}; stop it first, or choose another data folder") from None
    if free < _LEAST_FREE_BYTES:
        file.close()
        raise StartupError(
            f"{folder}: the disk is full ({free >> 20} MiB free, {_LEAST_FREE_BYTES >> 20} MiB needed)"
        )
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _open(path: Path, memory_bytes: int) -> Connection:
    said: list[str] = []
    try:
        path.mkdir(exist_ok=True)
        with connection_string(path, memory_bytes) as text, _standard_error(said):
            connection = Connection(text)
        roles = run(connection, "SELECT currentRoles() AS held")["held"][0].as_py()
    except OSError as error:
        raise StartupError(f"{path}: cannot be written ({error.strerror})") from error
    except RuntimeError as error:
        reason = plain_message(RuntimeError("".join(said) or error))
        raise StartupError(f"{path}: the database cannot be opened: {reason}") from error
    if set(roles) != {OWNER, READER}:
        # without its roles a reader could see everything: rather not start
        connection.close()
        raise StartupError(
            f"{path}: the database did not take its configuration (is there a '?' in the path?)"
        )
    return connection


@contextmanager
def _standard_error(said: list[str]) -> Iterator[None]:
    """Keeps what is written to the process's standard error: while it opens, the engine tells the reason of a failure only there."""
    with TemporaryFile("w+", encoding="utf-8", errors="replace") as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            said.append(file.read())
