"""Filters of the list of traces."""

from __future__ import annotations

import pytest

from api.sql.vet import Vetter
from schemas.errors import InvalidQuery


def test_columns_of_the_trace_come_first(vetter: Vetter) -> None:
    judged = vetter.trace_filter("cost > 1 and span_count > 3")
    assert judged.trace == "(t.cost > 1) AND (t.span_count > 3)"
    assert judged.span == ""


def test_columns_of_spans_are_told_apart(vetter: Vetter) -> None:
    judged = vetter.trace_filter(
        "kind = 'llm' and cost > 1 and (request_model = 'x' and metadata['a'] = 'b')"
    )
    assert judged.trace == "t.cost > 1"
    assert judged.span == "(s.kind = 'llm') AND (s.request_model = 'x') AND ((s.metadata['a']) = 'b')"
    assert not judged.span_reads_trace
    assert judged.columns == {"kind", "cost", "request_model", "metadata"}


def test_a_part_over_both_is_asked_of_the_span(vetter: Vetter) -> None:
    judged = vetter.trace_filter("kind = 'llm' or cost > 1")
    assert (judged.trace, judged.span) == ("", "(s.kind = 'llm') OR (t.cost > 1)")
    assert judged.span_reads_trace


def test_scores_are_those_of_spans(vetter: Vetter) -> None:
    judged = vetter.trace_filter(
        "scores['b'] > 1 and status = 'error' and kind = 'tool' and scores['a'] is null"
    )
    assert judged.scores == ("b", "a")
    assert judged.trace == "t.status = 'error'"
    assert judged.span == "(_score_0 > 1) AND (s.kind = 'tool') AND (_score_1 IS NULL)"


def test_an_array_s_lambda_hides_columns(vetter: Vetter) -> None:
    judged = vetter.trace_filter("arrayExists(kind -> kind = 'x', tags)")
    assert (judged.trace, judged.span) == ("arrayExists(kind -> (kind = 'x'), t.tags)", "")


REFUSED = (
    "nothing = 1",
    "t.cost > 1",
    "s.kind = 'llm'",
    "cost > 1 AND (SELECT 1)",
    "cost > 1, 2",
    "cost",
    "cost and name",
)


@pytest.mark.parametrize("text", REFUSED)
def test_refused(vetter: Vetter, text: str) -> None:
    with pytest.raises(InvalidQuery):
        vetter.trace_filter(text)
