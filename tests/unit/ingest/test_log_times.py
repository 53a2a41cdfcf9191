"""Times of log records: bounds as for spans, and only the record at fault is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from ingest.harvest import Submission
from schemas.events import DEAD_LETTERS, LOGS
from tests import otlp
from tests.unit.ingest.test_decoder_properties import rows, taken
from tests.unit.ingest.wire_writer import sized

NOW_NS = int(datetime(2026, 11, 21, tzinfo=UTC).timestamp()) * 10**9  # of `taken`
Y2000, DAY = 946_684_800 * 10**9, 86_400 * 10**9
EARLY, LATE = "lies before the year 2000", "lies more than 24 hours ahead of the server's clock"


def record(name: str, *, time: int = 0, observed: int = 0) -> LogRecord:
    made = otlp.log(name, time=observed)
    made.time_unix_nano = time
    return made


def sent(*records: LogRecord, resource: dict[str, Any] | None = None) -> Submission:
    return Submission("logs", "protobuf", otlp.logs(*records, resource=resource), None)


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        ({"time": 1}, f"time_unix_nano {EARLY}"),
        ({"time": Y2000 - 1}, f"time_unix_nano {EARLY}"),
        ({"time": Y2000 - 1, "observed": NOW_NS}, f"time_unix_nano {EARLY}"),
        ({"observed": Y2000 - 1}, f"observed_time_unix_nano {EARLY}"),
        ({"time": NOW_NS + DAY + 1}, f"time_unix_nano {LATE}"),
        ({"observed": 2**64 - 1}, f"observed_time_unix_nano {LATE}"),
    ],
)
def test_an_impossible_time_costs_only_its_record(times: dict[str, int], reason: str) -> None:
    odd = record("odd", **times)
    submission = sent(
        record("a", time=NOW_NS), odd, record("b", time=NOW_NS), odd, resource={"evalstream.project": "mine"}
    )
    prepared = taken(submission)
    assert [row["event_name"] for row in rows(prepared, LOGS)] == ["a", "b"]
    assert (submission.error, submission.answer.rejected) == (None, 2)
    assert submission.answer.message == f"2 × {reason}"
    letters = rows(prepared, DEAD_LETTERS)
    assert {(one["project"], one["kind"], one["topic"], one["reason"]) for one in letters} == {
        ("mine", "rejected", LOGS, reason)
    }
    assert len({one["id"] for one in letters}) == 2
    kept = ExportLogsServiceRequest.FromString(letters[0]["payload"])
    assert list(kept.resource_logs[0].scope_logs[0].log_records) == [odd]
    (entry,) = [entry for entry in prepared.entries if entry.topic == DEAD_LETTERS]
    assert sum(entry.counts.values()) == 0, "`rejected` counts spans only"


@pytest.mark.parametrize(
    ("times", "stored"),
    [
        ({"time": Y2000}, Y2000),
        ({"time": NOW_NS + DAY}, NOW_NS + DAY),
        ({"time": 0, "observed": NOW_NS - 5}, NOW_NS - 5),
        ({"time": NOW_NS, "observed": 1}, NOW_NS),
        ({}, NOW_NS),
    ],
)
def test_a_time_of_zero_is_none(times: dict[str, int], stored: int) -> None:
    submission = sent(record("fine", **times))
    (row,) = rows(taken(submission), LOGS)
    assert (row["time"].value, submission.answer.rejected) == (stored, 0)


def test_all_of_a_request_may_be_refused() -> None:
    submission = sent(record("odd", time=1))
    prepared = taken(submission)
    assert (rows(prepared, LOGS), submission.error, submission.answer.rejected) == ([], None, 1)


def test_json_is_judged_alike() -> None:
    document = {
        "resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": "1", "eventName": "odd"}]}]}]
    }
    submission = Submission("logs", "json", json.dumps(document).encode(), "p")
    assert len(rows(taken(submission), DEAD_LETTERS)) == submission.answer.rejected == 1


def test_beside_a_record_that_cannot_be_decoded() -> None:
    value = sized(1, b"deep")
    for _ in range(60):
        value = sized(5, sized(1, value))
    deep = sized(1, sized(2, sized(2, sized(5, value))))
    body = otlp.logs(record("odd", time=1)) + deep + otlp.logs(record("fine"))
    submission = Submission("logs", "protobuf", body, "p")
    prepared = taken(submission)
    assert [row["event_name"] for row in rows(prepared, LOGS)] == ["fine"]
    reasons = sorted(one["reason"].split(":")[0] for one in rows(prepared, DEAD_LETTERS))
    assert reasons == ["could not be decoded", f"time_unix_nano {EARLY}"]


@given(st.lists(st.sampled_from((0, 1, Y2000 - 1, Y2000, NOW_NS, NOW_NS + 2 * DAY, 2**64 - 1)), max_size=40))
@settings(max_examples=40)
def test_every_record_is_stored_or_refused(times: list[int]) -> None:
    submission = sent(*(record(f"r{n}", time=time) for n, time in enumerate(times)))
    prepared = taken(submission)
    good = [f"r{n}" for n, time in enumerate(times) if not time or Y2000 <= time <= NOW_NS + DAY]
    assert [row["event_name"] for row in rows(prepared, LOGS)] == good
    assert len(rows(prepared, DEAD_LETTERS)) == submission.answer.rejected == len(times) - len(good)
