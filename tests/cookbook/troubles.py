"""What the recipes on errors, tools, retrieval and the telemetry itself must answer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

import pytest

from tests.cookbook.arithmetic import (
    Answer,
    Check,
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
)  # fmt: skip
from tests.cookbook.sample import Row, Sample


def errors_by_model(answer: Answer, made: Sample) -> None:
    groups = by(of_kind(made.since(days=7), "llm"), "request_model")
    assert told(answer, "model", "percent") == {
        model: share(len(failed(rows)), len(rows), 2) for model, rows in groups.items()
    }
    assert in_order(answer, "percent")


def commonest_errors(answer: Answer, made: Sample) -> None:
    groups = by(failed(made.since(days=7)), "error_type", "kind")
    assert {key: row["times"] for key, row in keyed(answer, "error_type", "kind").items()} == {
        key: len(rows) for key, rows in groups.items()
    }
    for key, row in keyed(answer, "error_type", "kind").items():
        assert row["example"] in {span["trace_id"] for span in groups[key]}
        assert row["requests"] == distinct(groups[key], "trace_id")
        assert row["message"] == ("try again" if row["kind"] == "llm" else "")


def sessions_with_errors(answer: Answer, made: Sample) -> None:
    groups = {session: len(failed(rows)) for session, rows in by(made.spans, "session_id").items()}
    assert answer
    assert all(row["errors"] == groups[row["session_id"]] > 0 for row in answer)
    assert len(answer) == min(50, sum(errors > 0 for errors in groups.values()))
    assert in_order(answer, "end_time")


def retries(answer: Answer, made: Sample) -> None:
    calls = of_kind(made.since(days=7), "llm")
    families = by(calls, "trace_id", "parent_span_id")
    tried_again = Counter(rows[0]["request_model"] for rows in families.values() if len(rows) > 1)
    errors = Counter(row["request_model"] for row in failed(calls))
    assert {row["model"]: row["failed"] for row in answer if row["failed"]} == errors
    assert {row["model"]: row["tried_again"] for row in answer if row["tried_again"]} == tried_again
    assert {row["model"]: row["gave_up"] for row in answer if row["gave_up"]} == errors - tried_again


def cut_short(answer: Answer, made: Sample) -> None:
    finished = [row for row in of_kind(made.since(days=7), "llm") if row["finish_reason"]]
    for model, rows in by(finished, "request_model").items():
        cut = sum(row["finish_reason"] == "length" for row in rows)
        row = keyed(answer, "model")[model]
        assert (row["cut"], row["answers"], row["filtered"]) == (cut, len(rows), 0)
        assert row["percent_cut"] == share(cut, len(rows), 2)


def tools(answer: Answer, made: Sample) -> None:
    groups = by(of_kind(made.since(days=7), "tool"), "tool_name")
    assert {row["tool_name"] for row in answer} == set(groups)
    for name, row in keyed(answer, "tool_name").items():
        assert row["percent_failed"] == share(len(failed(groups[name])), len(groups[name]))
        assert row["common_errors"] == ["UnknownTariff"]
        assert row["p95_ms"] == pytest.approx(quantile(groups[name], "duration_ms", 0.95), abs=1)


def many_spans(answer: Answer, made: Sample) -> None:
    groups = by(made.since(days=7), "trace_id")
    sizes = sorted((len(rows) for rows in groups.values()), reverse=True)
    assert [row["spans"] for row in answer] == sizes[:20]
    for row in answer:
        used = Counter(span["tool_name"] for span in of_kind(groups[row["trace_id"]], "tool"))
        assert row["tool_calls"] == used.total()
        assert row["model_calls"] == len(of_kind(groups[row["trace_id"]], "llm"))
        assert used[row["repeated"]] == max(used.values())


def tree(answer: Answer, made: Sample) -> None:
    last = max(failed(roots(made.spans)), key=lambda row: row["start_time"])
    family = [
        row for row in made.spans if row["trace_id"] == last["trace_id"] and row["name"] != "late child"
    ]
    children = [row for row in family if row["parent_span_id"]]
    ordered = sorted(children, key=lambda row: (row["start_time"], row["span_id"]))
    assert [row["span"] for row in answer] == ["answer-question", *(f"  {row['name']}" for row in ordered)]
    assert answer[0]["status"] == "error"


def funnel(answer: Answer, made: Sample) -> None:
    assert told(answer, "step", "requests") == Counter(
        _step(rows) for rows in by(made.since(days=7), "trace_id").values()
    )
    assert {row["step"]: row["reached"] for row in answer}.items() <= dict(
        enumerate(("nothing", "checked", "found", "answered"))
    ).items()


def empty_retrievals(answer: Answer, made: Sample) -> None:
    rows = [row | {"hour": row["start_time"].hour} for row in of_kind(made.since(days=30), "retriever")]
    for hour, found in by(rows, "hour").items():
        row = keyed(answer, "hour")[hour]
        assert (row["retrievals"], row["empty"]) == (len(found), sum(not span["documents"] for span in found))
    assert 0 < sum(row["empty"] for row in answer) < len(rows) / 3


def documents(answer: Answer, made: Sample) -> None:
    found = [json.loads(row["documents"] or "[]") for row in of_kind(made.since(days=30), "retriever")]
    assert told(answer, "page", "times") == Counter(document["id"] for some in found for document in some)
    assert keyed(answer, "page")["page-1"]["mean_score"] == 0.8


def orphans(answer: Answer, made: Sample) -> None:
    (row,) = answer
    lost = [span for span in made.since(days=30) if span["name"] == "late child"]
    assert (row["service"], row["orphans"], row["traces"]) == (
        "shop-assistant",
        len(lost),
        distinct(lost, "trace_id"),
    )
    assert row["example"] in {span["trace_id"] for span in lost}


def left_out(answer: Answer, made: Sample) -> None:
    calls = [row for row in of_kind(made.since(days=7), "llm") if row["status"] != "error"]
    assert told(answer, "model", "calls") == {
        model: len(rows) for model, rows in by(calls, "request_model").items()
    }
    assert {row[name] for row in answer for name in row if name.startswith("no_")} == {0.0}


def log_records(answer: Answer, made: Sample) -> None:
    lonely = sum(not row["trace_id"] for row in made.logs)
    assert answer == [
        {
            "severity": "WARN",
            "records": len(made.logs),
            "without_trace": lonely,
            "joined_to_a_span": len(made.logs) - lonely,
        }
    ]


def _step(rows: list[Row]) -> int:
    """How far a request came. Its spans are in order: each stage comes after the one before it."""
    checked = bool(of_kind(rows, "guardrail"))
    found = checked and any(row["documents"] for row in of_kind(rows, "retriever"))
    return checked + found + (found and any(row["finish_reason"] == "stop" for row in of_kind(rows, "llm")))


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "Errors by model": errors_by_model,
        "The commonest errors, each with an example": commonest_errors,
        "Sessions with errors": sessions_with_errors,
        "Retries": retries,
        "Answers cut short": cut_short,
        "Tools that fail": tools,
        "Traces with many spans": many_spans,
        "A trace as a tree": tree,
        "How far requests come": funnel,
        "Retrievals that found nothing": empty_retrievals,
        "Documents that are found most often": documents,
        "Spans whose parent never came": orphans,
        "What instrumentations leave out": left_out,
        "Log records and their spans": log_records,
    }
)
