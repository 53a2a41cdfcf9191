"""Tokens that nobody counts: traces whose tokens stand only on spans that are not the bill."""

from __future__ import annotations

from api.reading.rows import MINE, query
from schemas.ports import Store

_UNCOUNTED = f"{MINE} AND total_tokens > 0 AND NOT usage_counted AND NOT _pending"
_COUNTED = f"SELECT trace_id FROM spans_raw FINAL WHERE {MINE} AND usage_counted"


def uncounted_usage(store: Store, project: str) -> int:
    """The sum over such traces of the tokens on spans below which no other reports any: outer spans repeat their children's."""
    spans = f"SELECT trace_id, span_id, parent_span_id, total_tokens FROM spans_raw FINAL WHERE {_UNCOUNTED}"
    traces = (
        "SELECT groupArray(span_id) AS ids, groupArray(parent_span_id) AS parents, groupArray(assumeNotNull(total_tokens)) AS tokens "
        f"FROM ({spans}) WHERE trace_id NOT IN ({_COUNTED}) GROUP BY trace_id"
    )
    table = query(
        store,
        "SELECT sum(arraySum(arrayMap((id, n) -> if(has(parents, id), 0, n), ids, tokens))) AS tokens "
        f"FROM ({traces})",
        {"project": project},
    )
    return int(table["tokens"][0].as_py() or 0)
