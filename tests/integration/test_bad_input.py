"""Bad input of every kind against one running server: a clear answer, good neighbours stored, never a 500, healthy afterwards."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests import otlp
from tests.integration.transports import WAYS, Answer, Way, as_json, call, post, send, zipped
from tests.server import Server, running
from tests.unit.ingest.wire_writer import sized

DAY = 86_400 * 10**9
NOW = time.time_ns()
BAD_ID, GOOD_ID = "b" * 16, "a" * 16
MOST_MEMORY = 1_500 << 20
ways = pytest.mark.parametrize("way", WAYS)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of these tests alone: at the end it must be healthy, small, and have nothing to report of its own faults."""
    with running(tmp_path_factory.mktemp("bad") / "data") as one:
        yield one
        assert one.api.get("/readyz").status_code == httpx.codes.OK
        assert resident(one) < MOST_MEMORY
        assert "Traceback" not in one.errors.read_text(encoding="utf-8", errors="replace")


def resident(server: Server) -> int:
    """Resident memory of the server in bytes."""
    pages = Path(f"/proc/{server.process.pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * 4096


def good() -> Span:
    return otlp.span("good", span_id=GOOD_ID, start=NOW, gen_ai__usage__input_tokens=7, session__id="s")


def bad(*, attributes: Mapping[str, Any] | None = None, **fields: Any) -> Span:
    """A span with these attributes and protobuf fields."""
    made = otlp.span("bad", span_id=BAD_ID, start=NOW, attributes=attributes or {})
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def found_rows(server: Server, project: str, query: str, count: int) -> list[dict[str, Any]]:
    """The rows of a SELECT, once there are so many."""
    deadline = time.monotonic() + 60
    rows: list[dict[str, Any]] = []
    while len(rows) < count and time.monotonic() < deadline:
        rows = server.rows(project, query)
        time.sleep(0.05)
    assert len(rows) == count, server.said()
    return rows


def stored(server: Server, project: str, count: int = 1) -> dict[str, dict[str, Any]]:
    """The spans of a project by name, once so many are there."""
    return {row["name"]: row for row in found_rows(server, project, "SELECT * FROM spans", count)}


def letters(server: Server, project: str, count: int) -> list[dict[str, Any]]:
    """The dead letters of a project, once so many are there."""
    deadline = time.monotonic() + 30
    found: list[dict[str, Any]] = []
    while len(found) < count and time.monotonic() < deadline:
        found = server.api.get(f"/api/v1/projects/{project}/dead-letters").json()["data"]
        time.sleep(0.05)
    assert len(found) == count
    return found


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no-trace-id": ({"trace_id": b""}, "trace_id must be 16 bytes"),
    "zero-trace-id": ({"trace_id": bytes(16)}, "trace_id must be 16 bytes"),
    "short-trace-id": ({"trace_id": b"12345678"}, "trace_id must be 16 bytes"),
    "long-trace-id": ({"trace_id": b"1" * 32}, "trace_id must be 16 bytes"),
    "no-span-id": ({"span_id": b""}, "span_id must be 8 bytes"),
    "zero-span-id": ({"span_id": bytes(8)}, "span_id must be 8 bytes"),
    "long-span-id": ({"span_id": b"1" * 16}, "span_id must be 8 bytes"),
    "no-start": ({"start_time_unix_nano": 0}, "before the year 2000"),
    "in-1999": ({"start_time_unix_nano": 946_684_799 * 10**9}, "before the year 2000"),
    "in-two-days": ({"start_time_unix_nano": NOW + 2 * DAY}, "more than 24 hours ahead"),
    "never": ({"start_time_unix_nano": 2**64 - 1}, "more than 24 hours ahead"),
    "end-in-2300": ({"end_time_unix_nano": 10_413_792_000 * 10**9}, "beyond the year 2262"),
    "end-never": ({"end_time_unix_nano": 2**64 - 1}, "beyond the year 2262"),
}


