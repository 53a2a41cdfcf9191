"""The filter language over spans."""

from __future__ import annotations

import pytest

from api.sql.filters import SPAN_COLUMNS, Column, judge_filter
from api.sql.vet import Vetter
from schemas.errors import InvalidQuery
from tests.unit.sql.engine import Engine

GOOD = (
    "kind = 'llm' and cost > 0.01 and metadata['plan'] = 'pro'",
    "kind in ('llm', 'tool') and not streaming",
    "has(tags, 'vip') or arrayExists(t -> t like 'a%', tags)",
    "start_time >= now() - interval 1 day and duration_ms between 1 and 1e6",
    "usage['input'] > 5 and mapContains(metadata, 'plan')",
    "attributes['http.status_code'] = '500'",
    "positionCaseInsensitive(input, 'refund') > 0",
    "JSONExtractString(output, 1, 'role') = 'assistant'",
    "status = 'error' and error_type != ''",
    "input_tokens is null or output_tokens > 100",
    "toFloat64OrNull(metadata['score']) > 0.5",
    "user_id = 'it\\'s' -- a comment",
    "`name` = 'x' and release = '1.0' /* another */",
    "if(streaming, time_to_first_token_ms > 100, duration_ms > 1000)",
    "true",
    "NULL",
)
BAD: dict[str, tuple[str, ...]] = {
    "there is no column": (
        "cots > 1", "metadata.plan = 'x'", "spans.name = 'x'", "_bucket > 0", "kind in spans", "_score_0 > 1",
        "arrayExists(spans -> spans._bucket = 1, tags)", "secret.name = 'x'", "trace_cost > 1", '"no such" = 1',
    ),
    "a filter is one expression, without": (
        "1 FROM secret", "kind = 'llm' UNION ALL SELECT 1", "kind = 'llm' SETTINGS readonly = 0", "kind = 'a' FORMAT JSON",
        "1 INTO OUTFILE 'stolen.csv'", "1 LIMIT 5", "1 WHERE 1", "1 GROUP BY 1", "DISTINCT kind = 'llm'", "1 ORDER BY 1",
    ),
    "join several with AND": ("kind = 'llm', 1", "1, 2"),
    "a subquery is not allowed": ("(SELECT 1)", "kind IN (SELECT name FROM secret)", "cost > (SELECT 1)"),
    "* is not allowed": ("*", "tuple(*) = 1"),
    "an alias": ("kind = 'llm' AS x", "(kind AS k) = 'llm'"),
    "a query parameter": ("kind = {x:String}",),
    "one row at a time": (
        "count() > 1", "sum(cost) > 1", "row_number() OVER () = 1", "arrayJoin([1]) = 1", "rowNumberInAllBlocks() = 0",
        "neighbor(kind, 1) = 'x'", "maxIf(cost, 1) > 1", "exists(SELECT 1)",
    ),
    "only functions of their arguments": ("sleep(1) = 0", "file('/etc/passwd') = ''", "throwIf(cost > 1) = 0", "user() = ''"),
    "not known here": ("foo(1) = 1",),
    "scores needs the name": ("scores = 1", "scores[name] > 1", "mapKeys(scores) = []", "scores[1] > 1", "length(scores) > 1"),
    "write has(tags, value)": ("'vip' IN tags",),
    "must be true or false": ("name", "cost", "tags", "input_tokens", "'x'", "toDate(start_time)"),
    "not well typed": ("name > 1", "tags = 'x'", "duration_ms + 'a' > 1", "metadata = 1", "lower(cost) = 'x'"),
    "Syntax error": ("kind = ", "kind = 'llm' and", "kind = 'llm')", "(kind = 'llm'", "kind = 'llm"),
    "Multi-statements": ("1; DROP TABLE spans",),
    "the filter is empty": ("", "  "),
    "too deeply": ("not " * 250 + "streaming",),
    "without a name": ("x -> x",),
    "COLUMNS(…) is not allowed here": ("COLUMNS('a')",),
}  # fmt: skip


@pytest.mark.parametrize("text", GOOD)
def test_passes_and_may_stand_in_parentheses(engine: Engine, vetter: Vetter, text: str) -> None:
    judged = vetter.span_filter(text)
    assert engine.rows(f"SELECT count() AS n FROM spans WHERE ({judged.sql}) AND 1") == [{"n": 0}]


@pytest.mark.parametrize(
    ("text", "reason"), [(text, reason) for reason, texts in BAD.items() for text in texts]
)
def test_refused_with_its_reason(vetter: Vetter, text: str, reason: str) -> None:
    with pytest.raises(InvalidQuery) as refused:
        vetter.span_filter(text)
    assert reason in refused.value.detail


def test_names_what_it_reads(vetter: Vetter) -> None:
    judged = vetter.span_filter("kind = 'llm' and scores['b'] > scores['a'] and scores['b'] < 1")
    assert judged.columns == {"kind"}
    assert judged.scores == ("b", "a")
    assert judged.sql == "(kind = 'llm') AND (_score_0 > _score_1) AND (_score_0 < 1)"


def test_hints_at_the_nearest_columns(vetter: Vetter) -> None:
    with pytest.raises(InvalidQuery, match="there is no column cots; did you mean cost"):
        vetter.span_filter("cots > 1")
    with pytest.raises(InvalidQuery, match="the columns are project, trace_id"):
        vetter.span_filter("zzz > 1")


def test_says_where_in_the_filter_it_stopped(vetter: Vetter) -> None:
    with pytest.raises(InvalidQuery, match=r"position 8 \(=\)"):
        vetter.span_filter("kind = = 1")


def test_an_array_s_lambda_hides_columns(vetter: Vetter) -> None:
    judged = vetter.span_filter("arrayExists(scores -> scores['a'] = 'x', [metadata])")
    assert judged.scores == ()
    assert judged.columns == {"metadata"}


def test_other_columns_with_an_alias(engine: Engine) -> None:
    columns = {"traces": Column("UInt64", "s"), **SPAN_COLUMNS}
    assert (
        judge_filter(engine, "traces > 3 and kind = 'llm'", columns).sql
        == "(s.traces > 3) AND (kind = 'llm')"
    )


def test_quotes_and_backslashes_survive(engine: Engine, vetter: Vetter) -> None:
    judged = vetter.span_filter(r"name = 'a\'b\\c\n' or scores['q\'\\uote'] > 1")
    assert judged.scores == ("q'\\uote",)
    assert r"'a\'b\\c\n'" in judged.sql
