"""What the judge lets pass: it runs, and gives the same answer as the text that was written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.sql.vet import Vetter
from tests.unit.sql.analyst import PARAMETERS, QUERIES
from tests.unit.sql.engine import Engine

NOT_REPEATABLE = ("now()", "today()", "UUID")


@pytest.fixture(scope="module", autouse=True)
def rows(engine: Engine) -> Iterator[None]:
    engine.command(
        "INSERT INTO spans (trace_id, span_id, parent_span_id, name, kind, status, start_time, duration_ms, user_id, tags,"
        " metadata, input, streaming, total_tokens, usage, cost)"
        " SELECT hex(intDiv(number, 4)), hex(number), number % 4 ? hex(number - 1) : '', ['chat', 'search'][number % 2 + 1],"
        " ['llm', 'tool', 'chain'][number % 3 + 1], number % 5 ? 'ok' : 'error',"
        " toDateTime64('2026-01-05 00:00:00', 9, 'UTC') + number * 600, number * 10.5, toString(number % 3), ['a', toString(number)],"
        " map('plan', number % 2 ? 'pro' : 'free', 'x', toString(number)), '[{\"role\": \"user\"}]', number % 2, number,"
        " map('input', number, 'output', 1), toDecimal128(number, 15) / 3 FROM numbers(40)"
    )
    engine.command(
        "INSERT INTO scores (id, name, trace_id, span_id, value, created_at)"
        " SELECT toString(number), 'groundedness', hex(number), hex(number * 4), number / 10, now64(9) FROM numbers(10)"
    )
    yield
    engine.command("TRUNCATE TABLE spans")
    engine.command("TRUNCATE TABLE scores")


@pytest.mark.parametrize("text", QUERIES)
def test_passes_and_runs(engine: Engine, vetter: Vetter, text: str) -> None:
    vetted = vetter.query(text, PARAMETERS)
    answer = engine.query(vetted.sql, PARAMETERS)
    if any(mark in text for mark in NOT_REPEATABLE):
        return
    expected = engine.query(text, PARAMETERS)
    assert answer.column_names == expected.column_names
    assert _rows(answer.to_pylist()) == _rows(expected.to_pylist())


def _rows(rows: list[dict[str, object]]) -> list[str]:
    return sorted(map(repr, rows))


def test_there_are_enough_queries() -> None:
    assert len(QUERIES) >= 60


def test_judging_again_gives_the_same_text(vetter: Vetter) -> None:
    for text in QUERIES:
        sql = vetter.query(text, PARAMETERS).sql
        if "_cte_" not in sql:
            assert vetter.query(sql, PARAMETERS).sql == sql


def test_tells_tables_and_parameters(vetter: Vetter) -> None:
    vetted = vetter.query(
        "SELECT s.name FROM spans s JOIN scores USING (trace_id) WHERE s.name = {a:String}", {"a": "x"}
    )
    assert vetted.tables == {"spans", "scores"}
    assert vetted.parameters == {"a": "String"}


def test_column_names_stay_those_that_were_written(engine: Engine, vetter: Vetter) -> None:
    text = "WITH a AS (SELECT 1 AS x) SELECT a.x, a.x + 1, (SELECT count() FROM a) AS n, b.x FROM a, a AS b"
    assert engine.query(vetter.query(text).sql).column_names == engine.query(text).column_names


def test_a_table_expression_may_be_named_like_a_table(engine: Engine, vetter: Vetter) -> None:
    text = "WITH a AS (SELECT name FROM spans), spans AS (SELECT * FROM a) SELECT count() AS n FROM spans JOIN a USING (name)"
    assert engine.rows(vetter.query(text).sql) == [{"n": 800}]


def test_numbers_are_not_rounded(engine: Engine, vetter: Vetter) -> None:
    numbers = [
        0.1,
        0.30000000000000004,
        12345678.123456789,
        1e19,
        1.7976931348623157e308,
        5e-324,
        2**63,
        -(2**63),
    ]
    for number in numbers:
        assert engine.rows(vetter.query(f"SELECT {number!r} AS x").sql) == [{"x": number}]
