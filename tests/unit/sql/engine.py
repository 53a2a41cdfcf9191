"""The real engine in memory, with the tables that people may read and some that they may not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import chdb
import pyarrow as pa

from schemas.spans import PUBLIC

SECRET = "secret-of-another-project"

_SPANS = ", ".join(f"`{column.name}` {column.clickhouse}" for column in PUBLIC)
_TABLES = (
    f"CREATE TABLE spans ({_SPANS}) ENGINE = MergeTree ORDER BY start_time",
    "CREATE TABLE scores (project String, id String, name String, target_type String, trace_id String, span_id String, "
    "value Nullable(Float64), label String, outcome String, shadow Bool, deleted Bool, source String, evaluator String, "
    "created_at DateTime64(9, 'UTC')) ENGINE = MergeTree ORDER BY id",
    "CREATE VIEW traces AS SELECT trace_id, any(trace_name) AS name, min(start_time) AS start_time, count() AS span_count, "
    "sum(cost) AS cost, any(user_id) AS user_id FROM spans GROUP BY trace_id",
    "CREATE VIEW sessions AS SELECT session_id, uniqExact(trace_id) AS traces FROM spans GROUP BY session_id",
    "CREATE TABLE logs (project String, time DateTime64(9, 'UTC'), trace_id String, span_id String, event_name String, "
    "severity String, body String, attributes Map(String, String), joined Bool) ENGINE = MergeTree ORDER BY time",
    "CREATE DATABASE store",
    f"CREATE TABLE store.spans ENGINE = Memory AS SELECT '{SECRET}' AS name",
    f"CREATE TABLE secret ENGINE = Memory AS SELECT '{SECRET}' AS name",
)


class Engine:
    """The part of the port `Store` that judging needs, on chDB in memory.

    Each query has a connection of its own: one that two threads share mixes up their parameters, and after a failed query it
    begins the next answer with what the failed one had written.
    """

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """The whole result of a SELECT."""
        shown = {name: _shown(value) for name, value in (parameters or {}).items()}
        with _connection() as connection:
            answer = connection.query(sql, "Arrow", params=shown).bytes()
        return pa.ipc.open_file(pa.py_buffer(answer)).read_all()

    def read(
        self, sql: str, parameters: Mapping[str, Any] | None = None, *, max_rows: int = 10_000
    ) -> pa.Table:
        """The result as `Store.read` gives it: cut, with ClickHouse types and `truncated` in the metadata."""
        table = self.query(sql, parameters)
        kinds = self.query(f"DESCRIBE ({sql})", parameters).column("type").to_pylist()
        fields = [
            f.with_metadata({"clickhouse_type": kind}) for f, kind in zip(table.schema, kinds, strict=True)
        ]
        metadata = {"truncated": str(int(table.num_rows > max_rows))}
        return pa.table(table.columns, schema=pa.schema(fields, metadata)).slice(0, max_rows)

    def command(self, sql: str) -> None:
        """Runs a statement that returns no rows."""
        with _connection() as connection:
            connection.query(sql)

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The result as Python rows."""
        rows: list[dict[str, Any]] = self.query(sql, parameters).to_pylist()
        return rows


@contextmanager
def opened() -> Iterator[Engine]:
    """The engine with its tables, which live as long as the first connection; only one may be open in a process."""
    with _connection():
        engine = Engine()
        for statement in _TABLES:
            engine.command(statement)
        yield engine


@contextmanager
def _connection() -> Iterator[Any]:
    connection = chdb.connect(":memory:")  # type: ignore[no-untyped-call]
    try:
        yield connection
    finally:
        connection.close()


def _shown(value: Any) -> str:
    """A parameter's value as the engine reads it."""
    if isinstance(value, list):
        return "[" + ",".join(f"'{item}'" if isinstance(item, str) else str(item) for item in value) + "]"
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
