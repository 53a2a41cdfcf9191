"""The store as the routes read it: no query runs longer, or takes more memory, than one by a person may."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from schemas.ports import Answer, RawQuery, ReadLimits, Store
from schemas.settings import Settings


class Bounded:
    """A `Store` whose trusted queries stay within `EVALSTREAM_SQL_SECONDS` and `EVALSTREAM_SQL_MEMORY`.

    Their shape is ours, but a person's filter or search decides how much they read.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._limits = {"max_execution_time": settings.sql_seconds, "max_memory_usage": settings.sql_memory}

    def query(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
    ) -> pa.Table:
        """As the port says. Raises QueryLimit too."""
        return self._store.query(sql, parameters, settings={**self._limits, **(settings or {})})

    def insert(self, name: str, data: pa.Table, *, token: str = "") -> None:
        """As the port says."""
        self._store.insert(name, data, token=token)

    def stream(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[pa.RecordBatch]:
        """As the port says."""
        return self._store.stream(sql, parameters)

    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """As the port says."""
        self._store.command(sql, parameters)

    def read(
        self,
        project: str,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        limits: ReadLimits | None = None,
    ) -> pa.Table:
        """As the port says."""
        return self._store.read(project, sql, parameters, limits=limits)

    def answer(self, project: str, query: RawQuery, limits: ReadLimits) -> Answer:
        """As the port says."""
        return self._store.answer(project, query, limits)

    def answer_trusted(self, query: RawQuery) -> Answer:
        """As the port says."""
        return self._store.answer_trusted(query)

    def load(self, query: RawQuery, data: Iterator[bytes]) -> int:
        """As the port says."""
        return self._store.load(query, data)

    def close(self) -> None:
        """As the port says."""
        self._store.close()
