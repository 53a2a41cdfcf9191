"""Dead letters, deletions and keys: what is sent, what is asked first, and the exit codes."""

from __future__ import annotations

import base64
import io
import json
import sys

import pyarrow as pa
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from api.cli.letter_content import content_of
from tests.unit.cli.conftest import Run
from tests.unit.cli.fake import Answer, Asked, Told, serving

P = "/api/v1/projects/default"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Terminal(io.StringIO):
    """A person at the keyboard."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def letters(refused: str = "") -> Answer:
    """Three letters of which `b` was replayed; replaying `refused` is a conflict."""

    def answer(asked: Asked) -> Told:
        if asked.method == "GET":
            rows = [{"id": id, "replayed": id == "b"} for id in "abc"]
            return Told({"data": rows, "next_cursor": None})
        if refused and f"/{refused}/" in asked.path:
            return Told({"detail": "refused again"}, 409)
        return Told({}, 200)

    return answer


def sent(asked: list[Asked]) -> list[str]:
    return [f"{one.method} {one.path.removeprefix(P)}" for one in asked if one.method != "GET"]


def test_all_that_were_not_replayed_are_replayed(run: Run) -> None:
    with serving(letters()) as fake:
        answer = run("dead-letters", "replay", "--all", "--kind", "rejected", "--url", fake.url)
    assert (answer.code, answer.out) == (0, "replayed 2, refused again 0\n")
    assert sent(fake.asked) == ["POST /dead-letters/a/replay", "POST /dead-letters/c/replay"]
    assert fake.asked[0].query["kind"] == "rejected"
    assert fake.asked[0].query["start"].startswith("1970")


def test_one_that_is_refused_again_does_not_stop_the_others(run: Run) -> None:
    with serving(letters(refused="a")) as fake:
        answer = run("dead-letters", "replay", "a", "c", "--url", fake.url)
    assert (answer.code, answer.out) == (1, "replayed 1, refused again 1\n")
    assert answer.err == "a: refused again\n"


def test_letters_are_named_or_all_are_meant(run: Run) -> None:
    with serving(letters()) as fake:
        for words in ([], ["a", "--all"]):
            assert run("dead-letters", "replay", *words, "--url", fake.url).code == 2
    assert fake.asked == []


@pytest.mark.parametrize(("reply", "code", "dropped"), [("y\n", 0, 3), ("n\n", 1, 0), ("", 1, 0)])
def test_dropping_asks_first(
    reply: str, code: int, dropped: int, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(reply))
    with serving(letters()) as fake:
        answer = run("dead-letters", "drop", "--all", "--url", fake.url)
    assert (answer.code, len(sent(fake.asked))) == (code, dropped)
    assert "Drop 3 dead letters with their bytes? [y/N]" in answer.err


def test_dropping_without_anybody_to_ask_needs_yes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with serving(letters()) as fake:
        assert run("dead-letters", "drop", "a", "--url", fake.url).code == 2
        assert sent(fake.asked) == []
        assert run("dead-letters", "drop", "a", "--yes", "--url", fake.url).code == 0
    assert sent(fake.asked) == ["DELETE /dead-letters/a"]


@pytest.mark.parametrize(("status", "said"), [(204, "deleted chat"), (202, "will be deleted within moments")])
def test_a_trace_is_looked_at_and_then_deleted(status: int, said: str, run: Run) -> None:
    def answer(asked: Asked) -> Told:
        summary = {"name": "chat", "start_time": "2026-11-20T18:00:00Z", "span_count": 3}
        return Told({"summary": summary}) if asked.method == "GET" else Told(status=status, content=b"")

    with serving(answer) as fake:
        result = run("delete", "trace", TRACE, "--yes", "--url", fake.url)
    assert (result.code, said in result.out) == (0, True)
    assert sent(fake.asked) == [f"DELETE /traces/{TRACE}"]


def test_a_new_key_stands_alone_on_stdout(run: Run) -> None:
    key = {"id": "1", "project": "shop", "secret": "es_project_x"}
    with serving(lambda _: Told(key, 201)) as fake:
        answer = run("keys", "create", "ci", "--project", "shop", "--url", fake.url)
        run("keys", "create", "root", "--url", fake.url)
    assert answer.out == "es_project_x\n"
    assert [one.path for one in fake.asked] == ["/api/v1/projects/shop/keys", "/api/v1/keys"]
    assert fake.asked[0].json == {"name": "ci"}


def letter(kind: str, payload: bytes, topic: str = "spans") -> dict[str, str]:
    return {"kind": kind, "topic": topic, "payload": base64.b64encode(payload).decode()}


def test_the_content_of_a_rejected_span_is_its_request() -> None:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(name="bad\x1b[2J")
    text = content_of(letter("rejected", request.SerializeToString()))
    assert json.loads(text)["resourceSpans"][0]["scopeSpans"][0]["spans"] == [{"name": "bad\x1b[2J"}]
    assert "\x1b" not in text


def test_the_content_of_a_rejected_log_record_is_its_request() -> None:
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add(event_name="odd", time_unix_nano=1)
    shown = json.loads(content_of(letter("rejected", request.SerializeToString(), "logs")))
    assert shown["resourceLogs"][0]["scopeLogs"][0]["logRecords"] == [
        {"eventName": "odd", "timeUnixNano": "1"}
    ]


def test_the_content_of_a_dead_row_is_what_it_says() -> None:
    table = pa.table({"name": ["x"], "input": [""], "tokens": pa.array([None], pa.int64())})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    assert json.loads(content_of(letter("dead", bytes(sink.getvalue())))) == [{"name": "x"}]


@pytest.mark.parametrize("kind", ["rejected", "dead"])
def test_other_bytes_are_shown_in_hex(kind: str) -> None:
    assert content_of(letter(kind, b"\xff\xfe" * 20)).splitlines() == [
        "ff fe " * 15 + "ff fe",
        "ff fe ff fe ff fe ff fe",
    ]
