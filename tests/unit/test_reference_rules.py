"""The reference reading of rules that no fixture shows: built spans and log records."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests import otlp
from tests.reference import decode, kinds, trace
from tests.reference.values import OneOf

Rows = dict[trace.Key, dict[str, Any]]


def read_one(*built: Span, scope: str = "test", logs: bytes = b"") -> Rows:
    return trace.expected(
        decode.spans(otlp.traces(*built, scope=scope), "protobuf"),
        decode.logs(logs, "protobuf") if logs else [],
    )


def only(rows: Rows) -> dict[str, Any]:
    [row] = rows.values()
    return row


def test_a_pending_marker_gives_way_to_its_span_in_either_order() -> None:
    real = otlp.span("work", span_id="a" * 16)
    pending = otlp.span(
        "work",
        span_id="b" * 16,
        parent="a" * 16,
        logfire__span_type="pending_span",
        logfire__pending_parent_id="0" * 16,
    )
    assert set(read_one(real, pending)) == set(read_one(pending, real)) == {("1" * 32, "a" * 16)}


def test_on_conflict_the_later_end_then_more_attributes_win() -> None:
    short = otlp.span("a", end=otlp.EPOCH + 5, x="1")
    longer = otlp.span("b", end=otlp.EPOCH + 9)
    fuller = otlp.span("c", end=otlp.EPOCH + 9, x="1")
    for order in ((short, longer, fuller), (fuller, longer, short)):
        assert only(read_one(*order))["name"] == "c"


CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "m",
    "gen_ai.usage.input_tokens": 10,
    "gen_ai.usage.output_tokens": 2,
}
SAID = {
    "gen_ai.output.messages": json.dumps(
        [{"role": "assistant", "parts": [{"type": "text", "content": "yes"}]}]
    )
}


@pytest.mark.parametrize(
    ("upper", "lower", "counts"),
    [
        ({}, {}, "lower"),
        (SAID, {}, "upper"),
        ({}, SAID, "lower"),
        (SAID, SAID, "lower"),
        (SAID | {"gen_ai.usage.input_tokens": 11}, {}, "lower"),
        (
            SAID | {"gen_ai.usage.input_tokens": 11, "gen_ai.response.id": "r"},
            {"gen_ai.response.id": "r"},
            "upper",
        ),
    ],
)
def test_twins_count_once(upper: dict[str, Any], lower: dict[str, Any], counts: str) -> None:
    rows = read_one(
        otlp.span("upper", span_id="a" * 16, attributes=CALL | upper),
        otlp.span("between", span_id="b" * 16, parent="a" * 16),
        otlp.span("lower", span_id="c" * 16, parent="b" * 16, attributes=CALL | lower),
    )
    assert [row["name"] for row in rows.values() if row["usage_counted"]] == [counts]


def test_a_roll_up_over_two_calls_does_not_count() -> None:
    rows = read_one(
        otlp.span("sum", span_id="a" * 16, attributes=CALL | SAID | {"gen_ai.usage.input_tokens": 20}),
        *(otlp.span("call", span_id=digit * 16, parent="a" * 16, attributes=CALL) for digit in "bc"),
    )
    assert Counter(row["name"] for row in rows.values() if row["usage_counted"]) == {"call": 2}


def test_an_evaluation_sent_as_event_and_as_log_is_one_score() -> None:
    told = {
        "gen_ai.evaluation.name": "relevance",
        "gen_ai.evaluation.score.value": 0.5,
        "gen_ai.evaluation.score.label": "fair",
    }
    spans = decode.spans(
        otlp.traces(otlp.span(events=[("gen_ai.evaluation.result", otlp.EPOCH, told)])), "protobuf"
    )
    record = otlp.log("gen_ai.evaluation.result", trace_id="1" * 32, span_id="1" * 16, attributes=told)
    assert trace.scores(spans, decode.logs(otlp.logs(record), "protobuf")) == {
        ("1" * 32, "1" * 16, "relevance", 0.5, "fair")
    }


def test_an_input_below_its_cached_share_excludes_it() -> None:
    row = only(read_one(otlp.span(attributes=CALL | {
        "gen_ai.usage.input_tokens": 198, "gen_ai.usage.cache_read.input_tokens": 7360,
        "gen_ai.usage.cache_creation.input_tokens": 3680, "gen_ai.client.token.usage": 200,
    })))  # fmt: skip
    assert row["input_tokens"] == 11_238
    assert row["usage"] == {"input": 198, "cache_read": 7360, "cache_write": 3680, "output": 2}
    assert row["usage_flags"] == ["exclusive_input", "total_mismatch"]


@pytest.mark.parametrize(
    ("details", "inclusive"),
    [
        ({"input": 46, "output": 30, "total": 122, "input_cache_read": 46}, (92, 30)),
        ({"input": 120, "output": 30, "total": 150, "cache_read_input_tokens": 40}, (120, 30)),
        ({"input": 10, "output": 3, "cache_read_input_tokens": 4}, (14, 3)),
        ({"prompt_tokens": 9, "total_tokens": 9}, (9, None)),
    ],
)
def test_langfuse_dialects(details: dict[str, int], inclusive: tuple[int, int | None]) -> None:
    row = only(
        read_one(
            otlp.span(
                langfuse__observation__type="generation",
                langfuse__observation__usage_details=json.dumps(details),
            )
        )
    )
    assert (row["input_tokens"], row["output_tokens"]) == inclusive


@pytest.mark.parametrize(
    ("scope", "values", "milliseconds"),
    [
        ("strands.telemetry", {"gen_ai.server.time_to_first_token": 250}, 250.0),
        ("openlit", {"gen_ai.server.time_to_first_token": 0.25, "gen_ai.request.stream": True}, 250.0),
        ("openlit", {"gen_ai.server.time_to_first_token": 0.25, "gen_ai.request.stream": False}, None),
        ("x", {"gen_ai.response.time_to_first_chunk": 0.25}, 250.0),
    ],
)
def test_units_of_the_first_token(scope: str, values: dict[str, Any], milliseconds: float | None) -> None:
    row = only(read_one(otlp.span(attributes=CALL | values), scope=scope))
    assert row["time_to_first_token_ms"] == milliseconds
    assert row["streaming"] is (milliseconds is not None)


def test_log_records_fill_only_what_the_span_lacks_and_once() -> None:
    place = {"trace_id": "1" * 32, "span_id": "1" * 16}
    records = [
        otlp.log("gen_ai.user.message", {"content": "asked"}, time=otlp.EPOCH + 1, **place),
        otlp.log(
            "gen_ai.choice", {"message": {"content": "logged"}, "index": 0}, time=otlp.EPOCH + 2, **place
        ),
    ]
    row = only(read_one(otlp.span(attributes=CALL | SAID), logs=otlp.logs(*records, *records)))
    assert row["input"] == [{"role": "user", "parts": [{"type": "text", "content": "asked"}]}]
    assert row["output"] == [{"role": "assistant", "parts": [{"type": "text", "content": "yes"}]}]


def test_what_belongs_to_the_trace_reaches_all_and_own_values_win() -> None:
    rows = read_one(
        otlp.span("root", span_id="a" * 16, session__id="s", user__id="u"),
        otlp.span("child", span_id="b" * 16, parent="a" * 16, session__id="own"),
        otlp.span("orphan", span_id="c" * 16, parent="f" * 16),
    )
    assert {row["name"]: row["session_id"] for row in rows.values()} == {
        "root": "s",
        "child": "own",
        "orphan": OneOf(("s", "own")),
    }
    assert {row["user_id"] for row in rows.values()} == {"u"}
    assert {row["trace_name"] for row in rows.values()} == {"root"}


def test_an_old_langfuse_span_with_a_model_is_a_call() -> None:
    built = otlp.span(langfuse__observation__type="span", langfuse__observation__model__name="m")
    [decoded] = decode.spans(otlp.traces(built, scope="langfuse-sdk"), "protobuf")
    kinds_by_version = {
        v: kinds.kind(replace(decoded, scope_version=v)) for v in ("3.3.0", "3.15.0", "5.0.4", "")
    }
    assert kinds_by_version == {"3.3.0": "llm", "3.15.0": "span", "5.0.4": "span", "": "span"}
