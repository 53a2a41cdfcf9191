"""Every query of the dashboards, as Grafana's plugin sends it: it passes the judge, runs as a reader, and has the shape of its panel."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from api.sql.judged import Query as Judged
from api.sql.session import Session
from api.sql.statements import Statements
from schemas.ports import Store
from tests.cookbook.sample import PROJECT, sample
from tests.cookbook.stores import holding
from tests.dashboards import ALL, Query, Window, dashboards, queries, sent
from tests.factories import trace_id

NOW = datetime(2026, 11, 20, 21, 37, tzinfo=UTC)
DAY = Window(NOW - timedelta(days=1), NOW, 3600)
EVERYTHING = {"environment": [ALL], "service": [ALL], "model": [ALL], "trace_id": [trace_id(20)]}
CHOSEN = EVERYTHING | {
    "environment": ["staging", "it's"],
    "service": ["shop-assistant"],
    "model": ["gpt-5", "gpt-5-mini", "claude-sonnet-5"],
}
QUERIES = [
    pytest.param(query, id=f"{name}: {query.title}")
    for name, dashboard in dashboards().items()
    for query in queries(dashboard)
]
SPAN_FIELDS = {
    "traceID",
    "spanID",
    "parentSpanID",
    "serviceName",
    "operationName",
    "startTime",
    "duration",
    "tags",
    "serviceTags",
}
"""What the panel `traces` needs, by these very names."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with holding(tmp_path_factory.mktemp("store"), sample(NOW), sample(NOW, "bank")) as store:
        yield store


@pytest.fixture(scope="module")
def statements(store: Store) -> Statements:
    return Statements(store)


def asked(store: Store, statements: Statements, text: str, project: str = PROJECT) -> pa.Table:
    """The answer to a text of the plugin, judged as the endpoint does."""
    judged = statements.judge(Session(project), text)
    assert isinstance(judged, Judged)
    return store.read(project, judged.sql)


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_answers_in_the_shape_of_its_panel(
    query: Query, store: Store, statements: Statements
) -> None:
    answer = asked(store, statements, sent(query.sql, DAY, EVERYTHING))
    assert answer.num_rows
    shape = {
        "timeseries": _is_a_time_series,
        "stat": _is_one_number,
        "variable": _is_a_list_of_texts,
        "traces": _is_a_trace,
    }
    shape.get(query.type, _is_a_table)(answer)


@pytest.mark.parametrize("query", QUERIES)
def test_a_choice_narrows_the_answer(query: Query, store: Store, statements: Statements) -> None:
    whole, part = (
        asked(store, statements, sent(query.sql, DAY, chosen)).to_pylist() for chosen in (EVERYTHING, CHOSEN)
    )
    if "$environment" in query.sql:
        assert part
        assert part != whole
    else:
        assert part == whole


@pytest.mark.parametrize("query", QUERIES)
def test_a_project_without_spans_is_no_error(query: Query, store: Store, statements: Statements) -> None:
    answer = asked(store, statements, sent(query.sql, DAY, EVERYTHING), "empty")
    assert answer.num_rows == (query.type == "stat")


def test_the_window_bounds_every_query_but_those_of_one_trace(store: Store, statements: Statements) -> None:
    before = Window(NOW - timedelta(days=90), NOW - timedelta(days=60), 3600)
    for query in (param.values[0] for param in QUERIES):
        assert isinstance(query, Query)
        answer = asked(store, statements, sent(query.sql, before, EVERYTHING))
        assert bool(answer.num_rows) == (
            "$trace_id" in query.sql or "${trace_id" in query.sql or query.type == "stat"
        )


def _is_a_time_series(answer: pa.Table) -> None:
    """Time first, ascending and never NULL; texts are labels, and no two rows have time and labels in common; then numbers."""
    first, *others = answer.schema
    assert first.name == "time"
    assert pa.types.is_timestamp(first.type)
    labels = [field.name for field in others if _is_text(field.type)]
    numbers = [field for field in others if field.name not in labels]
    assert numbers
    assert all(_is_number(field.type) for field in numbers)
    times = answer["time"].to_pylist()
    assert None not in times
    assert times == sorted(times)
    places = list(zip(*(answer[name].to_pylist() for name in ("time", *labels)), strict=True))
    assert len(set(places)) == len(places)


def _is_one_number(answer: pa.Table) -> None:
    assert answer.shape == (1, 1)
    assert _is_number(answer.schema.field(0).type)


def _is_a_list_of_texts(answer: pa.Table) -> None:
    assert answer.num_columns == 1
    values = answer.column(0).to_pylist()
    assert all(values)
    assert values == sorted(set(values))


def _is_a_trace(answer: pa.Table) -> None:
    assert set(answer.column_names) >= SPAN_FIELDS
    rows = answer.to_pylist()
    assert {row["traceID"] for row in rows} == {trace_id(20)}
    assert {row["parentSpanID"] for row in rows} <= {row["spanID"] for row in rows} | {""}


def _is_a_table(answer: pa.Table) -> None:
    assert 1 <= answer.num_rows <= 1000
    assert len(set(answer.column_names)) == answer.num_columns


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind.value_type if pa.types.is_dictionary(kind) else kind))


def _is_number(kind: pa.DataType) -> bool:
    return any(of(kind) for of in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal))
