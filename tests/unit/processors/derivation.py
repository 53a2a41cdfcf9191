"""The trace rules on small spans: rows of dicts in, rows of dicts with all derived columns out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from processors.marks import lists_of
from processors.span_store import SHARED
from processors.trace_rules import derive
from tests.factories import span_id, trace_id
from tests.unit.processors.rows import Row, table

Key = tuple[str, str, str]


def key(trace: int, number: int, project: str = "default") -> Key:
    """The identity of a span of the row factory."""
    return project, trace_id(trace), span_id(number)


def derived(spans: Sequence[Row]) -> dict[Key, dict[str, Any]]:
    """What follows for spans that nothing is stored of."""
    rows = table(spans)
    talks = np.array([bool(row["input"] or row["output"]) for row in spans])
    result = derive(rows.select(SHARED), np.zeros(len(rows), np.int64), talks)
    columns = {name: column.to_pylist() for name, column in result.columns.items()}
    columns["_inherited"] = lists_of(result.inherited, result.metadata_keys).to_pylist()
    found = {}
    for place, row in enumerate(spans):
        values: dict[str, Any] = {name: column[place] for name, column in columns.items()}
        found[row["project"], row["trace_id"], row["span_id"]] = values | {
            "metadata": dict(values["metadata"])
        }
    return found
