"""No answer, error, header or counter of one project depends on the rows of another: generated queries, asked before and after the
other project's rows have changed, are answered alike byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.store_rows import span, spans
from tests.integration.sql_attacks.world import MARKER, THEIRS, Reply, World, world

OTHERS_VALUES = (f"'{MARKER}'", "'bank'", "''", "'step 1'", "'shop'", "0", "1", "NULL", "9999999999")
TEXTS = {
    "spans": ("name", "trace_id", "span_id", "user_id", "session_id", "project", "input", "kind", "status"),
    "traces": ("name", "trace_id", "user_id", "session_id", "project", "status"),
    "sessions": ("session_id", "user_id", "project"),
    "scores": ("name", "label", "trace_id", "id", "project"),
    "logs": ("body", "trace_id", "event_name", "project"),
}
FORMATS = ("TSV", "JSON", "JSONCompact", "Native", "RowBinaryWithNamesAndTypes", "Pretty", "Parquet", "XML")
METADATA = (
    "SELECT * FROM system.tables ORDER BY name",
    "SELECT database, table, name, type FROM system.columns ORDER BY ALL",
    "SELECT name, total_rows, total_bytes, parts FROM system.tables ORDER BY ALL",
    "SHOW TABLES",
    "SHOW CREATE TABLE spans",
    "DESCRIBE traces",
    "SELECT * FROM information_schema.tables ORDER BY table_name",
    "SELECT * FROM system.databases ORDER BY ALL",
)
_UNSTABLE = frozenset({"date", "x-clickhouse-query-id", "x-clickhouse-exception-tag", "x-clickhouse-summary"})
_numbers = count(1)

tables = st.sampled_from(sorted(TEXTS))


@st.composite
def conditions(draw: st.DrawFn, table: str, depth: int = 2) -> str:
    """A condition over a table, some of which fail on rows that they should not be put to."""
    column, value = draw(st.sampled_from(TEXTS[table])), draw(st.sampled_from(OTHERS_VALUES))
    simple = (
        f"{column} = {value}",
        f"{column} != {value}",
        f"{column} LIKE '%R77%'",
        f"intDiv(1, {column} != '{MARKER}') = 1",
        f"toUInt64(if({column} = '{MARKER}', 'x', '1')) = 1",
        f"toUInt64(if({column} LIKE 'mArK%', {column}, '1')) = 1",
        f"arrayElement([1], toInt64(length({column})) - {len(MARKER)}) = 0",
        f"toDate(if({column} = 'bank', 'no date', '2026-01-01')) > '2020-01-01'",
        f"length({column}) IN (SELECT length({column}) FROM {table})",
        f"{column} IN (SELECT {draw(st.sampled_from(TEXTS['spans']))} FROM spans)",
        f"(SELECT count() FROM {table} WHERE {column} = {value}) >= 0",
    )
    if depth and draw(st.booleans()):
        left, right = draw(conditions(table, depth - 1)), draw(conditions(table, depth - 1))
        return f"({left} {draw(st.sampled_from(('AND', 'OR')))} NOT {right})"
    return draw(st.sampled_from(simple))


@st.composite
def queries(draw: st.DrawFn) -> str:
    """A SELECT whose answer is the same each time: ordered, and of values that do not hang on the order of rows."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(METADATA))
    table = draw(tables)
    column = draw(st.sampled_from(TEXTS[table]))
    where = f" WHERE {draw(conditions(table))}" if draw(st.booleans()) else ""
    shapes = (
        f"SELECT {column} FROM {table}{where} ORDER BY ALL",
        f"SELECT count(), min({column}), max({column}), uniqExact({column}) FROM {table}{where}",
        f"SELECT {column}, count() AS n FROM {table}{where} GROUP BY {column} WITH TOTALS ORDER BY {column}, n",
        f"SELECT DISTINCT project FROM {table}{where} ORDER BY ALL",
        f"SELECT length({column}) AS l FROM {table}{where} ORDER BY l LIMIT 2 OFFSET 1",
        f"SELECT count() FROM {table} AS a FULL JOIN spans AS b ON a.project = b.project",
        f"WITH spans AS (SELECT {column} AS c FROM {table}{where}) SELECT c FROM spans ORDER BY c",
        f"SELECT name FROM default.{table}{where} ORDER BY ALL",
        f"EXPLAIN SELECT {column} FROM {table}{where}",
        f"DESCRIBE (SELECT {column} FROM {table}{where})",
    )
    format = draw(st.sampled_from(FORMATS))
    return f"{draw(st.sampled_from(shapes))} FORMAT {format}"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("sql")) as made:
        yield made


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=st.lists(queries(), min_size=20, max_size=30))
def test_nothing_depends_on_the_rows_of_others(here: World, asked: list[str]) -> None:
    before = [_stable(here.ask(text)) for text in asked]
    _change(here)
    for text, old in zip(asked, before, strict=True):
        assert _stable(here.ask(text)) == old, text
        assert MARKER not in str(old) or MARKER in text, text


def test_the_questions_find_something(here: World) -> None:
    """That the property above is about answers, and not about errors alone."""
    assert here.ask("SELECT name FROM spans ORDER BY ALL").text == "step 0\nstep 1\nstep 2\n"
    their = here.ask(
        f"SELECT count() FROM spans WHERE toUInt64(if(name = '{MARKER}', 'x', '1')) = 1", key=here.their_key
    )
    assert their.headers["x-clickhouse-exception-code"] == "6"
    mine = here.ask(f"SELECT count() FROM spans WHERE toUInt64(if(name = '{MARKER}', 'x', '1')) = 1")
    assert mine.text == "3\n"


def _change(here: World) -> None:
    """More rows of the other project, some with the identities that the asking one has, and others."""
    number = next(_numbers)
    rows = [
        span(THEIRS, trace_id="t1", span_id=str(number % 3), name=f"{MARKER}{number}", session_id=MARKER),
        span(
            THEIRS,
            trace_id=f"{MARKER}{number}",
            name=MARKER,
            user_id=MARKER,
            input=MARKER * number,
            session_id="s",
        ),
    ]
    here.store.insert("spans_raw", spans(*rows))


def _stable(reply: Reply) -> tuple[int, tuple[tuple[str, str], ...], dict[str, str], bytes]:
    """The answer without what differs from one time to the next: clock, id, tag and elapsed time."""
    headers = tuple(sorted((name, value) for name, value in reply.headers.items() if name not in _UNSTABLE))
    counters: dict[str, str] = json.loads(reply.headers.get("x-clickhouse-summary", "{}"))
    counters.pop("elapsed_ns", None)
    return reply.status, headers, counters, reply.body
