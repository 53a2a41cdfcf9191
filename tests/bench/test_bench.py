"""The benchmarks measure what they say: distinct spans of the right size, copies that differ, a page that keeps its words."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.bench import catalog, machine, model, processes, replay, report, rows
from tests.bench.model import Figure, Result, figures
from tests.bench.payload import SPAN_BYTES, SPANS_PER_TRACE, Payload
from tests.otlp import fixtures

NOW = 1_795_168_800_000_000_000


def spans_of(body: bytes) -> list[Any]:
    return [
        span
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def test_a_payload_holds_whole_traces_of_spans_that_exist_once() -> None:
    payload = Payload(50, distinct=2)
    requests = [payload.request(number, NOW) for number in range(5)]
    spans = [span for request in requests for span in spans_of(request.body)]
    roots = {span.span_id: span.trace_id for span in spans if not span.parent_span_id}
    assert len({span.span_id for span in spans}) == len(spans) == 250
    assert len(roots) == 250 // SPANS_PER_TRACE
    assert all(roots[span.parent_span_id] == span.trace_id for span in spans if span.parent_span_id)
    assert all(
        NOW - 2 * 10**9 <= span.start_time_unix_nano < span.end_time_unix_nano <= NOW for span in spans
    )
    assert {len(request.body) // 50 for request in requests} <= set(range(SPAN_BYTES - 10, SPAN_BYTES + 20))


def test_a_payload_knows_its_tokens() -> None:
    request = Payload(10, distinct=1).request(0)
    values = [{pair.key: pair.value.int_value for pair in span.attributes} for span in spans_of(request.body)]
    assert request.input_tokens == sum(v.get("gen_ai.usage.input_tokens", 0) for v in values) > 0
    assert request.output_tokens == sum(v.get("gen_ai.usage.output_tokens", 0) for v in values) > 0


def test_the_rows_of_the_bare_limit_are_those_of_the_span_writer() -> None:
    tables = rows.stored(rows.bodies(4), at_once=2)
    assert sum(table.num_rows for table in tables) == 2000
    assert sum(table["_head"].to_pylist().count(True) for table in tables) == 2000 // SPANS_PER_TRACE


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_copies_of_an_export_share_no_id(encoding: str) -> None:
    fixture = next(f for f in fixtures() if f.signal == "traces" and f.encoding == encoding)
    captured = replay.captured(fixture, as_sent=True)
    first, second = captured.copied(1), captured.copied(2)
    ids = [
        re.findall(rb'"spanId": ?"(\w+)"', body)
        if encoding == "json"
        else [s.span_id for s in spans_of(body)]
        for body in (first, second)
    ]
    assert len(ids[0]) == len(ids[1]) == captured.spans > 0
    assert not set(ids[0]) & set(ids[1])
    assert len(first) == len(fixture.body)


def test_quantiles_are_values_that_were_seen() -> None:
    assert model.quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert model.quantile(list(map(float, range(1, 101))), 0.99) == 99.0


def test_the_cost_of_a_tree_of_processes_is_seen() -> None:
    here = processes.tree(os.getpid())
    assert here[0] == os.getpid()
    assert processes.resident_bytes(here[0]) > 1 << 20


def test_every_benchmark_has_its_section_in_the_page() -> None:
    page = report.PAGE.read_text(encoding="utf-8")
    for name, about in catalog.ABOUT.items():
        assert page.count(f"<!-- begin {name} -->") == page.count(f"<!-- end {name} -->") == 1
        assert f"## {name}: {about}" in page
        assert (machine.REPOSITORY / "tests" / "bench" / f"{name}.py").exists()


def test_a_result_replaces_its_section_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text("words\n<!-- begin log -->\nold\n<!-- end log -->\nmore words\n", encoding="utf-8")
    monkeypatch.setattr(report, "PAGE", page)
    result = Result((figures(Figure("speed", "1 span/s", "≥ 2", met=False)),), ("seen",))
    report.write("log", report.body(result))
    text = page.read_text(encoding="utf-8")
    assert text.startswith("words\n<!-- begin log -->\n| figure")
    assert "old" not in text
    assert "**no**" in text
    assert text.endswith("* seen\n<!-- end log -->\nmore words\n")
