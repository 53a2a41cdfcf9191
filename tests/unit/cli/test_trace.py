"""One trace as a person reads it."""

from __future__ import annotations

import json
from typing import Any

from tests.unit.cli.conftest import Run
from tests.unit.cli.fake import Told, serving

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def said(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


def span(id: str, parent: str = "", **given: Any) -> dict[str, Any]:
    return {
        "span_id": id, "parent_span_id": parent, "name": id, "kind": "span", "status": "unset", "error_type": "", "status_message": "",
        "start_time": f"2026-11-20T18:00:00.{id[-1]}Z", "duration_ms": 12.0, "request_model": "", "response_model": "",
        "input_tokens": None, "output_tokens": None, "usage_counted": False, "cost": None, "input": "", "output": "",
        "metadata": {}, "model_parameters": {}, "attributes": {},
    } | given  # fmt: skip


DOCUMENT = {
    "summary": {
        "trace_id": TRACE, "name": "chat", "start_time": "2001-11-20T18:00:00.123456789Z", "duration_ms": 1234.0, "span_count": 3,
        "error_count": 1, "total_tokens": 1290, "cost": None, "session_id": "s-1", "user_id": "", "environment": "", "release": "",
        "scores": {"helpful": {"value": 0.5, "label": "", "count": 1}, "tone": {"value": None, "label": "kind", "count": 1}},
    },
    "spans": [
        span("a1", kind="agent", input_tokens=1234, output_tokens=56),
        span("b2", "a1", kind="llm", response_model="gpt", input_tokens=1234, output_tokens=56, usage_counted=True,
             input=said("user", "x" * 300), output=said("assistant", "two\nlines \x1b[2J"), attributes={"k": "v"}),
        span("c3", "lost", status="error", error_type="Timeout", status_message="too slow"),
    ],
    "scores": [],
    "truncated": False,
}  # fmt: skip


def show(run: Run, *words: str) -> str:
    with serving(lambda _: Told(DOCUMENT)) as fake:
        answer = run("trace", TRACE.upper(), *words, "--url", fake.url)
    assert (answer.code, answer.err) == (0, "")
    assert fake.asked[0].path == f"/api/v1/projects/default/traces/{TRACE}"
    return answer.out


def test_a_tree_with_kinds_durations_tokens_and_errors(run: Run) -> None:
    lines = show(run).splitlines()
    assert lines[:2] == [
        f"chat  {TRACE}",
        "2001-11-20 18:00:00 UTC · 1.23 s · 3 spans · 1 error · 1,290 tokens · session s-1 · helpful 0.5 · tone kind",
    ]
    assert lines[2] == "agent a1  12 ms · (1,234 → 56 tokens)"
    assert lines[3] == "  llm b2  12 ms · gpt · 1,234 → 56 tokens"
    assert lines[4].startswith("    → user: xxxxx")
    assert lines[4].endswith("x…")
    assert lines[5] == "    ← assistant: two lines \N{REPLACEMENT CHARACTER}[2J"
    assert lines[6:] == ["span c3  12 ms  (its parent is not here)", "  ✗ Timeout: too slow"]


def test_full_shows_whole_messages_and_attributes(run: Run) -> None:
    text = show(run, "--full")
    assert "    → user: " + "x" * 300 + "\n" in text
    assert "    ← assistant: two\n        lines \N{REPLACEMENT CHARACTER}[2J\n" in text
    assert "    attributes.k = v\n" in text


def test_json_is_the_servers_document(run: Run) -> None:
    assert json.loads(show(run, "--json")) == DOCUMENT
