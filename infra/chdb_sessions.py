"""Connections of readers, each bound to one project by `readonly`, and kept for that project's next query.

Preparing a connection costs as much as a small query (0.4 ms). Nothing can be changed in it afterwards, so that using it again
for the same project and settings is like a fresh one, as long as its queries succeed: after a failure the engine may give
the next query what was left of the last one's rows. So it is kept only when the answer was read to its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

from chdb.state.sqlitelike import Connection

from infra.chdb_config import PROJECT_SETTING, READER
from infra.chdb_engine import Engine, change
from schemas.ports import ReadLimits

_KEPT = 16
"""Most connections that lie idle."""
_USES = 1_000
"""Queries after which a connection is closed: what the engine keeps for it shall not grow for ever."""

_STREAMING = {
    # blocks of this size stream in flat memory, and are no slower
    "max_block_size": 16_384,
    "output_format_parallel_formatting": 0,
    "output_format_arrow_parallel_encoding": 0,
    "output_format_parquet_parallel_encoding": 0,
    # what the engine notes of a query for tables that nobody reads here
    "log_queries": 0,
    "log_processors_profiles": 0,
    "log_query_threads": 0,
    "calculate_text_stack_trace": 0,
    "query_profiler_real_time_period_ns": 0,
    "query_profiler_cpu_time_period_ns": 0,
}

_Key = tuple[str, ReadLimits, tuple[tuple[str, str], ...]]


@dataclass(slots=True)
class Session:
    """A connection with all that is set in it, and how often it was used."""

    key: _Key
    connection: Connection
    uses: int = 0


class Sessions:
    """Readers' connections. Thread-safe; each is used by one thread at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle: list[Session] = []  # the longest idle first
        self._lock = Lock()
        self._open = True

    def take(self, project: str, limits: ReadLimits, settings: Mapping[str, str]) -> Session:
        """A connection in which nothing but SELECT for this project is possible. To be taken while `engine.working()`."""
        key = (project, limits, tuple(sorted(settings.items())))
        with self._lock:
            for place in range(len(self._idle) - 1, -1, -1):
                if self._idle[place].key == key:
                    return self._idle.pop(place)
        return Session(key, self._made(project, limits, settings))

    def give(self, session: Session, *, clean: bool) -> None:
        """Takes a connection back; `clean` when its query succeeded and was read to its end."""
        session.uses += 1
        surplus = [session]
        with self._lock:
            if clean and self._open and session.uses < _USES:
                self._idle.append(session)
                surplus = [self._idle.pop(0)] if len(self._idle) > _KEPT else []
        for each in surplus:
            each.connection.close()

    def close(self) -> None:
        """Closes all that are idle, and keeps none from now on."""
        with self._lock:
            self._open = False
            idle, self._idle = self._idle, []
        for session in idle:
            session.connection.close()

    def _made(self, project: str, limits: ReadLimits, settings: Mapping[str, str]) -> Connection:
        connection = self._engine.connect()
        try:
            connection.query(f"SET ROLE {READER}")
            # in one statement, so that there is no moment in which some of them hold; `readonly` last and for ever
            change(
                connection,
                {**_STREAMING, **settings, **_bounds(limits), PROJECT_SETTING: project, "readonly": 1},
            )
        except BaseException:
            connection.close()
            raise
        return connection


def _bounds(limits: ReadLimits) -> dict[str, object]:
    return {
        "max_execution_time": limits.seconds,
        "max_memory_usage": limits.memory_bytes,
        "max_threads": limits.threads,
        "max_result_rows": limits.result_rows,
        "max_result_bytes": limits.result_bytes,
    }
