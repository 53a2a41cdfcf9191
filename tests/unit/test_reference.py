"""The reference reading is right where it can be checked: against expectations by hand, the clients' own metrics, and itself."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from schemas.spans import KINDS, PUBLIC
from tests.otlp import Fixture, fixtures, needs_captured
from tests.reference import by_hand, compare, decode, trace
from tests.reference.content import Content, Raw
from tests.reference.context import Metadata
from tests.reference.values import OneOf

Rows = dict[trace.Key, dict[str, Any]]
CUMULATIVE = 2
# The client's metric leaves these out, its spans do not: openai-v2 2.4 counts no tokens of streams.
UNMETERED = {("otel-openai-v2-default", "stream"), ("otel-openai-v2-default", "tools_stream")}
# One call, told by two instrumentations as the roots of two traces: nothing in the documents joins them.
TOLD_TWICE = {("openinference", "anth_stream")}
SAME_PROGRAM = (
    "langfuse",
    "langfuse-v3",
    "logfire",
    "logfire-v1",
    "openinference",
    "openinference-grpc",
    "openinference-gzip",
)
"""SDKs whose captured program is that of `otel-genai`, so that the server billed the same."""


def decoded(chosen: list[Fixture]) -> tuple[list[decode.Span], list[decode.Log]]:
    spans = [s for f in chosen if f.signal == "traces" for s in decode.spans(f.body, f.encoding)]
    return spans, [r for f in chosen if f.signal == "logs" for r in decode.logs(f.body, f.encoding)]


def expected(name: str) -> Rows:
    return trace.expected(*decoded(fixtures(name)))


def bill(rows: Rows) -> tuple[int, int]:
    counted = [row for row in rows.values() if row["usage_counted"]]
    return sum(r["input_tokens"] or 0 for r in counted), sum(r["output_tokens"] or 0 for r in counted)


@pytest.mark.parametrize("case", by_hand.cases(), ids=lambda case: case.name)
def test_agrees_with_what_was_written_by_hand(case: by_hand.Case) -> None:
    if not fixtures(case.name):
        pytest.skip("shared/ is not beside the checkout")
    rows = expected(case.name)
    by_id = {key[1]: row for key, row in rows.items()}
    assert len(rows) == case.rows
    assert bill(rows) == case.bill
    found = [f"{i} {line}" for i, wanted in case.spans.items() for line in by_hand.faults(wanted, by_id[i])]
    assert not found, "\n".join(found)


def test_each_sdk_has_a_case_by_hand() -> None:
    assert {f.sdk for f in fixtures()} <= {case.name.partition("/")[0] for case in by_hand.cases()}


def metered() -> dict[tuple[str, str], tuple[int, int]]:
    """Input and output tokens by SDK and case, from `gen_ai.client.token.usage`: the newest cumulative sum, or all deltas."""
    sums: dict[tuple[str, str], list[tuple[int, Counter[str]]]] = defaultdict(list)
    for fixture in fixtures():
        if fixture.signal == "metrics" and fixture.encoding == "protobuf":
            sums[fixture.sdk, fixture.case].append(_tokens(fixture.body))
    found = {}
    for key, flushes in sums.items():
        kept = flushes[-1:] if flushes[-1][0] == CUMULATIVE else flushes
        total = sum((tokens for _, tokens in kept), Counter[str]())
        found[key] = total["input"], total["output"]
    return found


def _tokens(body: bytes) -> tuple[int, Counter[str]]:
    tokens: Counter[str] = Counter()
    temporality = CUMULATIVE
    request = ExportMetricsServiceRequest.FromString(body)
    metrics = [m for r in request.resource_metrics for s in r.scope_metrics for m in s.metrics]
    for metric in metrics:
        if metric.name == "gen_ai.client.token.usage":
            data = metric.histogram if metric.HasField("histogram") else metric.exponential_histogram
            temporality = data.aggregation_temporality
            for point in data.data_points:
                kind = next(a.value.string_value for a in point.attributes if a.key == "gen_ai.token.type")
                tokens[kind] += int(point.sum)
    return temporality, tokens


@needs_captured
def test_the_bill_is_what_the_clients_metered() -> None:
    wrong = {}
    for (sdk, case), tokens in metered().items():
        found = bill(expected(f"{sdk}/{case}"))
        if found != tokens and (sdk, case) not in UNMETERED and tokens != (0, 0):
            wrong[sdk, case] = (found, tokens)
        if tokens == (0, 0) and (sdk, case) not in UNMETERED:
            assert found == (0, 0) or "responses" in case, (sdk, case)  # OpenLLMetry meters no Responses API
    assert not wrong


@needs_captured
@pytest.mark.parametrize("sdk", SAME_PROGRAM)
def test_the_same_program_costs_the_same_under_every_sdk(sdk: str) -> None:
    reference = {case: tokens for (name, case), tokens in metered().items() if name == "otel-genai"}
    cases = {f.case for f in fixtures(sdk)} & reference.keys()
    assert cases
    for case in sorted(cases - {"huge"} | (cases & {"huge"} if sdk.startswith("openinference") else set())):
        times = 2 if (sdk, case) in TOLD_TWICE else 1
        assert bill(expected(f"{sdk}/{case}")) == tuple(times * tokens for tokens in reference[case]), case


def test_order_and_repetition_do_not_matter() -> None:
    for sdk in sorted({f.sdk for f in fixtures()}):
        chosen = fixtures(sdk)
        spans, logs = decoded(chosen)
        rows = trace.expected(spans, logs)
        turned = trace.expected(*decoded(chosen[::-1]))
        twice = trace.expected(spans + spans, logs + logs)
        for other in (turned, twice):
            assert other.keys() == rows.keys()
            for key, row in rows.items():
                assert _plain(other[key]) == _plain(row)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row without the order in which alternatives were found."""
    return {
        key: sorted(map(repr, value.values)) if isinstance(value, OneOf) else value
        for key, value in row.items()
    }


