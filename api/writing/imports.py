"""Importing exported rows: checked row by row, made records of their topic, of any age.

Rows have an identity (a span its ids, a score and a log record their id), so the same file twice changes nothing. All rows of a
request are taken, or none.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime
from decimal import InvalidOperation
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from api.writing.import_tables import Target
from api.writing.import_values import raw, reader
from schemas.errors import FieldProblem, InvalidRequest
from schemas.ports import Entry

MAX_PROBLEMS = 20
_MOST_OF_A_KIND = 3


def ndjson_rows(target: Target, body: bytes) -> pa.Table:
    """Rows of JSON Lines. Raises InvalidRequest with the numbers of bad lines."""
    rows, problems = [], []
    for number, line in enumerate(body.split(b"\n"), start=1):
        if line.strip():
            try:
                rows.append(_checked(target, orjson.loads(line)))
            except (ValueError, TypeError, InvalidOperation) as error:
                problems.append(FieldProblem(f"line {number}", str(error)[:300]))
                if len(problems) >= MAX_PROBLEMS:
                    break
    _refuse(target, problems)
    columns = [_array(target, column, [row[column.name] for row in rows]) for column in target.schema]
    return pa.table(columns, schema=target.schema)


def parquet_rows(target: Target, body: bytes) -> pa.Table:
    """Rows of a Parquet file. Raises InvalidRequest when it is none, or has columns of other types."""
    try:
        table = pq.read_table(io.BytesIO(body), use_threads=False)
        names = table.column_names
        _refuse(
            target,
            [FieldProblem(name, "this column is missing") for name in target.required if name not in names],
        )
        twice = sorted({name for name in names if names.count(name) > 1})
        _refuse(target, [FieldProblem(name, "a column twice") for name in twice])
        columns = [_column(target, table, column) for column in target.schema]
        found = pa.table(columns, schema=target.schema)
        found.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise InvalidRequest(f"not a Parquet file of {target.row}s: {str(error)[:300]}") from error
    return found


def entry_of(target: Target, project: str, rows: pa.Table, now: datetime) -> Entry:
    """The rows as canonical records of the project. Raises InvalidRequest naming rows that cannot be."""
    _refuse(target, _wrong_rows(target, rows, now))
    columns: dict[str, Any] = {name: rows[name] for name in rows.column_names}
    columns |= {"project": pa.array([project] * len(rows), pa.string()), **target.completed(rows, now)}
    table = pa.table([columns[name] for name in target.record.names], schema=target.record)
    return Entry(target.topic, table, {project: len(rows)})


def _wrong_rows(target: Target, rows: pa.Table, now: datetime) -> list[FieldProblem]:
    problems = []
    for name, right in target.right(rows, now).items():
        bad = pc.indices_nonzero(pc.invert(pc.fill_null(right, False))).to_pylist()
        problems += [
            FieldProblem(f"row {row + 1}", f"{name} is not that of a {target.row}")
            for row in bad[:_MOST_OF_A_KIND]
        ]
    return problems[:MAX_PROBLEMS]


def _refuse(target: Target, problems: Sequence[FieldProblem]) -> None:
    if problems:
        raise InvalidRequest(
            f"these {target.row}s cannot be imported; none was taken", errors=tuple(problems)
        )


def _checked(target: Target, document: Any) -> dict[str, Any]:
    """An exported row as values for Arrow, by column; what it does not say is nothing."""
    if not isinstance(document, dict):
        raise TypeError("not a JSON object")
    if missing := [name for name in target.required if not document.get(name)]:
        raise ValueError(f"{missing[0]} is missing")
    return {column.name: _value(target, column, document.get(column.name)) for column in target.schema}


def _value(target: Target, column: pa.Field, value: Any) -> Any:
    if value is None:
        return target.empty(column)
    try:
        return reader(column.type)(value)
    except (ValueError, TypeError, InvalidOperation) as error:
        raise ValueError(f"{column.name}: {error}") from error


def _array(target: Target, column: pa.Field, values: list[Any]) -> pa.Array:
    try:
        return pa.array(values, raw(column.type)).cast(column.type)
    except (pa.ArrowException, OverflowError, UnicodeError) as error:
        _refuse(target, [FieldProblem(column.name, str(error)[:300])])
        raise


def _column(target: Target, table: pa.Table, column: pa.Field) -> pa.ChunkedArray:
    """A column of a file with its canonical type; nothing where the file says nothing."""
    empty = target.empty(column)
    if column.name not in table.column_names:
        return pa.chunked_array([pa.array([empty] * len(table), column.type)])
    found = table[column.name].cast(column.type)
    if empty is None or pa.types.is_nested(column.type):
        return found
    return found.fill_null(pa.scalar(empty, column.type))
