"""From a person's text to an answer: judged, run by the engine, rendered; and what would happen without the judge."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.sql import scores
from api.sql.results import Format, Result, rendered
from api.sql.vet import Vetter
from schemas.errors import InvalidQuery
from tests.unit.sql.attacks import ATTACKS
from tests.unit.sql.engine import SECRET, Engine, opened

LEAKS = (
    "SELECT name FROM store.spans",
    "SELECT name FROM secret",
    f"SELECT '{SECRET}' IN secret AS name",
    f"SELECT '{SECRET}' IN store.spans AS name",
    "SELECT name FROM merge('store', '.*')",
    "SELECT file({path:String}) AS name",
    "SELECT * FROM file({path:String}, 'LineAsString', 'name String')",
    "SELECT name FROM {table:Identifier}",
    "WITH secret AS (SELECT '' AS name) SELECT name FROM secret WHERE 0 "
    "UNION ALL WITH c AS (SELECT * FROM secret) SELECT name FROM c",
    "SELECT name FROM view(SELECT * FROM secret)",
    "SELECT name FROM loop(secret) LIMIT 1",
)
"""Queries that do read what they should not, when nobody judges them."""
RENAMED = "WITH RECURSIVE secret AS (SELECT name FROM secret) SELECT name FROM secret"
"""In a recursive expression without UNION the engine takes the name for the table."""
TABLES = "SELECT database, name, total_rows FROM system.tables WHERE database != 'system' ORDER BY ALL"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with opened() as engine:
        engine.command(
            "INSERT INTO spans (trace_id, span_id, kind, name, start_time, cost, metadata, user_id)"
            " SELECT toString(intDiv(number, 3)), toString(number), ['llm', 'tool', 'chain'][number % 3 + 1], 'n', "
            " toDateTime64('2026-01-01 00:00:00', 9, 'UTC') + number, toDecimal128(number, 15) / 100,"
            " map('plan', number < 6 ? 'pro' : 'free'), 'u' FROM numbers(12)"
        )
        engine.command(
            "INSERT INTO scores (id, name, trace_id, span_id, value, outcome, source, created_at)"
            " VALUES ('1', 'good', '1', '3', 0.9, 'scored', 'judge', now64(9)),"
            " ('2', 'good', '2', '', 0.1, 'scored', 'judge', now64(9))"
        )
        yield engine


@pytest.fixture(scope="module")
def vetter(engine: Engine) -> Vetter:
    return Vetter(engine)


@pytest.mark.parametrize("text", LEAKS)
def test_what_leaks_unjudged_is_refused(engine: Engine, vetter: Vetter, tmp_path: Path, text: str) -> None:
    path = tmp_path / "secret.txt"
    path.write_text(SECRET)
    parameters = {"path": str(path), "table": "secret"}
    leaked = [row["name"] for row in engine.rows(text, parameters)]
    assert leaked in ([SECRET], [1]), "no longer a leak: the engine has changed, see whether others have come"
    with pytest.raises(InvalidQuery):
        vetter.query(text, parameters)


def test_a_name_that_would_mean_a_table_finds_none(engine: Engine, vetter: Vetter) -> None:
    assert engine.rows(RENAMED) == [{"name": SECRET}]
    with pytest.raises(RuntimeError, match="UNKNOWN_TABLE"):
        engine.query(vetter.query(RENAMED).sql)


def test_no_attack_leaves_a_trace(engine: Engine, vetter: Vetter) -> None:
    before = engine.rows(TABLES)
    for text in (text for texts in ATTACKS.values() for text in texts):
        with pytest.raises(InvalidQuery):
            vetter.query(text, {"x": "secret"})
    after = engine.rows(TABLES)
    assert after == before
    assert not Path("stolen.csv").exists()


def test_an_answer(engine: Engine, vetter: Vetter) -> None:
    text = "SELECT kind, sum(cost) AS usd, max(start_time) AS last FROM spans WHERE kind = {kind:String} GROUP BY kind;"
    vetted = vetter.query(text, {"kind": "llm"})
    result = Result.of(engine.read(vetted.sql, {"kind": "llm"}), 1.0)
    assert json.loads(rendered(result, Format.JSON).content) == {
        "data": [{"kind": "llm", "usd": 0.18, "last": "2026-01-01T00:00:09Z"}],
        "columns": [
            {"name": "kind", "type": "LowCardinality(String)"},
            {"name": "usd", "type": "Nullable(Decimal(38, 15))"},
            {"name": "last", "type": "DateTime64(9, 'UTC')"},
        ],
        "truncated": False,
        "elapsed_ms": 1.0,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metadata['plan'] = 'pro'", {"0", "1"}),
        ("cost > 0.1", {"1", "2", "3"}),
        ("cost > 0.1 and metadata['plan'] = 'pro'", {"1"}),
        ("kind = 'llm' and metadata['plan'] = 'nothing'", set()),
        ("kind = 'llm' and span_count = 3 and user_id = 'u'", {"0", "1", "2", "3"}),
        ("trace_id = '0' or kind = 'nothing'", {"0"}),
        ("scores['good'] > 0.5", {"1"}),
        ("scores['good'] is not null and kind = 'tool'", {"2"}),
    ],
)
def test_a_filter_of_traces(engine: Engine, vetter: Vetter, text: str, expected: set[str]) -> None:
    judged = vetter.trace_filter(text)
    names = scores.columns(judged.scores)
    of_span = (
        f"t.trace_id IN ({f'WITH {names} ' if names else ''}SELECT s.trace_id FROM spans AS s"
        f" JOIN traces AS t ON t.trace_id = s.trace_id {scores.joins(judged.scores, spans='s')} WHERE {judged.span})"
    )
    where = " AND ".join(part for part in (judged.trace, of_span if judged.span else "") if part)
    assert {
        row["trace_id"]
        for row in engine.rows(f"SELECT t.trace_id AS trace_id FROM traces AS t WHERE {where}")
    } == expected


@pytest.fixture(scope="module")
def two_projects(engine: Engine) -> str:
    """A table whose granules hold rows of two projects."""
    engine.command(
        "CREATE TABLE mixed ENGINE = MergeTree ORDER BY (project, name) AS"
        " SELECT if(number % 2, 'a', 'b') AS project, if(number % 2, 'mine', 'theirs') AS name FROM numbers(200)"
    )
    return "mixed"


ORACLES = ("intDiv(1, name != 'theirs') = 1", "toUInt64(if(name = 'theirs', 'x', '1')) = 1")
"""Filters that raise on rows of the other project: an error tells what stands there, if they are ever evaluated on them."""


@pytest.mark.parametrize("oracle", ORACLES)
def test_prewhere_on_the_project_keeps_filters_off_the_rows_of_others(
    engine: Engine, vetter: Vetter, two_projects: str, oracle: str
) -> None:
    sql = vetter.span_filter(oracle).sql
    with pytest.raises(RuntimeError):  # the engine may evaluate the person's part first, while it reads
        engine.query(f"SELECT count() FROM {two_projects} WHERE project = 'a' AND ({sql})")
    safe = (
        f"SELECT count() AS n FROM {two_projects} PREWHERE project = 'a' WHERE ({sql})",
        f"SELECT count() AS n FROM (SELECT * FROM {two_projects} PREWHERE project = 'a') WHERE ({sql})",
        f"SELECT count() AS n FROM {two_projects} WHERE project = 'a' AND ({sql}) SETTINGS optimize_move_to_prewhere = 0",
    )
    for query in safe:
        assert engine.rows(query) == [{"n": 100}]


def test_judging_is_cheap(vetter: Vetter) -> None:
    text = (
        "WITH slow AS (SELECT trace_id FROM spans WHERE duration_ms > {n}) SELECT request_model, count() AS n, "
        "quantile(0.99)(duration_ms), sum(cost) FROM spans WHERE kind = 'llm' AND metadata['plan'] = 'pro' "
        "AND trace_id IN slow GROUP BY request_model ORDER BY n DESC LIMIT 100"
    )
    times = []
    for number in range(40):
        start = time.perf_counter()
        vetter.query(text.replace("{n}", str(number)))
        times.append(time.perf_counter() - start)
    assert statistics.median(times) < 0.05  # 4 ms on an idle machine
