"""Judging stays cheap, whatever is sent, and is done once per text."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.sql.vet import Vetter
from schemas.errors import InvalidQuery, Unavailable
from tests.unit.sql.analyst import PARAMETERS, QUERIES
from tests.unit.sql.attacks import ATTACKS
from tests.unit.sql.engine import Engine

PIECES = (*QUERIES, *(text for texts in ATTACKS.values() for text in texts if len(text) < 300))
BROKEN = (
    "SELECT " + "(" * 5_000,
    "SELECT " + "case when " * 5_000,
    "SELECT * FROM " + "(SELECT 1 FROM " * 2_000,
    "SELECT " + "x -> " * 5_000 + "1",
    "SELECT " + "[{(" * 3_000,
    "SELECT '" + "\\" * 100_001,
    "SELECT 1 " + "UNION ALL SELECT 1 " * 3_000,
    "SELECT a" + ".a" * 20_000,
    "SELECT no" + "x" * 100_000 + "(1)",
    "WITH " + ", ".join(f"{i} AS a{i}" for i in range(3_000)) + " SELECT 1 FROM nothing",
)


class CountingEngine:
    """Passes on to the engine, and counts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.calls = 0

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        self.calls += 1
        return self._engine.query(sql, parameters)


class FailingEngine:
    """An engine that cannot be reached."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        raise self._error


@pytest.mark.parametrize("text", BROKEN, ids=lambda text: text[:20])
def test_hostile_lengths_and_depths_are_answered_soon(vetter: Vetter, text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(InvalidQuery) as refused:
        vetter.query(text)
    assert len(refused.value.detail) < 1_000
    assert time.perf_counter() - start < 3


def test_a_text_is_judged_once(engine: Engine) -> None:
    counting = CountingEngine(engine)
    vetter = Vetter(counting)
    for _ in range(3):
        vetter.query("SELECT name FROM spans")
        vetter.span_filter("kind = 'llm'")
        vetter.trace_filter("cost > 1")
    assert counting.calls == 2 + 3 + 3


def test_the_memory_of_texts_is_bounded(engine: Engine) -> None:
    counting = CountingEngine(engine)
    vetter = Vetter(counting, cached=2)
    for number in (1, 2, 3, 1):
        vetter.query(f"SELECT {number}")
    assert counting.calls == 8


def test_parameters_are_asked_for_each_time(vetter: Vetter) -> None:
    assert vetter.query("SELECT {a:String}", {"a": "x", "unused": 1}).parameters == {"a": "String"}
    with pytest.raises(InvalidQuery, match="parameter a has no value") as refused:
        vetter.query("SELECT {a:String}", {})
    assert [problem.pointer for problem in refused.value.errors] == ["/parameters/a"]


def test_threads_may_share_a_judge(engine: Engine) -> None:
    vetter = Vetter(engine)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda n: vetter.query(f"SELECT {n % 5} FROM spans").sql, range(40)))
    assert answers == [f"SELECT {n % 5} FROM spans" for n in range(40)]


def test_an_engine_that_is_down_is_not_the_query_s_fault() -> None:
    with pytest.raises(Unavailable):
        Vetter(FailingEngine(Unavailable("no database"))).query("SELECT 1")
    with pytest.raises(ZeroDivisionError):
        Vetter(FailingEngine(ZeroDivisionError())).span_filter("1")


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mutated_queries_are_refused_or_stay_within_the_tables(
    engine: Engine, vetter: Vetter, data: st.DataObject
) -> None:
    one, other = data.draw(st.sampled_from(PIECES)), data.draw(st.sampled_from(PIECES))
    cut, start = data.draw(st.integers(0, len(one))), data.draw(st.integers(0, len(other)))
    text = one[:cut] + data.draw(st.text(max_size=3)) + other[start:]
    try:
        vetted = vetter.query(text, {**PARAMETERS, "x": 1})
    except InvalidQuery:
        return
    again = vetter.query(vetted.sql.replace("_cte_", "cte_"), {**PARAMETERS, "x": 1})
    assert again.tables == vetted.tables
    assert "secret" not in vetted.tables
