"""The answer of `POST …/sql` in the format that the client accepts."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from api.sql.types import Type, types_of
from api.sql.values import json_values


class Format(StrEnum):
    """The formats of an answer, by media type."""

    JSON = "application/json"
    NDJSON = "application/x-ndjson"
    CSV = "text/csv"
    PARQUET = "application/vnd.apache.parquet"
    ARROW = "application/vnd.apache.arrow.stream"


_OTHER_NAMES = {
    "application/jsonl": Format.NDJSON,
    "application/ndjson": Format.NDJSON,
    "application/x-jsonlines": Format.NDJSON,
}


@dataclass(frozen=True, slots=True)
class Result:
    """A query's answer: the rows, the columns' types, whether there were more rows, and the milliseconds it took."""

    table: pa.Table
    types: tuple[Type, ...]
    truncated: bool
    elapsed_ms: float

    @classmethod
    def of(cls, table: pa.Table, elapsed_ms: float) -> Self:
        """The answer as `Store.read` gives it: `truncated` and types in the metadata. Column names are made distinct: `a`, `a_2`."""
        truncated = (table.schema.metadata or {}).get(b"truncated") == b"1"
        named = table.rename_columns(_distinct(table.column_names))
        return cls(named, types_of(table), truncated, elapsed_ms)


@dataclass(frozen=True, slots=True)
class Body:
    """What goes on the wire. `X-Evalstream-Truncated: true` says that an answer was cut, in formats that cannot say it."""

    content: bytes
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


def accepted(header: str | None) -> Format:
    """The format that an Accept header (RFC 9110, section 12.5.1) prefers; JSON when it names none of ours."""
    best, best_quality = Format.JSON, 0.0
    for item in (header or "").split(","):
        media, *parameters = (part.strip().lower() for part in item.split(";"))
        named = _OTHER_NAMES.get(media) or next((f for f in Format if f == media), None)
        quality = _quality(parameters)
        if named and quality > best_quality:
            best, best_quality = named, quality
    return best


def rendered(result: Result, wanted: Format) -> Body:
    """The answer as bytes."""
    headers = {"X-Evalstream-Truncated": "true"} if result.truncated else {}
    if wanted is Format.PARQUET:
        sink = io.BytesIO()
        pq.write_table(typed(result), sink, compression="zstd")
        return Body(sink.getvalue(), wanted, headers)
    if wanted is Format.ARROW:
        table, stream = typed(result), io.BytesIO()
        with pa.ipc.new_stream(stream, table.schema) as writer:
            writer.write_table(table)
        return Body(stream.getvalue(), wanted, headers)
    names, rows = _rows(result)
    if wanted is Format.CSV:
        return Body(_csv(names, rows), f"{wanted}; charset=utf-8; header=present", headers)
    if wanted is Format.NDJSON:
        return Body(
            b"".join(orjson.dumps(dict(zip(names, row, strict=True))) + b"\n" for row in rows),
            wanted,
            headers,
        )
    return Body(orjson.dumps(document(result)), wanted, headers)


def document(result: Result) -> dict[str, Any]:
    """The JSON answer: `data`, `columns`, `truncated`, `elapsed_ms`."""
    names, rows = _rows(result)
    return {
        "data": [dict(zip(names, row, strict=True)) for row in rows],
        "columns": [
            {"name": name, "type": kind.text} for name, kind in zip(names, result.types, strict=True)
        ],
        "truncated": result.truncated,
        "elapsed_ms": round(result.elapsed_ms, 3),
    }


def typed(result: Result) -> pa.Table:
    """The rows for Arrow and Parquet: what the engine's Arrow output left as bare integers or bytes gets its type back.

    DateTime becomes a timestamp; enums, addresses and UUIDs text; JSON and variants JSON text; text that is not UTF-8 binary.
    Within arrays, maps and tuples all stays as the engine gives it.
    """
    table = result.table
    columns = [_typed(column, kind) for column, kind in zip(table.columns, result.types, strict=True)]
    return pa.table(columns, names=table.column_names)


def _typed(column: pa.ChunkedArray, kind: Type) -> pa.ChunkedArray:
    if kind.family == "DateTime" and pa.types.is_uint32(column.type):
        return column.cast(pa.int64()).cast(pa.timestamp("s", tz="UTC"))
    if kind.family in ("Enum8", "Enum16", "IPv4", "IPv6", "UUID"):
        return pa.chunked_array([pa.array(json_values(column, kind), pa.string())])
    if kind.family in ("JSON", "Dynamic", "Variant"):
        texts = [
            None if value is None else orjson.dumps(value).decode() for value in json_values(column, kind)
        ]
        return pa.chunked_array([pa.array(texts, pa.string())])
    if pa.types.is_string(column.type):
        try:
            column.validate(full=True)
        except pa.ArrowInvalid:
            return column.cast(pa.binary())
    return column


def _rows(result: Result) -> tuple[list[str], Iterable[tuple[Any, ...]]]:
    table = result.table
    columns = [json_values(column, kind) for column, kind in zip(table.columns, result.types, strict=True)]
    return table.column_names, list(zip(*columns, strict=True))


def _csv(names: list[str], rows: Iterable[tuple[Any, ...]]) -> bytes:
    """RFC 4180 with a header; NULL is an empty field, nested values are JSON."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([_field(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _field(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return orjson.dumps(value).decode() if isinstance(value, (list, dict)) else value


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _distinct(names: list[str]) -> list[str]:
    """The names, each repeated one with a number behind it."""
    taken: set[str] = set()
    result = []
    for name in names:
        number, free = 1, name
        while free in taken:
            number += 1
            free = f"{name}_{number}"
        taken.add(free)
        result.append(free)
    return result
