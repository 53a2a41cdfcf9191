"""Filters over rows that are not spans, and so have no scores."""

from __future__ import annotations

from api.sql.filters import Columns, Filter, judge_filter
from schemas.errors import InvalidQuery
from schemas.ports import Store


def plain_filter(store: Store, text: str, columns: Columns) -> Filter:
    """Judges a filter over these columns. Raises InvalidQuery, also for `scores['name']`."""
    found = judge_filter(store, text, columns)
    if found.scores:
        raise InvalidQuery("scores belong to spans and traces; they cannot be asked for here")
    return found
