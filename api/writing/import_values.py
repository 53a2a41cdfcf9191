"""JSON values of an export as values for Arrow, by the type of their column. What is wrong raises ValueError or TypeError."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from schemas.spans import USAGE_MAP

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


def reader(kind: pa.DataType) -> Callable[[Any], Any]:
    """What reads a JSON value of a column of this type."""
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


def raw(kind: pa.DataType) -> pa.DataType:
    """The type that `reader` gives: times stay text, which Arrow reads, so that no nanosecond is lost."""
    return pa.string() if pa.types.is_timestamp(kind) else kind


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
