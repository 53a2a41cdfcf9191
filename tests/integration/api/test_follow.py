"""New traces as server-sent events, over a real HTTP server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest

from api.reading import follow
from api.reading.follow import Follower
from tests.factories import NOON, conversation, llm, span, trace_id
from tests.integration.api import serving
from tests.integration.api.harness import JSON, Api

STREAM = {"Accept": "text/event-stream"}


@asynccontextmanager
async def served(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a real server."""
    async with serving.served(api) as url, httpx.AsyncClient(base_url=url, timeout=10) as client:
        yield client


async def events(answer: httpx.Response, count: int) -> list[JSON]:
    """The next events of a stream."""
    found: list[JSON] = []
    async for line in answer.aiter_lines():
        if line.startswith("data: "):
            found.append(json.loads(line.removeprefix("data: ")))
        if len(found) == count:
            break
    return found


async def test_new_traces_appear_and_old_ones_do_not(api: Api) -> None:
    api.insert(conversation(1, start=NOON - timedelta(minutes=1)))
    async with served(api) as client, client.stream("GET", api.path("/traces"), headers=STREAM) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        api.insert(conversation(2, start=NOON + timedelta(seconds=1)))
        api.insert(conversation(3, start=NOON + timedelta(seconds=1)))
        found = await asyncio.wait_for(events(answer, 2), 5)
    assert {row["trace_id"] for row in found} == {trace_id(2), trace_id(3)}
    assert found[0]["total_tokens"] == 15


async def test_a_client_that_comes_back_misses_nothing(api: Api) -> None:
    api.insert(span(n, n, _bucket=NOON - timedelta(seconds=n)) for n in range(1, 4))
    since = int((NOON - timedelta(seconds=3)).timestamp() * 1000)
    async with served(api) as client:
        headers = STREAM | {"Last-Event-ID": str(since)}
        async with client.stream("GET", api.path("/traces"), headers=headers) as answer:
            found = await asyncio.wait_for(events(answer, 2), 5)
        refused = await client.get(api.path("/traces"), headers=STREAM | {"Last-Event-ID": "x"})
    assert [row["trace_id"] for row in found] == [trace_id(2), trace_id(1)]
    assert refused.status_code == 400


async def test_a_trace_of_the_same_moment_written_later_is_not_missed(api: Api) -> None:
    follower = Follower(api.context.store, api.project, int(NOON.timestamp() * 1000) - 1)
    api.insert([span(2, 2)])
    assert [row["trace_id"] for _, row in follower.poll()] == [trace_id(2)]
    api.insert([span(1, 1)])
    assert [row["trace_id"] for _, row in follower.poll()] == [trace_id(1)]
    assert follower.poll() == []


async def test_a_filter_narrows_the_stream(api: Api) -> None:
    judged = api.app.state.evalstream.vetter.trace_filter("kind = 'llm'")
    follower = Follower(api.context.store, api.project, 0, judged)
    api.insert([span(1, 1), llm(2, 2)])
    assert [row["trace_id"] for _, row in follower.poll()] == [trace_id(2)]


async def test_silence_is_broken_by_heartbeats(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr(follow, "POLL_SECONDS", 0.05)
    async with served(api) as client, client.stream("GET", api.path("/traces"), headers=STREAM) as answer:
        async for line in answer.aiter_lines():
            if line.startswith(":"):
                break
        assert line == ": nothing new"
