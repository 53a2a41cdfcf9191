"""The list of traces and one trace: rows, pages, filters, search."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from api.models import Page, Span, Trace, TraceRow
from tests.factories import NOON, conversation, llm, span, span_id, trace_id
from tests.integration.api.harness import Api

EARLY = NOON - timedelta(hours=8)


async def test_a_row_sums_up_the_spans_of_its_trace(api: Api) -> None:
    api.insert(
        conversation(
            1, start=EARLY, session_id="s", user_id="u", tags=["a"], environment="prod", release="1.2"
        )
    )
    (row,) = await api.rows("/traces")
    assert row == {
        "trace_id": trace_id(1), "name": "chat", "start_time": "2026-11-20T04:00:00Z", "end_time": "2026-11-20T04:00:03Z",
        "duration_ms": 3000.0, "status": "unset", "span_count": 3, "error_count": 0, "session_id": "s", "user_id": "u",
        "environment": "prod", "release": "1.2", "tags": ["a"], "input": "hello", "output": "bye", "input_tokens": 10,
        "output_tokens": 5, "total_tokens": 15, "cost": 0.001, "models": ["gpt-5"], "scores": {},
    }  # fmt: skip


async def test_the_list_says_what_the_view_says(api: Api) -> None:
    api.insert(row for n in range(1, 6) for row in conversation(n, start=EARLY + n * timedelta(minutes=1)))
    api.insert(
        [llm(9, 99, start=EARLY, parent_span_id=span_id(98), _head=True, status="error", usage_counted=False)]
    )
    listed = await api.rows("/traces")
    viewed = await api.post("/sql", {"query": "SELECT * FROM traces ORDER BY start_time DESC, trace_id DESC"})
    assert [row | {"project": api.project} for row in listed] == [
        row | {"scores": {}} for row in viewed["data"]
    ]


async def test_an_answer_is_what_openapi_says(api: Api) -> None:
    api.insert(conversation(1))
    Page[TraceRow].model_validate(await api.get("/traces"))
    document = await api.get(f"/traces/{trace_id(1)}")
    Trace.model_validate(document)
    assert set(document["spans"][0]) == set(Span.model_fields)


async def test_pages_give_every_trace_once_newest_first(api: Api) -> None:
    starts = [EARLY + timedelta(minutes=n // 3) for n in range(20)]  # ties in time
    api.insert(span(n, n, start=start) for n, start in enumerate(starts, start=1))
    found = await api.pages("/traces", limit=3)
    assert [len(page) for page in found] == [3] * 6 + [2]
    order = [(row["start_time"], row["trace_id"]) for page in found for row in page]
    assert order == sorted(order, reverse=True)
    assert len(set(order)) == len(starts)


async def test_pages_stay_good_while_data_arrives(api: Api) -> None:
    api.insert(span(n, n, start=EARLY + timedelta(seconds=n)) for n in range(1, 9))
    first = await api.get("/traces", limit=4)
    api.insert(span(n, n, start=NOON - timedelta(seconds=n)) for n in range(20, 30))
    second = await api.get("/traces", limit=4, cursor=first["next_cursor"])
    seen = [row["trace_id"] for row in first["data"] + second["data"]]
    assert seen == [trace_id(n) for n in range(8, 0, -1)]
    assert second["next_cursor"] is None


async def test_the_window_is_the_last_day_unless_said(api: Api) -> None:
    api.insert(
        [
            span(1, 1, start=NOON - timedelta(hours=25)),
            span(2, 2),
            span(3, 3, start=NOON + timedelta(minutes=5)),
        ]
    )
    assert [row["trace_id"] for row in await api.rows("/traces")] == [trace_id(3), trace_id(2)]
    older = await api.rows("/traces", start="2026-11-19T00:00:00Z", end="2026-11-20T12:00:00Z")
    assert [row["trace_id"] for row in older] == [trace_id(1)]
    exact = await api.rows(
        "/traces", start="2026-11-20T13:00:00.000000000+01:00", end="2026-11-20T12:00:00.000000001Z"
    )
    assert [row["trace_id"] for row in exact] == [trace_id(2)]


@pytest.mark.parametrize(
    ("filter", "numbers"),
    [
        ("kind = 'llm'", [2, 1]),
        ("kind = 'llm' and cost > 0.5", [2]),
        ("user_id = 'ada'", [1]),
        ("span_count = 1", [3]),
        ("span_count = 3 and kind = 'tool'", [2, 1]),
        ("span_count = 1 or kind = 'tool'", [3, 2, 1]),
        ("metadata['plan'] = 'pro' and not has(tags, 'x')", [1]),
        ("kind = 'llm' and name = 'chat'", [2, 1]),
        ("scores['good'] > 0.5", []),
    ],
)
async def test_a_filter_asks_the_trace_or_any_of_its_spans(api: Api, filter: str, numbers: list[int]) -> None:
    api.insert(conversation(1, start=EARLY, user_id="ada", metadata=[("plan", "pro")]))
    second = [
        row | ({"cost": Decimal(1)} if row["kind"] == "llm" else {})
        for row in conversation(2, start=EARLY + timedelta(1e-5))
    ]
    api.insert(second)
    api.insert([span(3, 3, start=NOON - timedelta(minutes=1))])
    assert [row["trace_id"] for row in await api.rows("/traces", filter=filter, limit=1)] == [
        trace_id(n) for n in numbers
    ]


async def test_a_search_finds_words_in_any_field_and_shows_where(api: Api) -> None:
    api.insert([llm(1, 1, input="When will my REFUND arrive?", output="Within two days.")])
    api.insert(
        [span(2, 2, status_message="Refund service: timeout", start=EARLY), span(3, 3, name="unrelated")]
    )
    found = await api.rows("/traces", search="refund")
    assert [(row["trace_id"], row["match"]["snippet"]) for row in found] == [
        (trace_id(1), "When will my REFUND arrive?"),
        (trace_id(2), "Refund service: timeout"),
    ]
    assert [row["trace_id"] for row in await api.rows("/traces", search="days refund")] == [trace_id(1)]
    assert await api.rows("/traces", search="refun") == []
    api.insert([llm(4, 4, input=r'[{"content":"One\nSecondly \\nine"}]', start=EARLY)])
    for word in ("secondly", "nine", "one secondly"):
        assert [row["trace_id"] for row in await api.rows("/traces", search=word)] == [trace_id(4)], word
    assert [row["match"]["span_id"] for row in await api.rows("/spans", search="TIMEOUT")] == [span_id(2)]


async def test_a_trace_has_its_spans_with_parents_and_orphans(api: Api) -> None:
    api.insert(conversation(1, start=EARLY - timedelta(days=400)))
    api.insert([span(1, 5, start=EARLY - timedelta(days=400), seconds=9, parent_span_id="feedfeedfeedfeed")])
    document = await api.get(f"/traces/{trace_id(1)}")
    assert [row["parent_span_id"] for row in document["spans"]] == [
        "",
        "feedfeedfeedfeed",
        span_id(11),
        span_id(11),
    ]
    assert document["summary"]["span_count"] == len(document["spans"])
    assert (document["truncated"], document["scores"]) == (False, [])
    assert (await api.get(f"/traces/{trace_id(404)}", 404))["code"] == "not_found"


async def test_versions_of_a_span_are_one_span(api: Api) -> None:
    api.insert(conversation(1))
    api.insert(row | {"_version": Decimal(2), "session_id": "late"} for row in conversation(1))
    (row,) = await api.rows("/traces", filter="session_id = 'late'")
    assert (row["span_count"], row["total_tokens"], row["session_id"]) == (3, 15, "late")
    assert await api.rows("/traces", filter="session_id = ''") == []


async def test_long_texts_are_cut_in_lists_and_whole_in_a_trace(api: Api) -> None:
    api.insert([llm(1, 1, input="ä" * 3000, output="")])
    (row,) = await api.rows("/traces")
    assert (row["input"][-2:], len(row["input"])) == ("ä…", 501)
    (listed,) = await api.rows("/spans")
    assert len(listed["input"]) == 501
    document = await api.get(f"/traces/{trace_id(1)}")
    assert document["spans"][0]["input"] == "ä" * 3000


async def test_another_project_sees_nothing_of_it(api: Api) -> None:
    api.insert(conversation(1, session_id="s", user_id="u"))
    await api.context.projects.create(f"{api.project}-other", "test")
    other = f"/api/v1/projects/{api.project}-other"
    for path in ("/traces", "/spans", "/sessions", "/users", "/logs", "/scores", "/dead-letters"):
        answer = await api.client.get(other + path)
        assert answer.json() == {"data": [], "next_cursor": None}, path
    for path in (f"/traces/{trace_id(1)}", f"/spans/{span_id(11)}", "/sessions/s"):
        assert (await api.client.get(other + path)).status_code == 404
    rows = await api.client.post(other + "/sql", json={"query": "SELECT * FROM spans"})
    assert rows.json()["data"] == []
    assert (await api.client.get(other + "/export")).content == b""
