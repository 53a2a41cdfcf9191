"""What the recipes on scores, releases and texts must answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from math import sqrt
from types import MappingProxyType

import pytest

from tests.cookbook.arithmetic import (
    Answer,
    Check,
    billed,
    by,
    distinct,
    failed,
    in_order,
    keyed,
    of_kind,
    quantile,
    roots,
    share,
    told,
    total,
)  # fmt: skip
from tests.cookbook.sample import Row, Sample, questions


def by_evaluator(answer: Answer, made: Sample) -> None:
    groups = by(_valid(made), "source")
    assert told(answer, "source", "results") == {source: len(rows) for source, rows in groups.items()}
    for source, row in keyed(answer, "source").items():
        values = [score["value"] for score in groups[source] if score["value"] is not None]
        assert row["mean"] == pytest.approx(sum(values) / len(values), abs=0.001)
        assert row["abstained"] == len(groups[source]) - len(values)
        assert row["p10"] == pytest.approx(quantile(groups[source], "value", 0.1), abs=0.001)


def by_model_and_prompt(answer: Answer, made: Sample) -> None:
    values = {trace: _mean(rows) for trace, rows in by(_scored(made), "trace_id").items()}
    calls = [row for row in of_kind(made.since(days=30), "llm") if row["trace_id"] in values]
    groups = by(calls, "request_model", "prompt_version")
    assert keyed(answer, "model", "prompt").keys() == groups.keys()
    for key, row in keyed(answer, "model", "prompt").items():
        graded = [values[call["trace_id"]] for call in groups[key]]
        assert row["mean"] == pytest.approx(sum(graded) / len(graded), abs=0.001)
        assert row["poor"] == sum(value < 0.5 for value in graded)


def worst_answers(answer: Answer, made: Sample) -> None:
    judged = [row for row in _scored(made) if row["source"] == "judge" and _within(made, row, 7)]
    worst = sorted((row["value"], row["trace_id"]) for row in judged)
    assert [(row["value"], row["trace_id"]) for row in answer] == worst[:20]
    asked = {root["trace_id"]: text for root, text in questions(made)}
    assert [row["question"] for row in answer] == [asked[row["trace_id"]] for row in answer]
    assert {row["answer"] for row in answer} == {"Here it is."}


def agreement(answer: Answer, made: Sample) -> None:
    found = by(_scored(made), "source")
    judged = {row["trace_id"]: row["value"] for row in found["judge"]}
    both = [(row["value"], judged[row["trace_id"]]) for row in found["human"] if row["trace_id"] in judged]
    wanted = Counter((people >= 0.5, judge >= 0.5) for people, judge in both)
    assert {(row["people_say_good"], row["judge_says_good"]): row["answers"] for row in answer} == wanted
    assert wanted.total() > 5


def environments(answer: Answer, made: Sample) -> None:
    groups = by(made.since(days=7), "environment")
    assert set(groups) == {row["environment"] for row in answer} == {"production", "staging"}
    for environment, row in keyed(answer, "environment").items():
        rows = groups[environment]
        requests = distinct(rows, "trace_id")
        assert row["percent_with_errors"] == share(distinct(failed(rows), "trace_id"), requests, 2)
        assert row["tokens_a_request"] == pytest.approx(
            total(billed(rows), "total_tokens") / requests, abs=0.51
        )
        assert row["p95_model_call_ms"] == pytest.approx(
            quantile(of_kind(rows, "llm"), "duration_ms", 0.95), abs=0.51
        )


def releases(answer: Answer, made: Sample) -> None:
    (row,) = answer
    groups = by([root for root in roots(made.spans) if root["environment"] == "production"], "release")
    old, new = groups["1.4.0"], groups["1.5.0"]
    before, after = (len(failed(rows)) / len(rows) for rows in (old, new))
    margin = 1.96 * sqrt(before * (1 - before) / len(old) + after * (1 - after) / len(new))
    assert (row["old_release"], row["new_release"]) == ("1.4.0", "1.5.0")
    assert row["new_percent_failed"] == pytest.approx(100 * after, abs=0.01)
    assert row["difference_low"] == pytest.approx(100 * (after - before - margin), abs=0.01)
    assert row["difference_high"] == pytest.approx(100 * (after - before + margin), abs=0.01)
    p50 = [quantile(rows, "duration_ms", 0.5) for rows in (old, new)]
    assert row["p50_difference_ms"] == pytest.approx(p50[1] - p50[0], abs=0.1)


def search(answer: Answer, made: Sample) -> None:
    calls = [row for row in of_kind(made.since(days=7), "llm") if "refund" in row["input"] + row["output"]]
    newest = sorted(calls, key=lambda row: row["start_time"], reverse=True)[:50]
    assert [row["span_id"] for row in answer] == [row["span_id"] for row in newest]
    assert {row["question"] for row in answer} == {"I want a refund for order 48275"}


def repeated_questions(answer: Answer, made: Sample) -> None:
    assert told(answer, "question", "times") == Counter(text.lower() for _, text in questions(made))
    assert in_order(answer, "times")
    assert all(row["users"] == 9 for row in answer)


def _valid(made: Sample) -> list[Row]:
    return [row for row in made.scores if not row["shadow"] and _within(made, row, 30)]


def _scored(made: Sample) -> list[Row]:
    return [row for row in _valid(made) if row["outcome"] == "scored"]


def _within(made: Sample, row: Row, days: int) -> bool:
    return bool(row["created_at"] >= made.now - timedelta(days=days))


def _mean(rows: list[Row]) -> float:
    return float(total(rows, "value")) / len(rows)


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "Scores by evaluator": by_evaluator,
        "Scores by model and prompt": by_model_and_prompt,
        "Worst answers, with their text": worst_answers,
        "Do people and the judge agree?": agreement,
        "Staging beside production": environments,
        "A release against the one before": releases,
        "Search in questions and answers": search,
        "The same question again and again": repeated_questions,
    }
)