@ways
@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_span_is_refused_alone(server: Server, way: Way, case: str) -> None:
    change, reason = REFUSED[case]
    project = f"{case}-{way}"
    spoilt = bad(**change)
    answer = send(server, way, otlp.traces(spoilt, good(), bad(**change)), project)
    assert (answer.status, answer.rejected) == (200, 2)
    assert reason in answer.message
    (row,) = stored(server, project).values()
    assert (row["span_id"], row["input_tokens"], row["session_id"]) == (GOOD_ID, 7, "s")
    found = letters(server, project, 2)
    assert (found[0]["kind"], found[0]["topic"]) == ("rejected", "spans")
    assert reason in found[0]["reason"]
    letter = server.api.get(f"/api/v1/projects/{project}/dead-letters/{found[0]['id']}").json()
    kept = ExportTraceServiceRequest.FromString(base64.b64decode(letter["payload"]))
    assert kept.resource_spans[0].resource.attributes[0].value.string_value == "shop"
    (lost,) = kept.resource_spans[0].scope_spans[0].spans
    assert way == "json" or lost == spoilt
    counters = server.status(project)
    assert (counters["received"], counters["accepted"], counters["rejected"]) == (3, 1, 2)


ODD: dict[str, tuple[Callable[[], Span], dict[str, Any]]] = {
    "parent-is-itself": (lambda: bad(parent_span_id=bytes.fromhex(BAD_ID)), {"parent_span_id": ""}),
    "parent-of-three-bytes": (lambda: bad(parent_span_id=b"123"), {"parent_span_id": ""}),
    "end-before-start": (lambda: bad(end_time_unix_nano=NOW - DAY), {"duration_ms": 0}),
    "no-end": (lambda: bad(end_time_unix_nano=0), {"duration_ms": 0}),
    "in-2001": (lambda: bad(start_time_unix_nano=10**18, end_time_unix_nano=10**18 + 10**6), {"duration_ms": 1}),
    "nan": (lambda: bad(attributes={"n": float("nan"), "gen_ai.usage.input_tokens": float("inf")}), {"input_tokens": None}),
    "negative": (lambda: bad(attributes={"gen_ai.usage.input_tokens": -5}), {"input_tokens": None}),
    "enormous": (lambda: bad(attributes={"gen_ai.usage.output_tokens": 2**63 - 1}), {"output_tokens": None}),
    "text-tokens": (lambda: bad(attributes={"gen_ai.usage.output_tokens": "12"}), {"output_tokens": 12}),
    "half-a-token": (lambda: bad(attributes={"gen_ai.usage.output_tokens": 12.5}), {"output_tokens": 12}),
    "cost-true": (lambda: bad(attributes={"langfuse.observation.cost_details": '{"total": true}'}), {"cost": None}),
    "huge-cost": (lambda: bad(attributes={"gen_ai.usage.cost": 1e19}), {}),
    "endless-cost": (lambda: bad(attributes={"gen_ai.usage.cost": 1e300}), {"cost": None}),
    "empty-key": (lambda: bad(attributes={"": "x"}), {"attributes": {"": "x"}}),
    "no-value": (lambda: bad(attributes={"k": None}), {"attributes": {"k": ""}}),
    "zero-byte": (lambda: bad(attributes={"k\0": "a\0b"}), {"attributes": {"k\0": "a\0b"}}),
    "unknown-kind": (lambda: Span.FromString(bad().SerializeToString() + b"\x30\x63"), {"status": "unset"}),
    "unknown-status": (lambda: Span.FromString(bad().SerializeToString() + b"\x7a\x02\x18\x09"), {"status": "unset"}),
    "huge-index": (lambda: bad(attributes={"llm.input_messages.999999999.message.role": "user"}), {}),
    "endless-index": (lambda: bad(attributes={f"gen_ai.prompt.{'9' * 400}.content": "hi"}), {}),
    "clashing-indices": (
        lambda: bad(attributes={"llm.input_messages.0": "x", "llm.input_messages.0.message": "y", "llm.input_messages": "z"}),
        {},
    ),
    "broken-json": (lambda: bad(attributes={"gen_ai.input.messages": '[{"role":"user","parts":[{'}), {}),
    "deep-json": (lambda: bad(attributes={"gen_ai.input.messages": "[" * 100_000 + "]" * 100_000}), {}),
    "megabytes": (lambda: bad(attributes={"input.value": "x" * 1_500_000, "k": "ä" * 750_000}), {}),
    "bad-pending": (
        lambda: bad(parent_span_id=b"12345678", attributes={"logfire.span_type": "pending_span", "logfire.pending_parent_id": "no"}),
        {"parent_span_id": ""},
    ),
}  # fmt: skip


