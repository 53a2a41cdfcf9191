"""Counting by hand: what the checks of the recipes share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from tests.cookbook.sample import Row, Sample

Answer = list[Row]
Check = Callable[[Answer, Sample], None]


def by(rows: Iterable[Row], *columns: str) -> dict[Any, list[Row]]:
    """The rows by the value of a column, or by the tuple of several."""
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        key = tuple(row[column] for column in columns)
        groups[key if len(columns) > 1 else key[0]].append(row)
    return groups


def keyed(answer: Answer, *columns: str) -> dict[Any, Row]:
    """The answer's rows by the value of a column or several, which no two share."""
    groups = by(answer, *columns)
    assert all(len(rows) == 1 for rows in groups.values()), "a group stands in two rows"
    return {key: rows[0] for key, rows in groups.items()}


def total(rows: Iterable[Row], column: str) -> Any:
    """The sum of a column, NULLs left out."""
    return sum((row[column] for row in rows if row[column] is not None), start=0)


def distinct(rows: Iterable[Row], column: str) -> int:
    """How many different values a column has."""
    return len({row[column] for row in rows})


def share(part: float, whole: float, digits: int = 1) -> float:
    """A percentage, rounded as the recipes do."""
    return round(100 * part / whole, digits)


def quantile(rows: Iterable[Row], column: str, level: float) -> float:
    """The linearly interpolated quantile, as the engine's `quantile` gives for few values."""
    return float(np.quantile([row[column] for row in rows if row[column] is not None], level))


def of_kind(rows: Iterable[Row], kind: str) -> list[Row]:
    """Spans of a kind."""
    return [row for row in rows if row["kind"] == kind]


def billed(rows: Iterable[Row]) -> list[Row]:
    """Spans whose usage is the bill."""
    return [row for row in rows if row["usage_counted"]]


def failed(rows: Iterable[Row]) -> list[Row]:
    """Spans that ended in an error."""
    return [row for row in rows if row["status"] == "error"]


def roots(rows: Iterable[Row]) -> list[Row]:
    """Spans without a parent."""
    return [row for row in rows if not row["parent_span_id"]]


def in_order(answer: Answer, column: str, *, rising: bool = False) -> bool:
    """Whether the answer is sorted by a column, the largest first."""
    values = [row[column] for row in answer]
    return values == sorted(values, reverse=not rising)


def told(answer: Answer, key: str, column: str) -> Mapping[Any, Any]:
    """One column of the answer by another one."""
    return {row[key]: row[column] for row in answer}
