"""Rows of telemetry as JSON documents, and the parts that all queries share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from api.sql.types import Type, parsed
from api.sql.values import json_values
from schemas.ports import Store
from schemas.spans import PUBLIC

Document = dict[str, Any]
Parameters = Mapping[str, Any]

NEWEST = {"do_not_merge_across_partitions_select_final": 1}
"""FINAL may work partition by partition: all versions of a row lie in one."""
SHORT = 500
"""Characters of an input or output that a list shows."""
SPAN_TYPES: Mapping[str, Type] = {column.name: parsed(column.clickhouse) for column in PUBLIC}
_TEXT = parsed("String")

MINE = "project = {project:String}"
IN_WINDOW = "start_time >= fromUnixTimestamp64Nano({start:Int64}, 'UTC') AND start_time < fromUnixTimestamp64Nano({end:Int64}, 'UTC')"


def query(store: Store, sql: str, parameters: Parameters) -> pa.Table:
    """The whole result of a query over the tables' newest versions."""
    return store.query(sql, parameters, settings=NEWEST)


def documents(table: pa.Table, types: Mapping[str, Type] = SPAN_TYPES) -> list[Document]:
    """Rows as JSON documents. Columns without a type are text, numbers, booleans or lists as Arrow has them."""
    columns = [json_values(table[name], types.get(name, _TEXT)) for name in table.column_names]
    return [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]


def short(name: str) -> str:
    """The SQL of a column cut to what a list shows."""
    return f"if(lengthUTF8({name}) > {SHORT}, concat(substringUTF8({name}, 1, {SHORT}), '…'), {name})"


def integers(table: pa.Table, name: str) -> list[int]:
    """A column of times as nanoseconds, or milliseconds where the column has them."""
    values: list[int] = table[name].cast(pa.int64()).to_pylist()
    return values
