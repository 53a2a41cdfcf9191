"""Following traces: the event stream, and connections that break."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cli import following
from api.cli.following import Event, parsed_events
from tests.unit.cli.conftest import Run
from tests.unit.cli.fake import Asked, Told, serving

IDS = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n\0\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), max_size=9
)


def test_events_have_id_name_and_data_and_comments_have_none() -> None:
    lines = [
        "retry: 1000",
        "",
        ": nothing new",
        "",
        "event: trace",
        "id: 7",
        "data: a",
        "data:b",
        "",
        "data: unfinished",
    ]
    assert list(parsed_events(lines)) == [Event("7", "trace", "a\nb")]


@given(st.lists(st.tuples(IDS, IDS, IDS)))
def test_what_is_written_is_read(events: list[tuple[str, str, str]]) -> None:
    lines = [
        line for id, name, data in events for line in (f"id: {id}", f"event: {name}", f"data: {data}", "")
    ]
    assert list(parsed_events(lines)) == [Event(*event) for event in events]


def stream(*ids: int) -> bytes:
    rows = [(id, json.dumps({"trace_id": f"{id:032x}", "total_tokens": None})) for id in ids]
    return b"retry: 1\n\n" + b"".join(f"event: trace\nid: {id}\ndata: {row}\n\n".encode() for id, row in rows)


def test_a_broken_connection_goes_on_behind_the_last_event(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_PAUSE_SECONDS", 0.01)
    parts = iter([Told(content=stream(1, 2)), Told(content=stream(3)), Told({"detail": "enough"}, 404)])

    def answer(asked: Asked) -> Told:
        return next(parts)

    with serving(answer) as fake:
        result = run("traces", "--follow", "--json", "--filter", "kind = 'llm'", "--url", fake.url)
    assert [int(json.loads(line)["trace_id"], 16) for line in result.out.splitlines()] == [1, 2, 3]
    assert (result.code, result.err) == (2, "evalstream: enough\n")
    assert [asked.headers.get("last-event-id") for asked in fake.asked] == [None, "2", "3"]
    assert {asked.headers["accept"] for asked in fake.asked} == {"text/event-stream"}
    assert fake.asked[0].query == {"filter": "kind = 'llm'"}


def test_without_a_server_at_the_start_it_fails(run: Run, free_port: int) -> None:
    answer = run("traces", "--follow", "--url", f"http://127.0.0.1:{free_port}")
    assert answer.code == 2
    assert "no server answers" in answer.err


def test_following_takes_no_window(run: Run, free_port: int) -> None:
    answer = run("traces", "--follow", "--last", "1h", "--url", f"http://127.0.0.1:{free_port}")
    assert answer.code == 2
    assert "--follow shows what arrives from now on" in answer.err
