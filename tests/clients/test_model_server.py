"""The scripted model service, through the official SDKs."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import httpx
import openai
import pytest

from api.demo.model_server import ScriptedModelServer
from api.demo.model_types import Usage

LONG = "You are the assistant of a small shop. " * 40


@pytest.fixture
def server() -> Iterator[ScriptedModelServer]:
    with ScriptedModelServer(seed=3) as running:
        yield running


@pytest.fixture
def client(server: ScriptedModelServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.openai_url, api_key="tester") as opened:
        yield opened


@pytest.fixture
def claude(server: ScriptedModelServer) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.url, api_key="tester") as opened:
        yield opened


def test_a_chat_is_billed_as_the_client_is_told(server: ScriptedModelServer, client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hello"}])
    [bill] = server.bills("tester")
    assert answer.usage is not None
    assert bill.usage == Usage(answer.usage.prompt_tokens, answer.usage.completion_tokens)
    assert (answer.id, answer.model) == (bill.id, "gpt-4o-2024-08-06")


def test_a_repeated_prefix_is_read_from_the_cache(server: ScriptedModelServer, client: openai.OpenAI) -> None:
    for text in ("one", "two"):
        client.chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "system", "content": LONG}, {"role": "user", "content": text}],
        )
    first, second = (bill.usage for bill in server.bills("tester"))
    assert first is not None
    assert second is not None
    assert (first.cache_read, second.cache_read > 0) == (0, True)


def test_a_stream_joins_to_the_text_and_ends_with_usage(
    server: ScriptedModelServer, client: openai.OpenAI
) -> None:
    chunks = list(
        client.chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": "Hello"}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    [bill] = server.bills("tester")
    assert bill.reply is not None
    assert (
        "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == bill.reply.text
    )
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == bill.reply.usage.input + bill.reply.usage.output


def test_claude_writes_and_reads_a_marked_prompt(
    server: ScriptedModelServer, claude: anthropic.Anthropic
) -> None:
    usages = []
    for _ in range(2):
        with claude.messages.stream(
            model="claude-haiku-4-5",
            max_tokens=200,
            system=[{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}],
            messages=[{"role": "user", "content": "Hello"}],
        ) as stream:
            usages.append(stream.get_final_message().usage)
    written, read = usages
    assert written.cache_creation_input_tokens == read.cache_read_input_tokens
    assert (written.cache_read_input_tokens, read.cache_creation_input_tokens) == (0, 0)
    for bill, usage in zip(server.bills("tester"), usages, strict=True):
        assert bill.usage is not None
        assert bill.usage.input == usage.input_tokens + bill.usage.cache_read + bill.usage.cache_write


def test_claude_calls_a_tool(claude: anthropic.Anthropic) -> None:
    schema: dict[str, object] = {"type": "object", "properties": {"order_id": {"type": "string"}}}
    answer = claude.messages.create(
        model="claude-haiku-4-5",
        max_tokens=200,
        tools=[{"name": "lookup_order", "description": "Status of an order.", "input_schema": schema}],
        messages=[{"role": "user", "content": "Where is order 48210?"}],
    )
    [block] = answer.content
    assert block.type == "tool_use"
    assert (answer.stop_reason, block.name, block.input) == (
        "tool_use",
        "lookup_order",
        {"order_id": "48210"},
    )


def test_a_fault_can_be_asked_for_and_passes_with_a_retry(
    server: ScriptedModelServer, client: openai.OpenAI
) -> None:
    client.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "user", "content": "Hi"}],
        extra_headers={"x-scripted-fault": "rate_limit:1"},
    )
    assert [bill.status for bill in server.bills("tester")] == [429, 200]


def test_a_cut_stream_breaks_and_bills_nothing(server: ScriptedModelServer, client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "user", "content": "Hi"}],
        stream=True,
        extra_headers={"x-scripted-fault": "cut"},
    )
    with pytest.raises(httpx.RemoteProtocolError):
        list(stream)
    assert [bill.usage for bill in server.bills("tester")] == [None]


def test_a_request_that_cannot_be_read_is_refused(server: ScriptedModelServer) -> None:
    assert httpx.post(f"{server.openai_url}/chat/completions", json={"model": "gpt-4o"}).status_code == 400
    assert httpx.post(f"{server.openai_url}/unknown", json={}).status_code == 404


def test_the_same_seed_gives_the_same_answers() -> None:
    def answers() -> list[str]:
        with (
            ScriptedModelServer(seed=5) as running,
            openai.OpenAI(base_url=running.openai_url, api_key="x") as opened,
        ):
            return [
                opened.chat.completions.create(
                    model="gpt-4o", messages=[{"role": "user", "content": text}]
                ).model_dump_json(exclude={"created"})
                for text in ("Hello", "Who are you?")
            ]

    assert answers() == answers()