@ways
@pytest.mark.parametrize("case", ODD)
def test_an_odd_span_is_stored(server: Server, way: Way, case: str) -> None:
    make, expected = ODD[case]
    project = f"odd-{case}-{way}"
    assert send(server, way, otlp.traces(make(), good()), project) == Answer(200)
    rows = stored(server, project, 2)
    assert rows["good"]["input_tokens"] == 7
    assert {name: rows["bad"][name] for name in expected} == expected


@ways
def test_a_hundred_thousand_attributes(server: Server, way: Way) -> None:
    project = f"attributes-{way}"
    many = bad(attributes={f"key.{n}": n for n in range(100_000)})
    assert send(server, way, otlp.traces(many, good()), project) == Answer(200)
    rows = stored(server, project, 2)
    assert len(rows["bad"]["attributes"]) == 100_000


@ways
def test_ten_thousand_events(server: Server, way: Way) -> None:
    project = f"events-{way}"
    many = otlp.span("bad", span_id=BAD_ID, start=NOW, events=[("e", n, {"n": n}) for n in range(10_000)])
    assert send(server, way, otlp.traces(many, good()), project) == Answer(200)
    events = stored(server, project, 2)["bad"]["events"]
    assert len(events if isinstance(events, list) else json.loads(events)) == 10_000


@ways
def test_ten_thousand_resources(server: Server, way: Way) -> None:
    body = b"".join(
        otlp.traces(otlp.span("bad", span_id=f"{n:016x}", start=NOW), resource={"service.name": f"s{n}"})
        for n in range(1, 10_001)
    )
    project = f"resources-{way}"
    assert send(server, way, body, project) == Answer(200)
    deadline = time.monotonic() + 30
    while server.status(project)["stored"] < 10_000 and time.monotonic() < deadline:
        time.sleep(0.1)
    (row,) = server.rows(project, "SELECT count() AS n, uniqExact(service) AS services FROM spans")
    assert (int(row["n"]), int(row["services"])) == (10_000, 10_000)


def test_repeated_keys_keep_the_last(server: Server) -> None:
    doubled = bad(attributes={"k": "first", "user.id": "u1"})
    doubled.attributes.extend(otlp.attributes({"k": "last", "user.id": "u2"}))
    assert send(server, "protobuf", otlp.traces(doubled), "doubled") == Answer(200)
    stored(server, "doubled")
    (row,) = server.rows(
        "doubled", "SELECT attributes['k'] AS k, length(attributes) AS n, user_id FROM spans"
    )
    assert (row["k"], int(row["n"]), row["user_id"]) == ("last", 2, "u2")


def test_invalid_utf8_costs_only_its_text(server: Server) -> None:
    for way in ("protobuf", "grpc"):
        body = otlp.traces(
            otlp.span(
                "baNAME", span_id=BAD_ID, start=NOW, attributes={"kNAME": "vNAME", "session.id": "sNAME"}
            ),
            good(),
            resource={"service.name": "rNAME"},
        ).replace(b"NAME", b"\xff\xfe\xc3\x28")
        project = f"utf8-{way}"
        assert (
            call(server, body, project) if way == "grpc" else send(server, "protobuf", body, project)
        ) == Answer(200)
        rows = stored(server, project, 2)
        broken = "\ufffd\ufffd\ufffd("
        row = rows[f"ba{broken}"]
        assert dict(row["attributes"])[f"k{broken}"] == f"v{broken}"
        assert (row["session_id"], row["service"]) == (f"s{broken}", f"r{broken}")


@pytest.mark.parametrize("way", ["protobuf", "grpc"])
def test_depth_is_refused_alone(server: Server, way: Way) -> None:
    value = sized(1, b"deep")
    for _ in range(500):
        value = sized(5, sized(1, value))
    attribute = sized(9, sized(1, b"deep") + sized(2, value))
    deep = sized(1, sized(2, sized(2, bad().SerializeToString() + attribute)))
    project = f"deep-{way}"
    answer = send(server, way, deep + otlp.traces(good()), project)
    assert (answer.status, answer.rejected) == (200, 1)
    assert "could not be decoded" in answer.message
    assert list(stored(server, project)) == ["good"]
    assert letters(server, project, 1)[0]["bytes"] > 1000


