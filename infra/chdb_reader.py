"""Queries of people, behind the judge in api/sql: one SELECT only, as a role that may read nothing but the views, under limits.

Four things hold together, each where another fails. The text is one statement (`chdb_select`). The role sees only the views. The
views show only the project that stands in a setting, and `readonly` locks all settings. The engine's tables about what runs are empty
for whoever is locked so (`chdb_config`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from chdb.state.sqlitelike import Connection

from infra.chdb_config import PROJECT_SETTING, READER
from infra.chdb_engine import change, run
from schemas.errors import QueryLimit
from schemas.ports import ReadLimits

_DATETIME = re.compile(r"(?:LowCardinality\()?(?:Nullable\()?DateTime(?:\('([^']+)'\))?\)*$")


def read(
    connection: Connection, project: str, sql: str, parameters: Mapping[str, Any] | None, limits: ReadLimits
) -> pa.Table:
    """The result, as the Store port promises it, of a text that is one SELECT. Uses the connection up: it stays a reader's."""
    change(connection, _settings(project, limits))
    connection.query(f"SET ROLE {READER}")
    change(connection, {"readonly": 1})
    types = run(connection, f"DESCRIBE TABLE ({sql})", parameters)
    rows = run(connection, sql, parameters)
    if rows.nbytes > limits.result_bytes:
        # the engine itself counts a column of one repeated value as one value
        raise QueryLimit("The query has a result that is too large.")
    table = _typed(rows, types["name"].to_pylist(), types["type"].to_pylist())
    truncated = len(table) > limits.result_rows
    return table.slice(0, limits.result_rows).replace_schema_metadata({"truncated": str(int(truncated))})


def _settings(project: str, limits: ReadLimits) -> dict[str, Any]:
    return {
        PROJECT_SETTING: project,
        "max_execution_time": limits.seconds,
        "max_memory_usage": limits.memory_bytes,
        "max_threads": limits.threads,
        "max_result_bytes": limits.result_bytes,
        # one more than may be shown tells that there were more; result_overflow_mode = 'break' cuts at whole blocks only
        "limit": limits.result_rows + 1,
    }


def _typed(table: pa.Table, names: list[str], types: list[str]) -> pa.Table:
    """The table with the ClickHouse type of each column in its field's metadata, and real times where Arrow output has seconds."""
    columns, fields = [], []
    for column, name, kind in zip(table.columns, names, types, strict=True):
        if found := _DATETIME.match(kind):
            column = column.cast(pa.int64()).cast(pa.timestamp("s", tz=found[1] or "UTC"))
        columns.append(column)
        fields.append(pa.field(name, column.type, metadata={"clickhouse_type": kind}))
    return pa.table(columns, schema=pa.schema(fields))
