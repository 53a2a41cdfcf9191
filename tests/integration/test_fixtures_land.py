"""Every captured export, sent as its client sent it, lands as the reference reading of the documents says."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
import pytest

from schemas.spans import PUBLIC
from tests.otlp import CAPTURED, Fixture, call_fixture, fixtures, post_fixture
from tests.reference import by_hand, compare, decode, trace
from tests.server import Server

LOOK_IN_EVERY = 25
SETTLE_SECONDS = 10.0
"""The promise: trace-wide values and log contents are there this long after the last arrival."""
TOTALS = (
    "count() AS spans, uniqExact(trace_id) AS traces, countIf(usage_counted) AS counted, sum(input_tokens) AS input_everywhere, "
    "sumIf(input_tokens, usage_counted) AS input, sumIf(output_tokens, usage_counted) AS output, "
    "sumIf(total_tokens, usage_counted) AS total, countIf(status = 'error') AS errors, uniqExact(session_id) AS sessions"
)
EXPECTED_COLUMNS = ", ".join(
    column.name for column in PUBLIC if column.name not in ("start_time", "end_time", "events", "links")
)
TIMES = "toUnixTimestamp64Nano(start_time) AS start_nanoseconds, toUnixTimestamp64Nano(end_time) AS end_nanoseconds"
Rows = dict[trace.Key, dict[str, Any]]
pytestmark = pytest.mark.timeout(600)  # the first test delivers three times the full set


@dataclass(frozen=True)
class Way:
    """A way to deliver the fixtures: over what, and in which order. Each way has projects of its own."""

    name: str
    grpc: Callable[[Fixture], bool]
    reverse: bool = False

    def project(self, sdk: str) -> str:
        """The project of an SDK's folder."""
        return f"{self.name}-{sdk}".replace(".", "-")


AS_SENT = Way("sent", lambda fixture: fixture.transport == "grpc")
ALL_HTTP_REVERSED = Way("http", lambda _: False, reverse=True)
ALL_GRPC = Way("grpc", lambda _: True)
WAYS = (AS_SENT, ALL_HTTP_REVERSED, ALL_GRPC)
SDKS = sorted({fixture.sdk for fixture in fixtures()})


@dataclass
class Captured:
    """One SDK's fixtures, decoded, with the rows that they must become."""

    sdk: str
    fixtures: Sequence[Fixture]
    spans: list[decode.Span] = field(init=False)
    logs: list[decode.Log] = field(init=False)
    expected: Rows = field(init=False)

    def __post_init__(self) -> None:
        self.spans = [
            s for f in self.fixtures if f.signal == "traces" for s in decode.spans(f.body, f.encoding)
        ]
        self.logs = [r for f in self.fixtures if f.signal == "logs" for r in decode.logs(f.body, f.encoding)]
        self.expected = trace.expected(self.spans, self.logs)

    @property
    def bill(self) -> tuple[int, int]:
        """Input and output tokens of the spans that count."""
        counted = [row for row in self.expected.values() if row["usage_counted"]]
        return sum(r["input_tokens"] or 0 for r in counted), sum(r["output_tokens"] or 0 for r in counted)


@cache
def captured(sdk: str) -> Captured:
    return Captured(sdk, fixtures(sdk))


def send(server: Server, way: Way, chosen: Sequence[Fixture]) -> None:
    """Delivers the fixtures; every answer must be a success in the request's own type. Looks in at times meanwhile."""
    for number, fixture in enumerate(reversed(chosen) if way.reverse else chosen):
        if number % LOOK_IN_EVERY == 0:
            check_never_too_much(server, way, captured(fixture.sdk))
        if way.grpc(fixture):
            call_fixture(server.channel, fixture, way.project(fixture.sdk))
            continue
        answer = post_fixture(server.otlp, fixture, way.project(fixture.sdk))
        assert answer.status_code == httpx.codes.OK, (
            f"{fixture.path.name}: {answer.status_code} {answer.text}"
        )
        assert answer.headers["content-type"].split(";")[0] == answer.request.headers["content-type"]


def read(server: Server, project: str) -> Rows:
    """The rows of a project by key."""
    found = server.rows(project, f"SELECT {EXPECTED_COLUMNS}, {TIMES} FROM spans")
    by_key = {(str(row["trace_id"]), str(row["span_id"])): row for row in found}
    assert len(by_key) == len(found), "a span stands twice"
    return by_key


def faults(wanted: Captured, rows: Rows) -> list[str]:
    """What is wrong with the rows, one line a column."""
    lines = [f"missing {key}" for key in wanted.expected.keys() - rows.keys()]
    lines += [f"unexpected {key}" for key in rows.keys() - wanted.expected.keys()]
    sent = {(span.trace_id, span.span_id): span for span in trace.stored(wanted.spans)}
    for key in wanted.expected.keys() & rows.keys():
        times = int(rows[key]["start_nanoseconds"]), int(rows[key]["end_nanoseconds"])
        if times != (sent[key].start, sent[key].end):
            lines.append(f"{key}: times {times}, sent {(sent[key].start, sent[key].end)}")
        name = wanted.expected[key]["name"]
        lines += [
            f"{key} {name!r} {line}"
            for line in compare.differences(wanted.sdk, wanted.expected[key], rows[key])
        ]
    return lines


def settled(check: Callable[[], list[str]], seconds: float = SETTLE_SECONDS) -> list[str]:
    """Repeats a check until it finds nothing wrong or the time is up; returns what it found last."""
    deadline = time.monotonic() + seconds
    while (found := check()) and time.monotonic() < deadline:
        time.sleep(0.25)
    return found


