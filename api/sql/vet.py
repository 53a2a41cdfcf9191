"""The judge itself: from a person's text to the text that runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from api.sql.filters import SPAN_COLUMNS, Filter, judge_filter
from api.sql.parse import Querier, printed, tree_of
from api.sql.queries import QueryWalk
from api.sql.trace_filters import TraceFilter, judge_trace_filter
from schemas.errors import FieldProblem, InvalidQuery

TABLES = frozenset({"spans", "scores", "traces", "sessions", "logs"})
"""The views that a person's query may read."""
CACHED = 512
"""Judged texts remembered, the least recently used forgotten first."""
LONGEST_CACHED = 16 * 1024
"""Characters of a text that is remembered: the memory for all of them stays small, whatever is sent."""


@dataclass(frozen=True, slots=True)
class Vetted:
    """A judged query: the text to run, the tables it reads and its parameters' types by name."""

    sql: str
    tables: frozenset[str]
    parameters: Mapping[str, str]


class Vetter:
    """Judges queries and filters with the engine's parser. Thread-safe; a text is judged once and then remembered."""

    def __init__(self, engine: Querier, *, tables: Collection[str] = TABLES, cached: int = CACHED) -> None:
        self._engine = engine
        self._tables = frozenset(tables)
        self._judged = lru_cache(maxsize=cached)(self._judge)
        self._span_filters = lru_cache(maxsize=cached)(lambda text: judge_filter(engine, text, SPAN_COLUMNS))
        self._trace_filters = lru_cache(maxsize=cached)(lambda text: judge_trace_filter(engine, text))

    def query(self, text: str, parameters: Mapping[str, Any] | None = None) -> Vetted:
        """Judges one SELECT (WITH, UNION) over the tables.

        Raises InvalidQuery when it does not parse, holds anything that is not allowed, or lacks the value of a parameter.
        """
        vetted = self._judged(text) if len(text) <= LONGEST_CACHED else self._judge(text)
        missing = sorted(vetted.parameters.keys() - (parameters or {}).keys())
        if missing:
            problems = tuple(FieldProblem(f"/parameters/{name}", "has no value") for name in missing)
            raise InvalidQuery(f"the query's parameter {missing[0]} has no value", errors=problems)
        return vetted

    def span_filter(self, text: str) -> Filter:
        """Judges a filter over the public columns of `spans`. Raises InvalidQuery."""
        return self._span_filters(text)

    def trace_filter(self, text: str) -> TraceFilter:
        """Judges a filter of the list of traces, over columns of the trace or of its spans. Raises InvalidQuery."""
        return self._trace_filters(text)

    def _judge(self, text: str) -> Vetted:
        tree = tree_of(self._engine, text)
        self._walk(tree)
        sql, again = printed(self._engine, tree)
        walk = self._walk(again)  # what runs is the printed text, so that is what has to pass
        return Vetted(sql, frozenset(walk.tables), dict(walk.parameters))

    def _walk(self, tree: dict[str, Any]) -> QueryWalk:
        walk = QueryWalk(self._tables)
        try:
            walk.statement(tree)
        except RecursionError as error:
            raise InvalidQuery("the query is nested too deeply") from error
        return walk
