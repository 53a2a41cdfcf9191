"""Spans, sessions, users and log records."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa

from api.models import LogRecord, Page, Session, SessionRow, Span, SpanRow, UserRow
from schemas.events import LOG_SCHEMA
from tests.factories import NOON, conversation, span, span_id, trace_id
from tests.integration.api.harness import JSON, Api


async def test_spans_are_listed_newest_first_without_their_bulk(api: Api) -> None:
    api.insert(conversation(1, attributes=[("a", "b")], events="[]"))
    page = await api.get("/spans")
    Page[SpanRow].model_validate(page)
    assert [row["name"] for row in page["data"]] == ["look up", "ask", "chat"]
    assert {"attributes", "events"}.isdisjoint(page["data"][0])


async def test_pages_of_spans_with_one_start_give_each_once(api: Api) -> None:
    api.insert(span(n % 4, n, start=NOON - timedelta(seconds=n // 8)) for n in range(1, 24))
    found = [row["span_id"] for row in await api.rows("/spans", limit=5)]
    assert sorted(found) == [span_id(n) for n in range(1, 24)]


async def test_a_long_filter_goes_into_a_body(api: Api) -> None:
    api.insert(conversation(1))
    filter = " or ".join(["kind = 'llm'"] * 1000)
    page = await api.post("/spans/query", {"filter": filter, "search": "assistant", "limit": 1})
    assert [row["name"] for row in page["data"]] == ["ask"]
    assert page["data"][0]["match"]["span_id"] == span_id(12)


async def test_a_span_is_shown_whole(api: Api) -> None:
    first, *_ = conversation(
        1, attributes=[("a", "b")], metadata=[("plan", "pro")], start=NOON - timedelta(days=900)
    )
    api.insert([first, span(2, 11, name="namesake")])
    found = await api.get(f"/spans/{span_id(11)}", trace_id=trace_id(1))
    Span.model_validate(found)
    assert (found["attributes"], found["metadata"], found["trial"]) == ({"a": "b"}, {"plan": "pro"}, None)
    assert (await api.get(f"/spans/{span_id(11)}"))["name"] == "namesake"
    assert (await api.get(f"/spans/{span_id(404)}", 404))["code"] == "not_found"


async def test_sessions_sum_up_their_spans(api: Api) -> None:
    for n in range(1, 6):
        api.insert(
            conversation(n, start=NOON - timedelta(minutes=10 * n), session_id=f"s{n % 2}", user_id="ada")
        )
    page = await api.get("/sessions", limit=1)
    Page[SessionRow].model_validate(page)
    assert page["data"] == [
        {
            "session_id": "s0", "user_id": "ada", "start_time": "2026-11-20T11:20:00Z", "end_time": "2026-11-20T11:40:03Z",
            "trace_count": 2, "span_count": 6, "error_count": 0, "input_tokens": 20, "output_tokens": 10, "total_tokens": 30,
            "cost": 0.002,
        }
    ]  # fmt: skip
    assert [row["session_id"] for row in await api.rows("/sessions", limit=1)] == ["s0", "s1"]
    assert [
        row["session_id"] for row in await api.rows("/sessions", filter="scores['x'] > 1 or kind = 'llm'")
    ] == ["s0", "s1"]
    assert await api.rows("/sessions", filter="kind = 'guardrail'") == []


async def test_a_session_has_its_traces_in_the_order_of_the_conversation(api: Api) -> None:
    for n in range(1, 4):
        api.insert(conversation(n, start=NOON - timedelta(days=n), session_id="chat/42 ü"))
    first = await api.get("/sessions/chat/42 ü", limit=2)
    Session.model_validate(first)
    second = await api.get("/sessions/chat/42 ü", limit=2, cursor=first["traces"]["next_cursor"])
    found = [row["trace_id"] for row in first["traces"]["data"] + second["traces"]["data"]]
    assert (found, first["summary"]["trace_count"]) == ([trace_id(3), trace_id(2), trace_id(1)], 3)
    assert (await api.get("/sessions/none", 404))["code"] == "not_found"


async def test_users_sum_up_their_spans(api: Api) -> None:
    api.insert(conversation(1, user_id="ada", session_id="s1"))
    api.insert(conversation(2, user_id="bob", start=NOON - timedelta(hours=1)))
    page = await api.get("/users")
    Page[UserRow].model_validate(page)
    assert [(row["user_id"], row["session_count"], row["cost"]) for row in page["data"]] == [
        ("ada", 1, 0.001),
        ("bob", 0, 0.001),
    ]
    assert [row["user_id"] for row in await api.rows("/users", limit=1)] == ["ada", "bob"]


async def test_log_records_are_listed_and_filtered(api: Api) -> None:
    records = [_record(api.project, n) for n in range(1, 8)]
    api.context.store.insert("logs_raw", _stored(records))
    page = await api.get("/logs", limit=5)
    Page[LogRecord].model_validate(page)
    assert [row["body"] for row in await api.rows("/logs", limit=3)] == [f"line {n}" for n in range(1, 8)]
    assert [row["body"] for row in await api.rows("/logs", filter="attributes['n'] = '3'")] == ["line 3"]
    assert len(await api.rows("/logs", trace_id=trace_id(1))) == 4
    refused = await api.get("/logs", 400, filter="scores['a'] > 1")
    assert refused["code"] == "invalid_query"


def _record(project: str, n: int) -> JSON:
    nothing = {field.name: "" for field in LOG_SCHEMA}
    time = NOON - timedelta(seconds=n // 2)
    said = {
        "project": project,
        "time": time,
        "trace_id": trace_id(n % 2),
        "body": f"line {n}",
        "_id": f"{9 - n}",
    }
    return nothing | said | {"severity": "INFO", "attributes": [("n", str(n))], "_received_at": time}


def _stored(records: list[JSON]) -> pa.Table:
    return pa.Table.from_pylist(records, LOG_SCHEMA)