def check_never_too_much(server: Server, way: Way, wanted: Captured) -> None:
    """Also before all is settled no total may exceed the bill."""
    for row in server.rows(way.project(wanted.sdk), f"SELECT {TOTALS} FROM spans"):
        assert int(row["spans"]) <= len(wanted.expected)
        assert int(row["input"] or 0) <= wanted.bill[0]
        assert int(row["output"] or 0) <= wanted.bill[1]


@pytest.fixture(scope="module")
def delivered(server: Server) -> dict[str, float]:
    """All ways delivered, once: the moment of the last answer of each."""
    everything = fixtures()
    moments = {}
    for way in WAYS:
        send(server, way, everything)
        moments[way.name] = time.monotonic()
    return moments


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
@pytest.mark.parametrize("sdk", SDKS)
def test_each_span_is_as_the_documents_say(
    server: Server, delivered: dict[str, float], way: Way, sdk: str
) -> None:
    wanted = captured(sdk)

    def check() -> list[str]:
        check_never_too_much(server, way, wanted)
        return faults(wanted, read(server, way.project(sdk)))

    left = max(SETTLE_SECONDS - (time.monotonic() - delivered[way.name]), 0.0)
    found = settled(check, left)
    assert not found, "\n".join(found[:20])


@pytest.mark.parametrize("case", by_hand.cases(), ids=lambda case: case.name)
def test_what_was_written_by_hand(server: Server, delivered: dict[str, float], case: by_hand.Case) -> None:
    sdk = case.name.partition("/")[0]
    if not fixtures(case.name):
        pytest.skip("shared/ is not beside the checkout")
    ids = {
        s.span_id
        for f in fixtures(case.name)
        if f.signal == "traces"
        for s in decode.spans(f.body, f.encoding)
    }

    def check() -> list[str]:
        rows = {key[1]: row for key, row in read(server, AS_SENT.project(sdk)).items() if key[1] in ids}
        if len(rows) != case.rows:
            return [f"{len(rows)} rows, expected {case.rows}"]
        lines = [
            f"{span_id} {line}"
            for span_id, wanted in case.spans.items()
            for line in by_hand.faults(wanted, rows[span_id])
        ]
        counted = [row for row in rows.values() if row["usage_counted"]]
        bill = tuple(
            sum(int(row[name] or 0) for row in counted) for name in ("input_tokens", "output_tokens")
        )
        return lines if bill == case.bill else [*lines, f"bill {bill}, expected {case.bill}"]

    found = settled(check)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("sdk", [sdk for sdk in SDKS if captured(sdk).logs])
def test_each_log_record_is_kept_once(server: Server, delivered: dict[str, float], sdk: str) -> None:
    distinct = {
        repr((r.trace_id, r.span_id, r.time, r.event_name, r.body, r.attributes)) for r in captured(sdk).logs
    }

    def check() -> list[str]:
        [row] = server.rows(AS_SENT.project(sdk), "SELECT count() AS records FROM logs")
        return (
            []
            if int(row["records"]) == len(distinct)
            else [f"{row['records']} records, sent {len(distinct)}"]
        )

    assert not settled(check)


def test_counters_tell_the_same_story(server: Server, delivered: dict[str, float]) -> None:
    for sdk in SDKS:
        wanted = captured(sdk)

        def check(wanted: Captured = wanted, project: str = AS_SENT.project(sdk)) -> list[str]:
            status = server.status(project)
            right = {
                "received": len(wanted.spans),
                "accepted": len(wanted.spans),
                "rejected": 0,
                "stored": len(wanted.expected),
                "duplicate": len(wanted.spans) - len(wanted.expected),
                "dead": 0,
                "in_flight": 0,
            }
            return [
                f"{wanted.sdk} {name}: {status[name]}, expected {value}"
                for name, value in right.items()
                if status[name] != value
            ]

        assert not settled(check)


def test_sent_again_nothing_changes(server: Server, delivered: dict[str, float]) -> None:
    """Runs last: every request once more, in the same way and in the opposite order."""
    before = {sdk: _everything(server, sdk) for sdk in SDKS}
    again = Way(AS_SENT.name, AS_SENT.grpc, reverse=True)
    send(server, AS_SENT, fixtures())
    send(server, again, fixtures())

    def drained() -> list[str]:
        return [sdk for sdk in SDKS if server.status(AS_SENT.project(sdk))["in_flight"]]

    assert not settled(drained, 60)
    for sdk in SDKS:
        wanted = captured(sdk)
        assert _everything(server, sdk) == before[sdk], f"{sdk}: a total changed"
        assert not faults(wanted, read(server, AS_SENT.project(sdk)))
        status = server.status(AS_SENT.project(sdk))
        assert status["stored"] == len(wanted.expected)
        assert status["duplicate"] == 3 * len(wanted.spans) - len(wanted.expected)


def _everything(server: Server, sdk: str) -> list[dict[str, Any]]:
    project = AS_SENT.project(sdk)
    records = server.rows(project, "SELECT count() AS records, countIf(joined) AS joined FROM logs")
    return server.rows(project, f"SELECT {TOTALS} FROM spans") + records


def test_the_full_set_was_sent() -> None:
    """Says in the report whether the full set or the kept selection was sent."""
    if not CAPTURED.is_dir():
        pytest.skip("shared/ is not beside the checkout")
    assert len(SDKS) == 43
    assert sum(len(captured(sdk).expected) for sdk in SDKS) == 797
