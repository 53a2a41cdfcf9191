"""Answers as bytes with flat memory: the engine writes any of its formats into a pipe, we read from the other end.

`query` of chDB holds the whole result, `send_query` repeats header and footer in each chunk and gives nothing for zero rows.
Source of the trick: `INTO OUTFILE … APPEND` on `/dev/fd/N`.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from threading import Lock
from uuid import uuid4

from chdb.state.sqlitelike import Connection

from infra.chdb_engine import Engine
from infra.chdb_errors import query_error
from schemas.errors import Unavailable
from schemas.ports import RawQuery

PIPE_BYTES = 1 << 20
"""What the engine may write ahead of the reader; the usual 64 KiB would wake both sides too often."""
_PATIENCE = 0.05
"""Seconds between two attempts to cancel: a query that has not begun yet cannot be found."""
_ATTEMPTS = 3
_SET_PIPE_SIZE = getattr(fcntl, "F_SETPIPE_SZ", None)

Lend = Callable[[], AbstractContextManager[Connection]]
"""Lends a connection for the length of one query, and closes or keeps it afterwards."""


class PipedAnswer:
    """A running SELECT. See `schemas.ports.Answer`."""

    def __init__(self, engine: Engine, threads: ThreadPoolExecutor, lend: Lend, query: RawQuery) -> None:
        self._engine = engine
        self._threads = threads
        self._lend = lend
        self._query = query
        self._mark = f"answer {uuid4().hex}"
        self._outcome: Future[None] = Future()
        self._cancelled = False
        self._ended = False
        self._lock = Lock()  # over the beginning, and over the life of the read end
        self._begun = False
        self._read_end, self._write_end = os.pipe()
        if _SET_PIPE_SIZE is not None:
            with suppress(OSError):  # over the user's quota of pipe memory: then it stays small
                fcntl.fcntl(self._write_end, _SET_PIPE_SIZE, PIPE_BYTES)

    def run(self) -> None:
        """As the port says."""
        if self._begin():
            self._write()

    def read(self, most: int = 1 << 20) -> bytes:
        """As the port says."""
        if self._ended:
            return b""
        if self._begin():
            self._threads.submit(self._write)
        found = os.read(self._read_end, most)
        if not found:
            self._end()
            self._raise()
        return found

    def cancel(self) -> None:
        """As the port says."""
        self._cancelled = True
        for _ in range(_ATTEMPTS):
            if not self._begun or self._outcome.done():
                return
            self._engine.kill(f"query LIKE '/* {self._mark} */%'")
            if self._finished(_PATIENCE):
                return

    def close(self) -> None:
        """As the port says."""
        self._cancelled = self._cancelled or not self._outcome.done()
        if self._begin():
            self._write()  # cancelled: only lets go
        self._end()
        while not self._finished(None if not self._cancelled else 0):
            self.cancel()

    def _begin(self) -> bool:
        """Whether this call is the one that begins."""
        if self._begun:
            return False
        with self._lock:
            first, self._begun = not self._begun, True
        return first

    def _end(self) -> None:
        """Closes the read end: a writer that waits for room gives up."""
        with self._lock:
            if not self._ended:
                self._ended = True
                os.close(self._read_end)

    def _finished(self, seconds: float | None) -> bool:
        try:
            self._outcome.exception(seconds)
        except TimeoutError:
            return False
        return True

    def _raise(self) -> None:
        failure = self._outcome.exception()
        if isinstance(failure, RuntimeError):
            raise query_error(failure)
        if failure is not None:
            raise failure

    def _write(self) -> None:
        """Runs the query. What it raises is kept for the reader."""
        failure = None
        try:
            self._queried()
        except BaseException as error:  # noqa: BLE001 (raised again by the thread that reads)
            failure = error.with_traceback(None)  # its frames hold this answer
        finally:
            os.close(self._write_end)
        if failure is None:
            self._outcome.set_result(None)
        else:
            self._outcome.set_exception(failure)

    def _queried(self) -> None:
        if self._cancelled:
            raise _cancelled()
        target = f"\nINTO OUTFILE '/dev/fd/{self._write_end}' APPEND FORMAT {self._query.format}"
        with self._lend() as connection:
            if self._cancelled:
                raise _cancelled()
            text = f"/* {self._mark} */ {self._query.sql}{target}"
            connection.query(text, "Null", params=dict(self._query.parameters))


def _cancelled() -> Unavailable:
    error = Unavailable("The query was cancelled.")
    error.engine_code = 394  # QUERY_WAS_CANCELLED
    return error


class WholeAnswer:
    """An answer that is there already."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def run(self) -> None:
        """It has run."""

    def read(self, most: int = 1 << 20) -> bytes:
        """As the port says."""
        found, self._content = self._content[:most], self._content[most:]
        return found

    def cancel(self) -> None:
        """There is nothing to cancel."""

    def close(self) -> None:
        """There is nothing to release."""
