"""The bytes of an export: JSON Lines or one Parquet file, written as the rows come."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import IO, Any, cast

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from api.reading.rows import SPAN_TYPES
from api.sql.types import Type, parsed
from api.sql.values import json_values


class ExportFormat(StrEnum):
    """The formats of an export."""

    NDJSON = "ndjson"
    PARQUET = "parquet"

    @property
    def media_type(self) -> str:
        """Its media type."""
        return "application/x-ndjson" if self is ExportFormat.NDJSON else "application/vnd.apache.parquet"


class _Sink:
    """Collects what a writer writes, to be taken away piece by piece."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def flush(self) -> None:
        """Nothing is held back."""

    def taken(self) -> bytes:
        """What was written since the last call."""
        data, self._parts = b"".join(self._parts), []
        return data


def pieces(tables: Iterator[pa.Table], format: ExportFormat) -> Iterator[bytes]:
    """The export in pieces, a table each; a Parquet file has a row group a table."""
    return _parquet(tables) if format is ExportFormat.PARQUET else map(ndjson, tables)


def ndjson(table: pa.Table) -> bytes:
    """One JSON object a row and line."""
    columns = [
        json_values(table[name], _type(name, table.schema.field(name).type)) for name in table.column_names
    ]
    rows = zip(*columns, strict=True)
    return b"".join(orjson.dumps(dict(zip(table.column_names, row, strict=True))) + b"\n" for row in rows)


def _parquet(tables: Iterator[pa.Table]) -> Iterator[bytes]:
    sink, first = _Sink(), next(tables)
    with pq.ParquetWriter(cast("IO[bytes]", sink), first.schema, compression="zstd") as writer:
        writer.write_table(first)
        yield sink.taken()
        for table in tables:
            writer.write_table(table)
            yield sink.taken()
    yield sink.taken()


def _type(name: str, arrow: pa.DataType) -> Type:
    """The ClickHouse type that says how a column reads in JSON."""
    if pa.types.is_map(arrow):
        return SPAN_TYPES.get(name, _TEXT_MAP)
    return SPAN_TYPES.get(name, _TEXT)


_TEXT = parsed("String")
_TEXT_MAP = parsed("Map(String, String)")
