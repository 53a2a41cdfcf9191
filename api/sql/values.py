"""Values of a result as JSON can hold them without loss.

Integers beyond 2^53 and decimals that no float stands for exactly become strings; times RFC 3339 in UTC with no needless digits;
NaN and infinities null; bytes that are not UTF-8 base64.
"""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa

from api.sql.types import Type

Convert = Callable[[Any], Any]

EXACT = 2**53
"""Up to here a double holds every integer (RFC 8259, section 6)."""
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_ENUM = re.compile(r"'((?:[^'\\]|\\.)*)' = (-?\d+)")


def json_values(column: pa.ChunkedArray, kind: Type) -> list[Any]:
    """A column's values, ready for a JSON encoder."""
    convert = converter(kind, column.type)
    counted = column.cast(_counted(column.type)) if _counted(column.type) != column.type else column
    try:
        values = counted.to_pylist()
    except UnicodeDecodeError:
        values = counted.cast(_as_bytes(counted.type)).to_pylist()
    return [None if value is None else convert(value) for value in values]


def converter(kind: Type, arrow: pa.DataType) -> Convert:
    """The function that turns a non-null Python value, as Arrow gives it, into a JSON value."""
    if kind.family == "Array" and pa.types.is_list(arrow):
        return _array(_nullable(converter(kind.inner[0], arrow.value_type)))
    if kind.family == "Map" and pa.types.is_map(arrow):
        return _map(
            converter(kind.inner[0], arrow.key_type), _nullable(converter(kind.inner[1], arrow.item_type))
        )
    if kind.family == "Tuple" and pa.types.is_struct(arrow):
        inner = [_nullable(converter(k, arrow.field(i).type)) for i, k in enumerate(kind.inner)]
        return _tuple(inner, kind.names)
    if pa.types.is_timestamp(arrow):
        digits = _DIGITS[arrow.unit]
        return lambda value: rfc3339(value, digits)
    if kind.family in ("Enum8", "Enum16"):
        names = {int(number): _unescaped(name) for name, number in _ENUM.findall(kind.text)}
        return lambda value: names.get(value, value)
    return _BY_FAMILY.get(kind.family, plain)


def plain(value: Any) -> Any:
    """A value whose Python type says all."""
    if value is None:
        return None
    convert = _BY_PYTHON_TYPE.get(type(value))
    return convert(value) if convert else str(value)


def rfc3339(value: int, digits: int) -> str:
    """A count of 10^-digits seconds since 1970 as text, e.g. 2026-11-20T18:23:00.25Z."""
    seconds, fraction = divmod(value, 10**digits)
    shown = (_EPOCH + dt.timedelta(seconds=seconds)).isoformat().removesuffix("+00:00")
    part = f"{fraction:0{digits}d}".rstrip("0") if fraction else ""
    return f"{shown}.{part}Z" if part else f"{shown}Z"


def exact_integer(value: int) -> int | str:
    """The integer, or its text when a double would round it."""
    return value if -EXACT <= value <= EXACT else str(value)


def exact_decimal(value: Decimal) -> float | str:
    """The float whose shortest text is this very decimal, else the decimal's text."""
    number = float(value)
    if math.isfinite(number) and Decimal(repr(number)) == value:
        return number
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def text_or_base64(value: bytes) -> str:
    """UTF-8 text, else base64."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _big_integer(signed: bool) -> Convert:
    return lambda value: exact_integer(int.from_bytes(value, "little", signed=signed))


def _json_text(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str) else plain(value)


def _nullable(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _array(convert: Convert) -> Convert:
    return lambda value: [convert(item) for item in value]


def _map(key: Convert, item: Convert) -> Convert:
    return lambda value: {_key(key(k)): item(v) for k, v in value}


def _key(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _tuple(converts: list[Convert], names: tuple[str, ...]) -> Convert:
    def convert(value: dict[str, Any]) -> Any:
        items = [one(item) for one, item in zip(converts, value.values(), strict=True)]
        return dict(zip(names, items, strict=True)) if names else items

    return convert


def _unescaped(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name)


def _counted(arrow: pa.DataType) -> pa.DataType:
    """The type with times as integers, so that no value passes through a Python object with fewer digits."""
    return _mapped(arrow, lambda leaf: pa.int64() if pa.types.is_timestamp(leaf) else leaf)


def _as_bytes(arrow: pa.DataType) -> pa.DataType:
    return _mapped(arrow, lambda leaf: pa.binary() if pa.types.is_string(leaf) else leaf)


def _mapped(arrow: pa.DataType, change: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    if pa.types.is_list(arrow):
        return pa.list_(arrow.value_field.with_type(_mapped(arrow.value_type, change)))
    if pa.types.is_map(arrow):
        return pa.map_(
            _mapped(arrow.key_type, change), arrow.item_field.with_type(_mapped(arrow.item_type, change))
        )
    if pa.types.is_struct(arrow):
        return pa.struct([field.with_type(_mapped(field.type, change)) for field in arrow])
    return change(arrow)


_BY_PYTHON_TYPE: dict[type, Convert] = {
    bool: bool,
    str: str,
    int: exact_integer,
    float: lambda value: value if math.isfinite(value) else None,
    Decimal: exact_decimal,
    bytes: text_or_base64,
    dt.date: dt.date.isoformat,
    dt.time: dt.time.isoformat,
    list: lambda value: [plain(item) for item in value],
    dict: lambda value: {key: plain(item) for key, item in value.items()},
}
_BY_FAMILY: dict[str, Convert] = {
    "DateTime": lambda value: rfc3339(value, 0),
    "IPv4": lambda value: str(ipaddress.IPv4Address(value)),
    "IPv6": lambda value: str(ipaddress.IPv6Address(value)),
    "Int128": _big_integer(True),
    "Int256": _big_integer(True),
    "UInt128": _big_integer(False),
    "UInt256": _big_integer(False),
    "JSON": _json_text,
    "Dynamic": _json_text,
    "AggregateFunction": lambda value: base64.b64encode(value).decode(),
}
