"""Importing exported spans: checked row by row, made records of the topic `spans`, of any age.

A span's identity is (project, trace id, span id), so the same file twice changes nothing. All rows of a request are taken, or none.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.errors import FieldProblem, InvalidRequest
from schemas.events import SPANS
from schemas.ports import Entry
from schemas.spans import BY_NAME, KINDS, NORMALISED, STATUSES, USAGE_MAP

MAX_PROBLEMS = 20
EARLIEST, AHEAD_SECONDS = datetime(2000, 1, 1, tzinfo=UTC), 86_400
_REQUIRED = ("trace_id", "span_id", "start_time", "end_time")
_OURS = {"project", "usage_counted"}
"""Exported columns that are decided again: by the path, and by the span writer."""
_FILLED = [field for field in NORMALISED if BY_NAME[field.name].public and field.name not in _OURS]
_PATTERNS = {
    "trace_id": r"^[0-9a-f]{32}$",
    "span_id": r"^[0-9a-f]{16}$",
    "parent_span_id": r"^([0-9a-f]{16})?$",
}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
_CHOICES = {"kind": KINDS, "status": STATUSES}


def ndjson_spans(body: bytes) -> pa.Table:
    """Rows of JSON Lines as public columns. Raises InvalidRequest with the numbers of bad lines."""
    rows, problems = [], []
    for number, line in enumerate(body.split(b"\n"), start=1):
        if line.strip():
            try:
                rows.append(_checked(orjson.loads(line)))
            except (ValueError, TypeError, InvalidOperation) as error:
                problems.append(FieldProblem(f"line {number}", str(error)[:300]))
                if len(problems) >= MAX_PROBLEMS:
                    break
    _refuse(problems)
    return pa.table(
        [_array(field, [row[field.name] for row in rows]) for field in _FILLED], schema=pa.schema(_FILLED)
    )


def parquet_spans(body: bytes) -> pa.Table:
    """Rows of a Parquet file as public columns. Raises InvalidRequest when it is none, or has columns of other types."""
    try:
        table = pq.read_table(io.BytesIO(body), use_threads=False)
        missing = [name for name in _REQUIRED if name not in table.column_names]
        _refuse([FieldProblem(name, "this column is missing") for name in missing])
        _refuse(
            [
                FieldProblem(n, "a column twice")
                for n in set(table.column_names)
                if table.column_names.count(n) > 1
            ]
        )
        columns = [_column(table, field) for field in _FILLED]
        found = pa.table(columns, schema=pa.schema(_FILLED))
        found.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise InvalidRequest(f"not a Parquet file of spans: {str(error)[:300]}") from error
    return found


def entry_of(project: str, spans: pa.Table, now: datetime) -> Entry:
    """The rows as canonical records of the project. Raises InvalidRequest naming rows that no span can be."""
    _refuse(_wrong_rows(spans, now))
    rows = len(spans)
    attributes = pc.list_value_length(
        spans["attributes"].cast(pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())])))
    )
    columns: dict[str, Any] = {name: spans[name] for name in spans.column_names} | {
        "project": pa.array([project] * rows, pa.string()),
        "_trace_metadata": pa.array([[]] * rows, NORMALISED.field("_trace_metadata").type),
        "_attribute_count": attributes.cast(pa.uint32()),
        "_pending": pa.array([False] * rows),
        "_title": pc.if_else(pc.equal(spans["parent_span_id"], ""), spans["name"], ""),
        "_received_at": pa.array([now] * rows, NORMALISED.field("_received_at").type),
    }
    table = pa.table([columns[name] for name in NORMALISED.names], schema=NORMALISED)
    return Entry(SPANS, table, {project: rows})


def _wrong_rows(spans: pa.Table, now: datetime) -> list[FieldProblem]:
    problems = []
    latest = pa.scalar(int(now.timestamp() + AHEAD_SECONDS) * 10**9, pa.int64())
    start = spans["start_time"].cast(pa.int64())
    checks = {name: pc.match_substring_regex(spans[name], pattern) for name, pattern in _PATTERNS.items()}
    checks |= {name: pc.is_in(spans[name], pa.array(values)) for name, values in _CHOICES.items()}
    checks["start_time"] = pc.and_(
        pc.greater_equal(start, int(EARLIEST.timestamp()) * 10**9), pc.less_equal(start, latest)
    )
    checks["trace_id or span_id"] = pc.and_(
        pc.not_equal(spans["trace_id"], "0" * 32), pc.not_equal(spans["span_id"], "0" * 16)
    )
    for name, right in checks.items():
        bad = pc.indices_nonzero(pc.invert(pc.fill_null(right, False)))
        problems += [
            FieldProblem(f"row {row + 1}", f"{name} is not that of a span") for row in bad.to_pylist()[:3]
        ]
    return problems[:MAX_PROBLEMS]


def _refuse(problems: Sequence[FieldProblem]) -> None:
    if problems:
        raise InvalidRequest("these spans cannot be imported; none was taken", errors=tuple(problems))


def _checked(document: Any) -> dict[str, Any]:
    """An exported span as values for Arrow, by column; what it does not say is nothing."""
    if not isinstance(document, dict):
        raise TypeError("not a JSON object")
    if missing := [name for name in _REQUIRED if not document.get(name)]:
        raise ValueError(f"{missing[0]} is missing")
    return {field.name: _value(field, document.get(field.name)) for field in _FILLED}


def _value(field: pa.Field, value: Any) -> Any:
    if value is None:
        return _nothing(field)
    try:
        return _reader(field.type)(value)
    except (ValueError, TypeError, InvalidOperation) as error:
        raise ValueError(f"{field.name}: {error}") from error


def _array(field: pa.Field, values: list[Any]) -> pa.Array:
    try:
        return pa.array(values, _raw(field.type)).cast(field.type)
    except (pa.ArrowException, OverflowError, UnicodeError) as error:
        problem = FieldProblem(field.name, str(error)[:300])
        raise InvalidRequest("these spans cannot be imported; none was taken", errors=(problem,)) from error


def _nothing(field: pa.Field) -> Any:
    if BY_NAME[field.name].clickhouse.startswith("Nullable"):
        return None
    if pa.types.is_string(field.type):
        return {"kind": "span", "status": "unset"}.get(field.name, "")
    if pa.types.is_nested(field.type):
        return []
    return False if pa.types.is_boolean(field.type) else 0


def _reader(kind: pa.DataType) -> Callable[[Any], Any]:
    if pa.types.is_map(kind):
        return _usage if kind == USAGE_MAP else _texts_by_key
    if pa.types.is_list(kind):
        return _texts
    if pa.types.is_timestamp(kind):
        return _time
    if pa.types.is_decimal(kind):
        return _decimal
    if pa.types.is_integer(kind):
        return _count
    if pa.types.is_floating(kind):
        return _number
    return _boolean if pa.types.is_boolean(kind) else _text


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("must be text")
    return value


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise TypeError("must be a list of texts")
    return [_text(item) for item in value]


def _texts_by_key(value: Any) -> list[tuple[str, str]]:
    if not isinstance(value, dict):
        raise TypeError("must be an object")
    return [(key, _text(item)) for key, item in value.items()]


def _usage(value: Any) -> list[tuple[str, int]]:
    if not isinstance(value, dict):
        raise TypeError("must be an object")
    return [(key, _count(item)) for key, item in value.items()]


def _count(value: Any) -> int:
    number = int(value) if isinstance(value, str | int) and not isinstance(value, bool) else -1
    if not 0 <= number < 2**63:
        raise ValueError("must be a whole number, 0 or more")
    return number


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("must be a number")
    return float(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("must be true or false")
    return value


def _decimal(value: Any) -> Decimal:
    number = Decimal(str(value)) if not isinstance(value, bool) else Decimal("nan")
    if not number.is_finite() or abs(number) >= Decimal(10) ** 20:
        raise ValueError("must be an amount of US dollars")
    return number.quantize(Decimal(1).scaleb(-15))


def _time(value: Any) -> str:
    if not _TIME.fullmatch(_text(value)):
        raise ValueError("must be RFC 3339 in UTC, such as 2026-11-20T18:00:00.5Z")
    datetime.fromisoformat(f"{value[:19]}+00:00")
    return str(value)


def _raw(kind: pa.DataType) -> pa.DataType:
    """Times are read as text, by Arrow, so that no nanosecond is lost."""
    return pa.string() if pa.types.is_timestamp(kind) else kind


def _column(table: pa.Table, field: pa.Field) -> pa.ChunkedArray:
    """A column of a file with its canonical type; nothing where the file says nothing."""
    empty = pa.scalar(_nothing(field), field.type)
    if field.name not in table.column_names:
        return pa.chunked_array([pa.array([_nothing(field)] * len(table), field.type)])
    column = table[field.name].cast(field.type)
    if pa.types.is_nested(field.type) or BY_NAME[field.name].clickhouse.startswith("Nullable"):
        return column
    return column.fill_null(empty)