@ways
def test_a_bad_project_name_is_refused_alone(server: Server, way: Way) -> None:
    mine = f"named-{way}"
    body = otlp.traces(good(), resource={"evalstream.project": mine}) + otlp.traces(
        bad(), resource={"evalstream.project": "../etc passwd"}
    )
    given = as_json(body) if way == "json" else body
    answer = call_plain(server, body) if way == "grpc" else post(server, way, given)
    assert (answer.status, answer.rejected) == (200, 1)
    assert "project that is not allowed" in answer.message
    assert list(stored(server, mine)) == ["good"]
    assert send(server, way, otlp.traces(good()), "no such/name").status == 400


def test_a_log_record_with_an_odd_clock_is_refused_alone_and_replayed_to_the_logs(server: Server) -> None:
    project = "odd-log"
    records = [otlp.log(name, time=time) for name, time in (("good", NOW), ("bad", NOW + 2 * DAY))]
    answer = otlp.post(server.otlp, "logs", otlp.logs(*records), {"x-evalstream-project": project})
    said = ExportLogsServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, said.rejected_log_records) == (200, 1)
    assert "observed_time_unix_nano lies more than 24 hours ahead" in said.error_message
    (letter,) = letters(server, project, 1)
    assert (letter["kind"], letter["topic"]) == ("rejected", "logs")
    again = server.api.post(f"/api/v1/projects/{project}/dead-letters/{letter['id']}/replay")
    assert again.status_code == 409
    assert "1 logs" in again.json()["detail"]
    assert {one["topic"] for one in letters(server, project, 2)} == {"logs"}
    assert server.status(project)["rejected"] == 0
    assert found_rows(server, project, "SELECT event_name FROM logs", 1) == [{"event_name": "good"}]


def call_plain(server: Server, body: bytes) -> Answer:
    """Over gRPC without naming a project."""
    export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = server.channel.unary_unary(otlp.SERVICES["traces"])
    said = ExportTraceServiceResponse.FromString(export(body, timeout=30)).partial_success
    return Answer(200, said.rejected_spans, said.error_message)


DAMAGED: dict[str, tuple[Way, bytes, dict[str, str], int]] = {
    "cut-protobuf": ("protobuf", otlp.traces(good())[:-9], {}, 400),
    "text-as-protobuf": ("protobuf", b"hello, this is no protobuf", {}, 400),
    "json-as-protobuf": ("protobuf", as_json(otlp.traces(good())), {}, 400),
    "protobuf-as-json": ("json", otlp.traces(good()), {}, 400),
    "cut-json": ("json", as_json(otlp.traces(good()))[:-9], {}, 400),
    "deep-json": ("json", b"[" * 200_000, {}, 400),
    "deep-object": ("json", b'{"resourceSpans":' * 50_000, {}, 400),
    "list-as-json": ("json", b"[1]", {}, 400),
    "wrong-shape": ("json", b'{"resourceSpans":{"a":1}}', {}, 400),
    "cut-gzip": ("protobuf", zipped(otlp.traces(good()))[:-9], {"content-encoding": "gzip"}, 400),
    "no-gzip": ("protobuf", otlp.traces(good()), {"content-encoding": "gzip"}, 400),
    "bomb": ("protobuf", zipped(bytes(300 << 20)), {"content-encoding": "gzip"}, 413),
    "json-bomb": ("json", zipped(b" " * (300 << 20)), {"content-encoding": "gzip"}, 413),
    "brotli": ("protobuf", otlp.traces(good()), {"content-encoding": "br"}, 415),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_body_is_refused(server: Server, case: str) -> None:
    way, body, headers, status = DAMAGED[case]
    answer = post(server, way, body, headers)
    assert answer.status == status
    assert answer.message


def test_a_damaged_body_is_refused_over_grpc(server: Server) -> None:
    assert call(server, otlp.traces(good())[:-9], "damaged").status == 400
    assert call(server, bytes(65 << 20), "damaged").status == 413


@ways
def test_an_empty_request_is_a_success(server: Server, way: Way) -> None:
    assert send(server, way, b"", "empty") == Answer(200)
    assert send(server, way, otlp.traces(), "empty") == Answer(200)
    assert way != "json" or post(server, way, b"") == Answer(200)
