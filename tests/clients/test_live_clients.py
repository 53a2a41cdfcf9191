"""Real SDKs against a running Evalstream: what it shows is what the model service billed."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from api.demo.model_server import Bill, ScriptedModelServer
from tests.clients.catalog import CLIENTS, Client
from tests.clients.conversations import (
    SESSION,
    USER,
    answered_messages,
    asked_messages,
    billed_calls,
    read_messages,
    run_program,
)
from tests.clients.server import Evalstream, Rows

# making an environment for the first time can take a while
pytestmark = pytest.mark.timeout(400)

COLUMNS = (
    "trace_id, span_id, parent_span_id, name, kind, status, status_message, error_type, service, environment, release, "
    "session_id, user_id, tags, metadata, provider, request_model, response_model, response_id, finish_reason, input, "
    "output, input_tokens, output_tokens, total_tokens, cache_read_tokens, reasoning_tokens, usage_counted, streaming, "
    "time_to_first_token_ms, duration_ms, tool_name"
)
EVERYTHING = f"SELECT {COLUMNS} FROM spans ORDER BY start_time, end_time DESC"
SPANS = 11
"""The root, nine model calls, and the tool."""


@dataclass(frozen=True, slots=True)
class Held:
    """A conversation that was held: the client, what it was billed, and all its spans as Evalstream shows them."""

    client: Client
    calls: list[Bill]
    spans: Rows

    @property
    def models(self) -> Rows:
        """The spans of model calls, in order."""
        return [span for span in self.spans if span["kind"] in ("llm", "embedding")]

    def only(self, kind: str) -> Rows:
        """The spans of this kind."""
        return [span for span in self.spans if span["kind"] == kind]


@pytest.fixture(scope="module", params=CLIENTS, ids=lambda client: client.name)
def held(request: pytest.FixtureRequest, evalstream: Evalstream, model_server: ScriptedModelServer) -> Held:
    """One conversation a client, read back when all of it has arrived and been joined."""
    client: Client = request.param
    run_program(client, evalstream, model_server)
    spans = evalstream.wait_for(client.name, EVERYTHING, complete)
    return Held(client, billed_calls(model_server.bills(client.name)), spans)


def complete(spans: Rows) -> bool:
    """Whether every span is there, knows its session, and every chat has its messages."""
    chats = [span for span in spans if span["kind"] == "llm"]
    talked = all(span["input"] and (span["output"] or span["status"] == "error") for span in chats)
    return len(spans) >= SPANS and talked and all(span["session_id"] for span in spans)


def test_every_call_is_one_span_of_its_kind(held: Held) -> None:
    assert len(held.spans) == SPANS
    assert [span["kind"] for span in held.models] == [
        "embedding" if bill.ask.api == "embeddings" else "llm" for bill in held.calls
    ]
    assert [span["provider"] for span in held.models] == ["openai"] * len(held.calls)


def test_the_conversation_is_one_trace_below_one_root(held: Held) -> None:
    roots = [span for span in held.spans if not span["parent_span_id"]]
    assert [root["kind"] for root in roots] == [held.client.root]
    assert len({span["trace_id"] for span in held.spans}) == 1
    assert {span["parent_span_id"] for span in held.spans} - {span["span_id"] for span in held.spans} == {""}


def test_models_are_those_asked_and_those_that_answered(held: Held) -> None:
    calls = list(zip(held.models, held.calls, strict=True))
    answered = [(span["response_model"], bill.reply.model) for span, bill in calls if bill.reply]
    assert [shown for shown, _ in answered] == [model for _, model in answered]
    if held.client.tells("request_model"):
        chats = [(span["request_model"], bill.ask.model) for span, bill in calls if bill.ask.api == "chat"]
        assert [shown for shown, _ in chats] == [model for _, model in chats]


def test_response_ids_are_the_services(held: Held) -> None:
    chats = [
        (span, bill)
        for span, bill in zip(held.models, held.calls, strict=True)
        if bill.reply and span["kind"] == "llm"
    ]
    expected = [bill.id if held.client.tells("response_id") else "" for _, bill in chats]
    assert [span["response_id"] for span, _ in chats] == expected


def test_tokens_are_those_billed(held: Held) -> None:
    for span, bill in zip(held.models, held.calls, strict=True):
        if bill.usage is None:
            assert (span["input_tokens"], span["output_tokens"], span["total_tokens"]) == (None, None, None)
            continue
        assert (span["input_tokens"], span["output_tokens"] or 0) == (bill.usage.input, bill.usage.output)
        assert span["total_tokens"] == bill.usage.input + bill.usage.output


def test_cached_and_reasoning_tokens_are_those_billed(held: Held) -> None:
    billed = [(span, bill.usage) for span, bill in zip(held.models, held.calls, strict=True) if bill.usage]
    assert any(usage.cache_read for _, usage in billed)
    assert any(usage.reasoning for _, usage in billed)
    for span, usage in billed:
        assert (span["cache_read_tokens"] or 0) == (usage.cache_read if held.client.tells("cache") else 0)
        assert (span["reasoning_tokens"] or 0) == (usage.reasoning if held.client.tells("reasoning") else 0)


def test_the_bill_is_counted_exactly_once(held: Held, evalstream: Evalstream) -> None:
    counted = evalstream.sql(
        held.client.name,
        "SELECT sum(input_tokens) AS input, sum(output_tokens) AS output, count() AS calls FROM spans WHERE usage_counted",
    )
    usages = [bill.usage for bill in held.calls if bill.usage]
    expected = {
        "input": sum(u.input for u in usages),
        "output": sum(u.output for u in usages),
        "calls": len(usages),
    }
    assert counted == [expected]


def test_messages_are_what_was_asked_and_answered(held: Held) -> None:
    for span, bill in zip(held.models, held.calls, strict=True):
        if span["kind"] == "llm":
            assert read_messages(span["input"]) == asked_messages(bill)
            assert read_messages(span["output"]) == answered_messages(bill)


def test_finish_reasons_are_the_services(held: Held) -> None:
    chats = [
        (span, bill)
        for span, bill in zip(held.models, held.calls, strict=True)
        if bill.reply and span["kind"] == "llm"
    ]
    if held.client.tells("finish_reason"):
        assert [span["finish_reason"] for span, _ in chats] == [
            bill.reply.finish for _, bill in chats if bill.reply
        ]


def test_the_failed_call_is_the_only_error(held: Held) -> None:
    failed = [(span, bill) for span, bill in zip(held.models, held.calls, strict=True) if bill.status == 500]
    assert [span["span_id"] for span in held.spans if span["status"] == "error"] == [
        span["span_id"] for span, _ in failed
    ]
    [(span, _)] = failed
    assert "The server had an error" in span["status_message"]
    assert ("InternalServerError" in span["error_type"]) is held.client.tells("error_type")


def test_the_stream_is_known_with_its_time_to_first_token(held: Held) -> None:
    streamed = [span for span, bill in zip(held.models, held.calls, strict=True) if bill.ask.stream]
    if held.client.tells("streaming"):
        assert [span["span_id"] for span in held.spans if span["streaming"]] == [
            span["span_id"] for span in streamed
        ]
        [span] = streamed
        assert 0 < span["time_to_first_token_ms"] < span["duration_ms"]


def test_session_and_user_stand_on_every_span(held: Held) -> None:
    assert {(span["session_id"], span["user_id"]) for span in held.spans} == {(SESSION, USER)}


def test_service_environment_release_tags_and_metadata(held: Held) -> None:
    for span in held.spans:
        assert (span["service"], span["environment"], span["release"]) == ("shop", "live", "1.0")
        if held.client.tells("tags"):
            assert span["tags"] == ["live", "shop"]
        if held.client.tells("tenant"):
            assert span["metadata"]["tenant"] == "northwind"


def test_the_tool_has_its_arguments_and_its_result(held: Held) -> None:
    [tool] = held.only("tool")
    assert tool["tool_name"] == "lookup_order"
    assert "48210" in tool["input"]
    assert "shipped" in tool["output"]