def test_rows_are_consistent() -> None:
    columns = {column.name for column in PUBLIC}
    for sdk in sorted({f.sdk for f in fixtures()}):
        for row in expected(sdk).values():
            assert row.keys() <= columns
            assert row["kind"] in KINDS
            if row["total_tokens"] is not None:
                assert sum(row["usage"].values()) == row["total_tokens"]
                assert row["total_tokens"] == (row["input_tokens"] or 0) + (row["output_tokens"] or 0)
                assert (row["cache_read_tokens"] or 0) + (row["cache_write_tokens"] or 0) <= row[
                    "input_tokens"
                ]
                assert (row["reasoning_tokens"] or 0) <= (row["output_tokens"] or 0)
            assert row["total_tokens"] is not None or not row["usage_counted"]


def test_json_and_protobuf_of_a_request_read_the_same() -> None:
    checked = [f for f in fixtures() if f.encoding == "json" and f.signal != "metrics"]
    assert checked
    for fixture in checked:
        if fixture.signal == "traces":
            assert decode.spans(fixture.body, "json") == decode.spans(fixture.protobuf, "protobuf")
        else:
            assert decode.logs(fixture.body, "json") == decode.logs(fixture.protobuf, "protobuf")


def stored_form(row: dict[str, Any]) -> dict[str, Any]:
    """An expected row as the SQL answer would give it."""
    return {column: _stored(column, value) for column, value in row.items()}


def _stored(column: str, value: Any) -> Any:
    if isinstance(value, OneOf):
        value = value.values[0] if value.values else ""
    if column in ("input", "output"):
        return _stored_content(value)
    if column in ("documents", "tool_definitions"):
        return json.dumps(value) if value else ""
    if isinstance(value, Metadata):
        value = value.required
    if column in ("metadata", "attributes", "resource_attributes"):
        return {key: item if isinstance(item, str) else json.dumps(item) for key, item in value.items()}
    return value


def _stored_content(value: Content) -> str:
    if isinstance(value, Raw):
        return value.value if isinstance(value.value, str) else json.dumps(value.value)
    return json.dumps(value) if value else ""


WRONG_IN: dict[str, Any] = {"attributes": {}, "resource_attributes": {}, "usage_flags": ["total_mismatch"]}
WRONG: dict[type, Any] = {
    str: "something else",
    int: 987_654_321,
    float: 1e9,
    bool: None,
    list: ["odd"],
    dict: {"odd": 1},
}


def test_the_comparison_accepts_what_is_right_and_notices_each_wrong_column() -> None:
    noticed = set()
    for sdk in sorted({f.sdk for f in fixtures()}):
        for row in expected(sdk).values():
            stored = stored_form(row)
            assert not compare.differences(sdk, row, stored)
            for column, value in stored.items():
                wrong = not value if isinstance(value, bool) else WRONG.get(type(value), "something else")
                wrong = WRONG_IN.get(column, wrong)
                if compare.differences(sdk, {column: row[column]}, stored | {column: wrong}):
                    noticed.add(column)
    assert noticed == set(stored)
