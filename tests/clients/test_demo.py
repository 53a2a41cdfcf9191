"""The demo: what it says it sent is what a receiver gets, and the same seed sends the same."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

import api.demo
from schemas.errors import Unavailable
from tests.clients.recorder import Recorder
from tests.clients.server import Evalstream

# pydantic says so while OpenLLMetry's instrumentation (0.62) is imported
pytestmark = pytest.mark.filterwarnings("ignore:Support for class-based `config` is deprecated")

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
TRACES = 60


def test_importing_the_demo_is_cheap() -> None:
    code = "import sys, api.demo; print(sorted({'openai', 'anthropic', 'opentelemetry'} & set(sys.modules)))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


def test_summary_counts_what_a_receiver_gets() -> None:
    with Recorder() as recorder:
        summary = api.demo.run(recorder.url, now=NOW, traces=TRACES)
    spans = recorder.spans
    assert summary.traces == TRACES == len({recorded.span.trace_id for recorded in spans})
    assert summary.spans == len(spans) == len({recorded.span.span_id for recorded in spans})
    assert summary.errors == sum(recorded.span.status.code == 2 for recorded in spans) > 0
    tokens = sum(
        recorded.attributes.get(key, 0)
        for recorded in spans
        for key in (
            "llm.token_count.prompt",
            "llm.token_count.completion",
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.output_tokens",
        )
    )
    assert summary.total_tokens == tokens == sum(summary.tokens_by_model.values())


def test_every_call_is_traced_once_and_every_parent_is_sent() -> None:
    with Recorder() as recorder:
        summary = api.demo.run(recorder.url, now=NOW, traces=TRACES)
    spans = recorder.spans
    ids = {recorded.span.span_id for recorded in spans}
    assert {recorded.span.parent_span_id for recorded in spans} - ids == {b""}
    by_service = {
        "shop-assistant": "openinference.instrumentation",
        "support-agent": "opentelemetry.instrumentation.openai",
    }
    for recorded in spans:
        service = recorded.resource["service.name"]
        assert recorded.scope == service or recorded.scope.startswith(by_service[service])
    assert set(summary.services) == set(by_service)


def test_traffic_lies_within_the_last_six_hours() -> None:
    with Recorder() as recorder:
        summary = api.demo.run(recorder.url, now=NOW, traces=TRACES)
    assert NOW - timedelta(hours=6) <= summary.first < summary.last <= NOW
    assert all(
        recorded.span.end_time_unix_nano >= recorded.span.start_time_unix_nano for recorded in recorder.spans
    )


def test_the_same_seed_sends_the_same_and_another_seed_does_not() -> None:
    def sent(seed: int) -> list[tuple[object, ...]]:
        with Recorder() as recorder:
            api.demo.run(recorder.url, seed=seed, now=NOW, traces=20)
        return sorted(
            (
                r.span.trace_id,
                r.span.span_id,
                r.span.start_time_unix_nano,
                r.span.end_time_unix_nano,
                r.span.name,
                repr(r.attributes),
            )
            for r in recorder.spans
        )

    first = sent(7)
    assert sent(7) == first
    assert sent(8) != first


def test_a_receiver_that_refuses_is_reported() -> None:
    with Recorder(answer=400) as recorder, pytest.raises(Unavailable, match="did not take"):
        api.demo.run(recorder.url, now=NOW, traces=3)


def test_evalstream_shows_what_the_demo_sent(evalstream: Evalstream) -> None:
    summary = api.demo.run(evalstream.otlp_http_url, traces=TRACES, headers={"x-evalstream-project": "demo"})
    query = (
        "SELECT count() AS spans, uniqExact(trace_id) AS traces, countIf(status = 'error') AS errors, "
        "sumIf(input_tokens, usage_counted) AS input, sumIf(output_tokens, usage_counted) AS output, "
        "sumIf(cache_read_tokens, usage_counted) AS cached FROM spans"
    )
    rows = evalstream.wait_for("demo", query, lambda rows: bool(rows) and rows[0]["spans"] >= summary.spans)
    assert rows == [
        {
            "spans": summary.spans,
            "traces": summary.traces,
            "errors": summary.errors,
            "input": summary.input_tokens,
            "output": summary.output_tokens,
            "cached": summary.cache_read_tokens,
        }
    ]
