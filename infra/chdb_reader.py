"""Queries of people, behind the vetting at the edge: one SELECT only, as a role that may read nothing but the views, under limits.

Three things hold together. The role sees only the views. The views show only the project that stands in a setting, and `readonly`
locks all settings. And because nothing stops a second statement from taking the owner's role back, the text is parsed by the engine
itself first, and what runs is what its parser wrote back, not what was sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pyarrow as pa
from chdb.state.sqlitelike import Connection

from infra.chdb_config import PROJECT_SETTING, READER
from infra.chdb_engine import change, run
from schemas.errors import InvalidQuery, QueryLimit
from schemas.ports import ReadLimits

_PARSE = "SELECT parseQueryToJSON({text:String}) AS tree, formatQueryFromJSON(tree) AS sql"
_FORBIDDEN_FUNCTIONS = {"file"}
"""Reads files of this machine, and no grant governs it."""
_TABLE_FUNCTIONS = {
    "numbers",
    "numbers_mt",
    "zeros",
    "zeros_mt",
    "generate_series",
    "generateseries",
    "values",
}
"""Make rows out of nothing. Some of the others are not stopped by the role: `Python` looks into this process."""
_DATETIME = re.compile(r"(?:LowCardinality\()?(?:Nullable\()?DateTime(?:\('([^']+)'\))?\)*$")


def read(
    connection: Connection, project: str, sql: str, parameters: Mapping[str, Any] | None, limits: ReadLimits
) -> pa.Table:
    """The result as the Store port promises it. Uses the connection up: it stays a reader's."""
    text = _one_select(connection, sql)
    change(connection, _settings(project, limits))
    connection.query(f"SET ROLE {READER}")
    change(connection, {"readonly": 1})
    types = run(connection, f"DESCRIBE TABLE ({text})", parameters)
    rows = run(connection, text, parameters)
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


def _one_select(connection: Connection, sql: str) -> str:
    """The text as the engine's parser writes it, when it is one SELECT that stays within the database. Raises InvalidQuery."""
    parsed = run(connection, _PARSE, {"text": sql})
    tree = orjson.loads(parsed["tree"][0].as_py())
    if tree["type"] != "SelectWithUnionQuery":
        raise InvalidQuery("Only SELECT is allowed here.")
    if "format_ast" in tree or "out_file" in tree:
        raise InvalidQuery("FORMAT and INTO OUTFILE are not allowed here; ask for a format with the request.")
    for node in _nodes(tree):
        _check(node)
    return str(parsed["sql"][0].as_py())


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """All objects of the tree."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _check(node: Mapping[str, Any]) -> None:
    kind, name = node.get("type"), str(node.get("name", ""))
    first, *rest = node.get("name_parts") or [name]
    if kind == "Function" and name.lower() in _FORBIDDEN_FUNCTIONS:
        raise InvalidQuery(f"The function {name} is not allowed here.")
    if "settings" in node:
        raise InvalidQuery("SETTINGS are not allowed here.")
    made_by = node.get("table_function", {}).get("name", "numbers")
    if made_by.lower() not in _TABLE_FUNCTIONS:
        raise InvalidQuery(f"The table function {made_by} is not allowed here.")
    if kind == "TableIdentifier" and rest and first != "default":
        raise InvalidQuery(f"There is no database {first} here.")
    if kind == "Identifier" and rest and first.lower() in {"system", "information_schema"}:
        raise InvalidQuery(f"There is no database {first} here.")


def _typed(table: pa.Table, names: list[str], types: list[str]) -> pa.Table:
    """The table with the ClickHouse type of each column in its field's metadata, and real times where Arrow output has seconds."""
    columns, fields = [], []
    for column, name, kind in zip(table.columns, names, types, strict=True):
        if found := _DATETIME.match(kind):
            column = column.cast(pa.int64()).cast(pa.timestamp("s", tz=found[1] or "UTC"))
        columns.append(column)
        fields.append(pa.field(name, column.type, metadata={"clickhouse_type": kind}))
    return pa.table(columns, schema=pa.schema(fields))
