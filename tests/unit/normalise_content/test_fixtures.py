"""Every captured span and log record: what it says arrives, in canonical form."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from ingest.normalise.content import Content, RawEvent, RawSpan, content_of, join_logs, log_content
from tests.otlp import fixtures
from tests.reference import decode
from tests.reference.kinds import kind

ROLES = {"system", "developer", "user", "assistant", "tool"}
PARTS = {"text", "reasoning", "tool_call", "tool_call_response", "blob", "uri", "file", "refusal"}
ASKED = (
    "gen_ai.input.messages",
    "langfuse.observation.input",
    "ai.prompt",
    "ai.prompt.messages",
    "input.value",
    "request_data",
    "events",
)
ANSWERED = (
    "gen_ai.output.messages",
    "langfuse.observation.output",
    "ai.response.text",
    "output.value",
    "response_data",
)
EMPTY = (None, "", "[]", "{}")


@lru_cache(maxsize=1)
def spans() -> list[tuple[str, decode.Span, str, Content]]:
    """(fixture, span, kind, content) of every span."""
    found = []
    for fixture in fixtures():
        if fixture.signal == "traces":
            for span in decode.spans(fixture.body, fixture.encoding):
                events = [RawEvent(event.name, event.time, event.attributes) for event in span.events]
                raw = RawSpan(span.name, kind(span), span.scope_name, span.attributes, events)
                found.append((f"{fixture.sdk}/{fixture.case}", span, kind(span), content_of(raw)))
    return found


def sides() -> Iterator[tuple[str, list[Any]]]:
    """All sides that are messages."""
    for name, _, _, content in spans():
        for side in (content.input, content.output):
            if side.startswith('[{"role"'):
                yield name, json.loads(side)


def test_model_calls_have_what_went_in_and_came_out() -> None:
    for name, span, what, content in spans():
        if what != "llm" or name.endswith("/embeddings"):  # Langfuse JS calls those generations
            continue
        # Logfire 2 keeps only the model there; OpenLLMetry loses messages with images.
        bare = {"request_data"} if "gen_ai.input.messages" not in span.attributes else set()
        if any(span.attributes.get(key) not in EMPTY for key in ASKED if key not in bare):
            assert content.input.startswith('[{"role"'), name
        if any(span.attributes.get(key) not in EMPTY for key in ANSWERED):
            assert content.output.startswith('[{"role"'), name


def test_messages_are_canonical() -> None:
    seen = 0
    for name, messages in sides():
        for message in messages:
            seen += 1
            assert message["role"] in ROLES, name
            assert set(message) <= {"role", "parts", "finish_reason", "name"}, name
            for part in message["parts"]:
                assert part["type"] in PARTS, (name, part)
                assert None not in part.values(), (name, part)
                if part["type"] == "tool_call":
                    assert isinstance(part["arguments"], dict), name
    assert seen > 20


def test_no_call_is_told_twice() -> None:
    for name, messages in sides():
        calls = [
            part["id"] for message in messages for part in message["parts"] if part["type"] == "tool_call"
        ]
        assert len(calls) == len(set(calls)), name


def test_tool_spans_have_a_name_and_no_messages() -> None:
    for name, _, what, content in spans():
        if what == "tool":
            assert content.tool_name, name
            assert not content.input.startswith('[{"role"'), name
            assert not content.output.startswith('[{"role"'), name


def test_definitions_and_documents_are_whole() -> None:
    for name, span, what, content in spans():
        for tool in json.loads(content.tool_definitions or "[]"):
            assert (
                {"type", "name", "parameters"} <= set(tool) <= {"type", "name", "description", "parameters"}
            ), name
        for document in json.loads(content.documents or "[]"):
            assert set(document) <= {"id", "content", "score", "metadata"}, name
        if what == "retriever" and span.status_code != 2:
            assert content.documents, name


def test_parameters_hold_no_content() -> None:
    for name, _, _, content in spans():
        assert {"model", "messages", "tools", "input", "output", "stream"}.isdisjoint(
            content.model_parameters
        ), name
        assert all(len(value) < 200 for value in content.model_parameters.values()), name


def test_consumed_keys_were_sent_and_their_column_is_filled() -> None:
    for name, span, _, content in spans():
        assert content.consumed <= set(span.attributes), name
        if content.consumed:
            assert content.input or content.output or content.documents or content.tool_definitions, name


def test_log_records_become_messages() -> None:
    groups: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for fixture in fixtures():
        if fixture.signal == "logs":
            for record in decode.logs(fixture.body, fixture.encoding):
                if record.span_id:
                    groups[record.trace_id, record.span_id].append(record)
    for records in groups.values():
        ordered = sorted(records, key=lambda record: record.time)
        contents = [
            found for r in ordered if (found := log_content(r.event_name, r.body, r.attributes)) is not None
        ]
        asked, answered = join_logs(contents)
        said = [m["role"] for side in (asked, answered) if side for m in json.loads(side)]
        assert set(said) <= ROLES
        empty = all(
            not m["parts"] for found in contents for m in found.input
        )  # images are dropped by the client
        assert asked or empty
    assert len(groups) > 5
